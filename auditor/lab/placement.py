"""One location of the embedded world: how the configuration names it, and what is true of it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from auditor.model import LagState, Status

__all__ = ["Expected", "Placement"]


class Expected(NamedTuple):
    """What an audit must say of a location (design section 13).

    Attributes:
        status: its status.
        reasons: codes that it must carry, among others.
        lag: its lag; None: not prescribed.
    """

    status: Status
    reasons: tuple[str, ...] = ()
    lag: LagState | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Placement:
    """One location of the world.

    Attributes:
        name, kind, url, path, upstream, samples: as in `[[locations]]`; None: the key is left out.
        expected_lag: as written there, such as `6h`; None: left out.
        expected: what an audit must say of it.
    """

    name: str
    kind: str
    expected: Expected
    url: str | None = None
    path: Path | None = None
    upstream: str | None = None
    expected_lag: str | None = None
    samples: int | None = None

    def toml(self) -> str:
        """Write its table of the configuration."""
        entries: dict[str, str | int | None] = {
            "name": self.name,
            "kind": self.kind,
            "url": self.url,
            "path": None if self.path is None else str(self.path),
            "upstream": self.upstream,
            "expected_lag": self.expected_lag,
            "samples": self.samples,
        }
        # A JSON string or integer is a TOML one too, in ASCII at least, which `dumps` sees to.
        lines = [f"{k} = {json.dumps(v)}" for k, v in entries.items() if v is not None]
        return "\n".join(["[[locations]]", *lines, ""])
