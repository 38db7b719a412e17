"""Caches that nobody can look into: time excludes some, and the others are suspects."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from msgspec import structs

from auditor.model import Bundle, Candidate, HeldState, Observation, Role, Status, Verdict
from auditor.observations import read, write
from auditor.redacting import redact
from tests.verdict.stage import (
    CURRENT,
    FIX,
    FIX_AT,
    GOOD,
    INCIDENT,
    YANKED,
    codes,
    location,
    observe,
    page,
    plan,
    run,
    source,
)

BROKEN_AT = FIX_AT - timedelta(days=9)
BEFORE, MEANWHILE, AFTER = (
    BROKEN_AT - timedelta(days=1),
    BROKEN_AT + timedelta(days=1),
    FIX_AT + timedelta(hours=1),
)


def bundle(name: str, created_at: datetime | None, **facts: object) -> Bundle:
    known = Bundle(
        name=name,
        scope="refs/heads/main",
        created_at=created_at,
        used_at=FIX_AT,
        remove=f"gh cache delete {name} --repo example/demo",
    )
    return replace(known, **facts)


def judged(
    *bundles: Bundle,
    listed: Sequence[Candidate] = CURRENT,
    complete: bool = True,
    others: Sequence[Observation] = (),
) -> Verdict:
    seen = observe("ci", bundles=bundles, holdings_complete=complete)
    place = replace(location("ci", "box"), role=Role.STORE, required=False)
    found = run(plan(place), source(page(listed)), seen, *others)
    return next(v for v in found.verdicts if v.location.name == "ci")


def test_caches_that_are_older_than_the_broken_release_cannot_hold_it() -> None:
    found = judged(bundle("a", BEFORE), bundle("b", BROKEN_AT - timedelta(seconds=1)))
    assert (found.status, found.broken.held) == (Status.CLEAN, HeldState.NOT_HELD)
    assert "cache-too-old" in codes(found)
    assert found.remedies == ()


def test_a_cache_made_between_upload_and_fix_is_a_suspect_with_its_delete_command() -> None:
    found = judged(bundle("a", BEFORE), bundle("b", MEANWHILE))
    assert (found.status, found.broken.held) == (Status.UNKNOWN, HeldState.UNKNOWN)
    assert found.reasons[0].code == "suspect-cache"
    assert "1 of 2 caches were made while 1.2.3 was on offer and 1.2.4 was not" in (
        found.reasons[0].text
    )
    assert [r.command for r in found.remedies] == ["gh cache delete b --repo example/demo"]


def test_a_later_cache_may_have_been_filled_from_a_suspect() -> None:
    found = judged(bundle("late", AFTER), bundle("b", MEANWHILE))
    assert "1 later" in found.reasons[0].text
    assert [r.command.split()[3] for r in found.remedies] == ["b", "late"]
    assert judged(bundle("late", AFTER)).status is Status.UNKNOWN


def test_no_cache_at_all_holds_nothing() -> None:
    assert judged().status is Status.CLEAN


def test_a_list_that_was_not_read_to_its_end_is_never_clean() -> None:
    for bundles in ((), (bundle("a", BEFORE),)):
        assert judged(*bundles, complete=False).status is Status.UNKNOWN


def test_a_cache_of_unknown_age_is_a_suspect() -> None:
    assert judged(bundle("a", None)).status is Status.UNKNOWN


def test_without_the_time_of_the_upload_nothing_is_excluded() -> None:
    timeless = structs.replace(YANKED, uploaded_at=None)
    for listed in ((GOOD, timeless, FIX), (GOOD, FIX)):
        found = judged(bundle("a", BEFORE), listed=listed)
        assert found.status is Status.UNKNOWN
        assert "which no page states" in found.reasons[0].expected


def test_a_second_broken_release_of_unknown_age_excludes_nothing_either() -> None:
    incident = replace(INCIDENT, broken=("1.2.1", "1.2.3"))
    seen = observe("ci", bundles=(bundle("a", BEFORE),), holdings_complete=True)
    place = replace(location("ci", "box"), required=False)
    found = run(plan(place, incident=incident), source(page(CURRENT)), seen)
    assert found.verdicts[0].status is Status.UNKNOWN


def test_suspects_do_not_fail_an_audit_that_does_not_require_the_place() -> None:
    seen = observe("ci", bundles=(bundle("b", MEANWHILE),), holdings_complete=True)
    place = replace(location("ci", "box"), required=False)
    assert run(plan(place), source(page(CURRENT)), seen).summary.exit_code == 0


def test_those_that_were_used_last_are_told_first() -> None:
    old = bundle("old", MEANWHILE, used_at=MEANWHILE)
    found = judged(old, bundle("new", MEANWHILE), bundle("never", MEANWHILE, used_at=None))
    observed = found.reasons[0].observed
    assert observed.index("new") < observed.index("old") < observed.index("never")
    assert len(judged(*(bundle(f"k{n}", MEANWHILE) for n in range(50))).remedies) == 20


def test_caches_are_judged_the_same_from_a_stored_file(tmp_path: Path) -> None:
    seen = observe("ci", bundles=(bundle("a", BEFORE), bundle("b", None)), holdings_complete=True)
    file = tmp_path / "seen.jsonl"
    write(file, plan(location("ci", "box")), [source(page()), seen], interrupted=False)
    _, observations, _ = read([file])
    assert next(o for o in observations if o.location == "ci").bundles == seen.bundles


def test_keys_of_caches_stay_out_of_a_report_for_the_public() -> None:
    secret = bundle("acme-merger-key", MEANWHILE, scope="refs/heads/merger", remove="")
    seen = observe("ci", bundles=(secret,), holdings_complete=True)
    place = replace(location("ci", "box"), role=Role.STORE, required=False)
    shown = repr(redact(run(plan(place), source(page(CURRENT)), seen)))
    assert "suspect-cache" in shown
    assert "merger" not in shown
