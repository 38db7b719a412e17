"""The waist on disk: a plan and its observations as JSON lines.

The first line holds the resolved configuration (without secrets), so that `auditor judge` needs
nothing else. Each further line is one observation.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TypeVar

import msgspec

from auditor.errors import ObservationsError
from auditor.model import Observation, Plan
from auditor.model.extent import extent_of
from auditor.model.file_table import FileTable
from auditor.model.stored_times import find_bad_time
from auditor.selection import parse_environment

__all__ = ["FORMAT", "Header", "encode", "is_stream", "read", "write", "write_text"]

# Raised when an older auditor could no longer read the file.
FORMAT = 1

_T = TypeVar("_T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """The first line of the file.

    Attributes:
        propagation_auditor: revision of this file format, `FORMAT`.
        plan: the resolved configuration.
        interrupted: whether looking was stopped before every location was seen.
    """

    propagation_auditor: int
    plan: Plan
    interrupted: bool = False


def write(
    path: Path, plan: Plan, observations: Iterable[Observation], *, interrupted: bool = False
) -> None:
    """Write observations to a file that appears whole or not at all.

    Raises:
        ObservationsError: the file cannot be written.
    """
    header = Header(propagation_auditor=FORMAT, plan=plan, interrupted=interrupted)
    lines = [msgspec.json.encode(header), *map(encode, observations)]
    try:
        write_text(path, b"\n".join(lines).decode() + "\n")
    except OSError as error:
        raise ObservationsError(f"{path} cannot be written: {error.strerror or error}") from error


def encode(observation: Observation) -> bytes:
    """Write one observation as JSON, without a line break."""
    observation = replace(observation, extent=extent_of(observation, every_page=True))
    return msgspec.json.encode(observation, enc_hook=_whole)


def _whole(value: object) -> object:
    if isinstance(value, FileTable):
        return value.whole()
    raise NotImplementedError(f"{type(value).__name__} is no part of an observation")


def read(paths: Sequence[Path]) -> tuple[Plan, tuple[Observation, ...], bool]:
    """Read one or many files; observations of several vantages are put side by side.

    Returns:
        The first file's plan with the locations and incidents of all; the newest observation of
        each place from each vantage; and whether any of the files was cut short.

    Raises:
        ObservationsError: a file cannot be read, or is damaged; the text names the line.
    """
    parts = [_read_one(path) for path in paths]
    if not parts:
        raise ObservationsError("no file of observations was given")
    plans = [header.plan for header, _ in parts]
    _demand_same_question(paths, plans)
    plan = _merge(plans)
    observations = _newest(o for _, found in parts for o in found)
    return plan, observations, any(header.interrupted for header, _ in parts)


def _newest(observations: Iterable[Observation]) -> tuple[Observation, ...]:
    """One observation per place, vantage and incident: a row is unique by its name and vantage."""
    newest: dict[tuple[str, str, str], Observation] = {}
    for observation in observations:
        key = (observation.incident, observation.location, observation.vantage)
        if key not in newest or newest[key].finished_at <= observation.finished_at:
            newest[key] = observation
    return tuple(newest.values())


def _read_one(path: Path) -> tuple[Header, tuple[Observation, ...]]:
    try:
        lines = path.read_bytes().splitlines()
    except OSError as error:
        raise ObservationsError(f"{path} cannot be read: {error.strerror or error}") from error
    if not lines:
        raise ObservationsError(f"{path} is empty; write it with `auditor probe -o {path}`")
    header = _decode(lines[0], Header, path, 1)
    if header.propagation_auditor != FORMAT:
        raise ObservationsError(
            f"{path}:1: written in format {header.propagation_auditor}, this auditor reads "
            f"{FORMAT}; use the auditor that wrote it (tool version {header.plan.tool_version})"
        )
    _check_versions(header.plan, path)
    found = (
        _decode(line, Observation, path, number)
        for number, line in enumerate(lines[1:], start=2)
        if line.strip()
    )
    return header, tuple(found)


def _check_versions(plan: Plan, path: Path) -> None:
    try:
        for incident in plan.incidents:
            _ = incident.broken_rules, incident.fixed_rules
            for environment in incident.environments:
                parse_environment(environment)
    except ValueError as error:
        raise ObservationsError(
            f"{path}:1: {error}; write the file again with `auditor probe`"
        ) from error


def _decode(line: bytes, wanted: type[_T], path: Path, number: int) -> _T:
    name = wanted.__name__.lower()
    fault: object = None
    try:
        found = msgspec.json.decode(line, type=wanted)
        fault = find_bad_time(found, name)
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        fault = error
    if fault is not None:
        raise ObservationsError(
            f"{path}:{number}: this line is damaged or no {name}: {fault}; "
            "write the file again with `auditor probe`"
        )
    return found


def _merge(plans: Sequence[Plan]) -> Plan:
    first = plans[0]
    locations = {loc.name: loc for plan in reversed(plans) for loc in plan.locations}
    incidents = {i.id: i for plan in reversed(plans) for i in plan.incidents}
    kinds = {name: facts for plan in reversed(plans) for name, facts in plan.kinds.items()}
    notes = tuple(
        dict.fromkeys([note for plan in plans for note in plan.notes] + _other_addresses(plans))
    )
    return replace(
        first,
        locations=tuple(locations.values()),
        incidents=tuple(incidents.values()),
        kinds=kinds,
        notes=notes,
    )


def _demand_same_question(paths: Sequence[Path], plans: Sequence[Plan]) -> None:
    """Refuse files that ask different things under one id: one answer cannot be both's."""
    asked: dict[str, tuple[object, Path]] = {}
    for path, plan in zip(paths, plans, strict=True):
        for incident in plan.incidents:
            question = incident.project, sorted(incident.broken), sorted(incident.fixed)
            known, first = asked.setdefault(incident.id, (question, path))
            if known != question:
                raise ObservationsError(
                    f"{path}:1: asks something else about {incident.id} than {first}; judge them "
                    "apart, or write one of them again"
                )


