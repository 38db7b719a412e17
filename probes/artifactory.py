"""Kind `artifactory`: a PyPI repository of JFrog Artifactory, and what its search finds."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch
from probes.kit.index import VIEWS
from probes.kit.session import prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read the pages as any index's, then search for the bytes."""
    # Loaded here: every command loads every kind, and few look at an Artifactory.
    from probes.kit.fingerprint import Software
    from probes.registries.artifactory_search import search_artifactory
    from probes.registries.observing import observe_registry

    return await observe_registry(
        assignment, kind=KIND.name, software=Software.ARTIFACTORY, search=search_artifactory
    )


KIND = ProbeKind(
    name="artifactory",
    summary="a PyPI repository of Artifactory: its pages, and its search for cached files",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="https://HOST/artifactory/api/pypi/NAME/simple/"),
        Setting(
            key="cache_repository",
            meaning="the repository that has the files; default: NAME-cache, as of a remote one",
        ),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    expected_lag_s=7200.0,
    expected_lag_source="a remote repository keeps pages for 7200 s (Metadata Retrieval Cache "
    "Period) unless told otherwise; set expected_lag to yours",
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET api/storage/NAME-cache and api/search/artifact?name=&repos=NAME-cache",
            touch=Touch.INERT,
            proof="documented to read what Artifactory itself has; a repository that ends in "
            "-cache fetches nothing. Where no answer shows Artifactory's headers it counts as "
            "refreshes-index. No file is ever asked for",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="# POST https://HOST/artifactory/api/zap/NAME-cache/.pypi/{project}.html as a "
            "user with the right to manage NAME-cache (seen at {url})",
            effect="makes the remote repository ask its upstream again for this project's page",
            caution="if the upstream is down the old page is used again; it removes no file",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="# DELETE https://HOST/artifactory/NAME-cache/… of each file that the evidence "
            "names for {project} {broken}",
            effect="removes the cached files of the broken release",
            caution="while the upstream lists them, the next pinned install stores them again",
            statuses=(Status.EXPOSED, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="",
    unverified=(
        "every answer of Artifactory: written from its documented interface, tested against shapes "
        "made from that",
        "that the files of a remote repository NAME are found in NAME-cache by their names",
        "that a search is cut off at 500 results",
        "its remedies, which need an Artifactory",
    ),
)
