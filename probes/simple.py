"""Kind `simple`: any index by PEP 503 or PEP 691, over HTTP or as a directory."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import ProbeError
from auditor.model import Observation, Outcome, RemedyTemplate, Role, Status, Touch
from probes.kit.advice import serial_hints, told_of_software, usual_lag
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import RecognisingSession
from probes.kit.index import VIEWS, IndexReader, file_hosting, project_url
from probes.kit.session import prepare

__all__ = ["INDEX_TOUCHES", "KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read the project's page as each client class sees it; nothing else is asked for."""
    location = assignment.location
    started_at = assignment.now()
    if location.url is None and location.path is None:
        detail = "neither url nor path is given; name one of them"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    if location.url is None or location.url.lower().startswith("file:"):
        from probes.kit.local_index import observe_local_index

        return await observe_local_index(assignment)
    try:
        session = RecognisingSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    async with session:
        reader = IndexReader(assignment, session, recorder)
        await reader.read(project_url(location.url, assignment.incident.project))
        await reader.confirm_index(location.url)
    seen, pages = session.recognition, reader.pages
    outcome, detail = outcome_of_pages(pages)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=reader.connected,
        pages=pages,
        hosting=file_hosting(pages, location.url),
        proxy=reader.proxy,
        evidence=recorder.all(),
        notes=[*reader.notes, *told_of_software(seen, KIND.name, pages)],
        hints=tuple(serial_hints(seen, pages)),
        stated_lag=usual_lag(seen, location),
        redactor=session.redactor,
    )


INDEX_TOUCHES = (
    TouchNote(
        request="GET project page, as pip, pip before 22.2, uv and Poetry send it",
        touch=Touch.REFRESHES_INDEX,
        proof="a page GET never made a server or cache fetch a file (measured on devpi, proxpi, "
        "pypiserver, bandersnatch, nginx, squid, Varnish, Apache); it can make one re-read a page",
    ),
    TouchNote(
        request="GET index root, its first 64 KiB, only if no view has the project",
        touch=Touch.REFRESHES_INDEX,
        proof="as the project page; it tells a mistyped URL from an index without the project",
    ),
)

KIND = ProbeKind(
    name="simple",
    summary="any PEP 503/691 index, private registries included; also a directory by file: URL",
    role=Role.INDEX,
    settings=(
        Setting(key="url", meaning="what one would give to pip as --index-url"),
        Setting(key="path", meaning="the index as a directory, in place of url"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="read of index.html and of the project's files (file: URL or path)",
            touch=Touch.INERT,
            proof="opened for reading only; nothing is unpacked, executed or written",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# to the operator of {url}: {project} {fixed} does not reach every client "
            "here; please sync or refresh this project's page",
            effect="brings the fix to everybody who installs from here",
            statuses=(Status.BEHIND, Status.EXPOSED),
        ),
        RemedyTemplate(
            command="# in {path}: put the files of {project} {fixed} beside the others and have "
            "the project's index.html written anew",
            effect="brings the fix to everybody who installs from here",
            statuses=(Status.BEHIND, Status.EXPOSED),
        ),
        RemedyTemplate(
            command="python -m pip install --upgrade --index-url {url} '{project}!={broken}'",
            effect="keeps one client off the broken release until the fix is here",
            caution="that client gets an older release; with no other one it installs nothing",
            statuses=(Status.EXPOSED,),
        ),
        RemedyTemplate(
            command="python -m pip index versions --index-url {url} {project}",
            effect="shows what pip is offered here, to check that the fix has arrived",
            statuses=(Status.BEHIND, Status.EXPOSED),
        ),
        RemedyTemplate(
            command="# to the operator of {url}: {file} has other bytes here than the release has; "
            "please say where they come from, and replace them",
            effect="ends the doubt; until then install this project from nowhere near this place",
            caution="a place that builds its own wheels is not at fault: set rebuilds = true",
            statuses=(Status.TAMPERED,),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="the embedded index; pip 26.3, uv 0.13.9 and Poetry 2.5.1 headers",
    unverified=(
        "how Nexus, Artifactory, Pulp, GitLab, CodeArtifact, Azure Artifacts and Google Artifact "
        "Registry are recognised, what they are usually behind, and how one logs in there",
    ),
)
