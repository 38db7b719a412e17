"""An index that is a directory: what one gives to pip as `--index-url file:///srv/simple/`.

pip and uv add `index.html` to the project's directory and read that file, in HTML only; a directory
of files without it is empty to them. Poetry reads no `file:` index.
"""

from __future__ import annotations

import hashlib
import re
import shlex
import threading
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import (
    Candidate,
    Freshness,
    HeldState,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    View,
)
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.disk import (
    NotReadable,
    digest_file,
    in_thread,
    list_directory,
    local_path,
    open_regular,
    read_regular,
)
from probes.kit.distribution import is_intact
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.files import digest_holding, held_version, hosting_on_disk, witness
from probes.kit.pages import parse_page
from probes.kit.rootpage import ROOT_PREFIX_BYTES, RootSign, recognise_root

__all__ = ["observe_local_index"]

_MAX_PAGE_BYTES = 256 * 2**20
_VIEWS_THAT_READ_FILES = (View.PIP, View.PIP_HTML, View.UV)
_NO_POETRY = "Poetry reads no index by file: URL"
# What is looked at to tell an index without the project from a directory that is none.
_MAX_ROOT_ENTRIES = 10_000
_MAX_ROOT_CHECKS = 1_000
_LINKED_FILE = re.compile(rb"\.(?:whl|tar\.gz|zip|tgz|tar\.bz2)\b", re.IGNORECASE)
_LINKS_FOR = re.compile(rb"\blinks for\b|pypi:repository-version", re.IGNORECASE)


class _Problem(Exception):
    def __init__(self, outcome: Outcome, detail: str) -> None:
        super().__init__(detail)
        self.outcome = outcome
        self.detail = detail


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reading:
    """The project's directory: its page as bytes, and the files beside it."""

    page_path: Path
    body: bytes | None
    modified: datetime | None
    names: tuple[str, ...]
    complete: bool


async def observe_local_index(assignment: Assignment) -> Observation:
    """Read the project's page and files from the disk."""
    started_at = assignment.now()
    locator = assignment.location.path or assignment.location.url or ""
    root = local_path(locator)
    project = assignment.incident.project
    try:
        reading = await in_thread(lambda _: _read(root, project))
    except _Problem as problem:
        return conclude(
            assignment, outcome=problem.outcome, detail=problem.detail, started_at=started_at
        )
    recorder = EvidenceRecorder()
    page = _page(reading, assignment, recorder)
    holdings, complete = await in_thread(
        lambda stop: _holdings(reading, page.candidates, project, stop)
    )
    outcome, detail = outcome_of_pages([page])
    if outcome is Outcome.ABSENT and any(h.state is not HeldState.NOT_HELD for h in holdings):
        # Installers see nothing of it, and yet the project is here.
        outcome, detail = Outcome.OBSERVED, ""
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        pages=_in_every_view(page, assignment.location.samples),
        holdings=witness(holdings, reading.page_path.parent, assignment.incident, recorder),
        holdings_complete=complete,
        hosting=hosting_on_disk(page.candidates),
        evidence=recorder.all(),
    )


def _in_every_view(page: Page, samples: int) -> tuple[Page, ...]:
    """Repeat what was read once: on a disk every client finds the same file, however often."""
    refused = Page(view=View.POETRY, outcome=PageOutcome.REFUSED, detail=_NO_POETRY, url=page.url)
    views = (*(replace(page, view=view) for view in _VIEWS_THAT_READ_FILES), refused)
    return tuple(
        replace(view, sample=sample) for view in views for sample in range(1, max(1, samples) + 1)
    )


def _read(root: Path, project: str) -> _Reading:
    directory = root / project
    page_path = directory / "index.html"
    try:
        listing = list_directory(root, limit=_MAX_ROOT_ENTRIES)
        if not directory.exists():
            _check_root(root, listing.names)
            return _Reading(page_path=page_path, body=None, modified=None, names=(), complete=True)
        listing = list_directory(directory)
        body, modified = _read_page(page_path)
    except PermissionError as error:
        raise _Problem(Outcome.DENIED, f"{error.filename} may not be read by this user") from error
    except FileNotFoundError as error:
        # Not *absent*: a path that is mistyped or not mounted says nothing about its content.
        raise _Problem(
            Outcome.UNREACHABLE, f"{root} does not exist; check the path, and whether it is mounted"
        ) from error
    except (OSError, NotReadable) as error:
        cause = getattr(error, "strerror", None) or error
        raise _Problem(Outcome.MALFORMED, f"{root} cannot be read: {cause}") from error
    return _Reading(
        page_path=page_path,
        body=body,
        modified=modified,
        names=listing.names,
        complete=listing.complete,
    )


