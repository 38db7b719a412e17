"""Facts about texts, kept for the next time that one comes: mirrors repeat each other."""

from __future__ import annotations

import threading
from collections import OrderedDict
from collections.abc import Callable, Sequence
from typing import Generic, TypeVar

__all__ = ["Remembered", "RememberedProjects"]

# The largest projects have some 20,000 files.
MAX_REMEMBERED = 1 << 16
# A name or a version is shorter by far; whole megabytes would add up to all memory.
MAX_REMEMBERED_CHARS = 4096

# What is remembered of all projects together, some hundred bytes each in each such memory: of
# hundreds of usual ones, and of the one that was asked for last wholly.
MAX_REMEMBERED_OF_ALL = 1 << 14

_Text = TypeVar("_Text", bound=str | None)
_Fact = TypeVar("_Fact")


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

    def of_all(self, texts: Sequence[_Text]) -> list[_Fact]:
        """Return the fact of each text; quicker than one after another where they are new."""
        if texts and texts[0] not in self:
            self._learn(texts)
        return list(map(self.__getitem__, texts))

    def _learn(self, texts: Sequence[_Text]) -> None:
        """Find facts, for as long as there is room; for those left out, `__missing__` is asked."""
        read, room = self._read, MAX_REMEMBERED - len(self)
        for text in texts[: max(0, room)]:
            if text not in self and (text is None or len(text) <= MAX_REMEMBERED_CHARS):
                self[text] = read(text)


class RememberedProjects(Generic[_Fact]):
    """Facts about file names, for each project that they are read for. Whose turn was longest ago
    is forgotten as a whole, when all together are too many.

    Args:
        make: begins what is remembered of one project.
    """

    def __init__(self, make: Callable[[str], Remembered[str, _Fact]]) -> None:
        self._make = make
        self._known: OrderedDict[str, Remembered[str, _Fact]] = OrderedDict()
        self._lock = threading.Lock()  # pages are read in threads

    def of(self, project: str) -> Remembered[str, _Fact]:
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
