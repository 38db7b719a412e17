"""Kind `uv-cache`: the cache directory of one user's uv, or of many users by a pattern."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    # Here, so that knowing the kinds costs nothing.
    from probes.client_caches.home import Client
    from probes.client_caches.observing import observe_caches
    from probes.uv_store.buckets import is_of_uv
    from probes.uv_store.reading import read_cache

    client = Client(
        name="uv",
        layout="CACHEDIR.TAG, archive-v0, wheels-v8 and the like",
        knows=is_of_uv,
        directory="uv",
        tells="uv cache dir",
        read=read_cache,
    )
    return await observe_caches(assignment, client)


KIND = ProbeKind(
    name="uv-cache",
    summary="uv's cache directory: unpacked wheels and sources, index pages, environments",
    role=Role.STORE,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="what `uv cache dir` prints; /home/*/.cache/uv for that of everybody",
        ),
    ),
    observe=observe,
    syncs=False,
    touches=(
        TouchNote(
            request="read of the cache's files",
            touch=Touch.INERT,
            proof="opened for reading only, without uv's lock and without changing access times "
            "where that is allowed; tests compare content and times of every file before and after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="uv cache clean --cache-dir {path} {project}",
            effect="removes the project's pages, wheels, unpacked copies and sources, of every "
            "index",
            caution="what is installed stays broken, environments that uv keeps for tools and "
            "scripts too; `uv cache prune` does not help: it leaves what is in use",
            statuses=(Status.LATENT, Status.EXPOSED, Status.TAMPERED),
        ),
        RemedyTemplate(
            command=(
                "uv pip install --cache-dir {path} --refresh-package {project} --upgrade {project}"
            ),
            effect="makes uv ask the index again, and store the new page for everybody after",
            caution="the broken copy stays in the cache: a lock file, a direct URL or --offline "
            "still gets it",
            statuses=(Status.EXPOSED,),
        ),
    ),
    verified="uv 0.13.9; files that 0.6.17, 0.8.24, 0.9.30, 0.10.12, 0.11.3 and 0.12.5 wrote",
    unverified=(
        "buckets of other layouts than these versions write: they are read alike and left unknown",
    ),
)
