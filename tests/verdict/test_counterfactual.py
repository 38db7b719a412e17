"""What would happen at each place: from measured behaviour, down the declared chain."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest
from msgspec import structs

from auditor.model import (
    Action,
    Candidate,
    Counterfactual,
    FileHosting,
    Gets,
    HeldState,
    KindFacts,
    Location,
    Observation,
    Outcome,
    Role,
    Run,
    StatedLag,
    View,
    When,
)
from auditor.verdict.behaviour import Deed, behaviour_of, behaviours
from tests.verdict import stage
from tests.verdict.stage import BROKEN, FIX, GOOD, NOW, OLD, held, observe, page, plan, run, source

DEVPI, CACHE = ("mirror",), ("nginx", "lifetime-seen")
FROM_AFAR = CACHE[:1]
LISTED = (GOOD, BROKEN, FIX)
STORED = (held(HeldState.STORED_ONCE),)
ALL = {
    **stage.KINDS,
    **{
        name: KindFacts(name=name, role=Role.INDEX, expected_lag_s=600.0, expected_lag_source="x")
        for name in ("devpi", "bandersnatch", "proxpi", "http-cache")
    },
    "pypiserver": KindFacts(name="pypiserver", role=Role.INDEX, syncs=False),
}


def place(name: str, kind: str, **facts: object) -> Location:
    known = Location(
        name=name,
        kind=kind,
        role=Role.INDEX,
        url=f"https://{name}.example/simple/",
        upstream="source",
    )
    return replace(known, **facts)


def judged(*pairs: tuple[Location, Observation], at_source: Observation | None = None) -> Run:
    the_plan = plan(*(p for p, _ in pairs), kinds=ALL)
    seen = [observation for _, observation in pairs]
    return run(the_plan, at_source or source(page(LISTED)), *seen)


def after(found: Run, name: str, action: Action = Action.DELETED) -> Counterfactual:
    return next(v for v in found.verdicts if v.location.name == name).counterfactuals[action]


def seen(
    name: str, traits: tuple[str, ...], *holdings: object, files: tuple[Candidate, ...] = LISTED
) -> Observation:
    return observe(name, page(files), traits=traits, holdings=holdings)


def test_what_a_cache_does_not_hold_it_may_still_fetch_by_its_address() -> None:
    never = seen("edge", CACHE, held(HeldState.NOT_HELD), files=(GOOD, FIX))
    never = replace(never, holdings_complete=True)
    found = judged((place("edge", "http-cache"), never), at_source=source(page((GOOD, FIX))))
    assert after(found, "edge").held is HeldState.NOT_HELD
    assert after(found, "edge").hash_locked_gets is Gets.UNKNOWN


def test_a_devpi_mirror_keeps_the_bytes_of_what_it_no_longer_lists() -> None:
    found = judged((place("mirror", "devpi"), seen("mirror", DEVPI, *STORED)))
    deleted = after(found, "mirror")
    assert (deleted.listed, deleted.held) == (False, HeldState.STORED_ONCE)
    assert (deleted.unpinned_gets, deleted.pinned_gets) == (Gets.FIX, Gets.ERROR)
    assert deleted.hash_locked_gets is Gets.BROKEN
    assert deleted.when == NOW + timedelta(seconds=600)
    assert "devpi-server 6.20.3, measured 2026-11-23" in deleted.because
    yanked = after(found, "mirror", Action.YANKED)
    assert (yanked.listed, yanked.pinned_gets) == (True, Gets.BROKEN)
    assert found.deletion.locations == ("mirror",)


def test_a_mirror_that_never_stored_the_file_loses_it_later() -> None:
    found = judged((place("mirror", "devpi"), seen("mirror", DEVPI, held(HeldState.NOT_HELD))))
    deleted = after(found, "mirror")
    assert (deleted.listed, deleted.held) == (False, HeldState.NOT_HELD)
    # Whether its URL still works depends on what the source does with the file.
    assert deleted.hash_locked_gets is Gets.UNKNOWN
    assert found.deletion.would_remove_later == 1


def test_a_closed_stage_never_learns_of_anything() -> None:
    old = seen("stage", ("closed",), held(HeldState.HELD), files=OLD)
    found = judged((place("stage", "devpi"), old), at_source=source(page(OLD)))
    for action in (Action.DELETED, Action.YANKED, Action.ROLLED_FORWARD):
        assert after(found, "stage", action).when is When.NEVER
        assert after(found, "stage", action).unpinned_gets is Gets.BROKEN


def test_a_copy_uploaded_to_an_open_stage_is_never_yanked_and_lets_the_fix_through() -> None:
    old = seen("stage", ("local-copy",), held(HeldState.HELD), files=OLD)
    found = judged((place("stage", "devpi"), old), at_source=source(page(OLD)))
    assert after(found, "stage", Action.YANKED).unpinned_gets is Gets.BROKEN
    assert after(found, "stage", Action.ROLLED_FORWARD).unpinned_gets is Gets.FIX
    assert after(found, "stage").pinned_gets is Gets.BROKEN


def test_what_proxpi_no_longer_lists_it_no_longer_serves_and_still_keeps() -> None:
    found = judged((place("proxy", "proxpi"), seen("proxy", (), held(HeldState.HELD))))
    deleted = after(found, "proxy")
    assert (deleted.held, deleted.hash_locked_gets) == (HeldState.HELD, Gets.ERROR)


def test_a_mirror_of_static_files_has_an_orphan_that_is_still_served() -> None:
    found = judged((place("mirror", "bandersnatch"), seen("mirror", (), held(HeldState.HELD))))
    deleted = after(found, "mirror")
    assert (deleted.held, deleted.hash_locked_gets) == (HeldState.SHADOWED, Gets.BROKEN)


def test_the_lags_of_a_chain_add_up_and_each_hop_decides_for_the_next() -> None:
    edge = place("edge", "http-cache", upstream="mirror")
    chain = judged(
        (place("mirror", "devpi"), seen("mirror", DEVPI, *STORED)),
        (edge, seen("edge", CACHE, held(HeldState.NOT_HELD))),
    )
    deleted = after(chain, "edge")
    assert deleted.when == NOW + timedelta(seconds=1200)
    # It has no copy, and gets one from the mirror, which keeps serving it.
    assert (deleted.listed, deleted.hash_locked_gets) == (False, Gets.BROKEN)


@pytest.mark.parametrize("action", [Action.DELETED, Action.YANKED])
def test_behind_a_place_that_never_learns_nothing_learns(action: Action) -> None:
    found = judged(
        (place("stage", "devpi"), seen("stage", ("closed",), held(HeldState.HELD))),
        (place("edge", "http-cache", upstream="stage"), seen("edge", CACHE)),
    )
    assert after(found, "edge", action).when is When.NEVER


@pytest.mark.parametrize(
    ("kind", "traits", "facts"),
    [
        ("simple", (), {}),
        ("http-cache", (), {}),
        ("devpi", (), {}),
        ("devpi", DEVPI, {"upstream": None}),
    ],
)
def test_what_was_not_measured_or_not_declared_is_unknown_and_counted_so(
    kind: str, traits: tuple[str, ...], facts: dict[str, object]
) -> None:
    found = judged((place("x", kind, **facts), seen("x", traits, held(HeldState.HELD))))
    deleted = after(found, "x")
    assert (deleted.when, deleted.listed, deleted.held) == (When.UNKNOWN, None, HeldState.UNKNOWN)
    assert deleted.because
    assert found.deletion.undetermined == 2  # the source's file host as well


UNMEASURED = place("x", "simple")


@pytest.mark.parametrize(
    ("files", "deleted", "yanked", "told"),
    [
        (LISTED, Gets.FIX, Gets.FIX, "the fix whether it follows or not"),
        (OLD, Gets.UNKNOWN, Gets.UNKNOWN, "the broken release until it follows, then the fix"),
    ],
)
def test_what_unmeasured_software_gives_is_known_where_following_makes_no_difference(
    files: tuple[Candidate, ...], deleted: Gets, yanked: Gets, told: str
) -> None:
    found = judged((UNMEASURED, seen("x", (), files=files)))
    assert after(found, "x").unpinned_gets is deleted
    assert after(found, "x").because.endswith(told)
    assert after(found, "x", Action.YANKED).unpinned_gets is yanked
    # A machine without a network gets nothing from a server, and whoever pins it does until then.
    assert after(found, "x").offline_gets is Gets.ERROR
    assert after(found, "x").pinned_gets is Gets.UNKNOWN
    # A yank takes it from nobody who pins it, and moves no bytes.
    assert after(found, "x", Action.YANKED).listed is True
    assert after(found, "x", Action.YANKED).pinned_gets is Gets.BROKEN
    assert after(found, "x", Action.YANKED).hash_locked_gets is Gets.BROKEN
    assert found.deletion.undetermined == 2


def test_what_is_not_in_step_and_whose_source_is_not_seen_is_not_guessed() -> None:
    locations = (stage.location("source", "pypi"), UNMEASURED)
    down = observe("source", outcome=Outcome.UNREACHABLE)
    found = run(plan(kinds=ALL, locations=locations), down, seen("x", (), files=OLD))
    assert after(found, "x").unpinned_gets is Gets.UNKNOWN
    assert after(found, "x", Action.ROLLED_FORWARD).unpinned_gets is Gets.UNKNOWN


def test_bytes_that_were_never_here_do_not_arrive_by_a_deletion() -> None:
    elsewhere = observe("x", page(LISTED), file_hosting=FileHosting.ELSEWHERE)
    found = judged((UNMEASURED, elsewhere))
    assert after(found, "x").held is HeldState.NOT_HELD
    assert after(found, "x").listed is None


@pytest.mark.parametrize(
    ("kind", "note", "why"),
    [
        ("simple", "", "not known what software runs here"),
        ("simple", 'this looks like devpi (x): kind = "devpi" would also tell more', "looks like"),
        ("http-cache", "", "give its cache_path"),
        ("devpi", "", "whether this is a mirror or a stage"),
        ("pypiserver", "", "whether it has files of its own"),
        ("bandersnatch-like", "", "was never measured"),
    ],
)
def test_where_nothing_was_measured_it_says_why_and_what_would_tell(
    kind: str, note: str, why: str
) -> None:
    kinds = {**ALL, kind: replace(ALL.get(kind, ALL["devpi"]), name=kind, syncs=True)}
    place_here, notes = place("x", kind), (note,) if note else ()
    the_plan = plan(place_here, kinds=kinds)
    found = run(the_plan, source(page(LISTED)), observe("x", page(LISTED), notes=notes))
    assert why in after(found, "x").because


def test_a_place_that_is_overdue_promises_nothing() -> None:
    late = place("mirror", "devpi", expected_lag_s=60.0)
    found = judged((late, seen("mirror", DEVPI, *STORED, files=OLD)))
    assert after(found, "mirror").when is When.UNKNOWN
    assert "overdue" in after(found, "mirror").because


def test_a_place_that_redirects_shows_at_once_what_its_upstream_shows() -> None:
    seen_there = observe(
        "server",
        page(LISTED),
        traits=("fallback",),
        file_hosting=FileHosting.ELSEWHERE,
        stated_lag=StatedLag(seconds=0.0, basis="it redirects"),
    )
    found = judged((place("server", "pypiserver"), seen_there))
    assert after(found, "server").when is When.AT_ONCE
    assert after(found, "server").held is HeldState.NOT_HELD


def test_a_name_that_pypi_never_lets_be_used_again_changes_nowhere() -> None:
    found = judged((place("mirror", "devpi"), seen("mirror", DEVPI, *STORED)))
    assert after(found, "mirror", Action.REUPLOADED).when is When.NEVER


def test_other_bytes_arrive_where_they_have_another_path_and_are_refused_or_late_elsewhere() -> (
    None
):
    hashed = "https://files.example/packages/ab/cd/" + "e" * 60 + f"/{BROKEN.filename}"
    listed = (GOOD, structs.replace(BROKEN, url=hashed))
    pairs = (place("edge", "http-cache"), seen("edge", CACHE, held(HeldState.HELD), files=listed))
    locations = (stage.location("source", "simple"), pairs[0])
    found = run(plan(kinds=ALL, locations=locations), source(page(listed)), pairs[1])
    again = after(found, "edge", Action.REUPLOADED)
    # The lock still gets the old bytes; who asks by version gets the new ones.
    assert (again.pinned_gets, again.hash_locked_gets) == (Gets.FIX, Gets.BROKEN)
    flat = seen("edge", CACHE, held(HeldState.HELD))
    found = run(plan(kinds=ALL, locations=locations), source(page(LISTED)), flat)
    assert after(found, "edge", Action.REUPLOADED).pinned_gets is Gets.UNKNOWN


# --- the deletion section ----------------------------------------------------------------------

HOUSE = stage.location("house", "wheelhouse", url=None, path="/srv/house", required=False)


def numbers(found: Run) -> tuple[int, int, int, int]:
    d = found.deletion
    sums = (d.would_remove_at_once, d.would_remove_later, d.would_remain, d.undetermined)
    assert sum(sums) == found.summary.broken_persists + found.summary.unknown
    return sums


def world(*, deleted: bool, purged: bool) -> Run:
    """Six places; `purged` takes the bytes away at half of the five copies."""
    files = (GOOD, FIX) if deleted else LISTED
    gone = held(HeldState.NOT_HELD)
    bytes_here = gone if purged else held(HeldState.HELD)
    house = observe("house", page((GOOD, FIX) if purged else OLD), holdings=(bytes_here,))
    return judged(
        (place("devpi", "devpi"), seen("devpi", DEVPI, bytes_here, files=files)),
        (place("edge", "http-cache"), seen("edge", CACHE, held(HeldState.HELD), files=files)),
        (place("never", "devpi"), seen("never", DEVPI, gone, files=files)),
        (place("files", "bandersnatch"), seen("files", (), held(HeldState.SHADOWED), files=files)),
        (HOUSE, house),
        at_source=source(page(files), holdings=(gone if deleted else held(HeldState.HELD),)),
    )


def test_with_nothing_deleted_the_sentence_says_who_would_keep_it() -> None:
    found = world(deleted=False, purged=False)
    assert numbers(found) == (0, 1, 4, 1)
    assert found.deletion.sentence == (
        "Deleting 1.2.3 at source acts on one place; 5 of the 6 places that list or hold it are "
        "elsewhere. 4 would certainly keep it, 1 would go on giving it to unpinned installs, 1 "
        "would lose it only after a delay, and for 1 nothing promises that it would ever go away."
    )


def test_once_deleted_it_says_what_that_achieved() -> None:
    found = world(deleted=True, purged=False)
    assert found.deletion.already
    assert numbers(found) == (0, 0, 4, 0)
    assert found.deletion.sentence == (
        "You deleted 1.2.3 at source; 4 of 6 places still have it; 3 can no longer say where it "
        "came from."
    ).replace("have it", "have 1.2.3")


def test_deleted_and_purged_at_half_it_counts_the_other_half() -> None:
    found = world(deleted=True, purged=True)
    assert numbers(found) == (0, 0, 2, 0)
    assert "2 of 6 places still have 1.2.3; 2 can no longer say" in found.deletion.sentence


def test_a_place_that_was_not_seen_is_undetermined_in_each_case() -> None:
    down = observe("devpi", outcome=Outcome.UNREACHABLE)
    for files in (LISTED, (GOOD, FIX)):
        found = judged((place("devpi", "devpi"), down), at_source=source(page(files)))
        assert numbers(found)[3] >= 1


# --- the data ----------------------------------------------------------------------------------


def test_every_measurement_says_what_each_deed_does_and_with_what_it_was_measured() -> None:
    for behaviour in behaviours():
        assert behaviour.versions
        assert behaviour.settings
        assert behaviour.confirmed is None or behaviour.confirmed >= behaviour.measured
        for deed in Deed:
            assert behaviour.listing_after(deed)
            assert behaviour.keeps_bytes(deed)


def test_every_measurement_can_be_reached() -> None:
    reached = {id(behaviour_of(b.kind, b.needs)) for b in behaviours()}
    assert reached == {id(b) for b in behaviours()}


@pytest.mark.parametrize(("view", "gets"), [(View.PIP, Gets.NOTHING), (View.UV, Gets.OLDER)])
def test_each_client_gets_by_its_own_rules_what_a_deletion_leaves(view: View, gets: Gets) -> None:
    """uv passes an upper bound on Python over that keeps pip from taking the older release."""
    bounded = structs.replace(GOOD, requires_python=">=3.8,<3.9")
    found = judged(at_source=source(page((bounded, BROKEN), view)))
    assert after(found, "source").unpinned_gets is gets


def test_when_pages_change_behind_nginx_is_known_by_its_directory_or_its_operator_alone() -> None:
    mirror = place("mirror", "devpi"), seen("mirror", DEVPI, *STORED)
    behind = place("behind", "http-cache", upstream="edge"), seen("behind", FROM_AFAR, *STORED)
    edge = place("edge", "http-cache", upstream="mirror")
    afar = judged(mirror, (edge, seen("edge", FROM_AFAR, *STORED)), behind)
    for name in ("edge", "behind"):
        deleted = after(afar, name)
        assert (deleted.when, deleted.pinned_gets) == (When.UNKNOWN, Gets.ERROR)
        assert "cache_path or its expected_lag" in deleted.because
    read = judged(mirror, (edge, seen("edge", CACHE, *STORED)))
    assert after(read, "edge").when == NOW + timedelta(seconds=1200)
    told = judged(mirror, (replace(edge, expected_lag_s=60.0), seen("edge", FROM_AFAR, *STORED)))
    assert after(told, "edge").when == NOW + timedelta(seconds=660)


def test_bytes_on_a_disk_that_are_not_served_are_no_answer_to_a_lock() -> None:
    files = (GOOD, FIX)
    proxy = place("proxy", "proxpi"), seen("proxy", (), held(HeldState.HELD), files=files)
    found = judged(proxy, at_source=source(page(files)))
    deleted = after(found, "proxy")
    assert (deleted.when, deleted.held) == (When.ALREADY, HeldState.HELD)
    assert deleted.hash_locked_gets is Gets.ERROR
