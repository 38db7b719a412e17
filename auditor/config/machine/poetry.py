"""Poetry: the sources of a project, the user's `config.toml` and `auth.toml`, and its variables.

https://python-poetry.org/docs/configuration/ and https://python-poetry.org/docs/repositories/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import platformdirs

from auditor.config.machine.files import Table, as_table, as_text, read_toml, tables
from auditor.config.machine.found import Found, Login, Machine, Note, cache_at, index_at

__all__ = ["read"]

# Those that decide what Poetry chooses; `supplemental` and `explicit` are asked besides.
_PRIMARY = frozenset({"primary", "default"})


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the sources of the project around the working directory, and Poetry's cache."""
    notes: list[Note] = []
    home = _config_directory(machine)
    settings = read_toml(home / "config.toml", machine, notes)
    logins = read_toml(home / "auth.toml", machine, notes)
    for directory in (machine.directory, *machine.directory.parents):
        project = directory / "pyproject.toml"
        if table := as_table(as_table(read_toml(project, machine, []).get("tool")).get("poetry")):
            local = read_toml(directory / "poetry.toml", machine, notes)
            settings = {**settings, **local}
            yield from _sources(machine, project, table, settings, logins)
            break
    yield from notes
    if found := cache_at("Poetry's cache", "poetry-cache", _cache(machine, settings)):
        yield found


def _config_directory(machine: Machine) -> Path:
    named = machine.environ.get("POETRY_CONFIG_DIR")
    return Path(named or platformdirs.user_config_dir("pypoetry", appauthor=False, roaming=True))


def _cache(machine: Machine, settings: Table) -> Path:
    named = machine.environ.get("POETRY_CACHE_DIR") or as_text(settings.get("cache-dir"))
    return Path(named or platformdirs.user_cache_dir("pypoetry", appauthor=False))


def _sources(
    machine: Machine, path: Path, table: Table, settings: Table, logins: Table
) -> Iterator[Found | Note]:
    for each in tables(table.get("source")):
        name, url = as_text(each.get("name")), as_text(each.get("url"))
        if name is None or url is None:  # PyPI is named without an address
            continue
        yield index_at(
            f"Poetry: {machine.shown(path)} ([[tool.poetry.source]])",
            url,
            name=name,
            login=_login(machine, name, settings, logins),
            settings=_access(name, settings, logins),
            is_default=str(each.get("priority", "primary")).lower() in _PRIMARY,
        )


def _login(machine: Machine, name: str, settings: Table, logins: Table) -> Login:
    """Say whether there is a login: in a variable, in `auth.toml`, or in a configuration."""
    stem = f"POETRY_HTTP_BASIC_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    username, password = f"{stem}_USERNAME", f"{stem}_PASSWORD"
    stored = [as_table(as_table(t.get("http-basic")).get(name)) for t in (logins, settings)]
    return Login(
        username=username in machine.environ or any(t.get("username") for t in stored),
        password=password in machine.environ or any("password" in t for t in stored),
        username_variable=username if machine.environ.get(username) else None,
        password_variable=password if machine.environ.get(password) else None,
    )


def _access(name: str, settings: Table, logins: Table) -> dict[str, str | bool]:
    """`certificates.NAME.cert` is a path, or false for nobody to check anything."""
    found: dict[str, str | bool] = {}
    for table in (settings, logins):
        certificates = as_table(as_table(table.get("certificates")).get(name))
        cert, client_cert = certificates.get("cert"), as_text(certificates.get("client-cert"))
        if cert is False or cert == "false":
            found["insecure"] = True
        elif path := as_text(cert):
            found["ca_file"] = path
        if client_cert:
            found["client_cert"] = client_cert
    return found
