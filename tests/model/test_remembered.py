"""What is kept of texts: found once, bounded, and nothing of what failed."""

from __future__ import annotations

import pytest

from auditor.model import remembered
from auditor.model.remembered import Remembered


def test_each_text_is_looked_into_once() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    lengths = Remembered[str, int](length)

    assert list(map(lengths.__getitem__, ["a", "bb", "a", "bb"])) == [1, 2, 1, 2]
    assert asked == ["a", "bb"]


def test_what_cannot_be_read_is_tried_again() -> None:
    numbers = Remembered[str, int](int)

    for _ in range(2):
        with pytest.raises(ValueError, match="invalid literal"):
            _ = numbers["x"]
    assert len(numbers) == 0


def test_a_hostile_page_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED", 10)
    lengths = Remembered[str, int](len)
    for number in range(95):
        assert lengths["x" * number] == number

    assert len(lengths) <= 10
