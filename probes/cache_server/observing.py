"""One look at an index behind a cache: its disk, its pages, and what can be asked of it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import FileHosting, HeldState, Hint, Holding, Observation, Outcome
from probes.cache_server.asking import Refusal, Remote, broken_files, remote_holdings
from probes.cache_server.directory import (
    DirectoryReading,
    directories_in,
    read_directories,
)
from probes.cache_server.lifetime import lifetime_s
from probes.cache_server.pages import SeenPages, see_pages
from probes.cache_server.session import CacheSession
from probes.cache_server.variants import kept_refusal, variant_hints
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import IndexReader, file_hosting, project_url

__all__ = ["observe"]

# Of the location's time, for the first and for the second look; a million files take half a minute.
_FIRST_SHARE, _SECOND_SHARE = 0.5, 0.2


async def observe(assignment: Assignment) -> Observation:
    """Read what the cache keeps on disk, then the page in every view, then ask what is safe."""
    location, started_at = assignment.location, assignment.now()
    if location.url is None:
        detail = "url is not given; name the index as clients of this cache do"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        session = CacheSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        # Before anything is asked: a page that is read anew takes the place of what was kept.
        disk = await _read_disk(assignment, recorder, _FIRST_SHARE)
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(location.url, assignment.incident.project))
        await reader.confirm_index(location.url)
        if disk is not None and not disk.problem and not disk.knows_project:
            disk = _doubted(await _read_disk(assignment, recorder, _SECOND_SHARE), session)
        seen = see_pages(reader.pages, session.answers, disk)
        remote = await _ask(assignment, session, reader, seen, disk)
    return _observation(assignment, session, reader, seen, disk, remote, started_at)


async def _read_disk(
    assignment: Assignment, recorder: EvidenceRecorder, share: float
) -> DirectoryReading | None:
    path = assignment.location.settings.get("cache_path")
    if path is None:
        return None
    limit_s = assignment.location.timeout_s * share
    incident, homes = assignment.incident, [local_path(each) for each in directories_in(str(path))]
    return await in_thread(
        lambda stop: read_directories(homes, incident, recorder, stop, limit_s=limit_s)
    )


def _doubted(disk: DirectoryReading | None, session: CacheSession) -> DirectoryReading | None:
    """Doubt a directory without trace of the project, whose page was read through it just now.

    A mistyped path must not pass for a cache that keeps nothing. Where no page may be kept, none
    can be in it.
    """
    if disk is None or disk.problem or disk.knows_project:
        return disk
    lifetimes = [lifetime_s(answer.headers) for _, answer in session.answers]
    if disk.findings.entries and session.answers and not any(lifetimes):
        return disk
    doubt = (
        f"nothing of the project is in {disk.path}, not even its page: is it the directory of this "
        "cache?"
    )
    return replace(disk, problem=doubt)


async def _ask(
    assignment: Assignment,
    session: CacheSession,
    reader: IndexReader,
    seen: SeenPages,
    disk: DirectoryReading | None,
) -> Remote | None:
    """Ask for broken files where the disk does not settle it; None: there is nothing to ask."""
    if disk is not None and disk.is_complete:
        found = {h.filename for h in disk.holdings if h.state is HeldState.HELD}
        broken = {f.filename for f in broken_files(assignment, reader.pages)}
        settled = not disk.may_hold_more_in_memory and not disk.lacks_files
        if settled or (broken and broken <= found):
            return None
    files = broken_files(assignment, reader.pages)
    return await remote_holdings(assignment, session, reader, files, seen.signs)


def _observation(
    assignment: Assignment,
    session: CacheSession,
    reader: IndexReader,
    seen: SeenPages,
    disk: DirectoryReading | None,
    remote: Remote | None,
    started_at: datetime,
) -> Observation:
    outcome, detail = outcome_of_pages(seen.pages)
    hosting = _hosting(assignment, reader)
    holdings, complete = _holdings(disk, remote)
    hints: list[Hint] = []
    if disk is not None and not disk.problem:
        hints += variant_hints(disk, seen.pages, assignment.incident, reader.recorder)
    if remote is not None and remote.refused and "kept-refusal" not in {h.code for h in hints}:
        hints.append(_refused(remote.refused))
    if any(h.state is HeldState.UNKNOWN for h in holdings) and remote and remote.reason:
        hints.append(_no_safe_probe(remote.reason, assignment))
    observation = conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=seen.pages,
        holdings=holdings,
        holdings_complete=complete,
        hosting=hosting,
        proxy=reader.proxy,
        evidence=reader.recorder.all(),
        notes=tuple(
            dict.fromkeys((*reader.notes, *seen.notes, *_notes(disk, hosting, assignment)))
        ),
        hints=hints,
        stated_lag=seen.stated_lag,
        traits=(*((seen.program.value,) if seen.program else ()), *seen.traits),
    )
    return session.redactor.scrub(observation)


def _holdings(
    disk: DirectoryReading | None, remote: Remote | None
) -> tuple[tuple[Holding, ...], bool | None]:
    """Put together what the disk shows and what was answered; the disk knows the bytes."""
    if disk is None or disk.problem:
        reason = disk.problem if disk else ""
        told = [_with_reason(h, reason) for h in (remote.holdings if remote else ())]
        return tuple(told), None
    on_disk = {h.filename for h in disk.holdings if h.state is HeldState.HELD}
    answered = remote.holdings if remote else ()
    more = [h for h in answered if h.filename not in on_disk]
    if disk.is_complete and not disk.may_hold_more_in_memory and not disk.lacks_files:
        return disk.holdings, True
    # What squid keeps in memory alone is on no disk: of that only its answers tell.
    reason = disk.lacks_files or ("it is not on its disk" if disk.is_complete else "")
    return (*disk.holdings, *(_with_reason(h, reason) for h in more)), None


def _with_reason(holding: Holding, reason: str) -> Holding:
    if not reason or holding.state is not HeldState.UNKNOWN:
        return holding
    return replace(holding, how=f"{reason}; {holding.how}")


def _notes(
    disk: DirectoryReading | None, hosting: FileHosting, assignment: Assignment
) -> Sequence[str]:
    notes = list(_via_notes(assignment))
    if hosting is FileHosting.MIXED:
        notes.append(
            "some links lead through this cache and others around it: rewriting the page's URLs "
            "may touch one of its forms alone, such as nginx's sub_filter does with HTML"
        )
    if disk is not None:
        notes += [disk.problem] if disk.problem else disk.notes
    return notes


def _via_notes(assignment: Assignment) -> Sequence[str]:
    https = (assignment.location.url or "").lower().startswith("https:")
    if assignment.location.settings.get("via") is None or not https:
        return ()
    return (
        "through the forward proxy https is a tunnel (CONNECT): the proxy keeps nothing of it, and "
        "the pages are those of the index itself",
    )


def _hosting(assignment: Assignment, reader: IndexReader) -> FileHosting:
    """Say whether files come through this cache: through a forward proxy every http file does."""
    url = assignment.location.url or ""
    hosting = file_hosting(reader.pages, url)
    if assignment.location.settings.get("via") is None or url.lower().startswith("https:"):
        return hosting
    return FileHosting.UNKNOWN if hosting is FileHosting.UNKNOWN else FileHosting.HERE


def _refused(refused: Sequence[Refusal]) -> Hint:
    told = "; ".join(f"{refusal.status} for {refusal.filename}" for refusal in refused)
    evidence = tuple(refusal.evidence for refusal in refused)
    names = tuple(refusal.filename for refusal in refused)
    return kept_refusal(len(refused), told, evidence, undeliverable=names)


def _no_safe_probe(reason: str, assignment: Assignment) -> Hint:
    advice = "" if assignment.location.settings.get("cache_path") else "; set cache_path there"
    return Hint(
        code="no-safe-probe",
        text="Whether broken files are kept here cannot be asked without risk. On the machine "
        f"itself its directory tells{advice}.",
        expected="a question that makes the cache fetch nothing",
        observed=reason,
    )
