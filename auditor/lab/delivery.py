"""What stands between PyPI's index and a client: a delivery network, or somebody's gateway."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum

from auditor.lab.catalogue import ProjectState

__all__ = ["DeliveryNetwork", "Gateway", "Variant", "without_comment"]

_COMMENT = re.compile(r"<!--SERIAL \d+-->\n?")


class Variant(StrEnum):
    """One object of the delivery network: each is stored, aged and purged apart."""

    JSON_GZIP = "json-gzip"
    JSON_IDENTITY = "json-identity"
    HTML_GZIP = "html-gzip"
    HTML_IDENTITY = "html-identity"
    LEGACY = "legacy"

    @classmethod
    def of(cls, *, is_json: bool, gzip: bool) -> Variant:
        """Name the object of a simple page."""
        return cls(f"{'json' if is_json else 'html'}-{'gzip' if gzip else 'identity'}")


class Gateway(StrEnum):
    """What a gateway in front leaves of an answer. Each keeps type, length and date."""

    NONE = "none"
    STRIPS_HEADERS = "strips-headers"  # and writes HTML anew, without the serial at its end
    STRIPS_SERIALS = "strips-serials"  # takes the serial out of the JSON, too


@dataclass(slots=True)
class DeliveryNetwork:
    """Two nodes in a row, as PyPI has them: an edge near the client, a shield near the index.

    Attributes:
        now: what the clocks of the nodes say, UTC.
        stale: what an object that missed its purge still shows; the others show the truth. None:
            it still says that there is no such project.
        edge_age: for how long the edge has had an object.
        shield_age: for how long the shield had had it when the edge fetched it.
        answers_debug: whether it answers `Fastly-Debug: 1`.
    """

    now: datetime
    stale: dict[Variant, ProjectState | None] = field(default_factory=dict)
    edge_age: dict[Variant, timedelta] = field(default_factory=dict)
    shield_age: dict[Variant, timedelta] = field(default_factory=dict)
    answers_debug: bool = True

    EDGE = "cache-edge0001-LAB"
    SHIELD = "cache-shield0001-LAB"

    def shown(self, variant: Variant, truth: ProjectState | None) -> ProjectState | None:
        """Return what an object shows."""
        return self.stale.get(variant, truth)

    def headers(self, variant: Variant, *, debug: bool) -> dict[str, str]:
        """Return the headers that the network adds. It never sends Age."""
        headers = {
            "X-Served-By": f"{self.SHIELD}, {self.EDGE}",
            "X-Cache": "HIT, HIT",
            "X-Cache-Hits": "1, 1",
        }
        if debug and self.answers_debug:
            headers |= self._debug(variant)
        return headers

    def _debug(self, variant: Variant) -> dict[str, str]:
        """The nearest node first: when it delivered (D), when it fetched (F)."""
        edge = self.edge_age.get(variant, timedelta())
        shield = self.shield_age.get(variant, timedelta())
        delivered = self.now.timestamp()
        fetched = (self.now - edge).timestamp()
        first = (self.now - edge - shield).timestamp()
        path = (
            f"(D {self.EDGE} {delivered:.0f}) (F {self.EDGE} {fetched:.0f}) "
            f"(D {self.SHIELD} {fetched:.0f}) (F {self.SHIELD} {first:.0f})"
        )
        age = f"{edge.total_seconds():.0f}"
        left = f"{max(0.0, 86_400 - edge.total_seconds()):.3f}"
        ttl = f"(H {self.EDGE} {left} 300.000 {age}) (M {self.SHIELD} - - -)"
        return {"Fastly-Debug-Path": path, "Fastly-Debug-TTL": ttl}


def without_comment(text: str) -> str:
    """Return an HTML page without the serial at its end."""
    return _COMMENT.sub("", text)
