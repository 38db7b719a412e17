"""Which releases and files the surfaces are asked about: few, and those that the incident names."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit, urlunsplit

from packaging.version import Version

from auditor.errors import Malformed
from auditor.model import Candidate, Incident, Page, PageOutcome, parse_version
from probes.kit.origins import origin_of

__all__ = ["Targets", "file_hosts", "legacy_root", "targets_of"]

MOST_SIDECARS = 2
MOST_BROKEN_RELEASES = 2
MOST_FIXED_RELEASES = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Targets:
    """What is asked about beside the project.

    Attributes:
        versions: releases whose legacy JSON is read.
        sidecars: file name and URL of the metadata of wheels of the fix.
        provenances: file name and URL of attestations; None where the page announces none.
    """

    versions: tuple[str, ...]
    sidecars: tuple[tuple[str, str], ...]
    provenances: tuple[tuple[str, str | None], ...]


def legacy_root(index_url: str) -> str | None:
    """Return the root of the server beside whose `/simple/` the legacy JSON lies; None: unknown."""
    parts = urlsplit(index_url)
    path = parts.path.rstrip("/")
    if not path.endswith("/simple") or parts.query:
        return None
    return urlunsplit((parts.scheme, parts.netloc, path.removesuffix("/simple"), "", ""))


def targets_of(pages: Iterable[Page], incident: Incident) -> Targets:
    """Choose the releases and files that the incident is about."""
    files = _files(pages)
    broken = [c for c in files if incident.is_broken(c.version)]
    fixed = [c for c in files if incident.is_named_fixed(c.version)]
    hosts = file_hosts(files)
    wheels = [
        (c.filename, f"{c.url}.metadata")
        for c in fixed
        if c.url and c.has_metadata and "?" not in c.url and _host(c.url) in hosts
    ]
    return Targets(
        versions=(
            *_versions(incident, broken, named=True)[:MOST_BROKEN_RELEASES],
            *_versions(incident, fixed, named=False)[:MOST_FIXED_RELEASES],
        ),
        sidecars=tuple(wheels[:MOST_SIDECARS]),
        provenances=tuple(_provenance(of) for of in (broken, fixed) if of),
    )


def file_hosts(files: Iterable[Candidate]) -> frozenset[str]:
    """Name the hosts of the listed files."""
    roots = {"/".join((c.url or "").split("/", 3)[:3]) for c in files}
    return frozenset(host for root in roots if (host := _host(root)) is not None)


def _files(pages: Iterable[Page]) -> list[Candidate]:
    found: dict[str, Candidate] = {}
    for page in pages:
        if page.outcome is PageOutcome.OBSERVED:
            for candidate in page.candidates:
                known = found.get(candidate.filename)
                if known is None or (candidate.provenance and not known.provenance):
                    found[candidate.filename] = candidate
    return list(found.values())


def _versions(incident: Incident, listed: list[Candidate], *, named: bool) -> list[str]:
    """Return versions, the newest first: those that are listed and those that were named."""
    rules = incident.broken_rules if named else incident.fixed_rules
    versions: set[Version] = {v for rule in rules for v in rule.named_versions()}
    versions.update(v for c in listed if c.version and (v := parse_version(c.version)))
    wanted = incident.is_broken if named else incident.is_named_fixed
    return [str(v) for v in sorted(versions, reverse=True) if wanted(v)]


def _provenance(files: list[Candidate]) -> tuple[str, str | None]:
    attested = next((c for c in files if c.provenance), files[0])
    return attested.filename, attested.provenance


def _host(url: str) -> str | None:
    try:
        return origin_of(url).host_and_port
    except Malformed:
        return None
