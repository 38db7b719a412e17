"""Kind `pulp`: a distribution of Pulp 3 with pulp_python, and which of its content has bytes."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch
from probes.kit.index import VIEWS
from probes.kit.session import prepare
from probes.simple import INDEX_TOUCHES

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read the pages as any index's, then ask which content has bytes."""
    # Loaded here: every command loads every kind, and few look at a Pulp.
    from probes.kit.fingerprint import Software
    from probes.registries.observing import observe_registry
    from probes.registries.pulp_content import search_pulp

    return await observe_registry(
        assignment, kind=KIND.name, software=Software.PULP, search=search_pulp
    )


KIND = ProbeKind(
    name="pulp",
    summary="a distribution of Pulp 3 with pulp_python: its pages, and which content has bytes",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="https://HOST/pypi/BASE_PATH/simple/"),
        Setting(key="api_path", meaning="of its REST interface; default: /pulp/api/v3/"),
        Setting(key="via", meaning="forward proxy through which it is seen"),
    ),
    observe=observe,
    touches=(
        *INDEX_TOUCHES,
        TouchNote(
            request="GET api/v3/content/python/packages/?name= and ?sha256=, at most 60",
            touch=Touch.INERT,
            proof="documented to read Pulp's own database; where no answer shows Pulp's serial or "
            "links it counts as refreshes-index. No file is ever asked for",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="pulp python repository sync --name REPOSITORY",
            effect="copies what the upstream lists now, {project} {fixed} among it; a distribution "
            "of the latest version shows it at once",
            caution="with --mirror it also drops what the upstream no longer lists",
            statuses=(Status.EXPOSED, Status.BEHIND),
        ),
        RemedyTemplate(
            command="pulp python repository content remove --repository REPOSITORY "
            "--filename {file}",
            effect="takes the file out of the next version of the repository",
            caution="its bytes stay until no version has it and `pulp orphan cleanup` has run",
            statuses=(Status.EXPOSED, Status.ROLLED_FORWARD, Status.TAMPERED),
        ),
    ),
    views=VIEWS,
    prepare=prepare,
    verified="",
    unverified=(
        "every answer of Pulp: written from its documented interface, tested against shapes made "
        "from that",
        "that content without an artifact has no bytes",
        "that the serial of every project is the same constant",
        "its remedies, which need a Pulp",
    ),
)
