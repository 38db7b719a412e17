"""Kind `environment`: what is installed in a virtual environment or a site-packages directory."""

from __future__ import annotations

import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.model import (
    HeldState,
    Holding,
    Integrity,
    Observation,
    Outcome,
    Pin,
    PinState,
    RemedyTemplate,
    Role,
    Status,
    Touch,
    parse_version,
)
from probes.http_stores.homes import find_homes
from probes.installed.distributions import Installed, find_installed
from probes.installed.links import find_elsewhere
from probes.installed.record import NoRecord, Released, released_in
from probes.installed.sites import find_sites
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder

__all__ = ["KIND"]

_NOT_WHOLE = (Integrity.PATCHED, Integrity.REPLACED)


@dataclass
class _Reading:
    """What was read of all environments that the path names."""

    installed: list[list[Installed]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    sites: int = 0
    denied: bool = False
    missing: bool = False


async def observe(assignment: Assignment) -> Observation:
    """Read the distributions of the project, and compare their files with their RECORD."""
    started_at, path = assignment.now(), assignment.location.path
    if path is None:
        detail = "path is not given; name a virtual environment or a site-packages directory"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    project = assignment.incident.project
    wheel = assignment.location.settings.get("reference")
    reading = await in_thread(
        lambda stop: _read(local_path(path), project, str(wheel) if wheel else None, stop)
    )
    recorder = EvidenceRecorder()
    pins, holdings = _told(reading.installed, recorder)
    told = all(parse_version(p.version or p.code or "") for p in pins)
    complete = reading.sites > 0 and not reading.problems and told
    outcome, detail = _outcome(reading, path, mentioned=bool(pins), complete=complete)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pins=pins,
        holdings=holdings,
        holdings_complete=complete if reading.sites else None,
        evidence=recorder.all(),
        notes=[*reading.problems, *reading.notes][:100],
    )


def _read(path: Path, project: str, wheel: str | None, stop: threading.Event) -> _Reading:
    reading = _Reading()
    reference = _reference(wheel, project, reading)
    homes = find_homes(path)
    reading.problems += [f"{place} may not be read" for place in homes.unreadable]
    reading.denied = bool(homes.unreadable)
    for home in homes.found:
        _read_home(home, project, reference, reading, stop)
    if stop.is_set():
        reading.problems.append("reading it was stopped")
    return reading


def _read_home(
    home: Path,
    project: str,
    reference: Released | None,
    reading: _Reading,
    stop: threading.Event,
) -> None:
    sites = find_sites(home)
    reading.problems += sites.problems
    reading.notes += sites.notes
    reading.denied = reading.denied or sites.denied
    reading.missing = reading.missing or sites.missing
    reading.sites += len(sites.found)
    found = [i for site in sites.found for i in find_installed(site, project, reference, stop)]
    system = f"{home} also imports what the system's Python has, which was not looked at"
    if not found:
        # What lies in the environment itself is imported first, and hides what lies elsewhere.
        for site in sites.found:
            elsewhere = find_elsewhere(site)
            reading.problems += elsewhere.problems
            for added in elsewhere.found:
                found += find_installed(added, project, reference, stop)
        if sites.system:
            reading.problems.append(system)
    elif sites.system:
        reading.notes.append(system)
    if found:
        reading.installed.append(found)


def _reference(wheel: str | None, project: str, reading: _Reading) -> Released | None:
    if wheel is None:
        return None
    try:
        return released_in(local_path(wheel), project)
    except NoRecord as error:
        reading.notes.append(f"nothing is compared with the release: {error}")
        return None


def _told(
    environments: Sequence[Sequence[Installed]], recorder: EvidenceRecorder
) -> tuple[list[Pin], list[Holding]]:
    pins: list[Pin] = []
    holdings: list[Holding] = []
    for installed in environments:
        for one in installed:
            evidence = _evidence(one, recorder)
            # Two versions of one project share their paths: only one of them can be whole.
            hidden = one.integrity in _NOT_WHOLE and any(
                other.integrity is Integrity.INTACT for other in installed
            )
            pins.append(one.pin(PinState.SHADOWED if hidden else PinState.INSTALLED, evidence))
            holdings.append(_holding(one, evidence, hidden=hidden))
    return pins, holdings


