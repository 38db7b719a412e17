"""What is kept of texts: found once, bounded, and nothing of what failed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from auditor.model import remembered
from auditor.model.remembered import Column, Remembered, RememberedProjects, RememberedTexts


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

    def make(project: str) -> RememberedTexts[int]:
        made.append(project)
        return RememberedTexts(len)

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
    projects = RememberedProjects(lambda project: RememberedTexts(len))
    names = projects.of("a")
    assert [names[text] for text in ("x", "yy", "zzz")] == [1, 2, 3]
    assert projects.of("a") is names


def test_many_texts_are_looked_into_once_each() -> None:
    asked: list[str] = []

    def length(text: str) -> int:
        asked.append(text)
        return len(text)

    lengths = RememberedTexts[int](length)

    assert lengths.of_all(["a", "bb", "a"]) == (1, 2, 1)
    assert lengths.of_all(["ccc", "bb"]) == (3, 2)
    assert lengths.of_all([]) == ()
    assert asked == ["a", "bb", "ccc"]


def test_a_page_of_new_texts_cannot_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_REMEMBERED", 10)
    lengths = RememberedTexts[int](len)
    texts = ["x" * number for number in range(95)]

    assert lengths.of_all(texts) == tuple(range(95))
    assert len(lengths) <= 10
    assert lengths.of_all(["y" * (remembered.MAX_REMEMBERED_CHARS + 1)])
    assert all(len(text) <= remembered.MAX_REMEMBERED_CHARS for text in lengths)


def test_the_last_two_columns_are_kept_as_a_whole() -> None:
    lengths = RememberedTexts[int](len)
    first, second = lengths.of_all(["a", "bb", "a"]), lengths.of_all(["a", "bb"])

    assert list(first.distinct) == [1, 2]
    for _ in range(2):
        assert lengths.of_all(["a", "bb", "a"]) is first
        assert lengths.of_all(["a", "bb"]) is second
    assert lengths.of_all(["ccc"]) == (3,)  # which takes the place of the older one
    assert lengths.of_all(["a", "bb"]) is second
    assert lengths.of_all(["a", "bb", "a"]) is not first


@pytest.mark.parametrize(
    "columns",
    [
        (["a", "b"], ["a\nb"]),
        (["a\nb"], ["a", "b"]),
        (["", ""], ["\n"]),
        (["\n"], ["", ""]),
        ([""], []),
        ([], [""]),
        (["a\n", "b"], ["a", "\nb"]),
        (["a", "", "b"], ["a\n", "b"]),
    ],
)
def test_columns_that_only_look_alike_are_told_apart(columns: tuple[list[str], list[str]]) -> None:
    itself = RememberedTexts[str](str)
    for column in (*columns, *columns):
        assert itself.of_all(column) == tuple(column)


def test_a_column_of_megabytes_is_not_kept(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(remembered, "MAX_COLUMN_CHARS", 5)
    lengths = RememberedTexts[int](len)
    for texts, is_kept in ((["aa", "bb"], True), (["aa", "bbb"], False)):
        assert (lengths.of_all(texts) is lengths.of_all(texts)) is is_kept


def test_what_is_forgotten_is_found_anew() -> None:
    found = [1, 2]
    facts = RememberedTexts[int](lambda text: found[-1])
    assert facts.of_all(["a"]) == (2,)
    found.append(3)
    assert facts.of_all(["a"]) == (2,)
    facts.clear()
    assert facts.of_all(["a"]) == (3,)


def test_many_new_texts_are_read_at_once_where_that_can_be_done() -> None:
    asked: list[str] = []

    def one(text: str) -> int:
        asked.append(text)
        return len(text)

    def many(texts: Sequence[str]) -> list[int] | None:
        return None if "?" in texts else [len(text) for text in texts]

    lengths = RememberedTexts[int](one, many)
    assert lengths.of_all(["a", "bb", "a"]) == (1, 2, 1)
    assert asked == []
    assert lengths.of_all(["?", "a", "ccc"]) == (1, 1, 3)
    assert asked == ["?", "ccc"]
    long = "x" * (remembered.MAX_REMEMBERED_CHARS + 1)
    assert lengths.of_all(["dddd", long]) == (4, len(long))
    assert asked == ["?", "ccc", long]


def test_nobody_changes_what_all_share() -> None:
    assert isinstance(RememberedTexts[int](len).of_all(["a"]), tuple)
    assert Column([1, 2, 1]).distinct is not Column([1, 2, 1]).distinct


def test_what_follows_from_a_column_is_worked_out_once() -> None:
    asked: list[list[int]] = []

    def total(distinct: Mapping[int, None]) -> int:
        asked.append(list(distinct))
        return sum(distinct)

    lengths = RememberedTexts[int](len)
    for _ in range(3):
        assert lengths.of_all(["a", "bb", "a"]).once(total) == 3
    assert lengths.of_all(["a"]).once(total) == 1
    assert asked == [[1, 2], [1]]
