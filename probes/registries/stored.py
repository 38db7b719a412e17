"""What a search found, and what that says of each broken file."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from auditor.model import HeldState, Holding, Incident, Page, PageOutcome
from auditor.model.filename import version_in

__all__ = ["Search", "StoredFile", "WantedFile", "holdings_of", "wanted_files"]

_MAX_HOLDINGS = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class StoredFile:
    """One file that a registry names.

    Attributes:
        filename: without its directory.
        repository: that has it; "" if not said.
        sha256, md5: of its content; None if not said.
        size: bytes; None if not said.
        stored: whether its bytes are there; False if it is only linked; None if not said.
        evidence: ids into the observation's evidence.
    """

    filename: str
    repository: str = ""
    sha256: str | None = None
    md5: str | None = None
    size: int | None = None
    stored: bool | None = True
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Search:
    """What asking came to.

    Attributes:
        files: everything found of the project.
        problem: why a file that was not found may be there all the same; "" if it may not.
    """

    files: tuple[StoredFile, ...] = ()
    problem: str = ""


@dataclass(frozen=True, slots=True)
class WantedFile:
    """A broken file that is known before searching."""

    filename: str
    version: str | None
    sha256: str | None
    listed: bool


def wanted_files(incident: Incident, pages: Iterable[Page]) -> tuple[WantedFile, ...]:
    """Return the broken files that pages list or that the incident names, each name once."""
    found: dict[str, WantedFile] = {}
    for page in pages:
        for c in page.candidates if page.outcome is PageOutcome.OBSERVED else ():
            sha256 = c.hashes.get("sha256")
            if incident.is_broken(c.version) or sha256 in incident.broken_sha256:
                found.setdefault(c.filename, WantedFile(c.filename, c.version, sha256, True))
    for known in incident.fingerprints:
        if known.filename:
            file = WantedFile(known.filename, known.version, known.sha256, False)
            found.setdefault(known.filename, file)
    return tuple(found.values())


def holdings_of(
    search: Search, wanted: Sequence[WantedFile], incident: Incident
) -> tuple[Holding, ...]:
    """Say of each broken file whether it is held: what was found, then what was not."""
    listed = {file.filename for file in wanted if file.listed}
    holdings = [
        _of_found(file, version, listed=file.filename in listed)
        for file in search.files
        for version in [version_in(file.filename, incident.project)]
        if incident.is_broken(version) or file.sha256 in incident.broken_sha256
    ]
    seen = {holding.filename for holding in holdings}
    holdings += [_of_missing(file, search.problem) for file in wanted if file.filename not in seen]
    return tuple(holdings[:_MAX_HOLDINGS])


def _of_found(file: StoredFile, version: str | None, *, listed: bool) -> Holding:
    where = f" in {file.repository}" if file.repository else ""
    if file.stored is None:
        state, how = HeldState.UNKNOWN, f"its search names it{where}, and not whether it has it"
    elif not file.stored:
        state, how = HeldState.NOT_HELD, f"its search names it{where} without any bytes"
    elif listed:
        state, how = HeldState.HELD, f"its search has it{where}"
    else:
        state, how = HeldState.SHADOWED, f"its search has it{where}, and no page lists it"
    return Holding(
        filename=file.filename,
        version=version,
        sha256=file.sha256,
        size=file.size,
        state=state,
        how=how,
        evidence=file.evidence,
    )


def _of_missing(file: WantedFile, problem: str) -> Holding:
    state = HeldState.UNKNOWN if problem else HeldState.NOT_HELD
    return Holding(
        filename=file.filename,
        version=file.version,
        sha256=file.sha256,
        state=state,
        how=problem or "its search, which shows other files, does not find it",
    )
