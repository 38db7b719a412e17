"""What a probe saw: facts with their evidence, and nothing that means anything yet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import TYPE_CHECKING, TypeAlias

import msgspec

from auditor.model.bundle import Bundle
from auditor.model.extent import Extent, extent_of
from auditor.model.hint import Hint, StatedLag
from auditor.model.outcome import PageOutcome, Yank
from auditor.model.pin import Pin
from auditor.model.surface import Surface

__all__ = [
    "Candidate",
    "Candidates",
    "Evidence",
    "Fault",
    "FileHosting",
    "Freshness",
    "HeldState",
    "Holding",
    "Observation",
    "Outcome",
    "Page",
    "PageOutcome",
    "RequestRecord",
    "Touch",
    "View",
    "Yank",
]


class View(StrEnum):
    """What one client class sees; each name stands for that client's literal request headers."""

    PIP = "pip"
    PIP_HTML = "pip-html"  # pip before 22.2
    UV = "uv"
    POETRY = "poetry"


class Outcome(StrEnum):
    """How looking at a location ended."""

    OBSERVED = "observed"
    ABSENT = "absent"  # it answered that it does not carry the project
    DENIED = "denied"
    UNREACHABLE = "unreachable"
    MALFORMED = "malformed"
    SKIPPED = "skipped"  # we did not look, for a reason that `detail` gives


class HeldState(StrEnum):
    """Whether bytes are at a location, the strongest first."""

    HELD = "held"
    SHADOWED = "shadowed"  # here but hidden: noncurrent S3 version, lower layer, orphan on disk
    STORED_ONCE = "stored-once"  # stored at some time, not confirmed now
    UNKNOWN = "unknown"
    NOT_HELD = "not-held"


class FileHosting(StrEnum):
    """Whether a location itself serves the files that its pages list."""

    HERE = "here"
    ELSEWHERE = "elsewhere"  # every file URL names another host
    MIXED = "mixed"
    UNKNOWN = "unknown"


class Touch(StrEnum):
    """What a request may do to the world (design section 10)."""

    INERT = "inert"
    REFRESHES_INDEX = "refreshes-index"
    MAY_STORE_ARTIFACT = "may-store-artifact"
    MUTATES = "mutates"


# A msgspec struct, alone in the model: pages of 11,000 files are common, and a frozen dataclass
# costs ten times as much to make. It is as frozen and as typed as its neighbours. Its fields may be
# given by position, for those who make a page of them at once: by name takes longer.
class Candidate(msgspec.Struct, frozen=True, gc=False, omit_defaults=True):
    """One file on offer.

    Attributes:
        filename: the name that an installer would see: the last part of the URL, unquoted.
        version: as the file name says it, for this project; None: not known, or the name of no
            distribution of this project.
        url: absolute, without credentials; None if not known.
        hashes: algorithm to lower-case hexadecimal; empty if the server did not say.
        yanked: `unknown` if the server did not say in a way that we could read.
        yank_reason: text of the maintainer; None if there is none.
        requires_python: the specifier as written; "" if the page states none, which installers
            read as *any*; None if not known.
        size: bytes; None if the server did not say.
        uploaded_at: UTC; None if the server did not say (HTML pages never do).
        has_metadata: whether a metadata sidecar is announced (PEP 658/714); None if not known.
        provenance: URL of the attestations (PEP 740); None if there is none.
    """

    filename: str
    version: str | None = None
    url: str | None = None
    hashes: dict[str, str] = {}
    yanked: Yank = Yank.UNKNOWN
    yank_reason: str | None = None
    requires_python: str | None = None
    size: int | None = None
    uploaded_at: datetime | None = None
    has_metadata: bool | None = None
    provenance: str | None = None


if TYPE_CHECKING:
    Candidates: TypeAlias = Sequence[Candidate]  # a tuple, or a `FileTable`, which equals one
