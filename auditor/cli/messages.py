"""Lines on stderr. Everything else that a command says goes to stdout."""

from __future__ import annotations

import sys

__all__ = ["complain", "one_line", "print_unknown", "say"]

_MAX_LINE_CHARS = 2000


def one_line(text: str) -> str:
    """Make a text safe for a terminal: on one line, nothing in it that moves the cursor.

    Server answers and file names may hold escape sequences and reordering characters.
    """
    shown = "".join(c if c.isprintable() else _visible(c) for c in text)
    return shown if len(shown) <= _MAX_LINE_CHARS else f"{shown[:_MAX_LINE_CHARS]}…"


def _visible(character: str) -> str:
    if character in "\t\r\n":
        return " "
    return character.encode("unicode_escape").decode()


def say(text: str) -> None:
    """Write one line to stderr."""
    sys.stderr.write(f"{one_line(text)}\n")


def complain(text: str) -> None:
    """Write one line to stderr that says whose it is."""
    say(f"auditor: {text}")


def print_unknown(text: str) -> None:
    """Write to stdout what a monitoring system shows where nothing was determined."""
    sys.stdout.write(f"PROPAGATION UNKNOWN - {one_line(text).replace('|', '/')}\n")
