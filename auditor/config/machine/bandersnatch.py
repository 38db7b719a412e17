"""bandersnatch: the mirror that this machine keeps, and what it copies from.

https://bandersnatch.readthedocs.io/en/latest/mirror_configuration.html
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from auditor.config.machine.files import as_table, as_text, read_ini
from auditor.config.machine.found import Found, Machine, Note, index_at
from auditor.model.written_path import written_path

__all__ = ["read"]


def read(machine: Machine) -> Iterator[Found | Note]:
    """Yield the mirror's directory, and the server that it copies."""
    notes: list[Note] = []
    path = machine.bandersnatch_conf or machine.system / "bandersnatch.conf"
    mirror = as_table(read_ini(path, machine, notes).get("mirror"))
    origin = f"bandersnatch: {machine.shown(path)}"
    master = as_text(mirror.get("master"))
    upstream: str | None = None
    if master is not None:
        above = index_at(f"{origin} (master)", f"{master.rstrip('/')}/simple/")
        yield above
        upstream = above.url if isinstance(above, Found) else None
    if directory := as_text(mirror.get("directory")):
        yield replace(
            Found(origin=f"{origin} (directory)", kind="bandersnatch", name="bandersnatch"),
            path=str((path.parent / written_path(directory)).absolute()),
            upstream=upstream,
        )
    yield from notes