def _holding(one: Installed, evidence: str, *, hidden: bool) -> Holding:
    """Installed code is the release's bytes, though not the file that they came in."""
    how = "left behind: its metadata is here, its files are another version's" if hidden else ""
    return Holding(
        filename=one.info.name,
        version=one.code or one.version,
        state=HeldState.SHADOWED if hidden else HeldState.HELD,
        how=how or f"installed; {one.told()}",
        evidence=(evidence,),
    )


def _evidence(one: Installed, recorder: EvidenceRecorder) -> str:
    facts = {"version": one.version or "not stated", "integrity": one.integrity.value}
    if one.origin and one.origin.url:
        facts["direct_url"] = one.origin.url
    record = shlex.quote(str(one.info / "METADATA"))
    return recorder.of_disk(
        one.info, facts, excerpt=one.told(), reproduce=f"grep -m1 ^Version: {record}"
    )


def _outcome(
    reading: _Reading, asked: str, *, mentioned: bool, complete: bool
) -> tuple[Outcome, str]:
    if mentioned or (reading.sites and not complete):
        return Outcome.OBSERVED, ""
    if reading.sites:
        return Outcome.ABSENT, "the project is not installed here"
    problem = reading.problems[0] if reading.problems else f"{asked} matches nothing"
    if reading.denied:
        return Outcome.DENIED, problem
    # Not *absent*: a path that is mistyped says nothing about the project.
    is_there = reading.problems and not reading.missing
    return (Outcome.MALFORMED if is_there else Outcome.UNREACHABLE), problem


_SITES = ("site-packages", "dist-packages")
# A cache of uv keeps one unpacked wheel in each of its directories.
_UV_STORE = re.compile(r"archive-v\d+")
# lib/python3.11/site-packages, and Lib/site-packages on Windows.
_LEVELS_BELOW_ENVIRONMENT = 3


def recognises(met: Met) -> bool:
    """A virtual environment, or a directory of distributions, such as `pip --target` makes."""
    if met.names is None:
        return False
    if "pyvenv.cfg" in met.names:
        return True
    return owns(met) and not _is_of_environment(met.path)


def owns(met: Met) -> bool:
    """A directory of distributions: what they bring along is nobody's requirement."""
    if met.names is None or _UV_STORE.fullmatch(met.path.parent.name):
        return False
    return met.path.name in _SITES or any(name.endswith(".dist-info") for name in met.names)


def _is_of_environment(path: Path) -> bool:
    above = list(path.parents)[:_LEVELS_BELOW_ENVIRONMENT]
    return path.name in _SITES and any((place / "pyvenv.cfg").is_file() for place in above)


KIND = ProbeKind(
    name="environment",
    summary="a virtual environment, a Python prefix or a site-packages directory",
    role=Role.PIN,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="the environment or its site-packages; * and ? name several",
        ),
        Setting(
            key="reference",
            meaning="the broken wheel as it was released: finds its code under another version or "
            "without metadata, and tells code that was replaced under the same version",
        ),
    ),
    observe=observe,
    syncs=False,
    recognises=recognises,
    owns=owns,
    touches=(
        TouchNote(
            request="read of the project's dist-info, of the files that its RECORD lists, and of "
            "the .pth files beside it",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is imported or run",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="{path}/bin/python -m pip install --upgrade '{project}>={fixed}'",
            effect="installs the fix over it",
            caution="changes a running service only when it is started anew; for an environment "
            "made from a lock file, move the lock on and build it anew instead",
            statuses=(Status.PINNED, Status.LATENT),
        ),
        RemedyTemplate(
            command="uv pip install --python {path} --upgrade '{project}>={fixed}'",
            effect="the same for an environment without pip",
            caution="as above",
            statuses=(Status.PINNED, Status.LATENT),
        ),
    ),
    verified="pip 26.3, uv 0.13",
)
