"""Kind `pdm-cache`: the cache directory of one user's PDM, or of many users by a pattern."""

from __future__ import annotations

from auditor.contracts import Assignment, ProbeKind, Setting, TouchNote
from auditor.model import Observation, RemedyTemplate, Role, Status, Touch

__all__ = ["KIND"]


async def observe(assignment: Assignment) -> Observation:
    """Read every cache that the path names, to its end, without leaving a trace."""
    # Here, so that knowing the kinds costs nothing.
    from probes.client_caches.home import Client
    from probes.client_caches.observing import observe_caches
    from probes.pdm_store.reading import LAYOUT, read_cache

    client = Client(
        name="PDM",
        layout=", ".join(sorted(LAYOUT)),
        knows=LAYOUT.__contains__,
        directory="pdm",
        tells="pdm config cache_dir",
        read=read_cache,
    )
    return await observe_caches(assignment, client)


KIND = ProbeKind(
    name="pdm-cache",
    summary="PDM's cache directory: the database of its downloads and pages, unpacked wheels",
    role=Role.STORE,
    settings=(
        Setting(
            key="path",
            required=True,
            meaning="what `pdm config cache_dir` prints; /home/*/.cache/pdm for that of everybody",
        ),
    ),
    observe=observe,
    syncs=False,
    touches=(
        TouchNote(
            request="read of the cache's files, and of a copy of its database",
            touch=Touch.INERT,
            proof="opened for reading only, without a lock of PDM or SQLite, the database copied "
            "with its log before it is opened; tests compare content and times of every file "
            "before and after",
        ),
    ),
    remedies=(
        RemedyTemplate(
            command="env PDM_CACHE_DIR={path} pdm cache clear",
            effect="removes the broken bytes, every stored page and every built wheel",
            caution="also those of all other projects; `pdm cache remove` does not help: it knows "
            "only wheels that were built here, says that nothing matches, and leaves the rest; "
            "unpacked wheels in packages/ stay while an environment links to them",
            statuses=(Status.LATENT, Status.EXPOSED, Status.TAMPERED),
        ),
    ),
    verified="PDM 2.29.3 with hishel 1.2.1",
)
