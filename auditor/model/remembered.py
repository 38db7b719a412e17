"""Facts about texts, kept for the next time that one comes: mirrors repeat each other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Mapping, Sequence
from functools import cached_property
from typing import Generic, TypeVar, cast

__all__ = ["Column", "Remembered", "RememberedProjects", "RememberedTexts"]

# The largest projects have some 20,000 files.
MAX_REMEMBERED = 1 << 16
# A name or a version is shorter by far; whole megabytes would add up to all memory.
MAX_REMEMBERED_CHARS = 4096
# Columns that are kept as a whole: one with the fix, one without it. The texts of 20,000 names.
_KEPT_COLUMNS, MAX_COLUMN_CHARS = 2, 1 << 20

# Reading them takes some hundred bytes each; an odd one has only its group read singly.
_READ_AT_ONCE = 512

# What is remembered of all projects together, some hundred bytes each in each such memory: of
# hundreds of usual ones, and of the one that was asked for last wholly.
MAX_REMEMBERED_OF_ALL = 4_000

_Text = TypeVar("_Text", bound=str | None)
_Fact = TypeVar("_Fact")
_Derived = TypeVar("_Derived")


class Column(tuple[_Fact, ...]):
    """The facts of some texts, in their order; shared by all who ask for the same texts."""

    @cached_property
    def distinct(self) -> Mapping[_Fact, None]:
        """Each fact once, in the order in which they come first."""
        return dict.fromkeys(self)

    @cached_property
    def _derived(self) -> dict[Callable[[Mapping[_Fact, None]], object], object]:
        return {}

    def once(self, make: Callable[[Mapping[_Fact, None]], _Derived]) -> _Derived:
        """Return what a function makes of the distinct facts, worked out once."""
        if make not in self._derived:
            self._derived[make] = make(self.distinct)
        return cast(_Derived, self._derived[make])


class Remembered(dict[_Text, _Fact], Generic[_Text, _Fact]):
    """One fact of each text. That of a text which is not there yet is found when asked for.

    A dictionary, because whole columns of a page are looked up in it without running Python code.

    Args:
        read: what finds the fact. What it raises is raised here, and not remembered.
    """

    def __init__(self, read: Callable[[_Text], _Fact]) -> None:
        super().__init__()
        self._read = read

    def __missing__(self, text: _Text) -> _Fact:
        if text is not None and len(text) > MAX_REMEMBERED_CHARS:
            return self._read(text)
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        fact = self[text] = self._read(text)
        return fact


class RememberedTexts(Remembered[str, _Fact]):
    """As `Remembered`, for those who ask for whole columns, of which the last ones are kept.

    A mirror lists what its source lists, however it writes it down, or what it listed before:
    comparing one long text takes a tenth of the time of looking up thousands.

    Args:
        read: as there.
        read_all: what finds the facts of many at once, in their order, and is quicker; it returns
            None where it cannot. It must agree with the other one. None: there is no such thing.
    """

    def __init__(
        self,
        read: Callable[[str], _Fact],
        read_all: Callable[[Sequence[str]], Sequence[_Fact] | None] | None = None,
    ) -> None:
        super().__init__(read)
        self._read_all = read_all
        # Replaced and never changed: pages are read in threads.
        self._last: tuple[tuple[str, Column[_Fact]], ...] = ()

    def of_all(self, texts: Sequence[str]) -> Column[_Fact]:
        """Return the fact of each text; quicker than one after another."""
        whole = "\n".join(texts)
        for known, facts in self._last:
            if whole == known and len(texts) == len(facts):
                return facts
        if texts and texts[0] not in self:
            self._learn(texts)
        facts = Column(map(self.__getitem__, texts))
        # A text with a line break in it would look like two.
        if len(whole) <= MAX_COLUMN_CHARS and whole.count("\n") == len(texts) - 1:
            self._last = (whole, facts), *self._last[: _KEPT_COLUMNS - 1]
        return facts

    def clear(self) -> None:
        """Forget everything."""
        self._last = ()
        super().clear()

    def _learn(self, texts: Sequence[str]) -> None:
        """Find facts, for as long as there is room; for those left out, `__missing__` is asked."""
        room = max(0, MAX_REMEMBERED - len(self))
        longest = MAX_REMEMBERED_CHARS
        distinct = dict.fromkeys(texts[:room])
        new = [text for text in distinct if text not in self and len(text) <= longest]
        for start in range(0, len(new), _READ_AT_ONCE):
            group = new[start : start + _READ_AT_ONCE]
            facts = self._read_all(group) if self._read_all else None
            self.update(zip(group, map(self._read, group) if facts is None else facts, strict=True))


class RememberedProjects(Generic[_Fact]):
    """Facts about file names, for each project that they are read for. Whose turn was longest ago
    is forgotten as a whole, when all together are too many.

    Args:
        make: begins what is remembered of one project.
    """

    def __init__(self, make: Callable[[str], RememberedTexts[_Fact]]) -> None:
        self._make = make
        self._known: OrderedDict[str, RememberedTexts[_Fact]] = OrderedDict()
        self._lock = threading.Lock()  # pages are read in threads

    def of(self, project: str) -> RememberedTexts[_Fact]:
        """Return what is remembered of a project."""
        with self._lock:
            known = self._known.pop(project, None)
            if known is None:
                known = self._make(project)
            self._known[project] = known
            names = sum(map(len, self._known.values()))
            while names > MAX_REMEMBERED_OF_ALL and len(self._known) > 1:
                _, oldest = self._known.popitem(last=False)
                names -= len(oldest)
        return known

    def clear(self) -> None:
        """Forget everything."""
        with self._lock:
            self._known.clear()
