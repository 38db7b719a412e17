"""Kind `pip-cache`: the cache directory of one user's pip, or of many users by a pattern."""

from __future__ import annotations

import os
import shlex
import threading
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import (
    Candidate,
    HeldState,
    Holding,
    Incident,
    Observation,
    Outcome,
    RemedyTemplate,
    Role,
    Status,
    Touch,
)
from auditor.model.filename import version_in
from probes.http_stores.built_wheels import BuiltWheel, holding_of, read_built_wheels
from probes.http_stores.entry import entry_path
from probes.http_stores.finding import StoredFile, StoreReading
from probes.http_stores.homes import Homes, find_homes
from probes.http_stores.pages import ReadPage, read_pages, written_down
from probes.http_stores.scan import StoreScan
from probes.kit.conclusion import conclude
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder

__all__ = ["KIND"]

# `http-v2` from pip 23.3 on; `http` before, and nothing removes it when pip is upgraded.
_NEW, _OLD, _WHEELS = "http-v2", "http", "wheels"
_LAYOUT = frozenset({_NEW, _OLD, _WHEELS, "selfcheck"})
# A page of the project per index and home: more is no cache of a client.
_MAX_PAGES = 1_000
_MAX_NOTES = 50


@dataclass(frozen=True, slots=True, kw_only=True)
class _Home:
    """One cache, read.

    Attributes:
        path: of the cache.
        reading: of its HTTP stores.
        pages: of the project.
        wheels: built here.
        problem: why nothing was read; "" if it was.
        outcome: what that means.
    """

    path: Path
    reading: StoreReading
    pages: Sequence[ReadPage] = ()
    wheels: Sequence[BuiltWheel] = ()
    problem: str = ""
    outcome: Outcome = Outcome.OBSERVED


async def observe(assignment: Assignment) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    started_at = assignment.now()
    path = local_path(assignment.location.path or assignment.location.url or "")
    homes, read = await in_thread(lambda stop: _read_all(path, assignment.incident, stop))
    return _observation(assignment, homes, read, started_at)


def _read_all(path: Path, incident: Incident, stop: threading.Event) -> tuple[Homes, list[_Home]]:
    homes = find_homes(path)
    return homes, [_read_home(home, incident, stop) for home in homes.found]


def _read_home(path: Path, incident: Incident, stop: threading.Event) -> _Home:
    try:
        with os.scandir(path) as found:
            names = {item.name for item in found}
    except FileNotFoundError:
        return _missing(path)
    except PermissionError:
        problem = f"{path} may not be read by this user; run the audit as its owner"
        return _Home(path=path, reading=StoreReading(), problem=problem, outcome=Outcome.DENIED)
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror}"
        return _Home(path=path, reading=StoreReading(), problem=problem, outcome=Outcome.MALFORMED)
    if names and not names & _LAYOUT:
        # Not *absent*: it is some other directory, and the cache may be elsewhere.
        layout = ", ".join(sorted(_LAYOUT))
        problem = f"{path} is no pip cache: none of {layout} is in it; see `pip cache dir`"
        return _Home(path=path, reading=StoreReading(), problem=problem, outcome=Outcome.MALFORMED)
    return _read_cache(path, names, incident, stop)


def _missing(path: Path) -> _Home:
    """Judge a path that does not exist.

    A user who never ran pip has no cache: that is *absent*. But a path below a directory that does
    not exist either, or may not be read, is mistyped or not mounted, and says nothing about its
    content. `.cache` itself comes into being with the first cache in it (XDG Base Directory).
    """
    parent = path.parent if path.parent.name != ".cache" else path.parent.parent
    try:
        with os.scandir(parent):
            pass
    except OSError:
        problem = f"{path} does not exist; check the path, and whether it is mounted"
        outcome = Outcome.UNREACHABLE
    else:
        problem, outcome = f"{path}: no such directory; pip has no cache there", Outcome.ABSENT
    return _Home(path=path, reading=StoreReading(), problem=problem, outcome=outcome)


