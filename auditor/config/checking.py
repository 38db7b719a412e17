"""Checks a table against the annotations of a class: strict, complete, and ready at once.

A class names its keys as annotations, with a default or without. What a type does not say stands
beside it in `Annotated`: `Field`, `AfterValidator`, `PlainValidator`. Everything that is wrong with
a table is found in one go. A general validator would cost more to import than all the rest of an
audit takes until its first request.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime
from enum import Enum
from types import MappingProxyType, NoneType, UnionType
from typing import Annotated, Any, Literal, TypeVar, Union, get_args, get_origin, get_type_hints

__all__ = [
    "AfterValidator",
    "AwareDatetime",
    "Field",
    "Key",
    "Mistake",
    "PlainValidator",
    "Table",
    "TableError",
    "check",
    "keys_of",
]

Path = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class AfterValidator:
    """Makes what is meant of a value that has the right type, or raises ValueError."""

    parse: Callable[[Any], object]


@dataclass(frozen=True, slots=True)
class PlainValidator:
    """Makes what is meant of whatever stands there, or raises ValueError."""

    parse: Callable[[object], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """Bounds of a value.

    Attributes:
        ge, le: smallest and largest number.
        min_length, max_length: of a text or list.
        pattern: that the whole of a text must match.
    """

    ge: int | None = None
    le: int | None = None
    min_length: int | None = None
    max_length: int | None = None
    pattern: str | None = None


@dataclass(frozen=True, slots=True)
class _Aware:
    """Asks for an offset from UTC."""


AwareDatetime = Annotated[datetime, _Aware()]


@dataclass(frozen=True, slots=True, kw_only=True)
class Mistake:
    """One thing that is wrong.

    Attributes:
        kind: which, such as `string_type`.
        path: of the value within the table.
        context: bounds, known values and texts that belong to this kind.
    """

    kind: str
    path: Path = ()
    context: Mapping[str, object] = field(default_factory=dict)


class TableError(ValueError):
    """A table is not as its class says; carries everything that is wrong.

    Attributes:
        mistakes: what is wrong.
        readable: the table without the keys that nobody knows, if nothing else is wrong: what it
            says can be checked further, so that all mistakes are told at once. None otherwise.
    """

    def __init__(self, mistakes: Sequence[Mistake], readable: Table | None = None) -> None:
        super().__init__(f"{len(mistakes)} mistakes")
        self.mistakes = tuple(mistakes)
        self.readable = readable


@dataclass(frozen=True, slots=True)
class Key:
    """One key of a table.

    Attributes:
        annotation: its type.
        required: whether it has no default.
        default: its value where the table does not have it; None if it is required.
    """

    annotation: object
    required: bool
    default: object


class Table:
    """One table of the file: strict types, no unknown keys, no input shown in errors."""

    def __init__(self, **values: object) -> None:
        for name, value in values.items():
            object.__setattr__(self, name, value)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(f"{type(self).__name__} is not changed once it was checked: {name}")


T = TypeVar("T", bound=Table)


def check(table: type[T], value: object) -> T:
    """Make a table of what stands in a file.

    Raises:
        TableError: with everything that is wrong.
    """
    mistakes: list[Mistake] = []
    made = _table(table, value, (), mistakes)
    if made is None or mistakes:
        is_whole = all(mistake.kind == "extra_forbidden" for mistake in mistakes)
        raise TableError(mistakes, made if is_whole else None)
    return made


def keys_of(table: type[Table]) -> Mapping[str, Key]:
    """Return the keys of a table by name, in the order of the class."""
    if table not in _KEYS:
        _KEYS[table] = {
            name: Key(hint, not hasattr(table, name), getattr(table, name, None))
            for name, hint in get_type_hints(table, include_extras=True).items()
        }
    return _KEYS[table]


_KEYS: dict[type[Table], Mapping[str, Key]] = {}


def _table(table: type[T], value: object, path: Path, mistakes: list[Mistake]) -> T | None:
    if not isinstance(value, dict):
        mistakes.append(Mistake(kind="model_type", path=path))
        return None
    keys = keys_of(table)
    missing = [name for name, key in keys.items() if key.required and name not in value]
    mistakes += [Mistake(kind="missing", path=(*path, name)) for name in missing]
    unknown = [str(name) for name in value if name not in keys]
    mistakes += [Mistake(kind="extra_forbidden", path=(*path, name)) for name in unknown]
    return table(
        **{
            name: _checked(key.annotation, value[name], (*path, name), mistakes)
            for name, key in keys.items()
            if name in value
        }
    )


def _checked(hint: Any, value: object, path: Path, mistakes: list[Mistake]) -> object:
    """Return what a value means; None, and mistakes, if it is not as it should be."""
    before = len(mistakes)
    base, extras = _unfolded(hint)
    plain = next((e for e in extras if isinstance(e, PlainValidator)), None)
    if plain is not None:
        return _parsed(plain.parse, value, path, mistakes)
    value = _typed(base, value, path, mistakes)
    for extra in extras:
        if len(mistakes) > before or value is None:
            return None
        if isinstance(extra, Field):
            mistakes += _outside(extra, value, path)
        elif isinstance(extra, AfterValidator):
            value = _parsed(extra.parse, value, path, mistakes)
        elif isinstance(value, datetime) and value.tzinfo is None:
            mistakes.append(Mistake(kind="timezone_aware", path=path))
    return value


def _unfolded(hint: Any) -> tuple[Any, tuple[object, ...]]:
    if get_origin(hint) is not Annotated:
        return hint, ()
    base, *extras = get_args(hint)
    return base, tuple(extras)


def _parsed(
    parse: Callable[[Any], object], value: object, path: Path, mistakes: list[Mistake]
) -> object:
    try:
        return parse(value)
    except ValueError as error:
        context = {"error": str(error)}
        mistakes.append(Mistake(kind="value_error", path=path, context=context))
        return None


def _typed(base: Any, value: object, path: Path, mistakes: list[Mistake]) -> object:
    """Check a value against a bare type."""
    origin = get_origin(base)
    if origin in (Union, UnionType):
        if value is None:
            return None
        (inner,) = (each for each in get_args(base) if each is not NoneType)
        return _checked(inner, value, path, mistakes)
    if origin is tuple:
        return _items(get_args(base)[0], value, path, mistakes)
    if origin is Literal:
        return _one_of(get_args(base), "literal_error", value, path, mistakes)
    if issubclass(base, Table):
        return _table(base, value, path, mistakes)
    if issubclass(base, Enum):
        words = tuple(member.value for member in base)
        word = value.value if isinstance(value, base) else value
        found = _one_of(words, "enum", word, path, mistakes)
        return None if found is None else base(found)
    if type(value) is not base:  # neither true for 1 nor a moment for a day
        mistakes.append(Mistake(kind=_TYPE_MISTAKES[base], path=path))
    return value


_TYPE_MISTAKES: Mapping[type, str] = MappingProxyType(
    {
        str: "string_type",
        int: "int_type",
        bool: "bool_type",
        date: "date_type",
        datetime: "datetime_type",
    }
)


def _items(hint: Any, value: object, path: Path, mistakes: list[Mistake]) -> object:
    if not isinstance(value, list | tuple):
        mistakes.append(Mistake(kind="tuple_type", path=path))
        return None
    return tuple(_checked(hint, item, (*path, n), mistakes) for n, item in enumerate(value))


def _one_of(
    words: Sequence[object], kind: str, value: object, path: Path, mistakes: list[Mistake]
) -> object:
    if value in words:
        return value
    *most, last = map(repr, words)
    expected = f"{', '.join(most)} or {last}" if most else last
    mistakes.append(Mistake(kind=kind, path=path, context={"expected": expected}))
    return None


def _outside(bounds: Field, value: Any, path: Path) -> Iterator[Mistake]:
    """Yield the bounds that a value of the right type is beyond."""
    text = isinstance(value, str)
    if bounds.ge is not None and value < bounds.ge:
        yield Mistake(kind="greater_than_equal", path=path, context={"ge": bounds.ge})
    if bounds.le is not None and value > bounds.le:
        yield Mistake(kind="less_than_equal", path=path, context={"le": bounds.le})
    if bounds.min_length is not None and len(value) < bounds.min_length:
        yield Mistake(kind="string_too_short" if text else "too_short", path=path)
    if bounds.max_length is not None and len(value) > bounds.max_length:
        longest = {"max_length": bounds.max_length}
        yield Mistake(kind="string_too_long", path=path, context=longest)
    elif bounds.pattern is not None and not re.fullmatch(bounds.pattern, value):
        yield Mistake(kind="string_pattern_mismatch", path=path)
