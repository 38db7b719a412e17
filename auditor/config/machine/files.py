"""Reads configuration files of other programs: bounded, and what is damaged becomes a note."""

from __future__ import annotations

import configparser
import json
import tomllib
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import TypeAlias

from auditor.config.machine.found import Machine, Note

__all__ = [
    "Table",
    "as_table",
    "as_text",
    "as_texts",
    "read_ini",
    "read_json",
    "read_toml",
    "tables",
]

Table: TypeAlias = Mapping[str, object]

_MAX_BYTES = 4 * 1024 * 1024


def read_toml(path: Path, machine: Machine, notes: list[Note]) -> Table:
    """Return a TOML file; {} if there is none, or with a note if it cannot be read."""
    return _read(path, machine, notes, tomllib.loads)


def read_json(path: Path, machine: Machine, notes: list[Note]) -> Table:
    """Return a JSON object; {} if there is none, or with a note if it cannot be read."""
    return _read(path, machine, notes, json.loads)


def read_ini(path: Path, machine: Machine, notes: list[Note]) -> Table:
    """Return the sections of an INI file; {} if there is none, or with a note if it is damaged."""

    def parse(text: str) -> object:
        parser = configparser.ConfigParser(interpolation=None)
        parser.read_string(text)
        return {name: dict(parser[name]) for name in parser.sections()}

    return _read(path, machine, notes, parse)


def _read(path: Path, machine: Machine, notes: list[Note], parse: Callable[[str], object]) -> Table:
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except (FileNotFoundError, NotADirectoryError, IsADirectoryError):
        return {}
    except OSError as error:
        notes.append(Note(text=f"{machine.shown(path)} cannot be read: {error.strerror}"))
        return {}
    try:
        if len(content) > _MAX_BYTES:
            raise ValueError("too large")
        return as_table(parse(content.decode("utf-8-sig")))
    except (ValueError, configparser.Error, RecursionError):  # its text may quote a secret
        notes.append(Note(text=f"{machine.shown(path)} is damaged, and was left out"))
        return {}


def as_table(value: object) -> Table:
    """Return a value if it is a table, else an empty one."""
    return value if isinstance(value, Mapping) else {}


def tables(value: object) -> Iterator[Table]:
    """Yield the tables of an array."""
    if isinstance(value, list):
        yield from (each for each in value if isinstance(each, Mapping))


def as_text(value: object) -> str | None:
    """Return a text that is not empty; None for everything else."""
    return value.strip() or None if isinstance(value, str) else None


def as_texts(value: object) -> tuple[str, ...]:
    """Return the texts of a list."""
    return tuple(filter(None, map(as_text, value))) if isinstance(value, list) else ()
