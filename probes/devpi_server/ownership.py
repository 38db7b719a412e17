"""Whose files a page shows: those of the index itself, or of one that it inherits from."""

from __future__ import annotations

from collections.abc import Sequence

from auditor.errors import ProbeError
from auditor.model import Candidate, Hint, Incident, Page, PageOutcome
from auditor.model.version import parse_version
from probes.devpi_server.address import DevpiAddress
from probes.devpi_server.client import DevpiClient, DevpiLink
from probes.devpi_server.topology import IndexConfig, Topology

__all__ = ["blocked_by", "copied_by", "hidden_fix", "told_owners"]

_SHOWN_FILES = 6


def told_owners(
    incident: Incident, pages: Sequence[Page], topology: Topology, address: DevpiAddress
) -> list[str]:
    """Say which index owns each broken and fixed file, if it is not simply the one asked."""
    owners: dict[tuple[str, str], list[str]] = {}
    for candidate in _candidates(pages):
        owner = address.owner_of(candidate.url)
        broken = incident.is_broken(candidate.version)
        if owner and (broken or incident.is_named_fixed(candidate.version)):
            files = owners.setdefault((owner, "broken" if broken else "fixed"), [])
            if candidate.filename not in files:
                files.append(candidate.filename)
    own = topology.own_config
    if own is not None and own.is_mirror:
        return []
    return [
        f"the {what} release here belongs to {owner}: {', '.join(files[:_SHOWN_FILES])}"
        for (owner, what), files in sorted(owners.items())
    ]


def copied_by(
    incident: Incident, pages: Sequence[Page], topology: Topology, address: DevpiAddress
) -> IndexConfig | None:
    """Return the stage that has a copy of a broken file of its own; None if there is none."""
    broken = (c for c in _candidates(pages) if incident.is_broken(c.version))
    owners = (topology.find(address.owner_of(c.url)) for c in broken)
    return next((owner for owner in owners if owner and not owner.is_mirror), None)


async def hidden_fix(
    incident: Incident,
    pages: Sequence[Page],
    topology: Topology,
    client: DevpiClient,
    notes: list[str],
) -> list[Hint]:
    """Find the fix in a mirror that a stage hides, because it has files of its own.

    devpi stops asking its mirrors for a project as soon as a stage has a file of it, unless the
    stage's `mirror_whitelist` names the project. Its JSON pages say nothing of it.
    """
    blocking = blocked_by(incident.project, pages, topology, client.address)
    read = [page for page in pages if page.outcome is PageOutcome.OBSERVED]
    if blocking is None or not read or _lists_fix(incident, read):
        return []
    for mirror in topology.mirrors:
        try:
            links = await client.links(mirror.name, incident.project)
        except ProbeError as error:
            notes.append(f"{mirror.name}, which may hold the fix, could not be asked: {error}")
            continue
        fixed = [link for link in links if incident.is_named_fixed(link.version)]
        if fixed:
            return [_hidden(blocking, mirror, fixed, incident.project, read)]
    return []


def blocked_by(
    project: str, pages: Sequence[Page], topology: Topology, address: DevpiAddress
) -> IndexConfig | None:
    """Return the stage whose own files keep those of the mirrors from being seen."""
    owners = {address.owner_of(candidate.url) for candidate in _candidates(pages)}
    for owner in sorted(filter(None, owners)):
        index = topology.find(owner)
        if index is not None and not index.is_mirror and not index.lets_through(project):
            return index
    return None


def _hidden(
    stage: IndexConfig,
    mirror: IndexConfig,
    fixed: Sequence[DevpiLink],
    project: str,
    pages: Sequence[Page],
) -> Hint:
    names = ", ".join(link.filename for link in fixed[:_SHOWN_FILES])
    evidence = [item for page in pages for item in page.evidence]
    return Hint(
        code="fix-hidden-by-local-files",
        text=f"{stage.name} has files of its own of {project}, and therefore hides those of "
        f"{mirror.name}, which has the fix.",
        expected=f"{project} in the mirror_whitelist of {stage.name}, or the fix uploaded there",
        observed=f"{mirror.name} has {names}; {stage.name} does not list it",
        evidence=(stage.evidence, *evidence),
    )


def _lists_fix(incident: Incident, pages: Sequence[Page]) -> bool:
    return any(
        incident.is_named_fixed(c.version) and parse_version(c.version or "") is not None
        for c in _candidates(pages)
    )


def _candidates(pages: Sequence[Page]) -> list[Candidate]:
    return [candidate for page in pages for candidate in page.candidates]
