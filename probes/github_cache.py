"""Kind `github-cache`: the caches of GitHub Actions, by what GitHub's list says of them."""

from __future__ import annotations

from dataclasses import replace

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import Bundle, Observation, Outcome, RemedyTemplate, Role, Status, Touch
from probes.kit.conclusion import conclude
from probes.kit.evidence import EvidenceRecorder
from probes.kit.session import GuardedSession, prepare

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read the list; the caches themselves are neither downloaded nor removed."""
    # Loaded here: every command loads every kind, and few look at this one.
    from probes.ci_caches.github_list import read_caches, repository_in

    url, started_at = assignment.location.url, assignment.now()
    if url is None:
        detail = "no url; write https://api.github.com/repos/OWNER/REPO"
        return conclude(assignment, outcome=Outcome.SKIPPED, detail=detail, started_at=started_at)
    try:
        repository = repository_in(url)
        session = GuardedSession(assignment)
    except ProbeError as error:
        return conclude(
            assignment, outcome=Outcome.MALFORMED, detail=str(error), started_at=started_at
        )
    recorder = EvidenceRecorder(session.redactor)
    outcome, detail, connected = Outcome.OBSERVED, "", True
    bundles: tuple[Bundle, ...] = ()
    complete = False
    async with session:
        try:
            found = await read_caches(session, repository, recorder, assignment.user_agent_suffix)
            bundles, complete, detail = found.bundles, found.complete, found.problem
        except ProbeError as error:
            outcome, detail = _outcome(error), str(error)
            connected = not isinstance(error, Unreachable) or error.connected
    observation = conclude(
        assignment,
        outcome=outcome,
        detail=session.redactor.text(detail),
        started_at=started_at,
        connected=connected,
        holdings_complete=complete,
        proxy=session.proxy,
        evidence=recorder.all(),
    )
    return session.redactor.scrub(replace(observation, bundles=bundles))


def _outcome(error: ProbeError) -> Outcome:
    if isinstance(error, Unreachable):
        return Outcome.UNREACHABLE
    if isinstance(error, Denied):
        return Outcome.DENIED
    return Outcome.MALFORMED if isinstance(error, Malformed) else Outcome.SKIPPED


KIND = ProbeKind(
    name="github-cache",
    summary="the caches of GitHub Actions of one repository: which may hold the broken release",
    role=Role.STORE,
    settings=(
        Setting(
            key="url",
            required=True,
            meaning="https://api.github.com/repos/OWNER/REPO, or https://HOST/api/v3/repos/OWNER/"
            "REPO of GitHub Enterprise Server; token: one that may read actions",
        ),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    syncs=False,
    touches=(
        TouchNote(
            request="GET /repos/OWNER/REPO/actions/caches, at most 100 pages",
            touch=Touch.INERT,
            proof="documented to list what the repository keeps; sent to an address of that form "
            "only, which no index has. No cache is downloaded, so that none counts as used",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# change the key of the caches in the workflows, such as by a number in it",
            effect="no job takes a cache that was made before",
            caution="restore-keys that are a prefix of the old keys must change as well",
            statuses=(Status.UNKNOWN,),
        ),
    ),
    prepare=prepare,
    verified="",
    unverified=(
        "every answer of GitHub: written from its documented interface, tested against shapes made "
        "from that",
        "that a cache never changes once it was made, as GitHub documents it",
        "its remedies, which only GitHub can carry out",
    ),
)
