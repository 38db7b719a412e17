"""Runs built from model objects, with fixed times: what the renderers are tested with."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from datetime import timedelta
from functools import cache

from auditor.model import (
    Action,
    Counterfactual,
    DeletionSummary,
    Finding,
    Fingerprint,
    FixChosen,
    Freshness,
    Gets,
    HeldState,
    Incident,
    Location,
    Outcome,
    RequestRecord,
    Role,
    Run,
    Severity,
    Status,
    Summary,
    Touch,
    Vantage,
    Verdict,
    View,
    When,
)
from tests.reports.sample_rows import BROKEN_SHA256, NOW, PUBLISHED, Row, evidence, world_rows
from tests.reports.world_cells import file_of


def verdict(row: Row, vantage: str = "ams-1") -> Verdict:
    local = row.kind in ("wheelhouse", "pip-cache")
    syncs = row.name != "source" and not local
    return Verdict(
        location=Location(
            name=row.name,
            kind=row.kind,
            role=row.role,
            url=None if local else f"http://{row.name}.example/simple/",
            path=f"/srv/{row.name}" if local else None,
            upstream="source" if syncs else None,
            samples=row.samples,
            required=row.role is Role.INDEX,
        ),
        vantage=vantage,
        is_source=row.name == "source",
        outcome=row.outcome,
        detail=row.detail,
        status=row.status,
        failing=row.status.severity is Severity.FAIL,
        broken=row.broken,
        fix=row.fix,
        selections=row.cells,
        freshness=Freshness(fetched_at=NOW, serial=1042, age_s=60.0)
        if row.outcome is Outcome.OBSERVED
        else Freshness(),
        lag=row.lag,
        counterfactuals=_foreseen(row),
        reasons=row.reasons,
        remedies=row.remedies,
        evidence=evidence(row.name),
    )


def _foreseen(row: Row) -> dict[Action, Counterfactual]:
    if row.status is Status.UNKNOWN:
        nothing = Counterfactual(because=f"nothing is known of {row.name}")
        return dict.fromkeys(Action, nothing)
    now = replace(
        row.deleted,
        listed=row.broken.listed,
        held=row.broken.held,
        pinned_gets=Gets.BROKEN if row.broken.files else Gets.ERROR,
        hash_locked_gets=Gets.BROKEN if row.broken.files else Gets.ERROR,
        because="observed: this was already done at the source",
    )
    refused = Counterfactual(because="the source refuses a second file of the same name")
    return {
        Action.DELETED: row.deleted,
        Action.YANKED: now,
        Action.REUPLOADED: refused,
        Action.ROLLED_FORWARD: now,
    }


def requests(verdicts: tuple[Verdict, ...]) -> tuple[RequestRecord, ...]:
    return tuple(
        RequestRecord(
            location=v.location.name,
            method="GET",
            url=f"{v.location.url}brokenpkg/",
            touch=Touch.REFRESHES_INDEX,
            status=None if v.outcome is Outcome.UNREACHABLE else 200,
            sent_at=NOW - timedelta(seconds=3),
        )
        for v in verdicts
        if v.location.url
        for _ in View
    )


def summary(verdicts: tuple[Verdict, ...], sentence: str, notes: tuple[str, ...] = ()) -> Summary:
    worst = min((v.status for v in verdicts), key=lambda s: s.rank)
    codes = {Severity.FAIL: 1, Severity.INCONCLUSIVE: 3, Severity.OK: 0}
    held = [v for v in verdicts if v.broken.listed or v.broken.held is HeldState.HELD]
    return Summary(
        status=worst,
        exit_code=codes[worst.severity],
        sentence=sentence,
        locations=len(verdicts),
        by_status=Counter(v.status for v in verdicts),
        fix_chosen=sum(v.fix.chosen is FixChosen.ALL for v in verdicts),
        broken_persists=len(held),
        unknown=sum(v.broken.listed is None and v.broken.held is HeldState.UNKNOWN
                    for v in verdicts),
        notes=notes,
    )  # fmt: skip  # a line for each would be a page


def incident() -> Incident:
    return Incident(
        id="brokenpkg-1.2.3",
        project="brokenpkg",
        broken=("1.2.3",),
        fixed=("1.2.4",),
        fingerprints=(
            Fingerprint(filename=file_of("1.2.3"), version="1.2.3", sha256=BROKEN_SHA256),
        ),
        published_at=PUBLISHED,
    )


def deletion(verdicts: tuple[Verdict, ...]) -> DeletionSummary:
    """Share out the rows as design section 8 says."""
    after = {
        v.location.name: v.counterfactuals[Action.DELETED]
        for v in verdicts
        if v.broken.listed is not False or v.broken.held is not HeldState.NOT_HELD
    }
    unknown = [n for n, c in after.items() if c.when is When.UNKNOWN]
    remain = [n for n, c in after.items() if c.listed or c.held is HeldState.HELD]
    at_once = [n for n, c in after.items() if c.when is When.AT_ONCE and n not in remain]
    later = len(after) - len(unknown) - len(remain) - len(at_once)
    return DeletionSummary(
        sentence=f"Deleting 1.2.3 at the source now would leave it in {len(remain)} of the "
        f"{len(after)} places that have it or may have it.",
        would_remove_at_once=len(at_once),
        would_remove_later=later,
        would_remain=len(remain),
        undetermined=len(unknown),
        would_break_pins=0,
        locations=tuple(sorted(remain)),
    )


def run_of(rows: tuple[Row, ...], sentence: str, notes: tuple[str, ...] = ()) -> Run:
    verdicts = tuple(sorted((verdict(r) for r in rows), key=lambda v: v.location.name))
    return Run(
        incident=incident(),
        findings=(),
        vantages=(Vantage(id="ams-1", labels={"region": "eu"}),),
        verdicts=verdicts,
        summary=summary(verdicts, sentence, notes),
        deletion=deletion(verdicts),
        requests=requests(verdicts),
        tool_version="0.1.0",
        tool_versions={"python": "3.11.9", "pip": "26.3", "packaging": "26.3"},
        started_at=NOW - timedelta(seconds=4),
        finished_at=NOW,
    )


@cache
def world() -> Run:
    """The embedded world of fifteen locations, six of which fail."""
    return run_of(
        world_rows(),
        "7 of 15 places still fail: 5 give installers the broken 1.2.3, 1 offers only older "
        "releases, 1 serves other bytes under a known name.",
        ("No client cache beside pip's was looked at on this machine.",),
    )


def all_clean() -> Run:
    """One place, clean."""
    rows = tuple(r for r in world_rows() if r.name == "clean-mirror")
    return run_of(rows, "Every place gives installers the fix, and 1.2.3 is nowhere.")


def offline() -> Run:
    """Nothing answered at all."""
    down = next(r for r in world_rows() if r.name == "down")
    rows = tuple(replace(down, name=name) for name in ("source", "mirror-a", "mirror-b"))
    return run_of(
        rows,
        "Nothing could be determined: no place answered, this machine seems to be offline.",
        ("Offline: no network location answered at connect level.",),
    )


def interrupted() -> Run:
    """Stopped after two places."""
    rows = tuple(r for r in world_rows() if r.name in ("source", "late-mirror"))
    note = "Interrupted: 13 places were not looked at."
    return replace(run_of(rows, "1 of 2 places seen so far fails.", (note,)), interrupted=True)


def with_findings() -> Run:
    """The incident itself is at fault, and one failure is waived."""
    finding = Finding(
        code="fix-yanked",
        text="The fixed release is itself yanked at the source.",
        expected="1.2.4 not yanked",
        observed="1.2.4 yanked: 'oops'",
        failing=True,
    )
    run = run_of(tuple(r for r in world_rows() if r.name in ("source", "stuck-mirror")), "No fix.")
    waived = tuple(
        replace(v, waived="is switched off on 2026-12-31", failing=False)
        if v.status is Status.EXPOSED
        else v
        for v in run.verdicts
    )
    return replace(run, findings=(finding,), verdicts=waived)


ALL = (world, all_clean, offline, interrupted, with_findings)