else:
    Candidates = tuple[Candidate, ...]  # what an observation is read back with


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """Something on a page that could not be read, kept as evidence while the page survives.

    Attributes:
        subject: which entry: a file name if readable, else its position such as `files[12]`.
        problem: what is wrong with it.
        excerpt: the offending text, shortened.
        loses_entry: whether a file may be missing from the candidates because of this. False for
            faults that cost a detail only.
    """

    subject: str
    problem: str
    excerpt: str = ""
    loses_entry: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Freshness:
    """How old an answer is, as far as the answer itself tells.

    Attributes:
        fetched_at: when we had it, UTC.
        age_s: seconds it spent in caches (RFC 9111 Age); None if silent.
        serial: last serial of the project there; None if silent.
        etag, last_modified, cache_control: as sent; None if silent.
        expires_at: until when a cache may keep it; None if not said.
        cache_status: what each hop said of itself, nearest first; empty if silent.
    """

    fetched_at: datetime | None = None
    age_s: float | None = None
    serial: int | None = None
    etag: str | None = None
    last_modified: datetime | None = None
    cache_control: str | None = None
    expires_at: datetime | None = None
    cache_status: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Page:
    """One answer to one client class: what is on offer in this view.

    Attributes:
        view: the client class that would get this answer.
        sample: 1 for the first time of asking; each address of a name has samples of its own.
        address: of the machine that was asked, where the name was looked up; None: not known.
        outcome: how it ended.
        detail: the cause in words if it was not observed, else "".
        status: HTTP status; None if there was no HTTP answer.
        url: what was asked, without credentials.
        final_url: where the answer came from after redirects; None if the same.
        content_type: of the answer; None if it had none.
        complete: whether every entry of the page was read. Never true if not observed.
        candidates: the files on offer, in page order.
        faults: what could not be read.
        project_status: PEP 792 marker, `active` if the page states none; None if not known.
        versions: PEP 700 list of versions; None if the page has none.
        api_version: PEP 629 version of the answer; None if it has none.
        freshness: age and validators of this answer.
        body_sha256: digest of the decoded body; None if there was none.
        evidence: ids into the observation's evidence.
    """

    view: View
    sample: int = 1
    address: str | None = None
    outcome: PageOutcome
    detail: str = ""
    status: int | None = None
    url: str
    final_url: str | None = None
    content_type: str | None = None
    complete: bool = False
    candidates: Candidates = ()
    faults: tuple[Fault, ...] = ()
    project_status: str | None = None
    versions: tuple[str, ...] | None = None
    api_version: str | None = None
    freshness: Freshness = field(default_factory=Freshness)
    body_sha256: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """Bytes that are, were or may be at the location itself.

    Attributes:
        filename: as it is called there.
        version: as the file name says it; None if not known.
        sha256: of the content; None if not known.
        size: bytes; None if not known.
        state: whether the bytes are here.
        how: how that is known, or why it is not.
        intact: whether it can be opened as the archive that its name says; False for a truncated
            copy, which accuses nobody; None if nobody tried.
        answered: HTTP status that the place itself gave when it was asked, safely, for this very
            file; None if it was not asked so.
        md5, crc32: of the content, in lower-case hexadecimal, where a store keeps these in place of
            a SHA-256; None if not known.
        evidence: ids into the observation's evidence.
    """

    filename: str
    version: str | None = None
    intact: bool | None = None
    sha256: str | None = None
    size: int | None = None
    state: HeldState
    how: str
    answered: int | None = None
    md5: str | None = None
    crc32: str | None = None
    evidence: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """Enough of one answer to convince a doubter, and a command to see it again. Redacted.

    Attributes:
        id: unique within the observation, such as `e3`.
        request: request line, or what was read from disk.
        response: facts of the answer in order, such as `{"status": "200", "etag": …}`.
        digest: `sha256:…` of the body; None if there was none.
        excerpt: the part that matters, shortened and redacted.
        reproduce: a command that shows the same; "" if there is none.
    """

    id: str
    request: str
    response: Mapping[str, str] = field(default_factory=dict)
    digest: str | None = None
    excerpt: str = ""
    reproduce: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestRecord:
    """One request that left this machine.

    Attributes:
        location: name of the location it was made for.
        method, url: as sent; the URL without credentials.
        touch: what it was declared to be able to do.
        status: HTTP status; None if no answer came.
        sent_at: UTC.
        address: that was connected to, where the name was looked up; None: not known.
        made_for: id of another incident for which it was made: once for both, as both are about
            the same project. None: for this one.
    """

    location: str
    method: str
    url: str
    touch: Touch
    status: int | None
    sent_at: datetime
    address: str | None = None
    made_for: str | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Observation:
    """All that a probe returns about one location, seen from one vantage.

    Attributes:
        location, vantage, incident: names.
        outcome: the best that any page or directory read came to.
        detail: the cause in words where nothing was observed, else "".
        connected: whether anything answered at connect level; None where there is no network.
        pages: every page asked for, per view and sample. Empty for stores and pins.
        samples_asked: how often each view was to be asked, if not as often as the location says:
            each address of its name is asked as often as that, and what copies from a source that
            lacks the fix only once. None: as it says.
        holdings: what is known of bytes here, of broken and of fixed files. Reading a whole store,
            every file of the project.
        holdings_complete: whether the place was read to its end, so that a file not in `holdings`
            is not here. None: the question does not arise or was not asked.
        file_hosting: whether the files that the pages list are here.
        proxy: the forward proxy through which it was seen, without credentials; None: direct.
        evidence: what the ids in pages and holdings stand for.
        requests: every request that was made, in order.
        started_at, finished_at: UTC.
        notes: facts worth a reader's attention that no field has room for, such as a redirect.
        surfaces: what else the server of an index says; empty where nobody asked.
        hints: facts by which the server itself explains what its pages show.
        stated_lag: how far behind it says that it may be; None if it does not say.
        pins: entries about the project in a lock file, an image or an environment. With
            `holdings_complete`, there are no others.
        bundles: what is kept here and cannot be looked into. With `holdings_complete`, there are no
            others.
        traits: what runs here and how it is set up, as far as its ways depend on it, in the words
            of the behaviour data, such as `closed` of a devpi stage. Empty: nothing is known.
    """

    location: str
    vantage: str
    incident: str
    outcome: Outcome
    detail: str = ""
    connected: bool | None = None
    pages: tuple[Page, ...] = ()
    holdings: tuple[Holding, ...] = ()
    holdings_complete: bool | None = None
    file_hosting: FileHosting = FileHosting.UNKNOWN
    proxy: str | None = None
    evidence: tuple[Evidence, ...] = ()
    requests: tuple[RequestRecord, ...] = ()
    started_at: datetime
    finished_at: datetime
    notes: tuple[str, ...] = ()
    surfaces: tuple[Surface, ...] = ()
    hints: tuple[Hint, ...] = ()
    stated_lag: StatedLag | None = None
    samples_asked: int | None = None
    pins: tuple[Pin, ...] = ()
    bundles: tuple[Bundle, ...] = ()
    traits: tuple[str, ...] = ()
    extent: Extent | None = field(default=None, compare=False, repr=False)

    def __post_init__(self) -> None:
        """Count what is stated; what was stated before stays so though it be lost."""
        counted = extent_of(self)
        stated = counted if self.extent is None else self.extent.at_least(counted)
        object.__setattr__(self, "extent", stated)
