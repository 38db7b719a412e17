"""Anchors in which nothing needs a second look, read attribute by attribute instead of one by one.

As `columns` does for entries of JSON pages, and for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence

from auditor.model import Candidate, Yank
from auditor.model.filename import versions_in
from probes.kit.pages import fields
from probes.kit.pages.columns import are_absolute, are_hexadecimal, read_addresses
from probes.kit.pages.links import LinkReader
from probes.kit.pages.parsed import storable

__all__ = ["Attributes", "plain_anchors"]

Attributes = dict[str, str | None]

_FRAGMENT = "#sha256="
_SHA256_CHARS = 64


def plain_anchors(
    anchors: Sequence[Attributes], links: LinkReader, project: str
) -> list[Candidate] | None:
    """Read anchors of files of this project; None if one is odd, or leads to somewhere else."""
    parts = [(anchor.get("href") or "").partition(_FRAGMENT) for anchor in anchors]
    names = [address.rpartition("/")[2] for address, _, _ in parts]
    versions = versions_in(names, project)
    urls = None if None in versions else read_addresses([part[0] for part in parts], names, links)
    hashes = _hashes(parts)
    yanked = _yanks(anchors)
    requires = [anchor.get("data-requires-python") or "" for anchor in anchors]
    provenance = [anchor.get("data-provenance") or None for anchor in anchors]
    if (
        urls is None
        or hashes is None
        or yanked is None
        or not _are_specifiers(requires)
        or not are_absolute([url for url in provenance if url is not None])
    ):
        return None
    nothing = [None] * len(anchors)  # HTML says neither size nor time
    announced = [
        anchor.get("data-dist-info-metadata") is not None
        or anchor.get("data-core-metadata") is not None
        for anchor in anchors
    ]
    columns = (*yanked, requires, nothing, nothing, announced, provenance)
    return list(map(Candidate, names, versions, urls, hashes, *columns))


def _hashes(parts: Sequence[tuple[str, str, str]]) -> list[dict[str, str]] | None:
    digests = [digest for _, sign, digest in parts if sign]
    if not are_hexadecimal(digests) or not {_SHA256_CHARS}.issuperset(map(len, digests)):
        return None
    return [{"sha256": digest} if sign else {} for _, sign, digest in parts]


def _yanks(anchors: Sequence[Attributes]) -> tuple[list[Yank], list[str | None]] | None:
    """Return for each whether it is yanked, and why; None if one says neither yes nor no."""
    no, yes = Yank.NO, Yank.YES
    marked = ["data-yanked" in anchor for anchor in anchors]
    reasons = [anchor.get("data-yanked") for anchor in anchors]
    stated = [reason for reason in reasons if reason is not None]
    if len(stated) < sum(marked) or not all(map(_is_plain_reason, stated)):
        return None
    return [yes if mark else no for mark in marked], [reason or None for reason in reasons]


def _is_plain_reason(reason: str) -> bool:
    return len(reason) <= fields.MAX_REASON_CHARS and storable(reason)


def _are_specifiers(texts: Sequence[str]) -> bool:
    distinct = set(texts)
    return max(map(len, distinct)) <= fields.MAX_SPECIFIER_CHARS and all(map(storable, distinct))
