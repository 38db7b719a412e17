"""What can be deleted from an observation so that a fact is not known any more.

The model says of every field what *not known* is, and that is what each deletion leaves:

| kind of field | deleted |
|---|---|
| optional | None |
| an enum with `unknown` | `unknown` |
| `complete`, `holdings_complete`, `connected`, `intact` | not said: False for a page, else None |
| a mapping, such as `hashes` | one key less |
| a list of what was seen: pages, files of a page, holdings, pins, bundles, … | one item less |
| an observation | the whole of it |

A list item that is gone was not *denied*: how many there were is counted when the observation is
made (`Extent`), and a copy carries that on.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterator, Mapping, Sequence
from enum import Enum
from functools import partial
from itertools import chain
from typing import cast

import msgspec
from msgspec import structs

from auditor.model import Candidate, Observation, Page

__all__ = ["Deletion", "deletions_everywhere", "deletions_of", "deletions_of_all"]

# The label tells which fact, and the value is what is left.
Deletion = tuple[str, Observation]

# Identity and time of an observation: without them it is not another one, but none.
_KEYS = frozenset({"location", "vantage", "incident", "started_at", "finished_at", "extent"})
_UNSAID: Mapping[str, object] = {"complete": False, "holdings_complete": None}
# What is printed and never judged; leaving it out saves time and not a single status.
_PROSE = frozenset({"evidence", "requests", "excerpt", "detail", "url", "how", "reproduce"})


def deletions_of(observation: Observation) -> Iterator[Deletion]:
    """Every observation that has exactly one fact less than this."""
    for label, value in _of_record(observation):
        assert isinstance(value, Observation)
        yield f"{observation.location}: {label}", value


def deletions_of_all(
    observations: Sequence[Observation],
) -> Iterator[tuple[str, tuple[Observation, ...]]]:
    """Every set of observations that has exactly one fact less, in any one of them."""
    for at, observation in enumerate(observations):
        before, after = tuple(observations[:at]), tuple(observations[at + 1 :])
        yield f"{observation.location}: all of it", (*before, *after)
        for label, left in deletions_of(observation):
            yield label, (*before, left, *after)


def deletions_everywhere(observation: Observation) -> Iterator[Deletion]:
    """Every observation of which no page says one fact of one file, or nothing of the file."""
    names = dict.fromkeys(c.filename for p in observation.pages for c in p.candidates)
    for name in names:
        facts: dict[str, dict[str, object]] = {}
        for page in observation.pages:
            for at, candidate in enumerate(page.candidates):
                if candidate.filename == name:
                    for label, left in _of_record(candidate):
                        facts.setdefault(label, {})[f"{id(page)} {at}"] = left
        for label, left in facts.items():
            pages = tuple(_with(page, left) for page in observation.pages)
            lacking = dataclasses.replace(observation, pages=pages)
            yield f"{observation.location}: every {name}.{label}", lacking
        pages = tuple(_with(page, {}, without=name) for page in observation.pages)
        lacking = dataclasses.replace(observation, pages=pages)
        yield f"{observation.location}: every {name}", lacking


def _with(page: Page, changed: Mapping[str, object], without: str = "") -> Page:
    files = tuple(
        cast("Candidate", changed.get(f"{id(page)} {at}", candidate))
        for at, candidate in enumerate(page.candidates)
        if candidate.filename != without
    )
    return dataclasses.replace(page, candidates=files)


def _of_record(record: object) -> Iterator[tuple[str, object]]:
    """One field less known, or one fact less in one of its fields."""
    for name, value in _fields(record):
        set_to = partial(_replaced, record, name)
        for label, left in chain(_of_field(record, name, value), _inside(value)):
            yield f"{name}{label}", set_to(left)


def _of_field(record: object, name: str, value: object) -> Iterator[tuple[str, object]]:
    """The field itself is not known any more."""
    if name in _UNSAID:
        if value != _UNSAID[name]:
            yield " unsaid", _UNSAID[name]
    elif isinstance(value, Enum):
        unknown = getattr(type(value), "UNKNOWN", value)
        if unknown is not value:
            yield " unknown", unknown
    elif value is not None and _default(record, name) is None:
        yield " none", None


def _inside(value: object) -> Iterator[tuple[str, object]]:
    """One fact less somewhere in a value."""
    if isinstance(value, Mapping):
        for key in value:
            yield f"[{key}]", {k: v for k, v in value.items() if k != key}
    elif isinstance(value, Sequence) and not isinstance(value, str):
        for at, item in enumerate(value):
            yield f"[{at}]", (*value[:at], *value[at + 1 :])
            for label, left in _inside(item):
                yield f"[{at}].{label}", (*value[:at], left, *value[at + 1 :])
    elif dataclasses.is_dataclass(value) or isinstance(value, msgspec.Struct):
        for label, left in _of_record(value):
            yield f".{label}", left


def _fields(record: object) -> Iterator[tuple[str, object]]:
    names = (
        record.__struct_fields__
        if isinstance(record, msgspec.Struct)
        else [f.name for f in dataclasses.fields(record)]  # type: ignore[arg-type]  # is one
    )
    skipped = _PROSE | (_KEYS if isinstance(record, Observation) else frozenset())
    return ((name, getattr(record, name)) for name in names if name not in skipped)


def _default(record: object, name: str) -> object:
    if isinstance(record, msgspec.Struct):
        return {f.name: f.default for f in structs.fields(record)}[name]
    return {f.name: f.default for f in dataclasses.fields(record)}[name]  # type: ignore[arg-type]  # is one


def _replaced(record: object, name: str, value: object) -> object:
    change: Callable[..., object] = (
        structs.replace if isinstance(record, msgspec.Struct) else dataclasses.replace
    )
    return change(record, **{name: value})