def _other_addresses(plans: Sequence[Plan]) -> list[str]:
    """Say which places one name stands for at different vantages."""
    addresses: dict[str, dict[str, str]] = {}
    for plan in plans:
        for location in plan.locations:
            if location.url is not None:
                addresses.setdefault(location.name, {}).setdefault(location.url, plan.vantage.id)
    return [
        f"{name} has more than one address: "
        + ", ".join(f"{url} at {vantage}" for url, vantage in sorted(found.items()))
        + "; all of them are judged as one place."
        for name, found in sorted(addresses.items())
        if len(found) > 1
    ]


def write_text(path: Path, text: str) -> None:
    """Write a file that appears whole or not at all (temporary file, then rename).

    A device or a pipe, such as /dev/stdout, is written to: it must not be replaced by a file.
    """
    if is_stream(path):
        with path.open("w", encoding="utf-8") as stream:
            stream.write(text)
        return
    path = path.absolute()
    handle, temporary = tempfile.mkstemp(dir=path.parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(handle, "w", encoding="utf-8") as stream:
            stream.write(text)
        # mkstemp makes private files; a report is as readable as any other file of this user.
        Path(temporary).chmod(0o666 & ~_umask())
        Path(temporary).replace(path)
    except BaseException:
        Path(temporary).unlink(missing_ok=True)
        raise


def is_stream(path: Path) -> bool:
    """Whether a path is a device or a pipe, or a link of the system's to what it stands for."""
    if not path.exists():
        return False
    is_link = path.is_symlink() and path.absolute().parts[1:2] in (("dev",), ("proc",))
    return is_link or not (path.is_file() or path.is_dir())


def _umask() -> int:
    mask = os.umask(0)
    os.umask(mask)
    return mask