def _read_cache(path: Path, names: set[str], incident: Incident, stop: threading.Event) -> _Home:
    reading = StoreReading()
    scan = StoreScan(str(path), incident, stop)
    pages: list[ReadPage] = []
    for store in (_NEW, _OLD):
        if store in names and not _is_link(path / store, reading):
            found = scan.read(store)
            # Only pip from 26.2 on trusts pages, and it reads `http-v2` alone.
            trusting = store == _NEW
            pages += read_pages(found.pages[:_MAX_PAGES], incident.project, trusting=trusting)
            reading.add([found])
    wheels: list[BuiltWheel] = []
    if _WHEELS in names and not _is_link(path / _WHEELS, reading):
        wheels = read_built_wheels(str(path), incident, reading, stop)
    return _Home(path=path, reading=reading, pages=pages, wheels=wheels)


def _is_link(store: Path, reading: StoreReading) -> bool:
    """Pass over a store that is a link: the audit may have no business where it leads."""
    if not store.is_symlink():
        return False
    what = "stores that are symbolic links; name the directory that they lead to as well"
    reading.note(what, store.name, hides=True)
    return True


def _observation(
    assignment: Assignment, homes: Homes, read: Sequence[_Home], started_at: datetime
) -> Observation:
    outcome, detail = _outcome(homes, read, assignment.location.path or "")
    recorder = EvidenceRecorder()
    incident = assignment.incident
    opened = [home for home in read if home.outcome is Outcome.OBSERVED]
    holdings: list[Holding] = []
    for home in opened:
        where = f"{home.path}: " if homes.is_pattern else ""
        holdings += _holdings(home, where, incident, recorder)
    kept = [(home, page) for home in opened for page in home.pages][:_MAX_PAGES]
    pages = [
        written_down(page, sample, home.path, incident, recorder)
        for sample, (home, page) in enumerate(kept, start=1)
    ]
    notes = _notes(homes, read)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pages=pages,
        holdings=holdings,
        holdings_complete=_is_complete(homes, read, holdings) if opened else None,
        evidence=recorder.all(),
        notes=notes[:_MAX_NOTES],
    )


def _outcome(homes: Homes, read: Sequence[_Home], asked: str) -> tuple[Outcome, str]:
    """The best of all homes, unless one that could not be read may hold anything."""
    ranked = (Outcome.OBSERVED, Outcome.DENIED, Outcome.MALFORMED, Outcome.UNREACHABLE)
    for outcome in ranked:
        found = [home for home in read if home.outcome is outcome]
        if found:
            return outcome, found[0].problem
        if outcome is Outcome.OBSERVED and homes.unreadable:
            unread = ", ".join(homes.unreadable[:5])
            return Outcome.DENIED, f"{unread} may not be read by this user; run the audit as root"
    if read:
        return Outcome.ABSENT, read[0].problem
    # Not *absent*: a pattern that is mistyped, or below what is not mounted, matches nothing too.
    problem = f"{asked} matches nothing; check the pattern, and whether its directory is mounted"
    return Outcome.UNREACHABLE, problem


def _is_complete(homes: Homes, read: Sequence[_Home], holdings: Sequence[Holding]) -> bool:
    settled = (Outcome.OBSERVED, Outcome.ABSENT)
    return (
        not homes.unreadable
        and all(home.outcome in settled and home.reading.complete for home in read)
        and not any(holding.state is HeldState.UNKNOWN for holding in holdings)
    )


def _notes(homes: Homes, read: Sequence[_Home]) -> list[str]:
    notes = [f"{place} may not be read: what is there is unknown" for place in homes.unreadable]
    for home in read:
        where = f"{home.path}: " if homes.is_pattern else ""
        if home.problem and home.outcome is not Outcome.OBSERVED:
            notes.append(home.problem)
        notes += [where + note for note in home.reading.notes()]
        notes += [
            f"{where}{place}: metadata of version {version} was asked for (PEP 658); "
            "the file itself is another entry"
            for place, version in sorted(home.reading.metadata.items())
        ]
    return notes


