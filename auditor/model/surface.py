"""What one place of the same index says beside the pages that installers read."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from auditor.model.outcome import PageOutcome, Yank

__all__ = ["NodeAge", "Surface"]

# Where a surface may state a serial, the most trustworthy first: proxies strip or invent headers,
# the body they pass on.
_SERIAL_PLACES = ("meta", "comment", "last_serial", "header")


@dataclass(frozen=True, slots=True, kw_only=True)
class NodeAge:
    """One node of a delivery network, by its own word.

    Attributes:
        node: its name there.
        hit: whether it answered from its store; None if it did not say.
        age_s: seconds since this node fetched the answer; None if it did not say.
    """

    node: str
    hit: bool | None = None
    age_s: float | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Surface:
    """One surface of an index server. PyPI purges each of its surfaces apart.

    No installer chooses from a surface: it explains the pages, and never makes a place green.

    Attributes:
        name: `simple-json`, `simple-html`, `cdn-json`, `cdn-html`, `legacy-project`,
            `legacy-release`, `metadata`, `provenance`.
        subject: the version or file that it is about; "" for the project.
        encoding: content coding that was asked for, `gzip` or `identity`; "" where it is one.
        outcome: how asking ended.
        detail: the cause in words if it was not observed, else "".
        status: HTTP status; None if there was no HTTP answer.
        url: what was asked; None if nothing was.
        serials: the serial by the place where it stands: `header`, `meta` (JSON), `comment`
            (HTML), `last_serial` (legacy JSON).
        lists_broken, lists_fix: None if that is not known, or not its subject.
        yanked: how it marks the broken files; `unknown` also where they differ.
        age_s: true age of the answer, over all nodes on its way; None if not known.
        nodes: the nodes on its way, nearest first.
        stripped: whether the answer lacks every header by which an index tells its age; None: not
            known.
        facts: what else it says, in words.
        evidence: ids into the observation's evidence.
    """

    name: str
    subject: str = ""
    encoding: str = ""
    outcome: PageOutcome
    detail: str = ""
    status: int | None = None
    url: str | None = None
    serials: Mapping[str, int] = field(default_factory=dict)
    lists_broken: bool | None = None
    lists_fix: bool | None = None
    yanked: Yank = Yank.UNKNOWN
    age_s: float | None = None
    nodes: tuple[NodeAge, ...] = ()
    stripped: bool | None = None
    facts: Mapping[str, str] = field(default_factory=dict)
    evidence: tuple[str, ...] = ()

    @property
    def serial(self) -> int | None:
        """The serial that counts: the body's, else the header's; None if it states none."""
        stated = (self.serials[place] for place in _SERIAL_PLACES if place in self.serials)
        return next(stated, None)

    @property
    def label(self) -> str:
        """The surface in words, such as `simple-json (gzip)`."""
        words = f"{self.name} {self.subject}".strip()
        return f"{words} ({self.encoding})" if self.encoding else words
