"""Kind `pypiserver`: local files, and a redirect to another index for everything else."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from urllib.parse import urlsplit

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import (
    FileHosting,
    HeldState,
    Hint,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Role,
    StatedLag,
    Status,
    Touch,
)
from probes.kit.conclusion import conclude, has_fix, outcome_of_pages
from probes.kit.disk import in_thread, local_path
from probes.kit.evidence import EvidenceRecorder
from probes.kit.index import VIEWS, IndexReader, file_hosting, project_url
from probes.kit.session import GuardedSession, prepare
from probes.pypi_server.asking import OwnWord, ask_fallback, ask_own_word, fits_pages
from probes.pypi_server.holding import (
    broken_of,
    not_here,
    read_roots,
    told_holdings,
    unknown,
)
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]

# What pypiserver redirects with where it has no file of a project; a front that only adds TLS or a
# slash uses 301, 302, 307 or 308.
_SEE_OTHER = 303
_SHOWN_FILES = 6


@dataclass(slots=True)
class _Found:
    """What is being gathered beside the pages."""

    holdings: tuple[Holding, ...] = ()
    complete: bool | None = None
    notes: list[str] = field(default_factory=list)
    hints: list[Hint] = field(default_factory=list)


async def observe(assignment: Assignment) -> Observation:
    """Read the pages, ask the server which files are its own, and look whether it has them."""
    url, started_at = assignment.location.url, assignment.now()
    if url is None:
        detail = "no url; the directory alone does not say where clients are sent, so give both"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        session = GuardedSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder, found = EvidenceRecorder(session.redactor), _Found()
    async with session:
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(url, assignment.incident.project))
        await reader.confirm_index(url)
        look = _Look(assignment, session, reader, found)
        await look.gather()
    outcome, detail = outcome_of_pages(reader.pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=True if look.passes_on else reader.connected,
        pages=reader.pages,
        holdings=found.holdings,
        holdings_complete=found.complete,
        hosting=look.hosting(),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=[session.redactor.text(note) for note in (*reader.notes, *found.notes)],
        hints=found.hints,
        stated_lag=look.stated_lag(),
        traits=look.traits(),
        redactor=session.redactor,
    )


@dataclass(slots=True)
class _Look:
    """What is done once the pages are here."""

    assignment: Assignment
    session: GuardedSession
    reader: IndexReader
    found: _Found
    recognised: bool = False

    @property
    def passes_on(self) -> bool:
        """Whether clients are sent to another index for this project."""
        path = urlsplit(project_url(self._url, self.assignment.incident.project)).path
        return any(
            record.status == _SEE_OTHER and urlsplit(record.url).path == path
            for record in self.assignment.ledger.records()
        )

    async def gather(self) -> None:
        """Find out whose the files are, whether the broken ones are here, what hides the fix."""
        word = await self._ask_own_word()
        self.recognised = word.recognised
        if self.passes_on and self.recognised:
            self.found.notes.append(self._told_of_fallback())
        await self._hold(word)
        if word.recognised and word.files and not self.passes_on:
            self.found.hints += await self._hidden_fix(word)

    def hosting(self) -> FileHosting:
        """Say whether the listed files are here: those of a fallback are not."""
        if self.passes_on and self.recognised:
            return FileHosting.ELSEWHERE
        return file_hosting(self._pages, self._url)

    def traits(self) -> tuple[str, ...]:
        """Say what decides how it goes on: a file of the project here, or none."""
        if not self.recognised:
            return ()
        return ("fallback",) if self.passes_on else ("local",)

    def stated_lag(self) -> StatedLag | None:
        """Where clients are sent elsewhere nothing is kept, so nothing can be late."""
        if not (self.passes_on and self.recognised):
            return None
        return StatedLag(seconds=0.0, basis="it redirects to its fallback and keeps nothing")

    @property
    def _url(self) -> str:
        return self.assignment.location.url or ""

    @property
    def _pages(self) -> Sequence[Page]:
        return self.reader.pages

    async def _ask_own_word(self) -> OwnWord:
        reason = self._why_not()
        if reason is not None:
            return OwnWord(recognised=False, problem=reason)
        word = await ask_own_word(self.assignment, self.session, self.reader.recorder)
        if word.recognised and not fits_pages(word, self._pages, passed_on=self.passes_on):
            problem = "its page and its /PROJECT/json name different files: a cache may be in front"
            return OwnWord(recognised=False, problem=problem, evidence=word.evidence)
        return word

    def _why_not(self) -> str | None:
        """Return why this cannot be pypiserver itself; None if it may be."""
        if self.reader.proxy is not None:
            return "a proxy is in use, which may have older pages than the server"
        if self.reader.redirected and not self.passes_on:
            return "the index redirects elsewhere"
        # Behind a redirect the headers are those of the fallback.
        if self.reader.foreign_caches and not self.passes_on:
            return f"a cache is in front ({', '.join(sorted(self.reader.foreign_caches))})"
        told = (PageOutcome.OBSERVED, PageOutcome.ABSENT)
        if not self.passes_on and not any(page.outcome in told for page in self._pages):
            return "no page could be read"
        return None

    async def _hold(self, word: OwnWord) -> None:
        files = broken_of(self.assignment.incident, self._pages)
        if not word.recognised:
            self.found.holdings = unknown(files, f"not asked: {word.problem}")
        elif self.passes_on or not word.files:
            how = "pypiserver says that it has no file of this project"
            self.found.holdings = not_here(files, how, word)
            self.found.complete = True
        elif self.assignment.location.path is None:
            self.found.holdings = told_holdings(files, word)
            self.found.complete = True
        if self.assignment.location.path is not None:
            await self._read_disk(self.assignment.location.path, word)
        if any(holding.state is HeldState.UNKNOWN for holding in self.found.holdings):
            self.found.complete = None
            if not word.recognised:
                self.found.hints.append(_no_safe_probe(word.problem))

    async def _read_disk(self, path: str, word: OwnWord) -> None:
        """Let the disk prove what is held, and the server what is not on this disk."""
        incident, recorder = self.assignment.incident, self.reader.recorder
        listed = word.files if word.recognised else None
        disk = await in_thread(
            lambda stop: read_roots(local_path(path), incident, listed, stop, recorder)
        )
        on_disk = {holding.filename for holding in disk.holdings}
        missing = [f for f in broken_of(incident, self._pages) if f.filename not in on_disk]
        if word.recognised:
            # It may serve more than one directory, of which this is one.
            rest = told_holdings(missing, word)
        else:
            rest = unknown(missing, f"not below {path}; {word.problem}")
        self.found.holdings = (*disk.holdings, *rest)
        self.found.complete = disk.complete and word.recognised
        self.found.notes += disk.notes

    async def _hidden_fix(self, word: OwnWord) -> list[Hint]:
        """Say that local files keep the fallback from being asked, if that is why the fix lacks."""
        incident, source = self.assignment.incident, self.assignment.source
        if has_fix(self._pages, incident) or (source is not None and source.lists_fix is False):
            return []
        index, evidence = await ask_fallback(self.assignment, self.session, self.reader.recorder)
        if index is None:
            self.found.notes.append("it has no fallback: what is not put here is not found here")
            return []
        names = ", ".join(sorted(word.files)[:_SHOWN_FILES])
        has = "has" if source is not None and source.lists_fix else "may have"
        return [
            Hint(
                code="fix-hidden-by-local-files",
                text=f"pypiserver has files of its own of {incident.project}, and therefore does "
                f"not send clients to its fallback {index}, which {has} the fix.",
                expected=f"a file of the fix beside the others, or no local file of "
                f"{incident.project}",
                observed=f"local: {names}; every other project is passed on to {index}",
                evidence=tuple(filter(None, (word.evidence, evidence))),
            )
        ]

    def _told_of_fallback(self) -> str:
        finals = sorted({page.final_url for page in self._pages if page.final_url})
        answers = f"; the answer is that of {', '.join(finals)}" if finals else ""
        return (
            f"it has no file of {self.assignment.incident.project}, and sends its clients to its "
            f"fallback{answers}"
        )


def _no_safe_probe(reason: str) -> Hint:
    return Hint(
        code="no-safe-probe",
        text=f"Whether the broken files are here was not asked: {reason}.",
        expected="pypiserver itself, with nothing in between",
        observed=reason,
    )


KIND = ProbeKind(
    name="pypiserver",
    summary="pypiserver: a directory of files, and a fallback for projects that are not in it",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="http://HOST:8080/simple/"),
        Setting(key="path", meaning="its package directory: proof of what is held"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    syncs=False,
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET /PROJECT/json, not through a proxy or a cache that shows itself",
            touch=Touch.REFRESHES_INDEX,
            proof="lists the local files, and no fallback ever answers it (pypiserver 2.4.2)",
        ),
        TouchNote(
            request="GET of the page of a name that nobody has; its redirect is not followed",
            touch=Touch.REFRESHES_INDEX,
            proof="as a project page; only where local files lack the fix, to learn of a fallback",
        ),
        TouchNote(
            request="any request for a file",
            touch=Touch.MAY_STORE_ARTIFACT,
            proof="never sent: pypiserver itself would fetch nothing, but a cache in front of it "
            "need not show itself, and its own lists prove as much",
        ),
        TouchNote(
            request="read of everything below path",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked, executed or written",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="python -m pip download --no-deps --dest {path} {project}=={fixed}",
            effect="puts the fixed release beside the others; pypiserver shows it at once",
            caution="gets the file for this platform and Python: "
            "download once for each that is served from here",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# to the operator of {url}: put the files of {project} {fixed} beside the "
            "others, or upload them (pypiserver takes uploads at its root, not at simple/)",
            effect="brings the fix to everybody who installs from here; it shows at once",
            caution="helps only where the project has files here; where clients are sent on to a "
            "fallback, its first local file switches the fallback off for all its other releases",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# if {file} lies in the directory that pypiserver serves: remove it and the "
            "other files of {project} {broken}; it knows no yank",
            effect="nobody gets the broken release from here any more, pinned or not",
            caution="with the last local file of the project gone, clients are sent to the "
            "fallback: whoever owns that name there decides what they install",
            statuses=(Status.EXPOSED, Status.BEHIND, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="pypiserver 2.4.2",
)
