"""The text of a requirements file, and its logical lines, as pip reads both.

Source: pip's documentation of the requirements file format (pip 26.3).
"""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator

__all__ = ["UnknownCoding", "decoded", "logical_lines"]

# UTF-32's mark begins with UTF-16's, so that the longer ones come first.
_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
    (codecs.BOM_UTF32_BE, "utf-32-be"),
    (codecs.BOM_UTF32_LE, "utf-32-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
    (codecs.BOM_UTF16_LE, "utf-16-le"),
)
_CODING = re.compile(rb"coding[:=]\s{0,20}([-\w.]{1,40})")  # PEP 263
# Python has codecs besides that are no text, or take quadratic time (punycode, idna).
_TEXT_CODECS = ("utf-8", "utf-16", "utf-32", "ascii", "iso8859", "cp", "koi8", "mac-", "gb", "big5")
_TEXT_CODECS_ASIA = ("shift_jis", "euc_", "iso2022")
# pip takes a comment only after white space or at the start of a line.
_COMMENT = re.compile(r"(?:^|\s)#")


class UnknownCoding(ValueError):
    """A file declares a coding that is none of text; the text names it."""


def decoded(content: bytes) -> str:
    """Return the text of a requirements file: by its mark, its declaration, else as UTF-8.

    pip falls back on the coding of the locale. Latin-1 stands in for every one of them here: names,
    versions and digests are ASCII.

    Raises:
        UnknownCoding: it declares a coding that is none of text.
        UnicodeDecodeError: it is not in the coding that it declares.
    """
    for mark, coding in _MARKS:
        if content.startswith(mark):
            return content[len(mark) :].decode(coding)
    for line in content[:10_000].split(b"\n")[:2]:
        if line[:1] == b"#" and (declared := _CODING.search(line)):
            return content.decode(_text_codec(declared[1].decode("ascii", "replace")))
    try:
        return content.decode("utf-8")
    except UnicodeDecodeError:
        return content.decode("latin-1")


def _text_codec(name: str) -> str:
    try:
        found = codecs.lookup(name).name
    except LookupError as error:
        raise UnknownCoding(f"its declared coding {name!r} is not known") from error
    if not found.startswith((*_TEXT_CODECS, *_TEXT_CODECS_ASIA)):
        raise UnknownCoding(f"its declared coding {name!r} is none of text files")
    return found


def logical_lines(text: str) -> Iterator[tuple[int, str]]:
    """Join continued lines, and drop comments and what is empty. The number is the first line's."""
    started, parts = 0, list[str]()
    for number, line in enumerate(text.splitlines(), start=1):
        if not line and not parts:
            continue
        started = started or number
        comment = line.lstrip().startswith("#")
        if line.endswith("\\") and not comment:
            parts.append(line[:-1])
            continue
        parts.append(line if not comment else " " + line)
        if whole := _without_comment("".join(parts)):
            yield started, whole
        started, parts = 0, []
    if whole := _without_comment("".join(parts)):
        yield started, whole


def _without_comment(line: str) -> str:
    found = _COMMENT.search(line)
    return (line[: found.start()] if found else line).strip()
