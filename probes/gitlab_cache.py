"""Kind `gitlab-cache`: says where GitLab's caches are, since GitLab itself lists them nowhere.

Neither the REST nor the GraphQL interface of GitLab has a list of caches: its runners keep them on
their own disks, or in a bucket that all of them share. What there is, from GitLab 17.0 on, is the
GraphQL mutation `runnerCacheClear` (GitLab issue 390684), which makes jobs use keys with a higher
number and leaves the old archives where they are (GitLab issue 431079).
"""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting
from auditor.model import Observation, Outcome, RemedyTemplate, Role, Status
from probes.kit.conclusion import conclude

__all__ = ["KIND"]

_WHERE = (
    "GitLab has no interface that lists its caches. Audit them where the runners keep them: the "
    "bucket of [runners.cache] as kind s3, cache.zip below the runner's cache directory as kind "
    "archive"
)


async def observe(assignment: Assignment) -> Observation:
    """Ask nobody: there is nothing to ask."""
    return conclude(
        assignment,
        outcome=Outcome.SKIPPED,
        detail=_WHERE,
        started_at=assignment.now(),
        holdings_complete=False,
    )


KIND = ProbeKind(
    name="gitlab-cache",
    summary="the CI caches of a GitLab project, which GitLab lists nowhere: always unknown",
    role=Role.STORE,
    settings=(Setting(key="url", required=True, meaning="https://HOST/GROUP/PROJECT"),),
    observe=observe,
    syncs=False,
    remedies=(
        RemedyTemplate(
            command="glab api graphql -f query='mutation { runnerCacheClear(input: {projectId: "
            '"gid://gitlab/Project/ID"}) { errors } }\' # ID: of {url}',
            effect="all jobs of the project start with empty caches",
            caution="the old archives stay on the runners and in their bucket until somebody "
            "removes them there; GitLab 17.0 or later, by a maintainer of the project",
            statuses=(Status.UNKNOWN,),
        ),
    ),
    verified="",
    unverified=("everything: nothing is asked, and its remedies need a GitLab",),
)
