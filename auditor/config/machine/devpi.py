"""devpi client: the index that `devpi use` chose, for the user or for the active environment.

Its file names (devpi-client 7): `current.json` and `auth.json` in the client's directory,
`devpi.json` in a virtual environment.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from auditor.config.machine.files import Table, as_table, as_text, read_json
from auditor.config.machine.found import Found, Login, Machine, Note, index_at
from auditor.model.written_path import written_path

__all__ = ["read"]


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the index in use."""
    notes: list[Note] = []
    directory = _client_directory(machine)
    logins = read_json(directory / "auth.json", machine, notes)
    environment = machine.environ.get("VIRTUAL_ENV")
    local = [Path(environment) / "devpi.json"] if environment else []
    for path in (*local, directory / "current.json"):
        table = read_json(path, machine, notes)
        index = as_text(table.get("index"))
        url = as_text(table.get("simpleindex")) or (
            f"{index.rstrip('/')}/+simple/" if index else None
        )
        if url:
            login = _login({**logins, **table})
            yield index_at(f"devpi client: {machine.shown(path)}", url, login=login)
    yield from notes


def _client_directory(machine: Machine) -> Path:
    named = machine.devpi_clientdir or machine.environ.get("DEVPI_CLIENTDIR")
    return written_path(named) if named else machine.home / ".devpi" / "client"


def _login(table: Table) -> Login:
    """Say whether the client is logged in anywhere: whose token it is makes no difference here."""
    stored = any(as_table(table.get(key)) for key in ("auth", "_auth", "basic_auth", "_basic_auth"))
    return Login(username=stored, password=stored)
