"""Everything that is wrong with a configuration, collected and told at once."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping

from auditor.config.checking import Mistake, TableError
from auditor.config.document import Document
from auditor.config.lines import KeyPath
from auditor.config.suggest import did_you_mean
from auditor.errors import ConfigError

__all__ = ["Problems"]

_LINE = re.compile(r":(\d+)$")

# What to write for a key that is missing.
_SAMPLES = {
    "project": '"brokenpkg"',
    "broken": '["1.2.3"]',
    "fixed": '["1.2.4"]',
    "kind": '"simple"',
    "location": '"office mirror"',
    "until": "2026-12-31",
    "reason": '"why it may fail until then"',
    "url": '"http://127.0.0.1:8000/simple/"',
    "path": '"/srv/wheels"',
    "bucket": '"wheels"',
    "filename": '"brokenpkg-1.2.3-py3-none-any.whl"',
}

# By kind of mistake; those that need more than a text are in `_text`.
_TEXTS: Mapping[str, str] = {
    "string_type": "must be a text; put it in quotes",
    "int_type": "must be a whole number; write it without quotes",
    "bool_type": "must be true or false; write it without quotes",
    "tuple_type": 'must be a list; write ["…"]',
    "model_type": "must be a table; see config.example.toml",
    "date_type": "must be a day; write 2026-12-31, without quotes",
    "datetime_type": "must be a date and time; write 2026-11-20T10:00:00Z, without quotes",
    "timezone_aware": "has no offset from UTC; append Z, as in 2026-11-20T10:00:00Z",
    "too_short": "must not be empty; name at least one",
    "string_too_short": "must not be empty; write a text or remove it",
    "string_pattern_mismatch": "goes into a request header; use plain ASCII on one line",
}


class Problems:
    """Collects what is wrong; raises all of it, in the order of the file."""

    def __init__(self, document: Document) -> None:
        self._document = document
        self._found: list[tuple[str, str]] = []

    def add(self, path: KeyPath, text: str) -> None:
        """Add one problem: `cause; next step`, about the key at that path."""
        origin = self._document.origin(path)
        self._found.append((origin, f"{origin}: {self._key(path, origin)}{text}"))

    def add_from(self, origin: str, text: str) -> None:
        """Add one problem of something that is no key, such as an option."""
        self._found.append((origin, f"{origin}: {text}"))

    def add_invalid(
        self, path: KeyPath, error: TableError, known: Mapping[str, Iterable[str]]
    ) -> None:
        """Add everything that was found in one table.

        Args:
            path: of the table.
            known: keys that may stand in it, by the table's name.
        """
        for mistake in error.mistakes:
            # The innermost table that is known: that of the key, or one in its value.
            names = [str(path[0]), *map(str, mistake.path[:-1])]
            keys = next((tuple(known[name]) for name in reversed(names) if name in known), ())
            self.add((*path, *mistake.path), _text(mistake, keys))

    def __bool__(self) -> bool:
        return bool(self._found)

    def raise_all(self) -> None:
        """Raise what was found.

        Raises:
            ConfigError: something was.
        """
        if self._found:
            ordered = sorted(self._found, key=lambda found: _line(found[0]))
            raise ConfigError(list(dict.fromkeys(text for _, text in ordered)))

    def _key(self, path: KeyPath, origin: str) -> str:
        """Name the key, unless the option or variable that it came from does already."""
        names = [part for part in path if isinstance(part, str)]
        is_from_file = bool(self._document.name) and origin.startswith(self._document.name)
        if is_from_file or not names:
            return f"{'.'.join(names)}: " if names else ""
        key = path
        while key and isinstance(key[-1], int):
            key = key[:-1]
        return "" if {path, key} & self._document.origins.keys() else f"{names[-1]}: "


def _line(origin: str) -> float:
    found = _LINE.search(origin)
    return int(found[1]) if found else float("inf")


def _text(mistake: Mistake, keys: tuple[str, ...]) -> str:
    kind, context = mistake.kind, mistake.context
    key = str(mistake.path[-1]) if mistake.path else ""
    if kind in _TEXTS:
        return _TEXTS[kind]
    special: Mapping[str, Callable[[], str]] = {
        "extra_forbidden": lambda: _unknown_key(key, keys),
        "missing": lambda: f"is missing; add {key} = {_SAMPLES.get(key, '…')}",
        "value_error": lambda: str(context["error"]),
        "greater_than_equal": lambda: f"is too small; write at least {context.get('ge')}",
        "less_than_equal": lambda: f"is too large; write at most {context.get('le')}",
        "string_too_long": lambda: f"is too long; keep to {context.get('max_length')} characters",
        "literal_error": lambda: f"is not known; write {context.get('expected')}",
        "enum": lambda: f"is not known; write {context.get('expected')}",
    }
    return special[kind]()


def _unknown_key(key: str, keys: tuple[str, ...]) -> str:
    hint = did_you_mean(key, keys).rstrip()
    return f"unknown key; {hint or 'remove it; known: ' + ', '.join(keys)}"
