"""uv: `uv.toml` of project, user and system, `[tool.uv]`, and its variables.

https://docs.astral.sh/uv/concepts/configuration-files/ and .../concepts/indexes/
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

from auditor.config.defaults import uv_cache
from auditor.config.machine.files import Table, as_table, as_text, as_texts, read_toml, tables
from auditor.config.machine.found import (
    Found,
    Login,
    Machine,
    Note,
    cache_at,
    find_links_at,
    index_at,
)

__all__ = ["read"]

_TRUE_WORDS = frozenset({"1", "true", "yes", "on", "y", "t"})


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the indexes, find-links and cache of uv."""
    notes: list[Note] = []
    cache: Path | None = None
    yield from _variables(machine)
    for path, table in _configurations(machine, notes):
        yield from _indexes(machine, path, table)
        yield from _indexes(machine, path, as_table(table.get("pip")))
        if cache is None and (named := as_text(table.get("cache-dir"))):
            cache = machine.directory / named  # uv takes it from where it runs
    yield from notes
    named = machine.environ.get("UV_CACHE_DIR")
    if found := cache_at("uv's cache", "uv-cache", _cache(machine, named, cache)):
        yield found


def _cache(machine: Machine, variable: str | None, configured: Path | None) -> Path:
    if variable:
        return machine.directory / variable
    return configured or Path(uv_cache(machine.environ))


def _configurations(machine: Machine, notes: list[Note]) -> Iterator[tuple[Path, Table]]:
    """Yield the files that uv merges, the nearest first."""
    environ = machine.environ
    if environ.get("UV_NO_CONFIG", "").lower() in _TRUE_WORDS:
        return
    if named := environ.get("UV_CONFIG_FILE"):
        path = machine.directory / named
        yield path, read_toml(path, machine, notes)
        return
    for directory in (machine.directory, *machine.directory.parents):
        if table := read_toml(directory / "uv.toml", machine, notes):
            yield directory / "uv.toml", table
            break
        project = read_toml(directory / "pyproject.toml", machine, notes)
        if table := as_table(as_table(project.get("tool")).get("uv")):
            yield directory / "pyproject.toml", table
            break
    user = machine.config_home() / "uv" / "uv.toml"
    yield user, read_toml(user, machine, notes)
    for path in (machine.system / "xdg" / "uv" / "uv.toml", machine.system / "uv" / "uv.toml"):
        if table := read_toml(path, machine, notes):
            yield path, table
            return


def _indexes(machine: Machine, path: Path, table: Table) -> Iterator[Found | Note]:
    origin = f"uv: {machine.shown(path)}"
    trusted = as_texts(table.get("allow-insecure-host"))
    for each in tables(table.get("index")):
        url, name = as_text(each.get("url")), as_text(each.get("name"))
        if url is None:
            continue
        if each.get("format") == "flat":
            yield find_links_at(
                f"{origin} (index)", url, path.parent, name=name, settings=_access(trusted, url)
            )
            continue
        yield _index(
            machine, f"{origin} (index)", url, name, trusted, is_default=each.get("default") is True
        )
    if url := as_text(table.get("index-url")):
        yield _index(machine, f"{origin} (index-url)", url, None, trusted, is_default=True)
    for url in as_texts(table.get("extra-index-url")):
        yield _index(machine, f"{origin} (extra-index-url)", url, None, trusted)
    for place in as_texts(table.get("find-links")):
        yield find_links_at(
            f"{origin} (find-links)", place, path.parent, settings=_access(trusted, place)
        )


def _variables(machine: Machine) -> Iterator[Found | Note]:
    """Yield what uv's variables name. `UV_INDEX` may give a name: `office=https://…`."""
    environ = machine.environ
    trusted = tuple(environ.get("UV_INSECURE_HOST", "").split())
    for variable, is_default in (
        ("UV_DEFAULT_INDEX", True),
        ("UV_INDEX_URL", True),
        ("UV_INDEX", False),
        ("UV_EXTRA_INDEX_URL", False),
    ):
        for text in environ.get(variable, "").split():
            name, separator, url = text.partition("=")
            if not separator or "/" in name:
                name, url = "", text
            yield _index(
                machine, f"uv: {variable}", url, name or None, trusted, is_default=is_default
            )
    for place in filter(None, re.split(r"[,\s]+", environ.get("UV_FIND_LINKS", ""))):
        yield find_links_at(
            "uv: UV_FIND_LINKS", place, machine.directory, settings=_access(trusted, place)
        )


def _index(
    machine: Machine,
    origin: str,
    url: str,
    name: str | None,
    trusted: tuple[str, ...],
    *,
    is_default: bool = False,
) -> Found | Note:
    if "://" not in url:  # uv takes a directory for an index as well
        url = (machine.directory / url).absolute().as_uri()
    return index_at(
        origin,
        url,
        name=name,
        login=_login(machine, name),
        settings=_access(trusted, url),
        is_default=is_default,
    )


def _login(machine: Machine, name: str | None) -> Login:
    """`UV_INDEX_OFFICE_PASSWORD` belongs to the index that is called `office`."""
    if name is None:
        return Login()
    stem = f"UV_INDEX_{re.sub('[^A-Z0-9]', '_', name.upper())}"
    username, password = f"{stem}_USERNAME", f"{stem}_PASSWORD"
    return Login(
        username=bool(machine.environ.get(username)),
        password=bool(machine.environ.get(password)),
        username_variable=username if machine.environ.get(username) else None,
        password_variable=password if machine.environ.get(password) else None,
    )


def _access(trusted: tuple[str, ...], url: str) -> dict[str, str | bool]:
    try:
        parts = urlsplit(url)
        names = {parts.hostname, f"{parts.hostname}:{parts.port}"}
    except ValueError:
        return {}
    return {"insecure": True} if any(host in names for host in trusted) else {}
