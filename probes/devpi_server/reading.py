"""How the pages of a devpi index are to be read: what they leave out, and what they cannot mean."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from auditor.model import FileHosting, Hint, Page, PageOutcome, StatedLag
from probes.devpi_server.topology import IndexConfig, Topology
from probes.kit.index import file_hosting

__all__ = [
    "hosting",
    "no_safe_probe",
    "stated_lag",
    "told_of_index",
    "traits_of",
    "without_false_empty",
]


def without_false_empty(pages: Sequence[Page], topology: Topology) -> tuple[Page, ...]:
    """Turn pages that are empty without reason into pages that were not read.

    devpi answers 200 without files and without a serial while it refreshes its list of projects,
    after the last stored file was deleted, and where it could not read its upstream's page. None
    of these means that the project is not there.
    """
    own = topology.own_config
    if own is not None and not topology.mirrors:
        return tuple(pages)
    problem = (
        "the page is empty, and has no serial of the upstream; refresh it: POST to its URL with "
        "`refresh` at the end"
    )
    return tuple(
        replace(page, outcome=PageOutcome.MALFORMED, detail=problem, complete=False)
        if _is_empty_without_reason(page)
        else page
        for page in pages
    )


def _is_empty_without_reason(page: Page) -> bool:
    is_empty = page.outcome is PageOutcome.OBSERVED and not page.candidates and not page.faults
    return is_empty and page.freshness.serial is None


def told_of_index(topology: Topology, pages: Sequence[Page]) -> list[str]:
    """Say what kind of index this is, and whether it answered from its cache."""
    own = topology.own_config
    if own is None:
        return []
    if not topology.mirrors and topology.is_complete:
        return [f"{own.name} inherits from no mirror: nothing copies anything here by itself"]
    if not own.is_mirror:
        return [f"{own.name} is a stage over {', '.join(own.bases)}"]
    notes = [f"{own.name} copies {own.upstream}"] if own.upstream else []
    if own.external:
        notes.append(f"{own.name} never stores files: it redirects to their upstream")
    if pages and all("no-store" in (page.freshness.cache_control or "") for page in pages):
        notes.append(
            f"{own.name} answered from its cache: within its expiry, or because its upstream is "
            "down; the answers of the two look alike"
        )
    return notes


def stated_lag(topology: Topology) -> StatedLag | None:
    """Return how long the mirrors say that they answer from their cache; None if one is silent."""
    expiries = [mirror.expiry_s for mirror in topology.mirrors]
    said = [expiry_s for expiry_s in expiries if expiry_s is not None]
    if not said or len(said) < len(expiries):
        return None
    names = ", ".join(mirror.name for mirror in topology.mirrors)
    return StatedLag(seconds=max(said), basis=f"mirror_cache_expiry of {names}")


def traits_of(
    topology: Topology, blocking: IndexConfig | None, copying: IndexConfig | None
) -> tuple[str, ...]:
    """Say what decides how this index goes on, in the words of the behaviour data.

    Args:
        topology: as the server tells.
        blocking: the stage whose own files keep those of its mirrors from being seen.
        copying: the stage that has a copy of a broken file of its own.
    """
    if not topology.recognised or not topology.is_complete:
        return ()
    if blocking is not None or not topology.mirrors:
        return ("closed",)
    if copying is not None:
        return ("local-copy",)
    external = all(mirror.external for mirror in topology.mirrors)
    return ("mirror", "external-urls") if external else ("mirror",)


def no_safe_probe(reason: str) -> Hint:
    """Say why nobody asked whether files are held."""
    return Hint(
        code="no-safe-probe",
        text=f"Whether the broken files are held was not asked: {reason}.",
        expected="devpi itself, asked directly",
        observed=reason,
    )


def hosting(pages: Sequence[Page], url: str) -> FileHosting:
    """Say where the files are. devpi may offer its own under another name (`--outside-url`)."""
    hosting = file_hosting(pages, url)
    own = any("/+f/" in (c.url or "") for page in pages for c in page.candidates)
    return FileHosting.HERE if own else hosting
