"""Which line of a TOML file each key stands on.

`tomllib` decides what is valid and what it means, but tells no positions. This scan adds them; it
is only ever run on text that `tomllib` accepted, and when it meets something that it does not
understand it stops with what it has, so that a message loses its line and never its truth.
Grammar: https://toml.io/en/v1.0.0
"""

from __future__ import annotations

import re
from bisect import bisect_left

__all__ = ["KeyPath", "locate"]

KeyPath = tuple[str | int, ...]

_BARE_KEY = re.compile(r"[A-Za-z0-9_-]+")
# What these begin with, if they are not empty.
_BLANKS = " \t\r\n#"
_BLANK = re.compile(r"[ \t]*")
_BLANK_LINES = re.compile(r"(?:[ \t\r\n]|#[^\n]*)*")
_REST_OF_LINE = re.compile(r"[^\n]*\n?")
_SCALAR = re.compile(r"[^\s,\]}#]+(?: [0-9:.]+(?:Z|[+-][0-9:]+)?)?")  # a date may hold one blank
_LONG_STRINGS = {
    '"': re.compile(r'"""(?:[^\\]|\\.)*?"{3,5}', re.DOTALL),
    "'": re.compile(r"'''.*?'{3,5}", re.DOTALL),
}
_STRINGS = {
    '"': re.compile(r'"(?:[^"\\\n]|\\.)*"'),
    "'": re.compile(r"'[^'\n]*'"),
}


def locate(text: str) -> dict[KeyPath, int]:
    """Return the line (from 1) of every table, key and array element of a valid TOML text.

    Tables of an array carry their index: `("locations", 1, "kind")`.
    """
    scan = _Scan(text)
    try:
        scan.document()
    except (_NotUnderstood, RecursionError):
        return scan.lines
    return scan.lines


class _NotUnderstood(Exception):
    """The scan has lost its way."""


class _Scan:
    """One pass over the text."""

    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0
        self.lines: dict[KeyPath, int] = {}
        self._line_ends = [found.start() for found in re.finditer("\n", text)]
        self._table: KeyPath = ()
        self._counts: dict[KeyPath, int] = {}

    def document(self) -> None:
        """Read tables and keys up to the end."""
        self._skip(_BLANK_LINES)
        while self.at < len(self.text):
            if self.text[self.at] == "[":
                self._header()
            else:
                self._pair(self._table)
            self._skip(_REST_OF_LINE)
            self._skip(_BLANK_LINES)

    def _header(self) -> None:
        line = self._line()
        is_array = self.text.startswith("[[", self.at)
        self.at += 2 if is_array else 1
        self._table = self._enter(self._key(), is_array=is_array)
        self.lines.setdefault(self._table, line)

    def _enter(self, key: tuple[str, ...], *, is_array: bool) -> KeyPath:
        """Turn the names of a header into a path: names of arrays mean their last element."""
        path: KeyPath = ()
        for name in key[:-1]:
            path = self._last_of((*path, name))
        path = (*path, key[-1])
        if not is_array:
            return path
        self._counts[path] = self._counts.get(path, -1) + 1
        self.lines.setdefault(path, self._line())
        return (*path, self._counts[path])

    def _last_of(self, path: KeyPath) -> KeyPath:
        return (*path, self._counts[path]) if path in self._counts else path

    def _pair(self, table: KeyPath) -> None:
        line = self._line()
        path: KeyPath = (*table, *self._key())
        self.lines.setdefault(path, line)
        self._expect("=")
        self._value(path)

    def _key(self) -> tuple[str, ...]:
        names = [self._name()]
        while self._peek() == ".":
            self.at += 1
            names.append(self._name())
        return tuple(names)

    def _name(self) -> str:
        string = _STRINGS.get(self._peek())
        return self._take(_BARE_KEY) if string is None else self._take(string)[1:-1]

    def _value(self, path: KeyPath) -> None:
        match self._peek():
            case "[":
                self._array(path)
            case "{":
                self._inline_table(path)
            case ("'" | '"') as quote:
                is_long = self.text.startswith(3 * quote, self.at)
                self._take((_LONG_STRINGS if is_long else _STRINGS)[quote])
            case _:
                self._take(_SCALAR)

    def _array(self, path: KeyPath) -> None:
        self._expect("[")
        index = 0
        while self._peek(_BLANK_LINES) != "]":
            self.lines.setdefault((*path, index), self._line())
            self._value((*path, index))
            index += 1
            if self._peek(_BLANK_LINES) == ",":
                self.at += 1
        self.at += 1

    def _inline_table(self, path: KeyPath) -> None:
        self._expect("{")
        while self._peek(_BLANK_LINES) != "}":
            self._pair(path)
            if self._peek(_BLANK_LINES) == ",":
                self.at += 1
        self.at += 1

    def _expect(self, character: str) -> None:
        if self._peek() != character:
            raise _NotUnderstood
        self.at += 1

    def _peek(self, blank: re.Pattern[str] = _BLANK) -> str:
        """Return the next character that is not blank, "" at the end."""
        found = self.text[self.at : self.at + 1]
        if found in _BLANKS:  # mostly not, and a pattern takes longer
            self._skip(blank)
            found = self.text[self.at : self.at + 1]
        return found

    def _skip(self, pattern: re.Pattern[str]) -> None:
        found = pattern.match(self.text, self.at)
        self.at = found.end() if found else self.at

    def _take(self, pattern: re.Pattern[str]) -> str:
        self._peek()
        found = pattern.match(self.text, self.at)
        if found is None:
            raise _NotUnderstood
        self.at = found.end()
        return found.group()

    def _line(self) -> int:
        return bisect_left(self._line_ends, self.at) + 1
