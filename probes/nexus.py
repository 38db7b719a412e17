"""Kind `nexus`: a PyPI repository of Sonatype Nexus Repository 3, and what its search finds."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch
from probes.kit.index import VIEWS
from probes.kit.session import prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read the pages as any index's, then search for the bytes."""
    # Loaded here: every command loads every kind, and few look at a Nexus.
    from probes.kit.fingerprint import Software
    from probes.registries.nexus_search import search_nexus
    from probes.registries.observing import observe_registry

    return await observe_registry(
        assignment, kind=KIND.name, software=Software.NEXUS, search=search_nexus
    )


KIND = ProbeKind(
    name="nexus",
    summary="a PyPI repository of Nexus Repository 3: its pages, and its search for held files",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="https://HOST/repository/NAME/simple/"),
        Setting(
            key="cache_repository",
            meaning="the proxy repository that has the files, if the URL is a group's",
        ),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    expected_lag_s=86_400.0,
    expected_lag_source="a proxy repository keeps pages, and misses, for 1440 min (Maximum "
    "metadata age, Not found cache) unless told otherwise; set expected_lag to yours",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET /service/rest/v1/search/assets?repository=&format=pypi&name=, at most 20 "
            "pages, and one of /service/rest/v1/assets",
            touch=Touch.INERT,
            proof="documented to read Nexus's own database; where no answer shows Nexus's Server "
            "header it counts as refreshes-index. No file is ever asked for",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# in Nexus: Administration > Repository > Repositories > the proxy > "
            "Invalidate cache; then: python -m pip index versions --index-url {url} {project}",
            effect="makes the proxy ask its upstream again for every page, {project} among them",
            caution="of all its projects; it removes no file",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# in Nexus: Browse > the proxy > {project}/{broken} > Delete component",
            effect="removes the stored files of the broken release",
            caution="while the upstream lists them, the next pinned install stores them again",
            statuses=(Status.EXPOSED, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="",
    unverified=(
        "every answer of Nexus: written from its documented interface, tested against shapes made "
        "from that",
        "that a search by `name` finds a project by its normalised name",
        "that a search of a group finds the files of its members",
        "its remedies, which need a Nexus",
    ),
)