def _holdings(
    home: _Home, where: str, incident: Incident, recorder: EvidenceRecorder
) -> list[Holding]:
    names = _known_names(incident, home.pages)
    files = sorted(home.reading.files, key=lambda file: file.place)
    stored = [_holding(file, home.path, where, names, incident, recorder) for file in files]
    built = sorted(home.wheels, key=lambda wheel: wheel.place)
    return stored + [holding_of(wheel, home.path, where, recorder) for wheel in built]


def _known_names(incident: Incident, pages: Iterable[ReadPage]) -> dict[str, str]:
    """File names by digest and by entry name: the store keeps neither name nor URL of a file."""
    names: dict[str, str] = {}
    listed = (c for page in pages if page.parsed for c in page.parsed.candidates)
    for candidate in listed:
        if candidate.version is not None:
            names |= dict.fromkeys(_clues(candidate), candidate.filename)
    for print_ in incident.fingerprints:
        if print_.filename and print_.sha256:
            names[print_.sha256] = print_.filename
    return names


def _clues(candidate: Candidate) -> Iterable[str]:
    if "sha256" in candidate.hashes:
        yield candidate.hashes["sha256"]
    try:
        if candidate.url:
            yield entry_path(candidate.url).rpartition("/")[2]
    except ValueError:
        return


def _holding(
    file: StoredFile,
    home: Path,
    where: str,
    names: Mapping[str, str],
    incident: Incident,
    recorder: EvidenceRecorder,
) -> Holding:
    filename = names.get(file.sha256 or "") or names.get(file.key) or file.filename
    version = file.version or (version_in(filename, incident.project) if filename else None)
    path = home / file.place
    evidence = recorder.of_disk(
        path,
        {"state": file.state.value, "size": str(file.size), "how": file.how},
        digest=f"sha256:{file.sha256}" if file.sha256 else None,
        reproduce=_command(file, path),
    )
    return Holding(
        filename=filename or f"(name not known, entry {file.key})",
        version=version,
        sha256=file.sha256,
        size=file.size if file.sha256 else None,
        intact=file.intact,
        state=file.state,
        how=f"{where}{file.place}: {file.how}",
        evidence=(evidence,),
    )


def _command(file: StoredFile, path: Path) -> str:
    if not file.start:
        return shlex.join(["sha256sum", "--", str(path)])
    word = shlex.quote(str(path))
    return f"tail --bytes=+{file.start + 1} {word} | head --bytes={file.size} | sha256sum"


KIND = ProbeKind(
    name="pip-cache",
    summary="pip's cache directory: downloads, index pages and locally built wheels",
    role=Role.STORE,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="what `pip cache dir` prints; /home/*/.cache/pip for that of everybody",
        ),
    ),
    observe=observe,
    syncs=False,
    touches=(
        TouchNote(
            request="read of the cache's files",
            touch=Touch.INERT,
            proof="opened for reading only, without changing access times where that is allowed; "
            "tests compare content and times of every file before and after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="python -m pip cache purge --cache-dir {path}",
            effect="removes the broken bytes, every stored page and every built wheel",
            caution="also removes what was downloaded of all other projects; "
            "`pip cache remove` does not help: it knows only the wheels that were built here, "
            "says that nothing matches, and leaves the downloaded files",
            statuses=(Status.LATENT, Status.EXPOSED, Status.TAMPERED),
        ),
        RemedyTemplate(
            command=(
                "python -m pip install --cache-dir {path} --refresh-package {project} "
                "--upgrade {project}"
            ),
            effect="makes pip ask the index again, and store the new page for everybody after",
            caution="for pip from 26.2 on; the broken bytes stay in the cache, and a pin or a "
            "direct URL still gets them",
            statuses=(Status.EXPOSED,),
        ),
    ),
    verified="pip 23.2.1, 26.1 and 26.3",
)
