"""The result of an audit: every verdict, and the few numbers that sum them up."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum

from auditor.model.incident import Finding, Incident
from auditor.model.location import Vantage
from auditor.model.notice import Notice
from auditor.model.observation import RequestRecord
from auditor.model.timeline import Timeline
from auditor.model.verdict import Status, Verdict

__all__ = ["SCHEMA_VERSION", "DeletionSummary", "Run", "Summary", "Whose"]

SCHEMA_VERSION = 1


class Whose(StrEnum):
    """Where the trouble is: the first question of a maintainer."""

    UPLOAD = "upload"  # the source itself lacks a good fix
    CDN = "cdn"  # the source has it, and its delivery network still shows older pages
    MIRROR = "mirror"  # the source is fine, copies are behind
    CLIENT = "client"  # only caches, directories and pins of clients are
    NONE = "none"
    UNKNOWN = "unknown"


@dataclass(frozen=True, slots=True, kw_only=True)
class Summary:
    """The whole in one status, one sentence, one exit code.

    Attributes:
        status: the worst over all rows that count.
        exit_code: design section 5.
        sentence: the answer in one sentence.
        locations, fix_chosen, broken_persists, unknown: numbers of rows. `unknown` counts rows of
            which it is not known whether a broken artifact persists there.
        by_status: number of rows per status.
        notes: what a reader must know beside the verdicts: offline, interrupted, not looked at.
        whose: where the trouble is.
        whose_text: the same in one sentence; "" if nobody said.
    """

    status: Status
    exit_code: int
    sentence: str
    locations: int
    by_status: Mapping[Status, int]
    fix_chosen: int
    broken_persists: int
    unknown: int
    notes: tuple[str, ...] = ()
    whose: Whose = Whose.UNKNOWN
    whose_text: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeletionSummary:
    """What deleting the broken release at the source would achieve now.

    Attributes:
        sentence: the argument in one sentence, with this audit's numbers.
        would_remove_at_once, would_remove_later, would_remain, undetermined: numbers of rows that
            add up to `broken_persists` + `unknown`.
        would_break_pins: audited pins that would stop installing.
        locations: names of the rows where it would remain.
        already: whether it was done already, so that this is what it achieved.
    """

    sentence: str
    would_remove_at_once: int
    would_remove_later: int
    would_remain: int
    undetermined: int
    would_break_pins: int
    locations: tuple[str, ...] = ()
    already: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Run:
    """Everything that a report can show.

    Attributes:
        incident: the question.
        findings: what is wrong with the incident itself.
        vantages: from where we looked.
        verdicts: one per location and vantage, sorted by (name, vantage).
        summary, deletion: the whole.
        requests: every request that was made.
        tool_version: of the auditor.
        tool_versions: of what it relies on, such as Python, pip and packaging.
        started_at, finished_at: UTC.
        interrupted: whether it was stopped before every location was seen.
        notices: texts to send to people; none of them is ever sent.
        timeline: what earlier runs saw; None: no history is kept, or this run is to be shown to
            the public.
    """

    incident: Incident
    findings: tuple[Finding, ...]
    vantages: tuple[Vantage, ...]
    verdicts: tuple[Verdict, ...]
    summary: Summary
    deletion: DeletionSummary
    requests: tuple[RequestRecord, ...]
    tool_version: str
    tool_versions: Mapping[str, str] = field(default_factory=dict)
    started_at: datetime
    finished_at: datetime
    interrupted: bool = False
    notices: tuple[Notice, ...] = ()
    timeline: Timeline | None = None
