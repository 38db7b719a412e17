"""Which form of a page a client gets (PEP 691), decided as PyPI decides it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

__all__ = ["HTML_ONLY", "JSON_ONLY", "PYPI_FORMATS", "Formats", "PageFormat", "negotiate"]


class PageFormat(StrEnum):
    """A form of a simple page; the value is its media type."""

    HTML = "text/html"
    V1_HTML = "application/vnd.pypi.simple.v1+html"
    V1_JSON = "application/vnd.pypi.simple.v1+json"

    @property
    def is_json(self) -> bool:
        """Whether the body is JSON."""
        return self is PageFormat.V1_JSON

    @property
    def content_type(self) -> str:
        """The header's value. JSON has no charset: devpi and proxpi then read an empty page."""
        return f"{self.value}; charset=utf-8" if self is PageFormat.HTML else self.value


# PEP 691 names an alias for the newest version of the API that a server has.
ALIASES = {
    "application/vnd.pypi.simple.latest+html": PageFormat.V1_HTML,
    "application/vnd.pypi.simple.latest+json": PageFormat.V1_JSON,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Formats:
    """The forms that a server has.

    Attributes:
        offers: its favourite first: the one it sends to a client without a wish.
        fallback: what a client gets that accepts none of them; None: 406.
    """

    offers: tuple[PageFormat, ...]
    fallback: PageFormat | None = None


# Where no offer is acceptable, PEP 691 leaves a server the choice between 406 and a default. PyPI
# sends text/html, which is also its favourite among equals (`*/*`, or no Accept header at all).
PYPI_FORMATS = Formats(
    offers=(PageFormat.HTML, PageFormat.V1_HTML, PageFormat.V1_JSON), fallback=PageFormat.HTML
)
# Servers older than PEP 691 do not look at Accept at all.
HTML_ONLY = Formats(offers=(PageFormat.HTML,), fallback=PageFormat.HTML)
# The strict reading of PEP 691: a client that cannot read JSON is turned away with 406.
JSON_ONLY = Formats(offers=(PageFormat.V1_JSON,))


def negotiate(
    accept: str | None, formats: Formats, *, wanted: str | None = None
) -> PageFormat | None:
    """Choose the form of a page.

    Args:
        accept: the Accept header; None or empty: the client has no wish.
        formats: what the server has.
        wanted: the `format` parameter of the URL, which comes before the header; None: not given.

    Returns:
        The form, or None for 406.
    """
    ranges = _parse(wanted or accept or "*/*")
    weights = [(_weight(offer, ranges), -rank) for rank, offer in enumerate(formats.offers)]
    best, minus_rank = max(weights)
    return formats.offers[-minus_rank] if best > 0 else formats.fallback


def _parse(header: str) -> dict[str, float]:
    """Media ranges with their weights; what cannot be read as a weight counts as zero."""
    ranges: dict[str, float] = {}
    for entry in header.split(","):
        media, *parameters = (part.strip() for part in entry.split(";"))
        weight = 1.0
        for parameter in parameters:
            name, _, value = parameter.partition("=")
            if name.strip().lower() == "q":
                weight = _quality(value)
        media = media.lower()
        ranges[str(ALIASES.get(media, media))] = weight
    return ranges


def _quality(text: str) -> float:
    try:
        return min(max(float(text), 0.0), 1.0)
    except ValueError:
        return 0.0


def _weight(offer: PageFormat, ranges: dict[str, float]) -> float:
    """The weight of the most specific range that covers an offer (RFC 9110, section 12.5.1)."""
    family = offer.value.partition("/")[0] + "/*"
    for media in (offer.value, family, "*/*"):
        if media in ranges:
            return ranges[media]
    return 0.0
