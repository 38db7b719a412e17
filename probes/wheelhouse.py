"""Kind `wheelhouse`: a directory or a page for `--find-links`."""

from __future__ import annotations

import mimetypes
import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import unquote

from auditor.contracts import Assignment, Met, ProbeKind, Setting, TouchNote
from auditor.errors import Malformed, ProbeError
from auditor.model import (
    Candidate,
    Fault,
    Freshness,
    HeldState,
    Holding,
    Incident,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Role,
    Status,
    Touch,
    View,
)
from auditor.model.filename import version_in
from probes.find_links.search import Found, search
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import NotReadable, in_thread, list_directory, local_path, read_regular
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.files import FileReading, hosting_on_disk, read_distribution, witness
from probes.kit.index import IndexReader, file_hosting
from probes.kit.pages import ParsedPage, parse_page
from probes.kit.pages.html_text import check_ending, to_utf8
from probes.kit.pages.media import page_type
from probes.kit.pages.parsed import FaultLog
from probes.kit.session import GuardedSession, prepare

__all__ = ["KIND"]

_MAX_HTML_FILES = 50
_MAX_HTML_BYTES = 64 * 2**20
_MAX_NOTES = 20
# Tried once per run of such characters, and not from each of them: linear in the page.
_LINKED_FILE = re.compile(rb"(?<![\w.+%!-])[\w.+%!-]{1,250}\.(?:whl|tar\.gz|zip|tgz|tar\.bz2)\b")


@dataclass(frozen=True, slots=True, kw_only=True)
class _DirectoryReading:
    """Everything that one pass over a directory showed."""

    directory: Path
    complete: bool
    modified: datetime
    files: tuple[FileReading, ...]
    hidden: Found
    linked: tuple[Candidate, ...]
    faults: tuple[Fault, ...]
    bundles: str
    notes: tuple[str, ...]


async def observe(assignment: Assignment) -> Observation:
    """Look at a wheelhouse: on disk if it is there, else as the page that it is."""
    location = assignment.location
    locator = location.path or location.url
    if locator is None:
        detail = "neither path nor url is given; name one of them"
        return conclude(
            assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=assignment.now()
        )
    if location.path is None and locator.lower().startswith(("http://", "https://")):
        return await _observe_page(assignment)
    return await _observe_directory(assignment, local_path(locator))


async def _observe_directory(assignment: Assignment, path: Path) -> Observation:
    started_at = assignment.now()
    try:
        reading = await in_thread(lambda stop: _read(path, assignment, stop))
    except PermissionError:
        detail = f"{path} may not be read by this user; run the audit as one who may"
        return conclude(assignment, outcome=Outcome.DENIED, detail=detail, started_at=started_at)
    except FileNotFoundError:
        # Not *absent*: a path that is mistyped or not mounted says nothing about its content.
        detail = f"{path} does not exist; check the path, and whether it is mounted"
        return conclude(
            assignment, outcome=Outcome.UNREACHABLE, detail=detail, started_at=started_at
        )
    except (OSError, NotReadable) as error:
        detail = f"{path} cannot be read: {getattr(error, 'strerror', None) or error}"
        return conclude(assignment, outcome=Outcome.MALFORMED, detail=detail, started_at=started_at)
    return _from_directory(assignment, reading, started_at)


def _read(path: Path, assignment: Assignment, stop: threading.Event) -> _DirectoryReading:
    """Read a directory as pip reads it for --find-links: not its subdirectories."""
    from probes.find_links.bundles import bundles_among

    project = assignment.incident.project
    names: tuple[str, ...]
    is_file = path.is_file()
    if is_file:
        directory, names, complete = path.parent, (path.name,), True
    else:
        listing = list_directory(path)
        directory, names, complete = path, listing.names, listing.complete
    ours = [name for name in names if version_in(name, project) is not None]
    files = tuple(read_distribution(directory / name, project, stop) for name in ours)
    others = [name for name in names if version_in(name, project) is None]
    linked, faults = _read_html_files(directory, others, project)
    bundles = bundles_among(directory, others)
    modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
    return _DirectoryReading(
        directory=directory,
        complete=complete,
        modified=modified,
        files=files,
        hidden=search(directory, others, assignment.incident, stop, below=not is_file),
        linked=linked,
        faults=faults,
        bundles=bundles,
        notes=_links(directory, ours),
    )


