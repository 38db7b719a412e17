"""Inputs that a reader once did not survive, and the large ones as what makes them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from tests.fuzz.trial import MAX_INPUT_BYTES

__all__ = ["kept_inputs"]

_CRASHES = Path(__file__).parent / "crashes"


def _full(begin: bytes, piece: bytes, end: bytes = b"") -> bytes:
    """Fill an input up to the largest size."""
    room = MAX_INPUT_BYTES - len(begin) - len(end)
    return begin + piece * (room // len(piece)) + end


def _large() -> Iterator[tuple[str, str, bytes]]:
    yield "pages.html", "headings without end", _full(b"<h1>Directory listing for /</h1>", b"<h1>")
    yield "names.secrets", "parameters without end", _full(b"sig#a", b"#/56=0", b"authority")
    yield "locks.requirements", "lines without end", _full(b"", b"/x\n")
    yield "stored.lines", "tables without end", _full(b"", b"[[a]]\n")
    yield "stored.lines", "a table within tables", _full(b"[[", b"a.", b"a]]\n")
    yield "stored.lines", "a key within keys", _full(b"x = {", b"a.", b"a = 1}\n")
    yield "pages.devpi", "replies within replies", _full(b"", b'{"type": "x", "result": ')
    yield "pages.devpi", "a list within lists", _full(b'{"result": ', b"[")


def kept_inputs() -> Iterator[tuple[str, str, bytes]]:
    """Yield target, name and bytes of each."""
    yield from _large()
    for path in sorted(_CRASHES.glob("*/*")):
        yield path.parent.name, path.name, path.read_bytes()
