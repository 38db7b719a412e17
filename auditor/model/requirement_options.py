"""The options in a requirements file: every word of a line, abbreviated or not, as pip reads it.

Source: pip's own table of what a requirements file may say (pip 26.3), and what older ones allowed.
"""

from __future__ import annotations

import itertools
import optparse
import shlex
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from typing import NoReturn

__all__ = ["NotUnderstood", "Options", "read_options"]

# Splitting at quotes takes a microsecond per character.
_MAX_QUOTED_CHARS = 8_000
_MAX_WORDS = 500
_VALUES = (
    ("-r", "--requirement", "requirements"),
    ("-c", "--constraint", "constraints"),
    ("-e", "--editable", "editables"),
    ("-i", "--index-url", "sources"),
    ("", "--pypi-url", "sources"),
    ("", "--extra-index-url", "sources"),
    ("-f", "--find-links", "sources"),
    ("", "--hash", "hashes"),
    ("", "--no-binary", "other"),
    ("", "--only-binary", "other"),
    ("", "--all-releases", "other"),
    ("", "--only-final", "other"),
    ("", "--trusted-host", "other"),
    ("", "--use-feature", "other"),
    ("-C", "--config-settings", "other"),
    ("", "--global-option", "other"),
    ("", "--install-option", "other"),
    ("", "--build-option", "other"),
)
_FLAGS = ("--no-index", "--prefer-binary", "--require-hashes", "--no-require-hashes", "--pre")
# Options that change what is chosen from a page, or whether it is looked at.
_CHOOSING = ("--no-binary", "--only-binary", "--all-releases", "--only-final")


class NotUnderstood(ValueError):
    """A line with options that pip would refuse, or of which we cannot tell what it does."""


@dataclass(frozen=True, slots=True)
class Options:
    """What a line says in options.

    Attributes:
        requirements, constraints: files that it includes.
        editables: projects to be installed from a source tree.
        sources: indexes and the like, as written.
        hashes: texts such as `sha256:…`.
        choosing: options that change what is chosen from a page, by their full names.
    """

    requirements: tuple[str, ...] = ()
    constraints: tuple[str, ...] = ()
    editables: tuple[str, ...] = ()
    sources: tuple[str, ...] = ()
    hashes: tuple[str, ...] = ()
    choosing: tuple[str, ...] = ()


class _Parser(optparse.OptionParser):
    def error(self, msg: str) -> NoReturn:
        raise NotUnderstood(msg)


@cache
def _parser() -> _Parser:
    parser = _Parser(add_help_option=False, usage="")
    for short, long, name in _VALUES:
        words = (short, long) if short else (long,)
        dest = long if long in _CHOOSING else name
        parser.add_option(*words, dest=dest, action="append", default=[])
    for flag in _FLAGS:
        parser.add_option(flag, dest=flag, action="store_true")
    return parser


def read_options(text: str) -> Options:
    """Read the part of a line that begins with an option.

    Raises:
        NotUnderstood: see there; the text names the cause.
    """
    words = _words(text)
    # Locks have hundreds of digests per line, which need no parser.
    hashes = [word.removeprefix("--hash=") for word in words if word.startswith("--hash=")]
    hashes += [value for word, value in itertools.pairwise(words) if word == "--hash"]
    left = [word for word in words if not word.startswith("--hash=")]
    if len(left) > _MAX_WORDS:
        raise NotUnderstood(f"more than {_MAX_WORDS} words of options")
    values = optparse.Values(
        {name: [] for _, _, name in _VALUES}
        | dict.fromkeys(_FLAGS)
        | {name: [] for name in _CHOOSING},
    )
    _, positional = _parser().parse_args(left, values)
    if positional:
        raise NotUnderstood(f"{positional[0][:80]!r} belongs to no option")
    return Options(
        requirements=tuple(values.requirements),
        constraints=tuple(values.constraints),
        editables=tuple(values.editables),
        sources=tuple(values.sources),
        hashes=(*hashes, *(h for h in values.hashes if h not in hashes)),
        choosing=tuple(name for name in (*_FLAGS, *_CHOOSING) if getattr(values, name)),
    )


def _words(text: str) -> Sequence[str]:
    if not set(text) & set("'\"\\"):
        return text.split()
    if len(text) > _MAX_QUOTED_CHARS:
        raise NotUnderstood("options with quotes that are too long to be read")
    try:
        return shlex.split(text)
    except ValueError as error:
        raise NotUnderstood(f"options that cannot be split: {error}") from error
