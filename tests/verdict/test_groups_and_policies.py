"""Rows for groups, and what the settings of those who install make of a place."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from auditor.model import (
    Candidate,
    FileHosting,
    Freshness,
    HeldState,
    LagState,
    Location,
    Observation,
    Outcome,
    Page,
    Run,
    Status,
    Verdict,
    View,
    Whose,
    Yank,
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
    held,
    location,
    observe,
    page,
    plan,
    run,
    source,
    verdict,
)


def both(*candidates: Candidate) -> tuple[Page, ...]:
    return tuple(page(candidates, view) for view in (View.PIP, View.UV))


def row(found: Run, name: str) -> Verdict:
    return next(v for v in found.verdicts if v.location.name == name)


def grouped(first: Sequence[Candidate], second: Sequence[Candidate], **facts: object) -> Run:
    places = [
        location("private", group="ci", required=False, **facts),
        location("public", group="ci", required=False),
    ]
    return run(
        plan(*places),
        observe("private", *both(*first)),
        observe("public", *both(*second)),
    )


def test_a_group_is_one_row_more_and_says_so() -> None:
    found = row(grouped(CURRENT, CURRENT), "ci")

    assert (found.location.kind, found.location.group) == ("group", "ci")
    assert found.status is Status.ROLLED_FORWARD


def test_pip_gets_the_fix_from_a_group_of_which_one_index_has_it_and_uv_does_not() -> None:
    found = grouped(OLD, CURRENT)
    group = row(found, "ci")

    assert {(c.client, c.version) for c in group.selections} == {("pip", "1.2.4"), ("uv", "1.2.3")}
    assert group.status is Status.EXPOSED


def test_uv_gets_it_too_where_it_takes_the_best_match() -> None:
    found = row(grouped(OLD, CURRENT, settings={"index_strategy": "unsafe-best-match"}), "ci")

    assert {c.version for c in found.selections} == {"1.2.4"}
    assert found.status is Status.ROLLED_FORWARD


def test_a_group_is_not_counted_where_copies_are_counted() -> None:
    alone = run(
        plan(location("private", required=False), location("public", required=False)),
        observe("private", *both(*OLD)),
        observe("public", *both(*CURRENT)),
    )
    found = grouped(OLD, CURRENT)

    assert alone.summary.broken_persists == found.summary.broken_persists
    assert alone.deletion == found.deletion
    assert alone.summary.locations + 1 == found.summary.locations


def test_a_place_alone_in_its_group_gets_no_row_more() -> None:
    found = run(plan(location("private", group="ci")), observe("private", *both(*CURRENT)))

    assert [v.location.name for v in found.verdicts] == ["private", "source"]


def test_a_group_waits_as_long_as_its_slowest_member() -> None:
    found = grouped(OLD, OLD, expected_lag_s=36_000.0)
    group = row(found, "ci")

    assert group.lag.state is row(found, "public").lag.state
    assert group.lag.state is not LagState.CURRENT


@pytest.mark.parametrize(
    ("files", "status"),
    [((GOOD, BROKEN, FIX), Status.EXPOSED), ((GOOD, YANKED, FIX), Status.BEHIND)],
)
def test_a_fix_that_is_too_young_is_not_what_they_get(
    files: Sequence[Candidate], status: Status
) -> None:
    found = verdict(observe("m", page(files)), settings={"exclude_newer": "7 days"})

    assert found.status is status
    assert "fix-cooling-down" in codes(found)
    assert found.lag.state is LagState.WITHIN_LAG
    assert found.lag.latest_by == FIX_AT + timedelta(days=7)


def test_a_fix_that_is_old_enough_is_what_they_get() -> None:
    found = verdict(observe("m", page(CURRENT)), settings={"exclude_newer": "2 hours"})

    assert found.status is Status.ROLLED_FORWARD
    assert "fix-cooling-down" not in codes(found)
    assert found.lag.state is LagState.CURRENT


def test_without_upload_times_a_fix_is_never_accepted() -> None:
    files = [structs.replace(each, uploaded_at=None) for each in CURRENT]
    found = verdict(observe("m", page(files)), settings={"exclude_newer": "2 hours"})
    (reason,) = (r for r in found.reasons if r.code == "fix-cooling-down")

    assert "never accepted: no upload time is stated here" in reason.text
    assert found.lag.state is LagState.NEVER


def test_a_moment_before_the_fix_never_accepts_it() -> None:
    found = verdict(observe("m", page(CURRENT)), settings={"exclude_newer": "2026-11-19"})

    assert found.lag.state is LagState.NEVER
    assert "does not move" in next(r.text for r in found.reasons if r.code == "fix-cooling-down")


def test_constraints_that_cap_the_fix_out_say_so() -> None:
    settings = {"constraints": "/srv/constraints.txt", "constrained": "brokenpkg <1.2.4"}
    found = verdict(observe("m", page((GOOD, BROKEN, FIX))), settings=settings)

    assert found.status is Status.EXPOSED
    assert "fix-capped" in codes(found)


def test_constraints_that_admit_the_fix_or_speak_of_others_change_nothing() -> None:
    for line in ("brokenpkg !=1.2.3", "other <1"):
        found = verdict(observe("m", page(CURRENT)), settings={"constrained": line})
        assert found.status is Status.ROLLED_FORWARD
        assert "fix-capped" not in codes(found)


def test_uv_counts_where_only_uv_would_install_the_broken_release() -> None:
    """pip passes it over for an upper bound on Python; uv does not, and gets it."""
    files = [structs.replace(each, requires_python=">=3.8,<3.10") for each in OLD]
    found = verdict(observe("m", *both(*files)))
    exposed = {c.environment for c in found.selections if c.counts and c.is_broken}

    assert "cp312-manylinux_2_28_x86_64" in exposed
    assert isinstance(found.location, Location)


def keeping(
    candidates: Sequence[Candidate], cache_control: str | None, view: View = View.PIP
) -> Page:
    freshness = Freshness(fetched_at=NOW, serial=30, cache_control=cache_control)
    return page(candidates, view, freshness=freshness)


def test_the_last_client_may_go_by_its_own_page_after_the_place_has_the_fix() -> None:
    late = observe("m", keeping(OLD, "max-age=600, public"))
    found = verdict(late, expected_lag_s=6 * 3600.0)

    assert found.lag.latest_by == FIX_AT + timedelta(hours=6)
    assert found.lag.last_client_by == FIX_AT + timedelta(hours=6, seconds=600)
    assert "600 s" in found.lag.basis


def test_stacked_places_and_the_client_add_up() -> None:
    front = location("front", upstream="mirror", expected_lag_s=60.0)
    mirror = location("mirror", expected_lag_s=4 * 3600.0)
    found = run(
        plan(mirror, front),
        observe("mirror", page(CURRENT)),
        observe("front", keeping(OLD, "max-age=30")),
    )

    assert row(found, "front").lag.latest_by == FIX_AT + timedelta(hours=4, minutes=1)
    assert row(found, "front").lag.last_client_by == FIX_AT + timedelta(hours=4, seconds=90)


def test_a_place_that_has_the_fix_may_still_have_clients_that_have_not() -> None:
    found = verdict(observe("m", keeping(CURRENT, "max-age=600")))

    assert found.lag.state is LagState.CURRENT
    assert found.lag.last_client_by == NOW + timedelta(seconds=600)


@pytest.mark.parametrize("stated", [None, "no-store", "max-age=0", "no-cache, max-age=600"])
def test_clients_that_always_ask_get_it_when_the_place_has_it(stated: str | None) -> None:
    found = verdict(observe("m", keeping(OLD, stated)), expected_lag_s=6 * 3600.0)

    assert found.lag.last_client_by == found.lag.latest_by


def test_without_a_statement_uv_keeps_a_page_for_a_tenth_of_its_age() -> None:
    freshness = Freshness(fetched_at=NOW, serial=30, last_modified=NOW - timedelta(days=10))
    pages = [page(CURRENT, view, freshness=freshness) for view in (View.PIP, View.UV)]

    assert verdict(observe("m", pages[0])).lag.last_client_by == NOW
    assert verdict(observe("m", *pages)).lag.last_client_by == NOW + timedelta(days=1)


def test_nothing_is_promised_for_clients_of_a_place_that_is_stuck() -> None:
    found = verdict(observe("m", keeping(OLD, "max-age=600")), expected_lag_s=60.0)

    assert (found.lag.state, found.lag.last_client_by) == (LagState.STUCK, None)


def test_the_sentence_speaks_of_places_and_not_of_groups() -> None:
    found = grouped(OLD, CURRENT)

    assert "of 3 places, 1 still gives it to unpinned installs" in found.summary.sentence
    assert "ci" not in (found.summary.whose_text or "").replace("source", "")


def settled(line: str, *more: str) -> dict[str, object]:
    return {"constraints": "/srv/constraints.txt", "constrained": "\n".join([line, *more])}


def lost_fix(found: Verdict) -> set[tuple[str, str]]:
    return {
        (lost.code.value, lost.filename)
        for cell in found.selections
        for lost in cell.rejected
        if lost.version == "1.2.4"
    }


def test_old_pip_has_no_age_of_uploads_and_its_page_no_times() -> None:
    """HTML pages state no upload times: pip before 22.2, which reads them, asks for none."""
    timeless = [structs.replace(each, uploaded_at=None) for each in CURRENT]
    found = verdict(
        observe("m", *both(*CURRENT), page(timeless, View.PIP_HTML)),
        settings={"exclude_newer": "1 hour"},
    )

    assert found.status is Status.ROLLED_FORWARD
    assert found.lag.state is LagState.CURRENT


def test_pip_gives_up_on_a_page_where_one_file_that_fits_has_no_upload_time() -> None:
    files = [structs.replace(GOOD, uploaded_at=None), FIX]
    found = verdict(observe("m", *both(*files)), settings={"exclude_newer": "1 hour"})
    got = {(c.client, c.version) for c in found.selections}

    assert got == {("pip", None), ("uv", "1.2.4")}
    assert any("pip gives up" in c.reason for c in found.selections)


def test_what_a_directory_holds_needs_no_age() -> None:
    timeless = [structs.replace(each, uploaded_at=None) for each in CURRENT]
    found = verdict(
        observe("m", page(timeless)), url=None, path="/srv/m", settings={"exclude_newer": "1 hour"}
    )

    assert found.status is Status.ROLLED_FORWARD


@pytest.mark.parametrize(
    ("settings", "code"),
    [({"exclude_newer": "7 days"}, "too-young"), (settled("brokenpkg <1.2.4"), "constrained")],
)
def test_what_settings_leave_out_is_among_the_files_that_lost(
    settings: dict[str, object], code: str
) -> None:
    found = verdict(observe("m", page(CURRENT)), settings=settings)

    assert {c.seen for c in found.selections} == {3}
    assert lost_fix(found) == {(code, FIX.filename)}
    assert all("1.2.4 was left out" in c.reason for c in found.selections)


def test_a_constraint_holds_where_its_marker_does() -> None:
    found = verdict(
        observe("m", page(CURRENT)),
        settings=settled('brokenpkg <1.2.4 ; sys_platform == "win32"'),
    )
    got = {c.environment: c.version for c in found.selections}

    assert got["cp313-win_amd64"] == "1.2.2"
    assert got["cp312-manylinux_2_28_x86_64"] == "1.2.4"
    assert found.status is Status.BEHIND
    never = settled('brokenpkg <1.2.4 ; python_version < "3.0"')
    assert verdict(observe("m", page(CURRENT)), settings=never).status is Status.ROLLED_FORWARD


@pytest.mark.parametrize(
    ("line", "status"),
    [
        ('brokenpkg <1.2.4 ; platform_release > "5"', Status.UNKNOWN),
        ('brokenpkg <9 ; platform_release > "5"', Status.ROLLED_FORWARD),
    ],
)
def test_a_marker_that_no_environment_decides_is_never_green_where_it_matters(
    line: str, status: Status
) -> None:
    assert verdict(observe("m", page(CURRENT)), settings=settled(line)).status is status


def test_a_file_that_constraints_name_is_installed_whatever_the_page_lists() -> None:
    found = verdict(
        observe("m", page((GOOD, FIX))), settings=settled(f"brokenpkg @ {BROKEN.filename}")
    )

    assert found.status is Status.EXPOSED


def test_a_digest_in_constraints_keeps_out_files_with_another() -> None:
    line = f"brokenpkg ==1.2.4 --hash=sha256:{'0' * 64}"
    found = verdict(observe("m", page(CURRENT)), settings=settled(line))

    assert found.status is Status.BEHIND


@pytest.mark.parametrize(
    ("files", "status"), [(CURRENT, Status.UNKNOWN), ((GOOD, BROKEN), Status.EXPOSED)]
)
def test_constraints_that_could_not_be_read_are_never_green(
    files: Sequence[Candidate], status: Status
) -> None:
    settings = {**settled(""), "constraints_unread": "c.txt:3: brokenpkg==${V}: a variable"}
    found = verdict(observe("m", page(files)), settings=settings)

    assert found.status is status
    assert ("constraints-unread" in codes(found)) == (status is Status.UNKNOWN)


@pytest.mark.parametrize("settings", [{"exclude_newer": "7 days"}, settled("brokenpkg <1.2.4")])
def test_what_clients_set_themselves_is_not_blamed_on_the_place(
    settings: dict[str, object],
) -> None:
    found = run(plan(location("m", settings=settings)), observe("m", *both(*CURRENT)))
    ours = row(found, "m")

    assert "client-settings" in codes(ours)
    assert not any("refresh" in remedy.command for remedy in ours.remedies)
    assert ours.remedies
    assert found.summary.whose is Whose.CLIENT
    assert "only settings of those who install" in found.summary.whose_text


def test_a_place_without_the_fix_is_blamed_whatever_clients_set() -> None:
    found = run(
        plan(location("m", settings=settled("brokenpkg <1.2.4"))), observe("m", *both(*OLD))
    )

    assert "client-settings" not in codes(row(found, "m"))
    assert found.summary.whose is Whose.MIRROR
    assert any("refresh" in remedy.command for remedy in row(found, "m").remedies)


def test_the_age_that_the_source_demands_is_not_a_fault_of_the_upload() -> None:
    place = location("source", "pypi", settings={"exclude_newer": "7 days"})
    found = run(replace(plan(), locations=(place,)), source(*both(*CURRENT)))

    assert found.summary.whose is Whose.CLIENT


def test_a_group_takes_the_settings_of_its_members() -> None:
    best = {**settled("brokenpkg <1.2.4"), "index_strategy": "unsafe-best-match"}
    found = row(grouped(CURRENT, CURRENT, settings=best), "ci")
    assert found.status is Status.ROLLED_FORWARD  # the other one gives them the fix

    places = [
        location(name, group="ci", settings=settled("brokenpkg <1.2.4")) for name in ("a", "b")
    ]
    found = row(
        run(plan(*places), observe("a", *both(*CURRENT)), observe("b", *both(*CURRENT))), "ci"
    )
    assert found.status is Status.BEHIND
    assert {"fix-capped", "client-settings"} <= codes(found)


@pytest.mark.parametrize(
    ("hosting", "status"),
    [(FileHosting.ELSEWHERE, Status.CLEAN), (FileHosting.UNKNOWN, Status.ROLLED_FORWARD)],
)
def test_a_group_is_clean_only_if_all_its_members_hold_nothing(
    hosting: FileHosting, status: Status
) -> None:
    places = [location(name, group="ci") for name in ("a", "b")]
    found = run(
        plan(*places),
        observe("a", *both(GOOD, FIX), file_hosting=FileHosting.ELSEWHERE),
        observe("b", *both(GOOD, FIX), file_hosting=hosting),
    )

    assert row(found, "b").status is status
    assert row(found, "ci").status is status
    assert row(found, "ci").broken.held is row(found, "b").broken.held


def test_why_held_is_unknown_is_told_by_its_cause() -> None:
    def text(observation: Observation, **facts: object) -> str:
        found = verdict(observation, **facts)
        return next(r.text for r in found.reasons if r.code == "held-unknown")

    risky = text(observe("m", page(CURRENT), file_hosting=FileHosting.UNKNOWN))
    unread = held(HeldState.UNKNOWN, how="x.whl may not be read")
    local = text(observe("m", page(CURRENT), holdings=(unread,)), url=None, path="/srv")
    dead = text(observe("m", outcome=Outcome.UNREACHABLE, detail="refused"))

    assert "without risk" in risky
    assert "x.whl may not be read" in local
    assert "without risk" not in local + dead
    assert "could not be looked at" in dead


def test_what_is_tampered_with_is_not_praised_as_well() -> None:
    other = structs.replace(FIX, hashes={"sha256": "0" * 64})
    found = verdict(observe("m", page((GOOD, other)), file_hosting=FileHosting.ELSEWHERE))

    assert found.status is Status.TAMPERED
    assert not {"clean", "rolled-forward"} & codes(found)


def test_what_is_not_known_is_named() -> None:
    files = [GOOD, structs.replace(FIX, yanked=Yank.UNKNOWN)]
    found = verdict(observe("m", page(files)))

    assert FIX.filename in next(r.text for r in found.reasons if r.code == "undecided")
