"""The whole run: sums, sentences, exit codes, waivers, findings, and what deleting would do."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, date, datetime, timedelta

import pytest
from msgspec import structs

from auditor.errors import UsageError
from auditor.model import (
    Action,
    Candidate,
    FileHosting,
    FixChosen,
    Gets,
    HeldState,
    Incident,
    LagState,
    Outcome,
    PageOutcome,
    RequestRecord,
    Role,
    Run,
    Status,
    Touch,
    Waiver,
    When,
    Yank,
    YankState,
)
from auditor.model.conclusion import Conclusion, conclusion_of
from auditor.verdict import RULES, exit_code, explain, explanations, judge
from auditor.verdict.context import find_source
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    GOOD,
    INCIDENT,
    NOW,
    OLD,
    YANKED,
    held,
    location,
    observe,
    page,
    plan,
    run,
    source,
    wheel,
)

MIRROR = location("mirror")
HOUSE = location("house", "wheelhouse", url=None, path="/srv/house", required=False)
ELSEWHERE = FileHosting.ELSEWHERE


def gone(name: str) -> tuple[str, Run]:
    return name, run(plan(location(name)), observe(name, outcome=Outcome.UNREACHABLE))


def test_a_healthy_world_exits_zero_and_says_what_is_chosen() -> None:
    found = run(plan(MIRROR), observe("mirror", page()))
    assert found.summary.exit_code == 0
    assert found.summary.status is Status.ROLLED_FORWARD
    assert "every unpinned install gets 1.2.4; 1.2.3 still listed" in found.summary.sentence
    assert (found.summary.locations, found.summary.fix_chosen) == (2, 2)


def test_the_sentence_says_whether_a_trace_is_left() -> None:
    elsewhere = {"file_hosting": ELSEWHERE}
    alone = replace(plan(MIRROR), locations=(MIRROR,))
    (none_left,) = judge(alone, [observe("mirror", page((GOOD, FIX)), **elsewhere)])
    assert "gets 1.2.4; 1.2.3 is nowhere listed or held." in none_left.summary.sentence
    (unsure,) = judge(alone, [observe("mirror", page((GOOD, FIX)))])
    assert "1.2.3 is not known to be listed or held anywhere." in unsure.summary.sentence


def test_a_failing_row_exits_one_and_is_counted_in_the_sentence() -> None:
    found = run(plan(MIRROR), observe("mirror", page(OLD)))
    assert found.summary.exit_code == 1
    assert found.summary.by_status == {Status.EXPOSED: 1, Status.ROLLED_FORWARD: 1}
    assert "of 2 places, 1 still gives it to unpinned installs" in found.summary.sentence


def test_an_unknown_row_exits_three_only_where_it_is_required() -> None:
    lost = observe("mirror", outcome=Outcome.UNREACHABLE)
    assert run(plan(MIRROR), lost).summary.exit_code == 3
    relaxed = plan(replace(MIRROR, required=False))
    assert run(relaxed, lost).summary.exit_code == 0
    assert run(replace(relaxed, fail_on=(Status.UNKNOWN,)), lost).summary.exit_code == 0


def test_where_not_knowing_fails_nothing_says_that_nothing_failed() -> None:
    lost = observe("mirror", outcome=Outcome.UNREACHABLE)
    assert run(plan(MIRROR), lost).summary.sentence.startswith("Nothing failed, but 1 of 2 places")
    strict = run(plan(MIRROR, fail_on=(Status.UNKNOWN,)), lost).summary
    assert (strict.exit_code, strict.sentence.split(",")[0]) == (
        1,
        "1 of 2 places could not be determined: mirror.",
    )


def test_the_order_of_the_observations_does_not_show() -> None:
    asked = [
        RequestRecord(
            location=name,
            method="GET",
            url=f"http://127.0.0.1/{name}/",
            touch=Touch.REFRESHES_INDEX,
            status=status,
            sent_at=NOW,
        )
        for name in ("mirror", "source")
        for status in (200, 406)
    ]
    seen = [
        observe("mirror", page(OLD), requests=tuple(asked[:2])),
        source(page(), requests=tuple(asked[2:])),
    ]
    turned = [replace(each, requests=tuple(reversed(each.requests))) for each in reversed(seen)]
    (first,), (second,) = (judge(plan(MIRROR), each, rules=RULES) for each in (seen, turned))
    assert first.requests == second.requests == tuple(asked)
    assert first == second


def test_a_failing_row_fails_though_it_is_not_required() -> None:
    relaxed = plan(replace(MIRROR, required=False))
    assert run(relaxed, observe("mirror", page(OLD))).summary.exit_code == 1


def test_fail_on_decides_what_fails() -> None:
    chosen = plan(MIRROR, fail_on=(Status.BEHIND,))
    assert run(chosen, observe("mirror", page(OLD))).summary.exit_code == 0
    assert run(chosen, observe("mirror", page((GOOD, YANKED)))).summary.exit_code == 1


def test_grace_lets_a_row_within_its_lag_pass() -> None:
    late = replace(MIRROR, expected_lag_s=6 * 3600.0)
    old = observe("mirror", page(OLD))
    assert run(plan(late), old).summary.exit_code == 1
    assert run(plan(late, grace=True), old).summary.exit_code == 0
    stuck = replace(MIRROR, expected_lag_s=60.0)
    assert run(plan(stuck, grace=True), old).summary.exit_code == 1


def test_interrupted_exits_three_and_says_so() -> None:
    found = run(plan(MIRROR), observe("mirror", page()), interrupted=True)
    assert found.summary.exit_code == 3
    assert found.interrupted
    assert any("interrupted" in note for note in found.summary.notes)


def test_exit_codes_of_several_incidents_take_the_worst() -> None:
    good = run(plan(MIRROR), observe("mirror", page()))
    failing = run(plan(MIRROR), observe("mirror", page(OLD)))
    unknown = run(plan(MIRROR), observe("mirror", outcome=Outcome.DENIED))
    assert exit_code([good, unknown]) == 3
    assert exit_code([good, unknown, failing]) == 1
    assert exit_code([good]) == 0


def test_a_waiver_silences_and_stays_visible() -> None:
    waiver = Waiver(
        location="mirror", incident=INCIDENT.id, until=NOW.date(), reason="switched off soon"
    )
    found = run(plan(MIRROR, waivers=(waiver,)), observe("mirror", page(OLD)))
    row = found.verdicts[0]
    assert found.summary.exit_code == 0
    assert (row.status, row.waived) == (Status.EXPOSED, "switched off soon")
    assert "waived" in {r.code for r in row.reasons}


def test_the_sentence_counts_waived_failures_beside_the_others() -> None:
    waiver = Waiver(location="mirror", incident=None, until=NOW.date(), reason="soon off")
    old = replace(MIRROR, name="old")
    found = run(
        plan(MIRROR, old, waivers=(waiver,)),
        observe("mirror", page(OLD)),
        observe("old", page(OLD)),
    )
    assert "1 still gives it to unpinned installs; 1 more is waived." in found.summary.sentence


def test_without_any_index_the_sentence_tells_of_what_was_looked_at() -> None:
    cache = location("cache", "box", url=None, path="/c", role=Role.STORE, required=False)

    def cache_alone(**facts: object) -> Run:
        (found,) = judge(
            replace(plan(cache), locations=(cache,)),
            [observe("cache", **facts)],
            must_be_known=False,
        )
        return found

    clean = cache_alone(holdings_complete=True)
    assert (clean.summary.status, conclusion_of(clean)) == (Status.CLEAN, Conclusion.GOOD)
    assert clean.summary.sentence == (
        "No trace of brokenpkg 1.2.3 at 1 place; no index was looked at, which alone decides what "
        "installers get."
    )
    latent = cache_alone(holdings=(held(HeldState.HELD),), holdings_complete=True)
    assert "brokenpkg 1.2.3 is still at cache; no index" in latent.summary.sentence
    lost = cache_alone(outcome=Outcome.MALFORMED)
    assert (lost.summary.exit_code, conclusion_of(lost)) == (0, Conclusion.UNKNOWN)
    assert lost.summary.sentence.startswith("cache could not be determined; no index")


def test_where_every_failure_is_waived_the_sentence_says_where() -> None:
    waiver = Waiver(location="mirror", incident=None, until=NOW.date(), reason="soon off")
    alone = replace(plan(MIRROR, waivers=(waiver,)), locations=(MIRROR,))
    (found,) = judge(alone, [observe("mirror", page(OLD))])
    assert found.summary.exit_code == 0
    assert found.summary.sentence == (
        "brokenpkg 1.2.3 is not rolled forward at mirror, which is waived."
    )


def test_what_fails_and_is_left_out_is_not_called_good() -> None:
    excused = run(plan(MIRROR, fail_on=(Status.TAMPERED,)), observe("mirror", page(OLD)))
    assert (excused.summary.exit_code, conclusion_of(excused)) == (0, Conclusion.TOLERATED)


@pytest.mark.parametrize(
    ("until", "incident"),
    [(NOW.date() - timedelta(days=1), None), (date(2027, 1, 1), "other-incident")],
)
def test_an_expired_or_foreign_waiver_silences_nothing(until: date, incident: str | None) -> None:
    waiver = Waiver(location="mirror", incident=incident, until=until, reason="old")
    found = run(plan(MIRROR, waivers=(waiver,)), observe("mirror", page(OLD)))
    assert found.summary.exit_code == 1
    assert any("expired" in n for n in found.summary.notes) is (incident is None)


def test_an_unused_waiver_is_reported() -> None:
    waiver = Waiver(location="mirror", incident=None, until=date(2027, 1, 1), reason="why")
    found = run(plan(MIRROR, waivers=(waiver,)), observe("mirror", page()))
    assert any("not used" in note for note in found.summary.notes)


def test_nothing_answers_means_that_we_are_offline() -> None:
    dead = {"outcome": Outcome.UNREACHABLE, "connected": False}
    found = run(plan(MIRROR), observe("mirror", **dead), observe("source", **dead))
    assert any("offline" in note for note in found.summary.notes)
    assert {v.status for v in found.verdicts} == {Status.UNKNOWN}
    one = run(plan(MIRROR), observe("mirror", **dead))
    assert not any("offline" in note for note in one.summary.notes)


def test_a_project_that_nobody_knows_is_a_usage_error() -> None:
    none = {"outcome": Outcome.ABSENT}
    absent = page((), outcome=PageOutcome.ABSENT)
    with pytest.raises(UsageError, match="no location knows a project called 'brokenpkg'"):
        run(plan(MIRROR), observe("mirror", absent, **none), observe("source", absent, **none))


def test_without_a_readable_source_the_union_decides_what_counts() -> None:
    lost = observe("source", outcome=Outcome.UNREACHABLE)
    windows = wheel("1.2.4", tag="cp313-cp313-win_amd64")
    found = run(plan(MIRROR), lost, observe("mirror", page((windows,))))
    counting = {c.environment for v in found.verdicts for c in v.selections if c.counts}
    assert counting == {"cp313-win_amd64"}


def test_versions_that_nobody_has_do_not_make_anything_green() -> None:
    incident = Incident(id="x", project="brokenpkg", broken=("9.9",), fixed=("9.10",))
    seen = [replace(o, incident="x") for o in (source(), observe("mirror", page()))]
    found = run(plan(MIRROR, incident=incident), *seen)
    assert {v.status for v in found.verdicts} == {Status.BEHIND}
    assert found.summary.exit_code == 1


def test_a_row_per_vantage() -> None:
    here, there = observe("mirror", page()), observe("mirror", page(OLD), vantage="there")
    found = run(plan(MIRROR), here, there)
    rows = [(v.location.name, v.vantage, v.status) for v in found.verdicts]
    assert rows[:2] == [
        ("mirror", "here", Status.ROLLED_FORWARD),
        ("mirror", "there", Status.EXPOSED),
    ]
    assert [v.id for v in found.vantages] == ["here", "there"]


def test_the_source_is_the_root_of_the_links_before_any_pypi() -> None:
    pypi, root = location("index", "pypi", upstream=None), location("root", upstream=None)
    leaf = location("leaf", upstream="middle")
    middle = location("middle", upstream="root")
    assert find_source([pypi, leaf, middle, root]) == root
    assert find_source([leaf, pypi]) == pypi
    assert find_source([location("alone", upstream=None)]) is None
    circle = [location("a", upstream="b"), location("b", upstream="a")]
    assert find_source(circle) in circle


# --- findings on the incident itself -----------------------------------------------------------


def finding_codes(*files: Candidate, incident: Incident = INCIDENT) -> set[str]:
    return {f.code for f in run(plan(incident=incident), source(page(files))).findings}


def test_a_good_fix_has_no_finding() -> None:
    assert finding_codes(*CURRENT) == set()


def test_a_fix_that_the_source_does_not_list_is_a_finding() -> None:
    assert finding_codes(*OLD) == {"fix-not-listed"}


def test_a_yanked_fix_is_a_finding_and_fails_the_audit() -> None:
    yanked = structs.replace(FIX, yanked=Yank.YES)
    assert finding_codes(GOOD, BROKEN, yanked) == {"fix-yanked"}
    later = wheel("1.2.5")
    found = run(plan(), source(page((GOOD, YANKED, yanked, later))))
    assert (found.summary.exit_code, found.verdicts[0].status) == (1, Status.ROLLED_FORWARD)
    assert found.summary.sentence.startswith("brokenpkg: The fix itself is yanked")


def test_a_prerelease_as_the_fix_is_a_finding() -> None:
    incident = replace(INCIDENT, fixed=("1.2.4rc1",))
    assert finding_codes(GOOD, BROKEN, wheel("1.2.4rc1"), incident=incident) == {"fix-prerelease"}


def test_a_narrower_python_is_a_finding() -> None:
    narrow = structs.replace(FIX, requires_python=">=3.12")
    broken = structs.replace(YANKED, requires_python=">=3.8")
    found = run(plan(), source(page((GOOD, broken, narrow)))).findings
    assert {f.code for f in found} >= {"fix-requires-python"}
    assert "3.8, 3.9, 3.10, 3.11" in found[0].text
    wider = structs.replace(FIX, requires_python=">=3.7")
    assert finding_codes(GOOD, broken, wider) == set()


def test_a_missing_wheel_is_a_finding() -> None:
    broken = [wheel("1.2.3", tag=t) for t in ("cp39-cp39-manylinux_2_17_x86_64", "py3-none-any")]
    windows = wheel("1.2.4", tag="cp313-cp313-win_amd64")
    found = run(plan(), source(page((GOOD, *broken, windows)))).findings
    assert {f.code for f in found} == {"fix-no-matching-file"}
    assert "cp39-manylinux_2_17_x86_64" in found[0].observed


def test_different_bytes_under_one_name_at_the_source_are_a_finding() -> None:
    other = structs.replace(FIX, hashes={"sha256": "0" * 64})
    assert "reused-name" in finding_codes(*CURRENT, other)


def test_an_unread_source_has_no_finding() -> None:
    found = run(plan(MIRROR), observe("source", outcome=Outcome.DENIED), observe("mirror", page()))
    assert found.findings == ()


# --- what deleting would do --------------------------------------------------------------------


def test_deleting_would_make_the_pinned_fail_at_the_source() -> None:
    found = run(plan(), source(page(CURRENT))).verdicts[0].counterfactuals
    deleted = found[Action.DELETED]
    assert (deleted.listed, deleted.when) == (False, When.AT_ONCE)
    assert (deleted.unpinned_gets, deleted.pinned_gets) == (Gets.FIX, Gets.ERROR)
    assert deleted.hash_locked_gets is Gets.UNKNOWN
    assert found[Action.YANKED].when is When.ALREADY
    assert found[Action.YANKED].pinned_gets is Gets.BROKEN


def test_deleting_without_a_fix_sends_people_back() -> None:
    found = run(plan(), source(page(OLD))).verdicts[0].counterfactuals
    assert found[Action.DELETED].unpinned_gets is Gets.OLDER
    assert found[Action.YANKED].unpinned_gets is Gets.OLDER
    assert found[Action.YANKED].pinned_gets is Gets.BROKEN


def test_nothing_at_the_source_reaches_a_wheelhouse() -> None:
    old = observe("house", page(OLD), holdings=(held(HeldState.HELD),))
    found = run(plan(HOUSE), source(page((GOOD, BROKEN, FIX))), old)
    house = found.verdicts[0].counterfactuals
    for action in Action:
        assert house[action].when is When.NEVER
        assert house[action].unpinned_gets is Gets.BROKEN
        assert house[action].offline_gets is Gets.BROKEN
    assert found.deletion.would_remain == 1
    assert found.deletion.locations == ("house",)


def test_a_store_gives_the_broken_bytes_only_to_those_who_ask_for_them() -> None:
    box = location("box", "box", url=None, path="/srv/box", required=False)
    seen = observe("box", holdings=(held(HeldState.HELD),), holdings_complete=True)
    found = run(plan(box), source(page((GOOD, BROKEN, FIX))), seen)
    after = found.verdicts[0].counterfactuals[Action.DELETED]
    gets = (after.unpinned_gets, after.pinned_gets, after.hash_locked_gets, after.offline_gets)
    assert gets == (Gets.NOTHING, Gets.BROKEN, Gets.BROKEN, Gets.BROKEN)
    assert after.when is When.NEVER


def test_a_late_place_is_told_to_wait_first() -> None:
    late = replace(MIRROR, expected_lag_s=6 * 3600.0)
    row = run(plan(late), observe("mirror", page(OLD))).verdicts[0]
    assert row.remedies[0].command == "# wait until 2026-11-20 16:00 UTC, then audit again"


def test_a_mirror_of_unmeasured_software_is_not_guessed() -> None:
    found = run(plan(MIRROR), observe("mirror", page())).verdicts[0].counterfactuals
    assert found[Action.DELETED].when is When.UNKNOWN
    assert found[Action.DELETED].listed is None
    assert "not known what software runs here" in found[Action.DELETED].because


def test_a_release_already_deleted_is_what_was_observed() -> None:
    still = observe("mirror", page(), holdings=(held(HeldState.HELD),))
    found = run(plan(MIRROR), source(page((GOOD, FIX))), still)
    mirror = found.verdicts[0].counterfactuals[Action.DELETED]
    assert (mirror.when, mirror.listed, mirror.held) == (When.ALREADY, True, HeldState.HELD)
    assert mirror.pinned_gets is Gets.BROKEN
    assert found.deletion.would_remain == 1


def test_rolling_forward_arrives_within_the_lag() -> None:
    late = replace(MIRROR, expected_lag_s=6 * 3600.0)
    found = run(plan(late), observe("mirror", page(OLD))).verdicts[0]
    forward = found.counterfactuals[Action.ROLLED_FORWARD]
    assert found.lag.state is LagState.WITHIN_LAG
    assert (forward.unpinned_gets, forward.when) == (Gets.FIX, found.lag.latest_by)


def test_the_deletion_numbers_add_up() -> None:
    clean = observe("clean", page((GOOD, FIX)), file_hosting=ELSEWHERE)
    found = run(
        plan(MIRROR, HOUSE, location("clean"), location("down")),
        observe("mirror", page()),
        observe("house", page(OLD), holdings=(held(HeldState.HELD),)),
        clean,
        observe("down", outcome=Outcome.UNREACHABLE),
    )
    sums, summary = found.deletion, found.summary
    assert summary.broken_persists == 3
    assert summary.unknown == 1
    assert (
        sums.would_remove_at_once + sums.would_remove_later + sums.would_remain + sums.undetermined
        == summary.broken_persists + summary.unknown
    )
    assert "2 of the 3 places that list or hold it are elsewhere" in sums.sentence


def test_the_deletion_numbers_count_a_source_whose_files_are_gone_with_it() -> None:
    files = (held(HeldState.NOT_HELD),)
    found = run(plan(), source(page(), holdings=files))
    assert found.deletion.would_remove_at_once == 1


# --- explanations ------------------------------------------------------------------------------


def test_every_status_and_every_code_that_a_rule_can_give_is_explained() -> None:
    known = {e.code for e in explanations()}
    assert {s.value for s in Status} <= known
    assert {s.value for s in LagState} - {"unknown"} <= known
    rules_that_name_their_code = set(RULES) - {
        "not-observed",
        "fix-rejected",
        "store-doubtful",
        "store-exposed",
        "store-unread",
        "store-latent",
        "store-clean",
        "pin-behind",
        "pin-unread",
        "pin-latent",
        "pin-clean",
        "hinted",
        "other-code",  # gives code-patched and its like
        "surface-stale",  # gives source-stale
    }
    assert rules_that_name_their_code <= known
    assert explain("no-such-code") is None


def test_judging_does_not_depend_on_the_order_of_observations() -> None:
    seen = (source(), observe("mirror", page(OLD)), observe("house", page(OLD)))
    forward = judge(plan(MIRROR, HOUSE), seen)
    backward = judge(plan(MIRROR, HOUSE), seen[::-1])
    assert [v.status for v in forward[0].verdicts] == [v.status for v in backward[0].verdicts]
    assert forward[0].summary == backward[0].summary


def test_yank_state_is_mixed_where_files_differ_and_yes_without_any_reason() -> None:
    sdist = structs.replace(BROKEN, filename="brokenpkg-1.2.3.tar.gz", hashes={})
    bare = structs.replace(BROKEN, yanked=Yank.YES)
    cases = [
        ((bare, sdist), YankState.MIXED),
        ((bare,), YankState.YES),
        ((YANKED, bare), YankState.REASON),
        ((structs.replace(BROKEN, yanked=Yank.UNKNOWN),), None),
    ]
    for files, expected in cases:
        found = run(plan(MIRROR), observe("mirror", page((GOOD, FIX, *files))))
        assert found.verdicts[0].broken.yanked is expected


def test_times_are_those_of_the_observations() -> None:
    found = run(plan(MIRROR), observe("mirror", page(), finished_at=NOW + timedelta(seconds=5)))
    assert found.finished_at == datetime(2026, 11, 20, 13, 0, 5, tzinfo=UTC)
    assert found.verdicts[0].fix.chosen is FixChosen.ALL
