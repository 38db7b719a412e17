"""The checker of tables: strict, complete, and silent about what it was given."""

from __future__ import annotations

from datetime import UTC, date, datetime
from enum import StrEnum
from typing import Annotated, Literal

import pytest

from auditor.config.checking import (
    AfterValidator,
    AwareDatetime,
    Field,
    PlainValidator,
    Table,
    TableError,
    check,
    keys_of,
)


class Colour(StrEnum):
    RED = "red"
    BLUE = "blue"


class Inner(Table):
    size: Annotated[int, Field(ge=0)] | None = None


class Sample(Table):
    name: str
    count: Annotated[int, Field(ge=1, le=9)] = 1
    yes: bool = False
    text: Annotated[str, Field(max_length=3, pattern="[a-z]*")] = ""
    short: Annotated[str, Field(min_length=1)] | None = None
    names: Annotated[tuple[str, ...], Field(min_length=1)] = ("x",)
    day: date | None = None
    moment: AwareDatetime | None = None
    colour: Colour | None = None
    word: Literal["a", "b"] = "a"
    upper: Annotated[str, AfterValidator(str.upper)] = ""
    number: Annotated[float, PlainValidator(float)] = 0.0
    inner: tuple[Inner, ...] = ()


NOON = datetime(2026, 11, 20, 12, tzinfo=UTC)
GOOD = {
    "name": "n",
    "count": 9,
    "yes": True,
    "text": "abc",
    "short": "s",
    "names": ["a", "b"],
    "day": date(2026, 11, 20),
    "moment": NOON,
    "colour": "blue",
    "word": "b",
    "upper": "up",
    "number": "1.5",
    "inner": [{"size": 3}, {}],
}


def mistakes(**values: object) -> list[tuple[str, tuple[int | str, ...]]]:
    with pytest.raises(TableError) as caught:
        check(Sample, {"name": "n", **values})
    return [(mistake.kind, mistake.path) for mistake in caught.value.mistakes]


def test_a_good_table_is_what_it_says() -> None:
    made = check(Sample, GOOD)
    assert (made.name, made.count, made.yes, made.names) == ("n", 9, True, ("a", "b"))
    assert (made.day, made.moment, made.colour) == (date(2026, 11, 20), NOON, Colour.BLUE)
    assert (made.upper, made.number, [i.size for i in made.inner]) == ("UP", 1.5, [3, None])


def test_what_is_not_there_has_its_default() -> None:
    made = check(Sample, {"name": "n"})
    assert (made.count, made.names, made.moment, made.inner) == (1, ("x",), None, ())
    assert keys_of(Sample)["count"].default == 1
    assert [name for name, key in keys_of(Sample).items() if key.required] == ["name"]


@pytest.mark.parametrize(
    ("key", "value", "kind"),
    [
        ("name", 1, "string_type"),
        ("name", None, "string_type"),
        ("count", True, "int_type"),
        ("count", 1.0, "int_type"),
        ("count", "1", "int_type"),
        ("count", 0, "greater_than_equal"),
        ("count", 10, "less_than_equal"),
        ("yes", 1, "bool_type"),
        ("yes", "true", "bool_type"),
        ("text", "abcd", "string_too_long"),
        ("text", "a\n", "string_pattern_mismatch"),
        ("short", "", "string_too_short"),
        ("names", "a", "tuple_type"),
        ("names", {"a": 1}, "tuple_type"),
        ("names", [], "too_short"),
        ("day", NOON, "date_type"),
        ("day", "2026-11-20", "date_type"),
        ("moment", date(2026, 11, 20), "datetime_type"),
        ("moment", NOON.replace(tzinfo=None), "timezone_aware"),
        ("colour", "green", "enum"),
        ("colour", ["red"], "enum"),
        ("word", "c", "literal_error"),
        ("number", "many", "value_error"),
    ],
)
def test_each_mistake_has_its_kind(key: str, value: object, kind: str) -> None:
    assert [(kind, (key,))] == mistakes(**{key: value})


def test_everything_that_is_wrong_is_told_at_once_and_where() -> None:
    found = mistakes(count=0, names=["a", 2], zzz=1, inner=[{"size": -1}, {"sise": 1}, 3])
    assert sorted(found, key=repr) == sorted(
        [
            ("greater_than_equal", ("count",)),
            ("string_type", ("names", 1)),
            ("extra_forbidden", ("zzz",)),
            ("greater_than_equal", ("inner", 0, "size")),
            ("extra_forbidden", ("inner", 1, "sise")),
            ("model_type", ("inner", 2)),
        ],
        key=repr,
    )
    with pytest.raises(TableError) as caught:
        check(Sample, {})
    assert [(m.kind, m.path) for m in caught.value.mistakes] == [("missing", ("name",))]


def test_what_was_given_is_not_quoted_by_the_error() -> None:
    with pytest.raises(TableError) as caught:
        check(Sample, {"name": ["hunter2"], "hunter": 1})
    assert "hunter2" not in f"{caught.value!r} {caught.value} {caught.value.mistakes!r}"


def test_a_table_is_not_changed_any_more() -> None:
    made = check(Sample, GOOD)
    with pytest.raises(AttributeError):
        made.count = 2
