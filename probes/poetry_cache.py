"""Kind `poetry-cache`: the cache directory of one user's Poetry, or of many users by a pattern."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    # Here, so that knowing the kinds costs nothing.
    from probes.client_caches.home import Client
    from probes.client_caches.observing import observe_caches
    from probes.poetry_store.reading import LAYOUT, read_cache

    client = Client(
        name="Poetry",
        layout=", ".join(sorted(LAYOUT)),
        knows=LAYOUT.__contains__,
        directory="pypoetry",
        tells="poetry config cache-dir",
        read=read_cache,
    )
    return await observe_caches(assignment, client)


KIND = ProbeKind(
    name="poetry-cache",
    summary="Poetry's cache directory: artifacts, index pages, descriptions of releases",
    role=Role.STORE,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="what `poetry config cache-dir` prints; /home/*/.cache/pypoetry for that of "
            "everybody",
        ),
    ),
    observe=observe,
    syncs=False,
    touches=(
        TouchNote(
            request="read of the cache's files",
            touch=Touch.INERT,
            proof="opened for reading only, without Poetry's locks and without changing access "
            "times where that is allowed; tests compare content and times of every file before and "
            "after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="rm --recursive --force -- {path}/artifacts {path}/cache",
            effect="removes the broken file, every index page and every description of a release",
            caution="also those of all other projects; `poetry cache clear --all` does not help: "
            "it leaves artifacts/ with the broken file, and `poetry cache clear "
            "SOURCE:NAME:VERSION` removes the description alone; environments in virtualenvs/ stay "
            "as they are",
            statuses=(Status.LATENT, Status.TAMPERED),
        ),
        RemedyTemplate(
            # `poetry lock` keeps what is locked, whatever the index lists.
            command="env POETRY_CACHE_DIR={path} poetry update --no-cache --lock {project}",
            effect="makes Poetry ask the index and lock the fix, in the directory of each project",
            caution="the next `poetry lock` without --no-cache takes the stored page again until "
            "it expires, and the hashes of releases that it has described for ever",
            statuses=(Status.EXPOSED,),
        ),
        RemedyTemplate(
            command="env POETRY_CACHE_DIR={path} poetry cache clear --all --no-interaction SOURCE",
            effect="removes the pages and descriptions of one source, such as PyPI; "
            "`poetry cache list` names them",
            caution="leaves artifacts/ with the broken file, which a lock file still gets",
            statuses=(Status.EXPOSED,),
        ),
    ),
    verified="Poetry 2.5.1",
    unverified=("the store `_http` of Poetry before 2.4, read like that of pip before 23.3",),
)
