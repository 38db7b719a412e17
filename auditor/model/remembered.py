"""Facts about texts, kept for the next time that one comes: mirrors repeat each other."""

from __future__ import annotations

from collections.abc import Callable
from typing import Generic, TypeVar

__all__ = ["Remembered"]

# The largest projects have some 20,000 files.
MAX_REMEMBERED = 1 << 16

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
        if len(self) >= MAX_REMEMBERED:
            self.clear()
        fact = self[text] = self._read(text)
        return fact
