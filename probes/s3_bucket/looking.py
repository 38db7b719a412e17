"""One look into a bucket, from its settings to the observation."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field

from auditor.contracts import Assignment
from auditor.errors import Denied, GuardRefused, ProbeError, Unreachable
from auditor.model import FileHosting, HeldState, Hint, Holding, Observation, Outcome, Page, Role
from probes.kit.conclusion import conclude, outcome_of_pages
from probes.kit.evidence import EvidenceRecorder
from probes.s3_bucket.client import S3Client
from probes.s3_bucket.holdings import Keeper
from probes.s3_bucket.names import spellings
from probes.s3_bucket.pages import IndexPages, page_keys, root_page_keys
from probes.s3_bucket.place import place_of
from probes.s3_bucket.search import Found, search
from probes.s3_bucket.traits import UNVERSIONED, VERSIONED

__all__ = ["observe_bucket"]

_MAX_NOTES = 20
_MAX_GUESSES = 30


@dataclass(slots=True, kw_only=True)
class _Seen:
    """Everything that one look showed."""

    found: Found
    holdings: list[Holding]
    is_index: bool = False
    pages: tuple[Page, ...] = ()
    hosting: FileHosting = FileHosting.UNKNOWN
    hints: list[Hint] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)


async def observe_bucket(assignment: Assignment) -> Observation:
    """Look into one bucket."""
    started_at = assignment.now()
    client: S3Client | None = None
    try:
        client = S3Client(assignment, place_of(assignment.location))
        async with client:
            recorder = EvidenceRecorder(client.redactor)
            seen = await _look(client, assignment, recorder)
    except ProbeError as error:
        return conclude(
            assignment,
            outcome=_outcome_of(error),
            detail=str(error),
            started_at=started_at,
            connected=_connected(error, client),
            proxy=client.proxy if client else None,
            redactor=client.redactor if client else None,
        )
    outcome, detail = _outcome(seen, client, assignment)
    unread = any(holding.state is HeldState.UNKNOWN for holding in seen.holdings)
    return conclude(
        assignment,
        outcome=outcome,
        detail=detail,
        started_at=started_at,
        connected=client.connected,
        pages=seen.pages,
        holdings=seen.holdings,
        holdings_complete=seen.found.complete and not unread,
        hosting=seen.hosting,
        proxy=client.proxy,
        evidence=recorder.all(),
        notes=[*_notes(seen, client, assignment), *seen.notes][:_MAX_NOTES],
        hints=seen.hints,
        traits=_traits(seen.found),
        redactor=client.redactor,
    )


def _traits(found: Found) -> tuple[str, ...]:
    state = found.versions.state
    if state is None:
        return ()
    return (UNVERSIONED,) if state == "never" else (VERSIONED,)


def _connected(error: ProbeError, client: S3Client | None) -> bool | None:
    if isinstance(error, Unreachable) and error.connected:
        return True  # what answered was not trusted, or said nothing
    return client.connected if client else None


async def _look(client: S3Client, assignment: Assignment, recorder: EvidenceRecorder) -> _Seen:
    found = await search(client, assignment)
    keeper = Keeper(client=client, assignment=assignment, recorder=recorder, found=found)
    seen = _Seen(found=found, holdings=[*await keeper.holdings()])
    if not found.listed:
        seen.holdings += await _guessed(keeper, assignment)
    if not _may_be_index(client, assignment, found):
        seen.notes += _index_notes(found)
        return seen
    index = IndexPages(
        client=client, assignment=assignment, recorder=recorder, found=found, keeper=keeper
    )
    await index.read()
    seen.is_index = assignment.location.role is Role.INDEX or _is_index(index, assignment)
    if not seen.is_index:
        return seen
    seen.pages, seen.hosting, seen.hints = index.pages, index.hosting, index.hints
    known = {holding.filename for holding in seen.holdings}
    seen.holdings += [h for h in index.holdings if _adds(h, known)]
    seen.notes += index.notes
    return seen


def _adds(holding: Holding, known: set[str]) -> bool:
    """A file that is listed and missing is still held where an older version of it is."""
    return holding.state is not HeldState.NOT_HELD or holding.filename not in known


async def _guessed(keeper: Keeper, assignment: Assignment) -> list[Holding]:
    """Without the right to list, ask for the known names: what answers is held for certain."""
    prefix = keeper.client.place.prefix
    named = [f.filename for f in assignment.incident.fingerprints if f.filename]
    places = [prefix]
    for spelling in spellings(assignment.incident)[:2]:
        places += [f"{prefix}{spelling}/", f"{prefix}simple/{spelling}/"]
    keys = [f"{place}{name}" for name in named for place in places][:_MAX_GUESSES]
    asked = [await keeper.ask_for(key) for key in dict.fromkeys(keys)]
    return [h for h in asked if h is not None and h.state is HeldState.HELD]


def _may_be_index(client: S3Client, assignment: Assignment, found: Found) -> bool:
    """Whether there are pages to be read: by its role, or where that was left open by its keys."""
    location = assignment.location
    if location.role is Role.INDEX or not found.listed or "role_open" not in location.settings:
        return location.role is Role.INDEX
    place = client.place
    pages = page_keys(place, assignment.incident.project) | root_page_keys(place)
    return not pages.isdisjoint(found.current_keys())


def _is_index(index: IndexPages, assignment: Assignment) -> bool:
    """Whether the project has a page, or is on the one for all: any website has such a one."""
    pages = page_keys(index.client.place, assignment.incident.project)
    has_page = not pages.isdisjoint(index.found.current_keys())
    return has_page or any(page.candidates for page in index.pages)


def _index_notes(found: Found) -> Iterator[str]:
    pages = [key for key in found.current_keys() if key.endswith((".html", "/"))]
    if pages:
        yield f'index pages are here too ({pages[0][:100]}): role = "index" has them judged'


def _notes(seen: _Seen, client: S3Client, assignment: Assignment) -> Iterator[str]:
    found = seen.found
    if assignment.credentials.insecure and client.endpoint.scheme == "https":
        yield "its certificate was not verified (insecure = true): anybody could have answered"
    yield from (f"not known for certain: {problem}" for problem in found.problems[:_MAX_NOTES])
    if found.listed:
        yield found.versions.note
        yield f"searched: {found.searched} ({found.keys_seen} keys and versions seen)"
    if client.anonymous:
        yield "asked without credentials, as there are none"
    if client.cache_signs:
        signs = ", ".join(sorted(client.cache_signs))
        yield f"a cache is in front of the bucket ({signs}): no file was asked for its checksum"


def _outcome(seen: _Seen, client: S3Client, assignment: Assignment) -> tuple[Outcome, str]:
    if seen.is_index:
        return outcome_of_pages(seen.pages)
    found, place = seen.found, client.place
    if not found.listed:
        return Outcome.DENIED, "; ".join(found.problems)
    if found.empty and place.prefix:
        # Not *absent*: a prefix that is mistyped says nothing about the bucket.
        return Outcome.MALFORMED, f"nothing is below {place.uri}; check bucket and prefix"
    if found.complete and not seen.holdings:
        return Outcome.ABSENT, f"no file of the project is below {place.uri}"
    return Outcome.OBSERVED, ""


def _outcome_of(error: ProbeError) -> Outcome:
    match error:
        case Unreachable():
            return Outcome.UNREACHABLE
        case Denied():
            return Outcome.DENIED
        case GuardRefused():
            return Outcome.SKIPPED
        case _:
            return Outcome.MALFORMED