def _read_html_files(
    directory: Path, names: Sequence[str], project: str
) -> tuple[tuple[Candidate, ...], tuple[Fault, ...]]:
    """Read the pages in a directory: pip takes the links of each for candidates too."""
    pages = [name for name in names if mimetypes.guess_type(name)[0] == "text/html"]
    candidates: list[Candidate] = []
    faults: list[Fault] = []
    if len(pages) > _MAX_HTML_FILES:
        faults.append(Fault(subject=str(directory), problem=f"more than {_MAX_HTML_FILES} pages"))
    for name in pages[:_MAX_HTML_FILES]:
        try:
            body = read_regular(directory / name, _MAX_HTML_BYTES)
            url = (directory / name).as_uri()
            parsed = parse_page(body, url=url, content_type="text/html", project=project)
        except (OSError, ProbeError) as error:
            faults.append(Fault(subject=name, problem=f"the page cannot be read: {error}"))
            continue
        candidates += [c for c in parsed.candidates if c.version is not None]
        faults += parsed.faults
    return tuple(candidates), tuple(faults)


def _links(directory: Path, names: Sequence[str]) -> tuple[str, ...]:
    linked = [name for name in names if (directory / name).is_symlink()]
    return tuple(f"{name} is a symbolic link" for name in linked[:_MAX_NOTES])


def _from_directory(
    assignment: Assignment, reading: _DirectoryReading, started_at: datetime
) -> Observation:
    incident, recorder = assignment.incident, EvidenceRecorder()
    held = [file.holding for file in reading.files if file.holding is not None]
    holdings = witness(held, reading.directory, incident, recorder)
    for directory, holding in reading.hidden.holdings:
        holdings += witness([holding], directory, incident, recorder)
    page = _page(assignment, reading, recorder)
    unread = any(holding.state is HeldState.UNKNOWN for holding in holdings)
    is_store = assignment.location.role is not Role.INDEX
    found = (
        page.outcome is PageOutcome.OBSERVED
        or (is_store and reading.bundles)
        or any(is_store or _is_trace(holding, incident) for holding in holdings)
    )
    return conclude(
        assignment,
        outcome=Outcome.OBSERVED if found else Outcome.ABSENT,
        detail="" if found else page.detail,
        started_at=started_at,
        pages=() if is_store else (page,),
        holdings=holdings,
        # Installers open no bundle: one can hide something from a store alone.
        holdings_complete=reading.complete
        and reading.hidden.complete
        and not (unread or (is_store and reading.bundles)),
        hosting=hosting_on_disk(page.candidates),
        evidence=recorder.all(),
        notes=tuple(filter(None, (reading.bundles, *reading.notes, *reading.hidden.notes))),
    )


def _is_trace(holding: Holding, incident: Incident) -> bool:
    """Whether it is, or may be, a broken artifact: an index that has one is not without it."""
    is_broken = incident.is_broken(holding.version) or holding.sha256 in incident.broken_sha256
    return is_broken or holding.state is HeldState.UNKNOWN


def _page(assignment: Assignment, reading: _DirectoryReading, recorder: EvidenceRecorder) -> Page:
    """Make the one page of a directory. It has one view: every client sees the same files."""
    offered = [file.candidate for file in reading.files if file.candidate is not None]
    candidates = (*offered, *reading.linked)
    faults = (*(f.fault for f in reading.files if f.fault is not None), *reading.faults)
    carried = bool(candidates or faults) or not reading.complete
    directory = reading.directory
    evidence = recorder.of_disk(
        directory,
        {"files of the project": str(len(reading.files))},
        excerpt=entries_that_matter(candidates, assignment.incident),
        reproduce=shlex.join(["ls", "-l", "--", str(directory)]),
    )
    return Page(
        view=View.PIP,
        outcome=PageOutcome.OBSERVED if carried else PageOutcome.ABSENT,
        detail="" if carried else "no file of the project is here",
        url=directory.as_uri(),
        complete=carried and reading.complete and not any(f.loses_entry for f in faults),
        candidates=candidates,
        faults=faults,
        project_status="active",
        freshness=Freshness(fetched_at=assignment.now(), last_modified=reading.modified),
        evidence=(evidence,),
    )


async def _observe_page(assignment: Assignment) -> Observation:
    started_at = assignment.now()
    url = assignment.location.url or ""
    try:
        session = GuardedSession(assignment)
    except Malformed as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        reader = IndexReader(assignment, session, recorder, parse=_parse_find_links)
        pages = tuple(_of_project(page) for page in await reader.read(url, views=(View.PIP,)))
    outcome, detail = outcome_of_pages(pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=pages if assignment.location.role is Role.INDEX else (),
        hosting=file_hosting(pages, url),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=reader.notes,
        redactor=session.redactor,
    )


