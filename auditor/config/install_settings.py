"""Settings of those who install from a place: what their clients leave out, and how they search."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime
from pathlib import Path

from auditor.contracts import Credentials
from auditor.model import Incident, Location
from auditor.selection.constraints import caps_in
from auditor.selection.cooldown import parse_cooldown

__all__ = ["DERIVED", "parse_cooldown_text", "read_constraints", "with_caps"]

# Settings that are worked out of others; they stand in no file.
DERIVED = ("pip_builtin", "constrained")

# Real files have some kilobytes.
MAX_BYTES = 4_000_000


def parse_cooldown_text(value: object) -> str:
    """Return an age or a moment as text; TOML has a type for moments."""
    if isinstance(value, datetime):
        moment = value.replace(tzinfo=value.tzinfo or UTC).astimezone(UTC)
        return moment.isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is neither an age nor a time; write "7 days"')
    parse_cooldown(value)
    return value


def read_constraints(path: str) -> str:
    """Read a constraints file.

    Raises:
        ValueError: it cannot be read, or is too large to be one.
    """
    try:
        with Path(path).open("rb") as file:
            data = file.read(MAX_BYTES + 1)
    except OSError as error:
        raise ValueError(f"{path} cannot be read ({error.strerror}); correct the path") from error
    if len(data) > MAX_BYTES:
        raise ValueError(f"{path} is larger than {MAX_BYTES} bytes; name a constraints file")
    return data.decode("utf-8", errors="replace")


def with_caps(
    located: Sequence[tuple[Location, Credentials]], incidents: Iterable[Incident]
) -> tuple[tuple[Location, Credentials], ...]:
    """Add to each place what its constraints file says of the projects that are asked about.

    The plan carries it, so that observations can be judged where the file is not.
    """
    projects = {incident.project for incident in incidents}
    return tuple((_with_caps(location, projects), login) for location, login in located)


def _with_caps(location: Location, projects: set[str]) -> Location:
    path = location.settings.get("constraints")
    if not isinstance(path, str):
        return location
    caps = caps_in(read_constraints(path), projects)
    lines = "\n".join(f"{project} {specifier}" for project, specifier in sorted(caps.items()))
    return replace(location, settings={**location.settings, "constrained": lines})
