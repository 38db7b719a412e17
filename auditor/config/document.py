"""A configuration before anybody judged it: its values, and where each of them came from."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from auditor.config.lines import KeyPath, locate
from auditor.errors import ConfigError

__all__ = ["DEFAULT_ORIGIN", "Document", "parse_document", "read_document"]

DEFAULT_ORIGIN = "default"

# A configuration of 5,000 locations has about 1 MB; the rest is for comments.
MAX_CONFIG_BYTES = 16 * 1024 * 1024
# A megabyte has room for 500,000 values, which take seconds. Each has one of these signs before or
# behind it, which the texts of a configuration hardly ever have.
MAX_VALUES = 40_000
_SIGNS = "=,["
# `a.b.c` is a table in a table in a table, and the parser walks through them for each further one.
MAX_DEPTH = 100

# So many names with dots in between, none of which is part of a text.
_NAME = r"""(?:[\w-]++|"[^"\n]*+"|'[^'\n]*+')"""
_DEEP = re.compile(rf"""(?<![\w."'-])(?:{_NAME}[ \t]*+\.[ \t]*+){{{MAX_DEPTH}}}""")
_POSITION = re.compile(r" \((?:at line (\d+), column (\d+)|at end of document)\)$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Document:
    """Values by table and key, from a file, the environment, the command line, or all three.

    Attributes:
        data: the TOML structure.
        origins: path of a table or key to `FILE:LINE`, a variable or an option.
        directory: what relative paths of the file are relative to; None: the working directory.
        name: of the file; "" if there is none.
    """

    data: Mapping[str, object] = field(default_factory=dict)
    origins: Mapping[KeyPath, str] = field(default_factory=dict)
    directory: Path | None = None
    name: str = ""

    def origin(self, path: KeyPath) -> str:
        """Say where a key came from: itself, else the nearest table around it that is known."""
        for end in range(len(path), 0, -1):
            if found := self.origins.get(path[:end]):
                return found
        return self.name or DEFAULT_ORIGIN

    def with_value(self, table: str, key: str, value: object, origin: str) -> Document:
        """Return a copy in which one key of a table (`[audit]`) has another value."""
        old = self.data.get(table, {})
        if not isinstance(old, Mapping):  # is reported when the schema is applied
            return self
        return self._with(table, {**old, key: value}, {(table, key): origin})

    def with_element(
        self,
        table: str,
        element: Mapping[str, object],
        origin: str,
        keys: Mapping[KeyPath, str] | None = None,
    ) -> Document:
        """Return a copy with one more table in an array; `keys` are origins within it."""
        old = self.data.get(table, [])
        if not isinstance(old, list):  # is reported when the schema is applied
            return self
        at: KeyPath = (table, len(old))
        origins = {at: origin, **{(*at, *key): text for key, text in (keys or {}).items()}}
        return self._with(table, [*old, dict(element)], origins)

    def without(self, table: str) -> Document:
        """Return a copy that lacks a table."""
        kept = {name: value for name, value in self.data.items() if name != table}
        origins = {path: origin for path, origin in self.origins.items() if path[0] != table}
        return Document(data=kept, origins=origins, directory=self.directory, name=self.name)

    def _with(self, table: str, value: object, origins: Mapping[KeyPath, str]) -> Document:
        return Document(
            data={**self.data, table: value},
            origins={**self.origins, **origins},
            directory=self.directory,
            name=self.name,
        )


def read_document(path: Path) -> Document:
    """Read a configuration file.

    Raises:
        ConfigError: it cannot be read, or is no TOML.
    """
    try:
        with path.open("rb") as file:
            content = file.read(MAX_CONFIG_BYTES + 1)
    except OSError as error:
        cause = error.strerror or str(error)
        raise ConfigError(
            [f"{path}: cannot be read: {cause}; `auditor config init` writes one"]
        ) from error
    if len(content) > MAX_CONFIG_BYTES:
        raise ConfigError([f"{path}: is longer than {MAX_CONFIG_BYTES} bytes; name another file"])
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError([f"{path}:{line}: is not UTF-8; save it as UTF-8"]) from error
    return parse_document(text, name=str(path), directory=path.parent)


def parse_document(text: str, *, name: str, directory: Path | None = None) -> Document:
    """Parse the text of a configuration.

    Raises:
        ConfigError: it is no TOML; the message names the line.
    """
    text = text.replace("\r\n", "\n")
    if sum(map(text.count, _SIGNS)) > MAX_VALUES:
        problem = f"has more than {MAX_VALUES} values; split it, and audit with one file at a time"
        raise ConfigError([f"{name}: {problem}"])
    if deep := _DEEP.search(text):
        line = text.count("\n", 0, deep.start()) + 1
        raise ConfigError(
            [f"{name}:{line}: more than {MAX_DEPTH} tables in each other; flatten it"]
        )
    # Only now: its patterns take longer to make than anything else of the configuration does.
    import tomllib

    try:
        data = tomllib.loads(text)
    except tomllib.TOMLDecodeError as error:
        raise ConfigError([_syntax_error(str(error), name, text)]) from error
    except RecursionError as error:
        raise ConfigError([f"{name}: is nested too deeply; flatten it"]) from error
    except ValueError as error:  # CPython converts no number of more than 4,300 digits
        problem = "has a number that is too long to be one; shorten it"
        raise ConfigError([f"{name}: {problem}"]) from error
    origins = {path: f"{name}:{line}" for path, line in locate(text).items()}
    return Document(data=data, origins=origins, directory=directory, name=name)


def _syntax_error(message: str, name: str, text: str) -> str:
    found = _POSITION.search(message)
    if found is None:
        return f"{name}: no valid TOML: {message}; see toml.io for the syntax"
    cause = message[: found.start()]
    line = int(found[1]) if found[1] else max(1, len(text.splitlines()))
    where = f" in column {found[2]}" if found[2] else " at the end of the file"
    return f"{name}:{line}: no valid TOML: {cause}{where}; correct this line"