def _of_project(page: Page) -> Page:
    """Keep the files of the project: a find-links page lists those of many."""
    if page.outcome is PageOutcome.ABSENT:
        # A project page that is missing says "not carried"; a find-links page that is missing
        # says that the URL is wrong.
        detail = f"answers {page.status}: there is no --find-links page; check the URL"
        return replace(page, outcome=PageOutcome.MALFORMED, detail=detail)
    if page.outcome is not PageOutcome.OBSERVED:
        return page
    ours = tuple(c for c in page.candidates if c.version is not None)
    if ours or any(fault.loses_entry for fault in page.faults):
        return replace(page, candidates=ours)
    detail = "the page links no file of the project"
    return replace(page, outcome=PageOutcome.ABSENT, detail=detail, complete=False, candidates=())


def _parse_find_links(
    body: bytes, *, url: str, content_type: str | None, project: str
) -> ParsedPage:
    """Read a find-links page: any web page that links distributions, of whatever projects."""
    try:
        return parse_page(body, url=url, content_type=content_type, project=project)
    except Malformed:
        # No index, for it has none of our links. If it links files of others and surely none of
        # ours, it is a find-links page all the same.
        names = [match.decode("ascii") for match in _LINKED_FILE.findall(body)]
        is_html = (content_type or "").lower().startswith("text/html")
        if not is_html or not names or any(version_in(unquote(n), project) for n in names):
            raise
        faults = FaultLog()
        # What is missing of a page that was cut may have named files of ours.
        check_ending(to_utf8(body, page_type(content_type, faults).charset, faults), faults)
        return ParsedPage(
            candidates=(),
            faults=faults.faults(),
            complete=not faults.loses_entry,
            project_status="active",
            project_status_reason=None,
            versions=None,
            api_version=None,
            serial=None,
            name=None,
        )


def recognises(met: Met) -> bool:
    """A directory with wheels or source archives in it, or one of these."""
    names = (met.path.name,) if met.names is None else met.names
    if any(name.lower().endswith(".whl") for name in names):
        return True
    from probes.find_links.bundles import has_source_archive

    return has_source_archive(met.path.parent if met.names is None else met.path, names)


KIND = ProbeKind(
    name="wheelhouse",
    summary="a directory or page for --find-links",
    role=Role.INDEX,
    settings=(
        Setting(key="path", meaning="the directory; either this or url"),
        Setting(key="url", meaning="a page with links, http(s) or file:"),
        Setting(key="role", meaning="`store` if no installer is pointed at it"),
    ),
    observe=observe,
    prepare=prepare,
    recognises=recognises,
    owns_subtree=False,
    syncs=False,
    touches=(
        TouchNote(
            request="read of a directory and of the project's files in it",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked, executed or written",
        ),
        TouchNote(
            request="GET find-links page",
            touch=Touch.REFRESHES_INDEX,
            proof="a page GET never made a cache fetch a file (measured on nginx, squid, Varnish, "
            "Apache, devpi, proxpi); a URL that names a file is refused",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="python -m pip download --no-deps --dest {path} {project}=={fixed}",
            effect="puts the fixed release beside the others",
            caution="gets the file for this platform and Python: "
            "download once for each that is served from here",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="rm -- {path}/{file}",
            effect="removes the broken bytes",
            caution="builds that pin the broken release with --no-index stop working; "
            "where the fix is not here yet, installs get an older release or nothing",
            statuses=(Status.EXPOSED, Status.LATENT, Status.ROLLED_FORWARD),
        ),
        RemedyTemplate(
            command="# to the operator of {url}: {project} {fixed} does not reach every client "
            "here; please link its files, and no longer those of {broken}",
            effect="brings the fix to everybody who installs from this page",
            caution="builds that pin the broken release and see no other index stop working",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# in {path}: compare the files of {project} with the digests that its source "
            "states, and replace those that differ",
            effect="ends the doubt; until then install this project from nowhere near this place",
            caution="a place that builds its own wheels is not at fault: set rebuilds = true",
            statuses=(Status.TAMPERED,),
        ),
    ),
    # One view: every client reads the same files, and the same page.
    views=(View.PIP,),
    verified="pip 26.3",
)
