"""What is kept of texts: found once, bounded, and nothing of what failed."""

from __future__ import annotations

import pytest

from auditor.model import remembered
from auditor.model.remembered import Remembered, RememberedProjects


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


def test_a_text_that_is_no_name_is_read_and_not_kept() -> None:
    lengths = Remembered[str, int](len)
    for number in range(3):
        assert lengths["x" * (remembered.MAX_REMEMBERED_CHARS + number)] > 0

    assert list(lengths) == ["x" * remembered.MAX_REMEMBERED_CHARS]


def test_projects_are_forgotten_whole_and_the_longest_unused_first(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED_OF_ALL", 4)
    made: list[str] = []

    def make(project: str) -> Remembered[str, int]:
        made.append(project)
        return Remembered(len)

    projects = RememberedProjects(make)
    for project in ("a", "b"):
        for name in ("x", "yy"):
            assert projects.of(project)[name] == len(name)
    projects.of("a")["zzz"]  # now five are too many, and b was not used since
    projects.of("a")
    assert made == ["a", "b"]
    projects.of("a")
    projects.of("b")
    assert made == ["a", "b", "b"]


def test_one_project_is_kept_however_many_names_it_has(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED_OF_ALL", 2)
    projects = RememberedProjects(lambda project: Remembered(len))
    names = projects.of("a")
    assert [names[text] for text in ("x", "yy", "zzz")] == [1, 2, 3]
    assert projects.of("a") is names


def test_many_texts_are_looked_into_once_each() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    lengths = Remembered[str, int](length)

    assert lengths.of_all(["a", "bb", "a"]) == [1, 2, 1]
    assert lengths.of_all(["ccc", "bb"]) == [3, 2]
    assert lengths.of_all([]) == []
    assert asked == ["a", "bb", "ccc"]


def test_a_page_of_new_texts_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED", 10)
    lengths = Remembered[str, int](len)
    texts = ["x" * number for number in range(95)]

    assert lengths.of_all(texts) == list(range(95))
    assert len(lengths) <= 10
    assert lengths.of_all(["y" * (remembered.MAX_REMEMBERED_CHARS + 1)])
    assert all(len(text) <= remembered.MAX_REMEMBERED_CHARS for text in lengths)
