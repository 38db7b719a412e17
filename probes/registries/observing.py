"""Looking at a registry: its pages as any index's, then its own search for the bytes it holds."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import FileHosting, HeldState, Hint, Holding, Observation, Outcome, Page
from probes.kit.advice import serial_hints, told_of_software
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import RecognisingSession, Software
from probes.kit.index import IndexReader, file_hosting, project_url
from probes.registries.interface import Interface
from probes.registries.stored import Search, WantedFile, holdings_of, wanted_files

__all__ = ["SearchFiles", "observe_registry"]

SearchFiles = Callable[[Interface, Assignment, Sequence[WantedFile]], Awaitable[Search]]


async def observe_registry(
    assignment: Assignment, *, kind: str, software: Software, search: SearchFiles
) -> Observation:
    """Read the project's pages in every view, then search for the broken files.

    Args:
        assignment: what to look for, and where.
        kind: that the configuration names.
        software: that it means.
        search: asks the software's own interface. It may raise `ProbeError`.
    """
    url, started_at = assignment.location.url, assignment.now()
    if url is None:
        detail = "no url; give the one that pip gets as --index-url"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        session = RecognisingSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(url, assignment.incident.project))
        await reader.confirm_index(url)
        wanted = wanted_files(assignment.incident, reader.pages)
        interface = Interface(assignment, session, recorder, software)
        found = await _found(interface, assignment, wanted, search)
    outcome, detail = outcome_of_pages(reader.pages)
    holdings = holdings_of(found, wanted, assignment.incident)
    seen = session.recognition
    redact = session.redactor.text
    doubts = [f"what it holds was not all to be learnt: {redact(found.problem)}"]
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=reader.pages,
        holdings=holdings,
        holdings_complete=not found.problem,
        hosting=_hosting(reader.pages, url, doubtful=bool(holdings) or bool(found.problem)),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=[
            *reader.notes,
            *told_of_software(seen, kind, reader.pages),
            *(doubts if found.problem else ()),
        ],
        hints=[*serial_hints(seen, reader.pages), *_hints(holdings, redact(found.problem))],
        redactor=session.redactor,
    )


async def _found(
    interface: Interface,
    assignment: Assignment,
    wanted: Sequence[WantedFile],
    search: SearchFiles,
) -> Search:
    try:
        return await search(interface, assignment, wanted)
    except ProbeError as error:
        return Search(problem=str(error))


def _hosting(pages: Sequence[Page], url: str, *, doubtful: bool) -> FileHosting:
    """Say where the files are. A registry may link its own under another name (its base URL)."""
    hosting = file_hosting(pages, url)
    return FileHosting.UNKNOWN if doubtful and hosting is FileHosting.ELSEWHERE else hosting


def _hints(holdings: Sequence[Holding], problem: str) -> list[Hint]:
    if not any(holding.state is HeldState.UNKNOWN for holding in holdings):
        return []
    return [
        Hint(
            code="no-safe-probe",
            text=f"Whether the broken files are held is not known: {problem}.",
            expected="a search that may see all files of the repository",
            observed=problem,
        )
    ]
