"""`requires-python` as uv reads it: repaired where it can be, and then only its lower end counts.

uv takes the interpreter for "this version or any later one" and asks whether the specifier's lower
end is at or below it; what a specifier says of the upper end, or of single versions above its lower
end, never excludes anything (uv 0.13, `RequiresPython::is_contained_by`; its documentation calls
this ignoring upper bounds). A file whose specifier cannot be read even when repaired is skipped,
where pip would ignore the specifier.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from packaging.version import InvalidVersion, Version

from auditor.selection.support import MAX_SPECIFIER_CHARS

__all__ = ["LowerEnd", "lower_end", "uv_admits"]

Release = tuple[int, ...]

_SPECIFIER = re.compile(r"\s*([=!~<>]+)\s*(\S+)\s*")
_OPERATORS = frozenset({"==", "===", "!=", "<", "<=", ">", ">=", "~="})
_TAKES_STAR = frozenset({"==", "!="})

# What uv repairs, in its order, each on top of the ones before it, until the text can be read
# (uv, lenient_requirement.rs).
_REPAIRS = (
    (re.compile(r"([0-9])([<>=~^!])"), r"\1,\2"),
    (re.compile(r"!=~((?:[0-9]\.)*[0-9])"), r"!=\1.*"),
    (re.compile(r"(<=|>=|<|>)\s*([0-9]+(\.[0-9]+)*)\.\*"), r"\1\2"),
    (re.compile(r"([0-9]\.[0-9])+\*"), r"\1.*"),
    (re.compile(r",\s*$"), ""),
    (re.compile(r">dev"), ">0.0.0dev"),
    (re.compile(r"([0-9]+(\.[0-9])*(a|b|rc|post|dev)[0-9]+)\.0"), r"\1"),
    (re.compile("['\"]"), ""),
)


class _Point(NamedTuple):
    """A place between two releases: just below one, or just above it."""

    release: Release
    above: bool


_Span = tuple[_Point | None, _Point | None]


class LowerEnd(NamedTuple):
    """Where a specifier begins.

    Attributes:
        release: the first release, without trailing zeros; None: it has no lower end.
        included: whether that release itself belongs to it.
    """

    release: Release | None
    included: bool


_NO_END = LowerEnd(None, included=True)


def uv_admits(requires_python: str, full_version: str) -> bool | None:
    """Say whether uv takes a file for an interpreter; None if that cannot be said.

    Args:
        requires_python: as the page has it, "" for none; it must be readable (`lower_end`).
        full_version: such as `3.12.12`.
    """
    if len(requires_python) > MAX_SPECIFIER_CHARS:
        return None
    end = lower_end(requires_python)
    if end is None or end.release is None:
        return end is not None
    ours = _release(Version(full_version))
    return ours >= end.release if end.included else ours > end.release


@lru_cache(maxsize=4096)
def lower_end(requires_python: str) -> LowerEnd | None:
    """Return where a specifier begins; None if uv cannot read it and skips the file."""
    spans = _read(requires_python)
    for pattern, replacement in _REPAIRS:
        if spans is not None:
            break
        repaired = pattern.sub(replacement, requires_python)
        if repaired != requires_python:
            requires_python = repaired
            spans = _read(requires_python)
    if spans is None:
        return None
    # What nothing satisfies has no ends in uv, so that it excludes nobody.
    point = spans[0][0] if spans else None
    return _NO_END if point is None else LowerEnd(point.release, included=not point.above)


def _read(text: str) -> list[_Span] | None:
    """Return the releases that satisfy a specifier; None if it cannot be read."""
    spans: list[_Span] = [(None, None)]
    if not text:
        return spans
    for part in text.split(","):
        allowed = _read_one(part)
        if allowed is None:
            return None
        spans = [both for a in spans for b in allowed if (both := _overlap(a, b))]
    return spans


def _read_one(text: str) -> list[_Span] | None:
    match = _SPECIFIER.fullmatch(text)
    if match is None or match[1] not in _OPERATORS:
        return None
    operator, spelt = match[1], match[2]
    starred = spelt.endswith(".*")
    try:
        version = Version(spelt.removesuffix(".*"))
    except InvalidVersion:
        return None
    if starred and operator not in _TAKES_STAR:
        return None
    if version.local and operator not in ("==", "!=", "==="):
        return None
    if operator == "~=" and len(version.release) < 2:
        return None
    return _spans(operator, version.release, starred=starred)


def _spans(operator: str, written: Release, *, starred: bool) -> list[_Span]:
    """Return what an operator admits, of releases alone: `a1` or `.post2` count as the release."""
    below, above = _Point(_trimmed(written), above=False), _Point(_trimmed(written), above=True)
    if starred:
        above = _Point(_trimmed((*written[:-1], written[-1] + 1)), above=False)
    match operator:
        case "==" | "===":
            return [(below, above)]
        case "!=":
            return [(None, below), (above, None)]
        case "<":
            return [(None, below)]
        case "<=":
            return [(None, above)]
        case ">":
            return [(above, None)]
        case "~=":
            return [(below, _Point(_trimmed((*written[:-2], written[-2] + 1)), above=False))]
        case _:
            return [(below, None)]


def _overlap(one: _Span, other: _Span) -> _Span | None:
    lows = [span[0] for span in (one, other) if span[0] is not None]
    highs = [span[1] for span in (one, other) if span[1] is not None]
    low, high = max(lows, default=None), min(highs, default=None)
    return None if low is not None and high is not None and low >= high else (low, high)


def _release(version: Version) -> Release:
    return _trimmed(version.release)


def _trimmed(release: Release) -> Release:
    """Drop trailing zeros, so that equal releases compare equal."""
    end = len(release)
    while end and release[end - 1] == 0:
        end -= 1
    return release[:end]
