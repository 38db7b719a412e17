"""What every page is read into, and the log in which its faults are gathered."""

from __future__ import annotations

import re
import reprlib
from dataclasses import dataclass

from auditor.model import Candidates, Fault

__all__ = [
    "CHUNK_ENTRIES",
    "MAX_ENTRIES",
    "PIP_STOPS",
    "FaultLog",
    "ParsedPage",
    "excerpt",
    "storable",
]

# The largest page on PyPI has about 20,000 files. More than this many are an attack on memory.
MAX_ENTRIES = 500_000
# Entries are taken in groups of this size: one odd entry sends its group the slow way.
CHUNK_ENTRIES = 1_024
# Faults are evidence for a reader; nobody reads more, and a hostile page could hold millions.
MAX_FAULTS = 1_000
MAX_EXCERPT_CHARS = 200

# How a fault begins that lets pip end with a traceback: whoever uses this page installs nothing
# at all, so that the files on it must not count as on offer.
PIP_STOPS = "pip stops at this page"

# devpi is known to show `user:password@` of its upstream to anonymous callers.
_USERINFO = re.compile(r"//[^/@\s\"'<>]*@")

_SHORT = reprlib.Repr()
_SHORT.maxstring = _SHORT.maxother = _SHORT.maxlong = MAX_EXCERPT_CHARS


@dataclass(frozen=True, slots=True, kw_only=True)
class ParsedPage:
    """One index page, read.

    Attributes:
        candidates: the files on offer, in page order.
        faults: what could not be read; at most 1,000, the last one counts the rest.
        complete: whether every file that the page lists is among the candidates.
        project_status: PEP 792 marker, `active` if the page states none; None if unreadable.
        project_status_reason: text of the maintainer; None if there is none.
        versions: PEP 700 list of versions; None if the page has none.
        api_version: PEP 629 version; None if the page states none.
        serial: last serial of the project according to the body; None if silent.
        name: the project's name as the page says it; None if it does not.
        tracks, alternate_locations: PEP 708 URLs as written; usually empty.
        depends_on_url: whether an address on it is relative, so that the same bytes from another
            place would mean other files.
    """

    candidates: Candidates
    faults: tuple[Fault, ...]
    complete: bool
    project_status: str | None
    project_status_reason: str | None
    versions: tuple[str, ...] | None
    api_version: str | None
    serial: int | None
    name: str | None
    tracks: tuple[str, ...] = ()
    alternate_locations: tuple[str, ...] = ()
    depends_on_url: bool = True


class FaultLog:
    """Gathers the faults of one page, bounded."""

    def __init__(self) -> None:
        self._faults: list[Fault] = []
        self._dropped = 0
        self.loses_entry = False

    def lost(self, subject: str, problem: str, seen: object = "") -> None:
        """Note that a file may be missing from the candidates."""
        self._add(subject, problem, seen, loses_entry=True)

    def detail(self, subject: str, problem: str, seen: object = "") -> None:
        """Note that one detail could not be read, while every file is there."""
        self._add(subject, problem, seen, loses_entry=False)

    def _add(self, subject: str, problem: str, seen: object, *, loses_entry: bool) -> None:
        self.loses_entry = self.loses_entry or loses_entry
        if len(self._faults) >= MAX_FAULTS - 1:
            self._dropped += 1
            return
        self._faults.append(
            Fault(
                subject=excerpt(subject),
                problem=problem,
                excerpt=excerpt(seen),
                loses_entry=loses_entry,
            )
        )

    def faults(self) -> tuple[Fault, ...]:
        """Return what was gathered; one more fault counts those that found no room."""
        if not self._dropped:
            return tuple(self._faults)
        problem = f"{self._dropped} more faults on this page are not kept"
        rest = Fault(subject="page", problem=problem, loses_entry=self.loses_entry)
        return (*self._faults, rest)


def excerpt(seen: object) -> str:
    """Return a short text of anything read from a page: bounded, storable, no credentials."""
    text = seen if isinstance(seen, str) else _SHORT.repr(seen)
    # Redacted before it is cut, so that a cut in the middle of a password cannot hide its `@`.
    text = _USERINFO.sub("//…@", text[: 10 * MAX_EXCERPT_CHARS])
    text = text.encode("utf-8", "replace").decode()
    return text if len(text) <= MAX_EXCERPT_CHARS else text[: MAX_EXCERPT_CHARS - 1] + "…"


def storable(text: str) -> bool:
    """Say whether text can be written as UTF-8. JSON can smuggle in half a surrogate pair."""
    return text.isascii() or not any("\ud800" <= char <= "\udfff" for char in text)
