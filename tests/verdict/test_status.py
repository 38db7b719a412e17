"""Each status of design section 4, and the facts that lead to it."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from auditor.model import (
    Candidate,
    FileHosting,
    FixChosen,
    Freshness,
    HeldState,
    Hint,
    Lag,
    LagState,
    Observation,
    Outcome,
    PageOutcome,
    StatedLag,
    Status,
    View,
    Yank,
    YankState,
)
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    FIX_AT,
    GOOD,
    NOW,
    OLD,
    YANKED,
    codes,
    digest,
    held,
    observe,
    page,
    source,
    verdict,
    wheel,
)


def test_a_copy_of_the_source_is_rolled_forward_and_still_lists_the_broken_release() -> None:
    found = verdict(observe("mirror", page()))
    assert found.status is Status.ROLLED_FORWARD
    assert found.broken.listed is True
    assert found.broken.yanked is YankState.REASON
    assert found.fix.chosen is FixChosen.ALL
    assert "broken-listed" in codes(found)


def test_the_source_is_a_row_of_its_own() -> None:
    found = verdict(source())
    assert (found.is_source, found.status) == (True, Status.ROLLED_FORWARD)


def test_no_trace_and_files_on_another_host_is_clean() -> None:
    seen = observe("mirror", page((GOOD, FIX)), file_hosting=FileHosting.ELSEWHERE)
    found = verdict(seen)
    assert found.status is Status.CLEAN
    assert found.broken.held is HeldState.NOT_HELD


def test_held_unknown_forbids_clean_but_not_rolled_forward() -> None:
    found = verdict(observe("mirror", page((GOOD, FIX))))
    assert found.status is Status.ROLLED_FORWARD
    assert "held-unknown" in codes(found)


def test_files_on_another_host_are_part_of_pypi_itself() -> None:
    seen = source(page((GOOD, FIX)), file_hosting=FileHosting.ELSEWHERE)
    assert verdict(seen).broken.held is HeldState.UNKNOWN


@pytest.mark.parametrize("state", [HeldState.HELD, HeldState.SHADOWED, HeldState.STORED_ONCE])
def test_held_bytes_forbid_clean(state: HeldState) -> None:
    seen = observe(
        "mirror", page((GOOD, FIX)), holdings=(held(state),), file_hosting=FileHosting.ELSEWHERE
    )
    found = verdict(seen)
    assert found.status is Status.ROLLED_FORWARD
    assert codes(found) & {"broken-held", "broken-orphaned"}


def test_an_old_page_is_exposed() -> None:
    found = verdict(observe("mirror", page(OLD, serial=20)))
    assert found.status is Status.EXPOSED
    assert {"stale-page", "serial-behind", "fix-not-listed", "broken-listed"} <= codes(found)
    assert found.reasons[0].code == "exposed"
    assert "1.2.3 in 3 of 3 environments" in found.reasons[0].observed


def test_a_yank_without_the_fix_is_behind() -> None:
    found = verdict(observe("mirror", page((GOOD, YANKED))))
    assert found.status is Status.BEHIND
    assert found.fix.chosen is FixChosen.NONE
    assert found.fix.missing_files == ("brokenpkg-1.2.4-py3-none-any.whl",)


def test_one_exposed_environment_is_enough() -> None:
    linux_only = wheel("1.2.4", tag="cp312-cp312-manylinux_2_28_x86_64")
    found = verdict(observe("mirror", page((GOOD, BROKEN, linux_only))))
    assert found.status is Status.EXPOSED
    assert found.fix.chosen is FixChosen.SOME
    assert "(2 of 3 environments)." in found.reasons[0].text


def test_one_exposed_view_is_enough_and_is_a_finding() -> None:
    seen = observe("mirror", page(), page(OLD, View.PIP_HTML))
    found = verdict(seen)
    assert found.status is Status.EXPOSED
    assert "split-view" in codes(found)
    assert "1.2.3 (view pip-html)." in found.reasons[0].text
    assert found.broken.yanked is YankState.MIXED


def test_samples_that_disagree_are_flapping_and_not_split() -> None:
    pages = [
        page(files, view, sample=sample)
        for view in (View.PIP, View.UV)
        for sample, files in ((1, CURRENT), (2, OLD))
    ]
    found = verdict(observe("mirror", *pages))
    assert found.status is Status.EXPOSED
    assert "flapping" in codes(found)
    assert "(not every time)." in found.reasons[0].text
    assert "split-view" not in codes(found)


def test_a_view_that_the_server_refuses_does_not_count() -> None:
    seen = observe("mirror", page(), page((), View.UV, outcome=PageOutcome.REFUSED))
    found = verdict(seen)
    assert found.status is Status.ROLLED_FORWARD
    assert {c.view for c in found.selections if c.counts} == {View.PIP}


def test_a_place_that_refuses_every_view_is_unknown() -> None:
    found = verdict(observe("mirror", page((), outcome=PageOutcome.REFUSED)))
    assert found.status is Status.UNKNOWN


def test_other_bytes_under_a_known_name_are_tampered_whatever_else_is_fine() -> None:
    other = structs.replace(YANKED, hashes={"sha256": digest("other bytes")})
    found = verdict(observe("mirror", page((GOOD, other, FIX))))
    assert found.status is Status.TAMPERED
    assert digest("other bytes") in found.reasons[0].observed
    assert digest(BROKEN.filename) in found.reasons[0].expected


def test_another_size_is_tampered_where_no_digest_compares() -> None:
    other = structs.replace(YANKED, hashes={}, size=999)
    assert verdict(observe("mirror", page((GOOD, other, FIX)))).status is Status.TAMPERED


def test_a_digest_outranks_the_size() -> None:
    other = structs.replace(YANKED, size=999)
    assert verdict(observe("mirror", page((GOOD, other, FIX)))).status is Status.ROLLED_FORWARD


def test_a_place_that_rebuilds_wheels_is_not_accused() -> None:
    other = structs.replace(YANKED, hashes={"sha256": digest("rebuilt")})
    found = verdict(observe("mirror", page((GOOD, other, FIX))), rebuilds=True)
    assert found.status is Status.ROLLED_FORWARD


def test_places_that_disagree_without_a_reference_are_all_unknown() -> None:
    gone = source(page((GOOD, FIX)))
    one = observe("one", page())
    other = structs.replace(YANKED, hashes={"sha256": digest("other bytes")})
    two = observe("two", page((GOOD, other, FIX)))
    for first, second in ((one, two), (two, one)):
        found = verdict(first, second, gone)
        assert found.status is Status.UNKNOWN
        assert "hash-conflict" in codes(found)


def test_broken_bytes_under_another_name_are_broken() -> None:
    renamed = structs.replace(
        wheel("1.2.5"), hashes={"sha256": digest("brokenpkg-1.2.3-py3-none-any.whl")}
    )
    assert verdict(observe("mirror", page((*CURRENT, renamed)))).status is Status.EXPOSED


def test_a_later_version_counts_as_the_fix() -> None:
    found = verdict(observe("mirror", page((*CURRENT, wheel("2.0")))))
    assert found.status is Status.ROLLED_FORWARD


def test_an_empty_page_is_behind_not_absent() -> None:
    assert verdict(observe("mirror", page(()))).status is Status.BEHIND


def test_a_place_without_the_project_is_absent_unless_required() -> None:
    seen = observe("mirror", page((), outcome=PageOutcome.ABSENT), outcome=Outcome.ABSENT)
    assert verdict(seen, required=False).status is Status.ABSENT
    found = verdict(seen)
    assert found.status is Status.BEHIND
    assert "required-absent" in codes(found)


def test_one_absent_view_is_behind() -> None:
    seen = observe("mirror", page(), page((), View.UV, outcome=PageOutcome.ABSENT))
    found = verdict(seen)
    assert found.status is Status.BEHIND
    assert "split-view" in codes(found)


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (PageOutcome.DENIED, "denied"),
        (PageOutcome.UNREACHABLE, "unreachable"),
        (PageOutcome.MALFORMED, "malformed"),
        (PageOutcome.SKIPPED, "skipped"),
    ],
)
def test_one_view_that_could_not_be_read_makes_the_place_unknown(
    outcome: PageOutcome, code: str
) -> None:
    seen = observe("mirror", page(), page((), View.UV, outcome=outcome, detail="why"))
    found = verdict(seen)
    assert found.status is Status.UNKNOWN
    assert code in codes(found)
    assert found.fix.chosen is FixChosen.UNKNOWN


def test_a_page_with_lost_entries_is_unknown_though_the_fix_is_on_it() -> None:
    found = verdict(observe("mirror", page((GOOD, FIX), complete=False)))
    assert found.status is Status.UNKNOWN
    assert "malformed" in codes(found)
    assert found.broken.listed is None


@pytest.mark.parametrize(
    ("outcome", "code"),
    [
        (Outcome.DENIED, "denied"),
        (Outcome.UNREACHABLE, "unreachable"),
        (Outcome.MALFORMED, "malformed"),
        (Outcome.SKIPPED, "skipped"),
    ],
)
def test_a_place_of_which_nothing_was_read_is_unknown(outcome: Outcome, code: str) -> None:
    found = verdict(observe("mirror", outcome=outcome, detail="why"))
    assert found.status is Status.UNKNOWN
    assert code in codes(found)
    assert found.reasons[0].observed == "why"


@pytest.mark.parametrize(
    "lost",
    [{"yanked": Yank.UNKNOWN}, {"requires_python": None}, {"version": None}],
    ids=["yanked", "requires_python", "version"],
)
def test_a_missing_fact_of_the_file_that_would_win_is_unknown(lost: dict[str, object]) -> None:
    fix: Candidate = structs.replace(FIX, **lost)
    found = verdict(observe("mirror", page((GOOD, YANKED, fix))))
    assert found.status is Status.UNKNOWN
    assert "undecided" in codes(found)
    assert found.fix.chosen is FixChosen.UNKNOWN


def test_a_serial_that_is_a_known_constant_is_named_fake() -> None:
    found = verdict(observe("mirror", page(serial=1_000_000_000)))
    assert found.status is Status.ROLLED_FORWARD
    assert "serial-fake" in codes(found)
    assert "serial-behind" not in codes(found)


def test_a_missing_serial_is_said() -> None:
    assert "serial-missing" in codes(verdict(observe("mirror", page(serial=None))))


def test_a_lost_yank_is_said_where_the_page_is_not_older() -> None:
    found = verdict(observe("mirror", page((GOOD, BROKEN, FIX))))
    assert found.status is Status.ROLLED_FORWARD
    assert "yank-lost" in codes(found)
    older = verdict(observe("mirror", page((GOOD, BROKEN, FIX), serial=29)))
    assert "yank-lost" not in codes(older)


def test_a_source_that_is_behind_others_is_called_stale() -> None:
    mirror = observe("mirror", page(serial=40))
    assert "source-stale" in codes(verdict(source(page(OLD, serial=20)), mirror))
    assert "source-stale" in codes(verdict(source(page(serial=20)), mirror))
    assert "source-stale" in codes(
        verdict(source(page(OLD, serial=None)), observe("mirror", page(serial=None)))
    )
    assert "source-stale" not in codes(verdict(source(page(serial=40)), mirror))


def test_a_source_whose_views_have_different_serials_is_called_stale() -> None:
    assert "source-stale" in codes(verdict(source(page(), page(view=View.UV, serial=29))))


def test_a_redirect_is_said() -> None:
    moved = page(final_url="https://other.example/simple/brokenpkg/")
    assert "redirected" in codes(verdict(observe("mirror", moved)))


@pytest.mark.parametrize(
    ("fix", "code"),
    [
        (structs.replace(FIX, yanked=Yank.YES), "fix-yanked"),
        (structs.replace(FIX, requires_python=">=3.99"), "fix-requires-python"),
        (wheel("1.2.4", tag="cp312-cp312-macosx_11_0_arm64"), "fix-no-matching-file"),
    ],
)
def test_a_listed_fix_that_nobody_can_install_says_why(fix: Candidate, code: str) -> None:
    found = verdict(observe("mirror", page((GOOD, BROKEN, fix))))
    assert found.status is Status.EXPOSED
    assert code in codes(found)


def test_lag_is_normal_until_its_time_and_stuck_after_it() -> None:
    old = observe("mirror", page(OLD))
    late = verdict(old, expected_lag_s=6 * 3600.0).lag
    assert (late.state, late.latest_by) == (LagState.WITHIN_LAG, FIX_AT + timedelta(hours=6))
    assert verdict(old, expected_lag_s=3600.0).lag.state is LagState.STUCK
    on_the_dot = (NOW - FIX_AT).total_seconds()
    assert verdict(old, expected_lag_s=on_the_dot).lag.state is LagState.WITHIN_LAG
    assert verdict(old).lag.state is LagState.UNKNOWN


def test_lag_adds_up_along_the_chain() -> None:
    old = observe("far", page(OLD))
    near = observe("near", page(OLD))
    from tests.verdict.stage import location, plan, run

    the_plan = plan(
        location("near", expected_lag_s=3600.0),
        location("far", expected_lag_s=3600.0 * 2.5, upstream="near"),
    )
    found = {v.location.name: v.lag for v in run(the_plan, near, old).verdicts}
    assert found["near"].state is LagState.STUCK
    assert found["far"].latest_by == FIX_AT + timedelta(hours=3.5)
    assert found["far"].state is LagState.WITHIN_LAG


def test_what_a_place_says_of_its_lag_outranks_the_configuration() -> None:
    old = observe("mirror", page(OLD, serial=29))
    told = replace(old, stated_lag=StatedLag(seconds=5 * 3600, basis="its expiry is 5 h"))

    silent, stated = verdict(old, expected_lag_s=60.0).lag, verdict(told, expected_lag_s=60.0).lag

    assert silent is not None
    assert silent.state is LagState.STUCK
    assert stated is not None
    assert stated.state is LagState.WITHIN_LAG
    assert "its expiry is 5 h" in stated.basis


def test_a_hint_of_the_server_explains_and_never_decides() -> None:
    seen = observe("mirror", page(OLD, serial=30))
    hint = Hint(
        code="fix-hidden-by-local-files",
        text="A local file hides the fix.",
        expected="the fix",
        observed="a local file",
        evidence=("e1",),
    )
    foreign = replace(hint, code="clean")

    bare, hinted = verdict(seen), verdict(replace(seen, hints=(hint, foreign)))

    assert bare.status is hinted.status
    assert codes(hinted) - codes(bare) == {"fix-hidden-by-local-files"}


def test_lag_is_current_with_the_fix_and_never_where_nothing_syncs() -> None:
    assert verdict(observe("mirror", page())).lag.state is LagState.CURRENT
    house = observe("house", page(OLD))
    assert verdict(house, kind="wheelhouse").lag == Lag(
        state=LagState.NEVER, basis="nothing syncs a wheelhouse by itself"
    )


def test_a_store_with_the_broken_bytes_is_latent() -> None:
    seen = observe("box", holdings=(held(HeldState.HELD),), holdings_complete=True)
    found = verdict(seen, kind="box", required=False)
    assert found.status is Status.LATENT
    assert "broken-held" in codes(found)
    assert found.broken.listed is None
    assert found.fix.chosen is None


def cached(files: tuple[Candidate, ...], *, seconds_left: int) -> Observation:
    left = page(files, freshness=Freshness(expires_at=NOW + timedelta(seconds=seconds_left)))
    return observe("box", left, holdings=(held(HeldState.HELD),), holdings_complete=True)


def test_a_client_cache_exposes_until_its_page_expires() -> None:
    found = verdict(cached(OLD, seconds_left=60), kind="box")
    assert found.status is Status.EXPOSED
    assert "until 2026-11-20 13:01:00 UTC" in found.reasons[0].observed
    assert found.broken.listed is None
    assert verdict(cached(OLD, seconds_left=-60), kind="box").status is Status.LATENT
    assert verdict(cached(CURRENT, seconds_left=60), kind="box").status is Status.LATENT


def test_a_store_is_clean_only_if_it_was_read_to_its_end() -> None:
    seen = observe("box", holdings=(held(HeldState.HELD, "1.2.2"),), holdings_complete=True)
    assert verdict(seen, kind="box").status is Status.CLEAN
    for partial in (False, None):
        found = verdict(replace(seen, holdings_complete=partial), kind="box")
        assert found.status is Status.UNKNOWN
        assert "unreadable" in codes(found)


def test_a_store_that_was_not_read_is_unknown_and_one_without_the_project_absent() -> None:
    assert verdict(observe("box", outcome=Outcome.DENIED), kind="box").status is Status.UNKNOWN
    assert verdict(observe("box", outcome=Outcome.ABSENT), kind="box").status is Status.ABSENT


def test_other_bytes_in_a_store_are_tampered() -> None:
    other = held(HeldState.HELD, sha256=digest("other bytes"))
    seen = observe("box", holdings=(other,), holdings_complete=True)
    assert verdict(seen, kind="box").status is Status.TAMPERED


def test_a_listed_broken_file_without_a_holding_of_its_own_is_not_known_to_be_gone() -> None:
    sdist = structs.replace(YANKED, filename="brokenpkg-1.2.3.tar.gz", hashes={})
    seen = observe("mirror", page((*CURRENT, sdist)), holdings=(held(HeldState.NOT_HELD),))
    assert verdict(seen).broken.held is HeldState.UNKNOWN


def test_remedies_carry_the_names_of_the_place() -> None:
    found = verdict(observe("mirror", page(OLD)))
    assert [r.command for r in found.remedies] == [
        "refresh https://mirror.example/simple/ brokenpkg"
    ]
    assert verdict(observe("mirror", page())).remedies == ()
