"""Settings of those who install from a place: what their clients leave out, and how they search."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from datetime import date, datetime
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.contracts import Credentials
from auditor.model import Incident, Location
from auditor.model.requirement_lines import decoded
from auditor.model.stored_times import in_utc
from auditor.selection.cooldown import parse_cooldown

if TYPE_CHECKING:
    from auditor.selection.constraints_file import ConstraintsFile

__all__ = ["DERIVED", "parse_cooldown_text", "read_constraints", "with_caps"]

# Settings that are worked out of others; they stand in no file.
DERIVED = ("pip_builtin", "role_open", "constrained", "constraints_unread")

# Real files have some kilobytes.
MAX_BYTES = 4_000_000


def parse_cooldown_text(value: object) -> str:
    """Return an age or a moment as text; TOML has a type for moments."""
    if isinstance(value, datetime):
        return in_utc(value).isoformat().replace("+00:00", "Z")
    if isinstance(value, date):
        return value.isoformat()
    if not isinstance(value, str):
        raise ValueError(f'{value!r} is neither an age nor a time; write "7 days"')
    parse_cooldown(value)
    return value


def read_constraints(path: str) -> str:
    """Read a constraints file, in the coding that pip takes it for.

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
    try:
        return decoded(data)
    except ValueError as error:
        raise ValueError(f"{path} is not the text that it says it is: {error}") from error


def with_caps(
    located: Sequence[tuple[Location, Credentials]], incidents: Iterable[Incident]
) -> tuple[tuple[Location, Credentials], ...]:
    """Add to each place what its constraints file says of the projects that are asked about.

    The plan carries it, so that observations can be judged where the file is not; and what could
    not be read of it, which forbids to say what is chosen.
    """
    projects = frozenset(incident.project for incident in incidents)
    read = cache(lambda path: _read_for(path, projects))  # many places may share one file
    return tuple((_with_caps(location, read), login) for location, login in located)


def _with_caps(location: Location, read: Callable[[str], ConstraintsFile]) -> Location:
    path = location.settings.get("constraints")
    if not isinstance(path, str):
        return location
    found = read(path)
    settings = {**location.settings, "constrained": "\n".join(map(str, found.constraints))}
    if found.unread:
        settings["constraints_unread"] = "\n".join(found.unread)
    return replace(location, settings=settings)


def _read_for(path: str, projects: frozenset[str]) -> ConstraintsFile:
    # Only now: few have such a file, and all would wait for the options of pip to be set up.
    from auditor.selection.constraints_file import read_constraint_lines

    return read_constraint_lines(read_constraints(path), projects, path, _included)


def _included(including: str, named: str) -> tuple[str, str]:
    """Return the path and the text of a file that another one includes, relative to that one."""
    path = os.path.normpath(Path(including).parent / named)
    return path, read_constraints(path)
