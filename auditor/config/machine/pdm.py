"""PDM: the sources of a project, `pdm.toml`, the user's and the system's `config.toml`.

https://pdm-project.org/latest/usage/config/ and https://pdm-project.org/latest/reference/configuration/
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path

import platformdirs

from auditor.config.machine.files import Table, as_table, as_text, read_toml, tables
from auditor.config.machine.found import (
    Found,
    Login,
    Machine,
    Note,
    cache_at,
    find_links_at,
    index_at,
)
from auditor.model.written_path import written_path

__all__ = ["read"]

# A source of this name stands in place of PDM's default one.
_DEFAULT = "pypi"


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the sources and the cache of PDM."""
    notes: list[Note] = []
    files = [(path, read_toml(path, machine, notes)) for path in _files(machine)]
    if url := machine.environ.get("PDM_PYPI_URL"):
        yield index_at("PDM: PDM_PYPI_URL", url, login=_from_variables(machine), is_default=True)
    for path, table in files:
        yield from _configured(machine, path, as_table(table.get("pypi")))
    yield from _project(machine)
    yield from notes
    named = [as_text(table.get("cache_dir")) for _, table in files]
    if found := cache_at("PDM's cache", "pdm-cache", _cache(machine, named)):
        yield found


def _files(machine: Machine) -> Iterator[Path]:
    yield machine.directory / "pdm.toml"
    named = machine.environ.get("PDM_CONFIG_FILE")
    yield Path(named or machine.config_home() / "pdm" / "config.toml")
    yield machine.system / "xdg" / "pdm" / "config.toml"


def _cache(machine: Machine, named: list[str | None]) -> Path:
    chosen = machine.environ.get("PDM_CACHE_DIR") or next(filter(None, named), None)
    return written_path(chosen or platformdirs.user_cache_dir("pdm", appauthor=False))


def _configured(machine: Machine, path: Path, table: Table) -> Iterator[Found | Note]:
    """`[pypi]` is the default source itself; each table in it is another source by its name."""
    origin = f"PDM: {machine.shown(path)}"
    if url := as_text(table.get("url")):
        login = _login(table)
        yield index_at(
            f"{origin} ([pypi])", url, login=login, settings=_access(table), is_default=True
        )
    for name, each in table.items():
        if isinstance(each, Mapping):
            yield from _source(machine, f"{origin} ([pypi.{name}])", {"name": name, **each})


def _project(machine: Machine) -> Iterator[Found | Note]:
    for directory in (machine.directory, *machine.directory.parents):
        path = directory / "pyproject.toml"
        table = as_table(as_table(read_toml(path, machine, []).get("tool")).get("pdm"))
        for each in tables(table.get("source")):
            origin = f"PDM: {machine.shown(path)} ([[tool.pdm.source]])"
            yield from _source(machine, origin, each)
        if table:
            return


def _source(machine: Machine, origin: str, table: Table) -> Iterator[Found | Note]:
    url, name = as_text(table.get("url")), as_text(table.get("name"))
    if url is None:
        return
    if table.get("type") == "find_links":
        yield find_links_at(origin, url, machine.directory, name=name, settings=_access(table))
        return
    yield index_at(
        origin,
        url,
        name=None if name == _DEFAULT else name,
        login=_login(table),
        settings=_access(table),
        is_default=name == _DEFAULT,
    )


def _login(table: Table) -> Login:
    return Login(username=bool(table.get("username")), password=bool(table.get("password")))


def _from_variables(machine: Machine) -> Login:
    username, password = "PDM_PYPI_USERNAME", "PDM_PYPI_PASSWORD"
    return Login(
        username=bool(machine.environ.get(username)),
        password=bool(machine.environ.get(password)),
        username_variable=username if machine.environ.get(username) else None,
        password_variable=password if machine.environ.get(password) else None,
    )


def _access(table: Table) -> dict[str, str | bool]:
    access: dict[str, str | bool | None] = {
        "insecure": True if table.get("verify_ssl") is False else None,
        "ca_file": as_text(table.get("ca_certs")),
        "client_cert": as_text(table.get("client_cert")),
        "client_key": as_text(table.get("client_key")),
    }
    return {key: value for key, value in access.items() if value}