def _check_root(root: Path, names: Sequence[str]) -> None:
    """Refuse a directory that is no index: that the project is not in it says nothing.

    Raises:
        _Problem: nothing in it is a page or a project's directory.
    """
    problem = "nothing in it looks like a project's directory"
    if "index.html" in names:
        beginning = _beginning(root / "index.html")
        reading = recognise_root(200, "text/html", beginning)
        if reading.sign is RootSign.INDEX:
            return
        if _LINKED_FILE.search(beginning):
            problem = "its index.html is the page of one project; name the directory above it"
    if not any(_is_project(root / name) for name in names[:_MAX_ROOT_CHECKS]):
        raise _Problem(
            Outcome.MALFORMED,
            f"{root} is no index: {problem}; check the path, and whether it is mounted",
        )


def _is_project(directory: Path) -> bool:
    """Whether a directory holds a project's page, or distributions."""
    try:
        if not directory.is_dir():
            return False
        names = list_directory(directory, limit=_MAX_ROOT_CHECKS).names
    except OSError:
        return False
    if any(_LINKED_FILE.search(name.encode("utf-8", "replace")) for name in names):
        return True
    if "index.html" not in names:
        return False
    page = _beginning(directory / "index.html")
    return bool(_LINKED_FILE.search(page) or _LINKS_FOR.search(page))


def _beginning(path: Path) -> bytes:
    try:
        with open_regular(path) as file:
            return file.read(ROOT_PREFIX_BYTES)
    except (OSError, NotReadable):
        return b""


def _read_page(path: Path) -> tuple[bytes | None, datetime | None]:
    if not path.exists():
        return None, None
    body = read_regular(path, _MAX_PAGE_BYTES)
    return body, datetime.fromtimestamp(path.stat().st_mtime, UTC)


def _page(reading: _Reading, assignment: Assignment, recorder: EvidenceRecorder) -> Page:
    path = reading.page_path
    page = Page(view=View.PIP, outcome=PageOutcome.ABSENT, url=path.as_uri())
    if reading.body is None:
        detail = f"{path} does not exist, so that pip and uv see no files of the project here"
        return replace(page, detail=detail)
    digest = hashlib.sha256(reading.body).hexdigest()
    page = replace(
        page,
        content_type="text/html",
        body_sha256=digest,
        freshness=Freshness(fetched_at=assignment.now(), last_modified=reading.modified),
    )
    try:
        parsed = parse_page(
            reading.body,
            url=path.as_uri(),
            content_type="text/html",
            project=assignment.incident.project,
        )
    except ProbeError as error:
        return replace(page, outcome=PageOutcome.MALFORMED, detail=str(error))
    evidence = recorder.of_disk(
        path,
        {"size": str(len(reading.body))},
        digest=f"sha256:{digest}",
        excerpt=entries_that_matter(parsed.candidates, assignment.incident),
        reproduce=shlex.join(["cat", "--", str(path)]),
    )
    return replace(
        page,
        outcome=PageOutcome.OBSERVED,
        complete=parsed.complete,
        candidates=parsed.candidates,
        faults=parsed.faults,
        project_status=parsed.project_status,
        versions=parsed.versions,
        api_version=parsed.api_version,
        freshness=replace(page.freshness, serial=parsed.serial),
        evidence=(evidence,),
    )


def _holdings(
    reading: _Reading, candidates: Sequence[Candidate], project: str, stop: threading.Event
) -> tuple[tuple[Holding, ...], bool]:
    """Hash the project's files: those beside the page, and those that it links on this disk.

    Complete only if every linked file is beside the page: where the files are in some other tree,
    one that is no longer linked could be anywhere in it.
    """
    directory = reading.page_path.parent
    beside = {directory / n for n in reading.names if held_version(n, project) is not None}
    linked = {
        local_path(c.url)
        for c in candidates
        if c.url and c.version is not None and c.url.startswith("file:")
    }
    holdings = tuple(_holding(path, project, stop) for path in sorted(beside | linked))
    unread = any(holding.state is HeldState.UNKNOWN for holding in holdings)
    inside = all(path.parent == directory for path in linked)
    return holdings, reading.complete and inside and not unread


def _holding(path: Path, project: str, stop: threading.Event) -> Holding:
    version = held_version(path.name, project)
    try:
        held = digest_holding(path, version, digest_file(path, stop))
        return replace(held, intact=is_intact(path, stop))
    except FileNotFoundError:
        state, how = HeldState.NOT_HELD, "the page links it, and it is not there"
    except (OSError, NotReadable) as error:
        state, how = HeldState.UNKNOWN, f"cannot be read: {error}"
    return Holding(filename=path.name, version=version, state=state, how=how)
