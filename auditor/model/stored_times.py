"""Times that were read from a file: every one must be a moment that can be told in UTC."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import is_dataclass
from datetime import MAXYEAR, MINYEAR, UTC, datetime
from operator import attrgetter
from typing import get_args, get_type_hints

import msgspec

__all__ = ["fault_of", "find_bad_time", "in_utc"]

# Only there does an offset lead out of the calendar.
_EDGES = (MINYEAR, MAXYEAR)


def in_utc(moment: datetime) -> datetime:
    """Return a moment in UTC; without an offset it is one of UTC.

    Raises:
        ValueError: it is no date there, such as the last evening of the year 9999 in America.
    """
    if moment.tzinfo is None:
        return moment.replace(tzinfo=UTC)
    try:
        return moment.astimezone(UTC)
    except OverflowError as error:
        raise ValueError(f"{moment.isoformat()} is no date in UTC") from error


def fault_of(moment: datetime) -> str | None:
    """Say what is wrong with a stored time; None if nothing is."""
    if moment.tzinfo is None:
        return f"{moment.isoformat()} has no time zone"
    if moment.year in _EDGES:
        try:
            in_utc(moment)
        except ValueError as error:
            return str(error)
    return None


def find_bad_time(record: object, where: str) -> str | None:
    """Say where in a record of the model a time is wrong, and how; None if all are right."""
    for place, moment in _times_in(record, where):
        if fault := fault_of(moment):
            return f"{place}: {fault}"
    return None


def _times_in(value: object, where: str) -> Iterator[tuple[str, datetime]]:
    if isinstance(value, datetime):
        yield where, value
    elif isinstance(value, tuple | list):
        yield from _times_of_all(value, where)
    elif isinstance(value, Mapping):
        for key, item in value.items():
            yield from _times_in(item, f"{where}.{key}")
    elif _is_record(type(value)):
        for name in _fields_with_times(type(value)):
            yield from _times_in(getattr(value, name), f"{where}.{name}")


def _times_of_all(records: Sequence[object], where: str) -> Iterator[tuple[str, datetime]]:
    kinds = set(map(type, records))
    if kinds and all(issubclass(kind, msgspec.Struct) for kind in kinds):
        # Files of a page, of which there are thousands, with times of their own alone.
        for name in dict.fromkeys(name for kind in kinds for name in _fields_with_times(kind)):
            for moment in set(map(attrgetter(name), records)):
                yield from _times_in(moment, f"{where}.{name}")
        return
    for number, record in enumerate(records):
        yield from _times_in(record, f"{where}[{number}]")


_FIELDS: dict[type, tuple[str, ...]] = {}


def _fields_with_times(record: type) -> tuple[str, ...]:
    """Name the fields of a class that hold a time, or a record that does."""
    if record not in _FIELDS:
        hints = get_type_hints(record).items()
        _FIELDS[record] = tuple(name for name, hint in hints if _may_hold_time(hint))
    return _FIELDS[record]


def _may_hold_time(hint: object) -> bool:
    return any(
        kind is datetime or (_is_record(kind) and bool(_fields_with_times(kind)))
        for kind in _classes_in(hint)
    )


def _classes_in(hint: object) -> Iterator[type]:
    parts = get_args(hint)
    if not parts and isinstance(hint, type):
        yield hint
    for part in parts:
        yield from _classes_in(part)


def _is_record(kind: type) -> bool:
    return is_dataclass(kind) or issubclass(kind, msgspec.Struct)
