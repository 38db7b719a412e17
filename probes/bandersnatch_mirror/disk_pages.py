"""The pages of one project as they lie on disk, for every client class."""

from __future__ import annotations

import hashlib
import os
import shlex
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import Candidate, Freshness, Page, PageOutcome, View
from probes.bandersnatch_mirror.layout import Tree, check_inside
from probes.kit.disk import read_regular
from probes.kit.evidence import EvidenceRecorder, entries_that_matter
from probes.kit.pages import ParsedPage, parse_page

__all__ = ["DiskPage", "kept_candidates", "pages_of", "read_disk_pages"]

_MAX_PAGE_BYTES = 256 * 2**20
_MAX_KEPT_PAGES = 50
_JSON_TYPE, _HTML_TYPE = "application/vnd.pypi.simple.v1+json", "text/html"
_JSON_VIEWS = (View.PIP, View.UV, View.POETRY)


@dataclass(frozen=True, slots=True, kw_only=True)
class DiskPage:
    """One page file.

    Attributes:
        path: of the file.
        content_type: with which a server sends it.
        outcome, detail: what came of reading it.
        parsed: its content; None if it was not read.
        sha256, size: of the file; None and 0 likewise.
        modified: when it was written, UTC; None likewise.
    """

    path: Path
    content_type: str
    outcome: PageOutcome
    detail: str = ""
    parsed: ParsedPage | None = None
    sha256: str | None = None
    size: int = 0
    modified: datetime | None = None


def read_disk_pages(tree: Tree, project: str) -> tuple[DiskPage | None, DiskPage | None]:
    """Read the JSON page and the HTML page; None for a form that is not there."""
    if tree.project is None:
        return None, None
    json_page = _read(tree, tree.project / "index.v1_json", _JSON_TYPE, project)
    html_page = _read(tree, tree.project / "index.html", _HTML_TYPE, project)
    return json_page, html_page or _read(tree, tree.project / "index.v1_html", _HTML_TYPE, project)


def _read(tree: Tree, path: Path, content_type: str, project: str) -> DiskPage | None:
    if not os.path.lexists(path):
        return None
    page = DiskPage(path=path, content_type=content_type, outcome=PageOutcome.MALFORMED)
    try:
        check_inside(path, tree.web)
        body = read_regular(path, _MAX_PAGE_BYTES)
        modified = datetime.fromtimestamp(path.stat().st_mtime, UTC)
        parsed = _parse(tree, path, body, content_type, project)
    except PermissionError:
        detail = f"{path} may not be read by this user, which does not mean that it is empty"
        return replace(page, outcome=PageOutcome.DENIED, detail=detail)
    except (OSError, ProbeError) as error:
        cause = getattr(error, "strerror", None) or error
        return replace(page, detail=f"{path}: {cause}")
    return replace(
        page,
        outcome=PageOutcome.OBSERVED,
        parsed=parsed,
        sha256=hashlib.sha256(body).hexdigest(),
        size=len(body),
        modified=modified,
    )


def _parse(tree: Tree, path: Path, body: bytes, content_type: str, project: str) -> ParsedPage:
    """Read a page at the address that it is written for.

    Its links begin with `../..`, also where `hash-index` puts it one directory deeper: such a
    mirror is served with a rewrite.
    """
    url = (tree.web / "simple" / project / path.name).as_uri()
    return parse_page(body, url=url, content_type=content_type, project=project)


def kept_candidates(tree: Tree, project: str) -> list[Candidate]:
    """Read the older pages that `keep_index_versions` keeps: they know what was listed once."""
    directory = tree.project / "versions" if tree.project else None
    if directory is None or not directory.is_dir():
        return []
    names = sorted((e.name for e in os.scandir(directory)), reverse=True)
    found: list[Candidate] = []
    for name in [n for n in names if n.endswith((".v1_json", ".html"))][:_MAX_KEPT_PAGES]:
        kind = _JSON_TYPE if name.endswith("json") else _HTML_TYPE
        page = _read(tree, directory / name, kind, project)
        found += page.parsed.candidates if page and page.parsed else ()
    return found


def pages_of(
    found: Sequence[DiskPage | None],
    tree: Tree,
    assignment: Assignment,
    recorder: EvidenceRecorder,
) -> tuple[Page, ...]:
    """Make the page of each view: JSON for those who ask for it first, where there is JSON."""
    json_page, html_page = (_page(page, assignment, recorder) if page else None for page in found)
    preferred = json_page or html_page
    if preferred is None:
        return (_absent(tree, assignment.incident.project),)
    html = html_page or Page(
        view=View.PIP_HTML,
        outcome=PageOutcome.REFUSED,
        detail="the mirror has no HTML page (simple-format = JSON)",
        url=preferred.url,
    )
    asking_for_json = tuple(replace(preferred, view=view) for view in _JSON_VIEWS)
    return (*asking_for_json, replace(html, view=View.PIP_HTML))


def _absent(tree: Tree, project: str) -> Page:
    where = tree.project or tree.web / "simple" / project
    gone = "has no page in it" if tree.project else "does not exist"
    return Page(
        view=View.PIP,
        outcome=PageOutcome.ABSENT,
        detail=f"{where} {gone}: the mirror does not carry the project",
        url=where.as_uri(),
    )


def _page(found: DiskPage, assignment: Assignment, recorder: EvidenceRecorder) -> Page:
    page = Page(
        view=View.PIP,
        outcome=found.outcome,
        detail=found.detail,
        url=found.path.as_uri(),
        content_type=found.content_type,
        body_sha256=found.sha256,
        freshness=Freshness(
            fetched_at=assignment.now(),
            last_modified=found.modified,
            serial=found.parsed.serial if found.parsed else None,
        ),
    )
    facts = {"size": str(found.size)} if found.parsed else {"error": found.detail}
    parsed = found.parsed
    evidence = recorder.of_disk(
        found.path,
        facts,
        digest=f"sha256:{found.sha256}" if found.sha256 else None,
        excerpt=entries_that_matter(parsed.candidates, assignment.incident) if parsed else "",
        reproduce=shlex.join(["cat", "--", str(found.path)]),
    )
    page = replace(page, evidence=(evidence,))
    if parsed is None:
        return page
    return replace(
        page,
        complete=parsed.complete,
        candidates=parsed.candidates,
        faults=parsed.faults,
        project_status=parsed.project_status,
        versions=parsed.versions,
        api_version=parsed.api_version,
    )
