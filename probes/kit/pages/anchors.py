"""Anchors in which nothing needs a second look, read attribute by attribute instead of one by one.

As `columns` does for entries of JSON pages, and for the same reason.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from auditor.model import Candidate, Yank
from auditor.model.filename import versions_in
from probes.kit.pages import fields
from probes.kit.pages.columns import (
    are_absolute,
    are_hexadecimal,
    read_addresses,
)
from probes.kit.pages.links import MAX_URL_CHARS, LinkReader
from probes.kit.pages.parsed import storable

__all__ = ["ATTRIBUTES", "AnchorColumns", "Attributes", "plain_anchors"]

Attributes = dict[str, str | None]

# PEP 503, 592, 658, 714 and 740.
ATTRIBUTES = (
    "href",
    "data-requires-python",
    "data-yanked",
    "data-core-metadata",
    "data-dist-info-metadata",
    "data-provenance",
)

_FRAGMENT = "#sha256="
_SHA256_CHARS = 64

_Column = Sequence[str | None]


@dataclass(frozen=True, slots=True)
class AnchorColumns:
    """Anchors by attribute: of each anchor its value, or None if it has none."""

    href: _Column
    requires_python: _Column
    yanked: _Column
    core_metadata: _Column
    dist_info_metadata: _Column
    provenance: _Column

    @classmethod
    def of(cls, anchors: Sequence[Attributes]) -> AnchorColumns:
        """Turn anchors into columns. An attribute without a value counts as none."""
        return cls(*([anchor.get(name) for anchor in anchors] for name in ATTRIBUTES))

    def part(self, start: int, stop: int) -> AnchorColumns:
        """Return the anchors from one position to before another."""
        return AnchorColumns(*(column[start:stop] for column in self._columns()))

    def attributes(self) -> list[Attributes]:
        """Turn the columns into anchors."""
        return [
            {name: value for name, value in zip(ATTRIBUTES, row, strict=True) if value is not None}
            for row in zip(*self._columns(), strict=True)
        ]

    def _columns(self) -> tuple[_Column, ...]:
        return (
            self.href,
            self.requires_python,
            self.yanked,
            self.core_metadata,
            self.dist_info_metadata,
            self.provenance,
        )


def plain_anchors(
    anchors: AnchorColumns, links: LinkReader, project: str
) -> list[Candidate] | None:
    """Read anchors of files of this project; None if one is odd, or leads to somewhere else."""
    parts = [(href or "").partition(_FRAGMENT) for href in anchors.href]
    addresses = [part[0] for part in parts]
    names = [address.rpartition("/")[2] for address in addresses]
    versions = versions_in(names, project)
    urls = None if None in versions else read_addresses(addresses, names, links)
    hashes = _hashes(parts)
    requires = [specifier or "" for specifier in anchors.requires_python]
    provenance = [url or None for url in anchors.provenance]
    if (
        urls is None
        or hashes is None
        or max(map(len, filter(None, anchors.href))) > MAX_URL_CHARS
        or not all(map(_is_plain_reason, filter(None, anchors.yanked)))
        or not _are_specifiers(requires)
        or not are_absolute(provenance)
    ):
        return None
    nothing = [None] * len(parts)  # HTML says neither size nor time
    no, yes = Yank.NO, Yank.YES
    return list(
        map(
            Candidate,  # its fields in their order
            names,
            versions,
            urls,
            hashes,
            [no if reason is None else yes for reason in anchors.yanked],
            [reason or None for reason in anchors.yanked],
            requires,
            nothing,
            nothing,
            _announced(anchors),
            provenance,
        )
    )


def _hashes(parts: Sequence[tuple[str, str, str]]) -> list[dict[str, str]] | None:
    digests = [digest for _, sign, digest in parts if sign]
    if not are_hexadecimal(digests) or not {_SHA256_CHARS}.issuperset(map(len, digests)):
        return None
    return [{"sha256": digest} if sign else {} for _, sign, digest in parts]


def _announced(anchors: AnchorColumns) -> list[bool]:
    """Say of each whether it has either attribute; every value announces the sidecar."""
    either = zip(anchors.core_metadata, anchors.dist_info_metadata, strict=True)
    return [new is not None or older is not None for new, older in either]


def _is_plain_reason(reason: str) -> bool:
    return len(reason) <= fields.MAX_REASON_CHARS and storable(reason)


def _are_specifiers(texts: Sequence[str]) -> bool:
    distinct = set(texts)
    return max(map(len, distinct)) <= fields.MAX_SPECIFIER_CHARS and all(map(storable, distinct))
