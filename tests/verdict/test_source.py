"""The source itself: its surfaces, its delivery network, and what deleting there achieved."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import pytest
from msgspec import structs

from auditor.errors import UsageError
from auditor.model import (
    Action,
    FileHosting,
    Fingerprint,
    FixChosen,
    HeldState,
    NodeAge,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Run,
    Status,
    Surface,
    Verdict,
    View,
    When,
    Whose,
    Yank,
)
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    FIX_AT,
    GOOD,
    INCIDENT,
    NOW,
    OLD,
    YANKED,
    codes,
    digest,
    held,
    location,
    observe,
    page,
    plan,
    run,
    source,
    wheel,
)

ELSEWHERE = FileHosting.ELSEWHERE
MIRROR = location("mirror")
# What a source says that has deleted the broken release.
WITHOUT = (GOOD, FIX)


def surface(name: str = "simple-json", **facts: object) -> Surface:
    known = Surface(
        name=name,
        encoding="gzip" if name.startswith(("simple", "cdn")) else "",
        outcome=PageOutcome.OBSERVED,
        status=200,
        lists_broken=True,
        lists_fix=True,
        yanked=Yank.YES,
        stripped=False,
        serials={"header": 30},
        evidence=("e1",),
    )
    return replace(known, **facts)


LEGACY = surface("legacy-project")


def release(version: str, *, there: bool) -> Surface:
    if there:
        return surface("legacy-release", subject=version, facts={"files": "2"})
    return surface(
        "legacy-release",
        subject=version,
        outcome=PageOutcome.ABSENT,
        lists_broken=None,
        lists_fix=None,
        facts={"release": "not there"},
    )


def at_source(*surfaces: Surface, pages: Sequence[Page] = (), **facts: object) -> Verdict:
    found = run(plan(), source(*pages, surfaces=surfaces, **facts))
    return found.verdicts[0]


def reason(found: Verdict, code: str) -> str:
    return next(r.observed for r in found.reasons if r.code == code)


# --- surfaces that disagree


def test_surfaces_that_agree_are_no_finding() -> None:
    found = at_source(surface(), surface("simple-html"), LEGACY, release("1.2.3", there=True))
    assert not codes(found) & {"surfaces-disagree", "source-stale", "headers-stripped"}


@pytest.mark.parametrize(
    ("odd", "told"),
    [
        (surface("simple-html", lists_fix=False), "the fix is in"),
        (surface("simple-html", encoding="identity", lists_broken=False), "the broken release"),
        (surface("simple-html", yanked=Yank.NO), "the yank is in"),
        (surface("cdn-json", outcome=PageOutcome.ABSENT, lists_fix=None), "not in cdn-json"),
        (surface("metadata", subject="x.whl", facts={"agrees": "no"}), "metadata x.whl has other"),
        (release("1.2.3", there=False), "legacy-release 1.2.3 does not have it, all of the views"),
        (release("1.2.5", there=True), "legacy-release 1.2.5 has it, none of the views"),
    ],
)
def test_a_surface_that_says_otherwise_is_named(odd: Surface, told: str) -> None:
    found = at_source(surface(), LEGACY, odd)
    assert told in reason(found, "surfaces-disagree")
    assert found.status is Status.ROLLED_FORWARD


@pytest.mark.parametrize(
    "quiet",
    [
        surface("legacy-project", outcome=PageOutcome.ABSENT, lists_fix=None, lists_broken=None),
        surface("metadata", subject="x.whl", lists_fix=None, lists_broken=None),
        surface("simple-html", outcome=PageOutcome.UNREACHABLE, lists_fix=None, lists_broken=None),
        release("1.2.5", there=False),
    ],
)
def test_what_a_surface_does_not_say_is_no_disagreement(quiet: Surface) -> None:
    assert "surfaces-disagree" not in codes(at_source(surface(), quiet))


@pytest.mark.parametrize("shown", [OLD, (GOOD, YANKED)])
def test_legacy_json_alone_never_makes_anything_green(shown: Sequence[object]) -> None:
    """Warehouse issues 11512 and 11547: JSON says yes, the page that pip reads says no."""
    lacking = surface(lists_fix=False)
    found = run(plan(), source(page(shown), surfaces=(lacking, LEGACY)))
    row = found.verdicts[0]
    assert row.status in (Status.EXPOSED, Status.BEHIND)
    assert row.fix.chosen is FixChosen.NONE
    assert row.fix.listed is False
    assert "surfaces-disagree" in codes(row)
    assert "the fix is in legacy-project" in reason(row, "surfaces-disagree")
    assert found.summary.exit_code == 1
    assert found.summary.whose is Whose.CDN


# --- stale pages of the source


def test_a_surface_with_an_older_serial_is_stale() -> None:
    found = at_source(
        surface(), surface("simple-html", encoding="identity", serials={"comment": 9})
    )
    assert "simple-html (identity): serial 9" in reason(found, "source-stale")


def test_views_that_differ_in_serial_are_told_once() -> None:
    pages = (page(), page(view=View.UV, serial=9))
    found = at_source(surface(), surface("simple-html", serials={"header": 9}), pages=pages)
    assert [r.code for r in found.reasons].count("source-stale") == 1


def test_a_page_that_was_fetched_before_the_fix_came_out_is_stale() -> None:
    age_s = (NOW - FIX_AT).total_seconds()
    nodes = (NodeAge(node="cache-a", age_s=age_s + 60),)
    old = surface("cdn-json", lists_fix=False, age_s=age_s + 60, nodes=nodes)
    assert "by cache-a" in reason(at_source(surface(), old), "source-stale")
    fresh = replace(old, age_s=age_s - 60)
    assert "source-stale" not in codes(at_source(fresh, LEGACY))
    old_with_fix = replace(old, lists_fix=True)
    assert "source-stale" not in codes(at_source(old_with_fix))


def test_surfaces_of_a_mirror_accuse_nobody_of_being_a_stale_source() -> None:
    ours = (surface(), surface("simple-html", serials={"comment": 9}))
    found = run(plan(MIRROR), observe("mirror", page(), surfaces=ours))
    assert "source-stale" not in {c for v in found.verdicts for c in codes(v)}


# --- a gateway that strips headers


def test_stripped_headers_are_said_and_decide_nothing() -> None:
    bare = (surface(stripped=True), surface("simple-html", stripped=True), LEGACY)
    found = at_source(*(replace(s, stripped=s.stripped or None) for s in bare))
    assert "headers-stripped" in codes(found)
    assert found.status is Status.ROLLED_FORWARD


@pytest.mark.parametrize("stripped", [(True, False), (None, None), ()])
def test_one_answer_with_its_headers_is_enough(stripped: tuple[bool | None, ...]) -> None:
    found = at_source(*(surface(stripped=s) for s in stripped))
    assert "headers-stripped" not in codes(found)


# --- deleted at the source

KNOWS = observe("mirror", page())
FILE = Fingerprint(filename=BROKEN.filename, version="1.2.3", sha256=digest(BROKEN.filename))


def deleted(*holdings: object, mirror: Observation = KNOWS, **facts: object) -> Run:
    gone = source(page(WITHOUT), holdings=holdings, file_hosting=ELSEWHERE, **facts)
    return run(plan(MIRROR), gone, mirror)


def row(found: Run, name: str = "source") -> Verdict:
    return next(v for v in found.verdicts if v.location.name == name)


@pytest.mark.parametrize(
    ("holdings", "code", "status"),
    [
        ((held(HeldState.HELD),), "source-deleted-file-served", Status.ROLLED_FORWARD),
        ((held(HeldState.NOT_HELD),), "source-deleted", Status.CLEAN),
        ((held(HeldState.UNKNOWN),), "source-deleted-file-unknown", Status.ROLLED_FORWARD),
        ((), "source-deleted-file-unknown", Status.ROLLED_FORWARD),
    ],
)
def test_a_deleted_release_whose_file_is_served_is_told_from_one_that_is_gone(
    holdings: tuple[object, ...], code: str, status: Status
) -> None:
    found = row(deleted(*holdings))
    assert (found.status, codes(found) & _DELETED) == (status, {code})
    foreseen = found.counterfactuals[Action.DELETED]
    assert (foreseen.when, foreseen.listed) == (When.ALREADY, False)
    assert found.counterfactuals[Action.YANKED].when is When.NEVER


_DELETED = {"source-deleted", "source-deleted-file-served", "source-deleted-file-unknown"}


def test_a_file_of_the_release_that_nobody_asked_for_keeps_the_source_from_being_clean() -> None:
    """The mirror lists a wheel and a source distribution; only the wheel is known to be gone."""
    other = wheel("1.2.3", tag="cp312-cp312-win_amd64")
    mirror = observe("mirror", page((*CURRENT, other)))
    found = row(deleted(held(HeldState.NOT_HELD), mirror=mirror))
    assert found.broken.held is HeldState.UNKNOWN
    assert found.status is Status.ROLLED_FORWARD
    both = (held(HeldState.NOT_HELD), held(HeldState.NOT_HELD, filename=other.filename))
    assert row(deleted(*both, mirror=mirror)).status is Status.CLEAN


def test_what_nobody_ever_saw_was_not_deleted() -> None:
    found = deleted(mirror=observe("mirror", page(WITHOUT)))
    assert not codes(row(found)) & _DELETED
    assert "You deleted" not in found.deletion.sentence


@pytest.mark.parametrize("by", ["fingerprint", "legacy"])
def test_a_release_that_is_known_otherwise_was_deleted_even_if_no_mirror_has_it(by: str) -> None:
    incident = replace(INCIDENT, fingerprints=(FILE,) if by == "fingerprint" else ())
    surfaces = (LEGACY,) if by == "legacy" else ()
    found = run(
        plan(incident=incident), source(page(WITHOUT), surfaces=surfaces, file_hosting=ELSEWHERE)
    )
    assert codes(found.verdicts[0]) & _DELETED


def test_a_view_that_was_not_read_may_still_list_it() -> None:
    unread = page((), View.UV, outcome=PageOutcome.UNREACHABLE)
    found = run(plan(MIRROR), source(page(WITHOUT), unread), KNOWS)
    assert not codes(row(found)) & _DELETED


def test_the_sentence_counts_who_still_has_what_was_deleted() -> None:
    places = [location(f"m{n}") for n in range(3)]
    seen = [observe(p.name, page()) for p in places[:2]]
    seen.append(observe("m2", page(WITHOUT), file_hosting=ELSEWHERE))
    served = source(page(WITHOUT), holdings=(held(HeldState.HELD),), file_hosting=ELSEWHERE)
    found = run(plan(*places), served, *seen)
    assert found.deletion.sentence == (
        "You deleted 1.2.3 at source; 3 of 4 places still have 1.2.3, source itself among them, "
        "which still serves the file."
    )
    assert (found.deletion.already, found.deletion.would_remain) == (True, 3)
    assert "2 other audited places still list or hold it (m0, m1)" in next(
        r.text for r in row(found).reasons if r.code == "source-deleted-file-served"
    )
    assert row(found, "m0").counterfactuals[Action.DELETED].when is When.ALREADY


def test_deleting_makes_no_copy_look_better() -> None:
    """An environment for which only the broken release has a file counts before and after."""
    fix = structs.replace(FIX, requires_python=">=3.10")
    files = (GOOD, BROKEN, fix)
    mirror = observe("mirror", page(files))
    before = run(plan(MIRROR), source(page(files)), mirror)
    after = run(plan(MIRROR), source(page((GOOD, fix))), mirror)
    assert row(before, "mirror").status is Status.EXPOSED
    assert row(after, "mirror").status is Status.EXPOSED


def test_after_a_deletion_broken_bytes_are_still_known_by_the_digest_that_mirrors_list() -> None:
    renamed = held(HeldState.HELD, version=None, filename="cached", sha256=digest(BROKEN.filename))
    box = location("box", "box", url=None, path="/srv", required=False)
    kept = observe("box", holdings=(renamed,), holdings_complete=True)
    found = run(plan(MIRROR, box), source(page(WITHOUT)), KNOWS, kept)
    assert row(found, "box").status is Status.LATENT


def test_a_mirror_cannot_make_the_fix_broken_by_listing_its_digest_under_the_broken_name() -> None:
    liar = structs.replace(BROKEN, hashes=FIX.hashes)
    found = deleted(mirror=observe("mirror", page((GOOD, liar, FIX))))
    assert row(found).status is Status.ROLLED_FORWARD
    assert row(found).fix.chosen is FixChosen.ALL


# --- the whole project


def absent(name: str = "source") -> Observation:
    none = page((), outcome=PageOutcome.ABSENT, status=404)
    return observe(name, none, outcome=Outcome.ABSENT, detail="answers 404")


def test_a_project_that_is_gone_while_mirrors_carry_it_is_no_usage_error() -> None:
    found = run(plan(MIRROR), absent(), KNOWS)
    assert row(found).status is Status.BEHIND
    assert "source-project-gone" in codes(row(found))
    assert row(found, "mirror").status is Status.ROLLED_FORWARD
    assert row(found, "mirror").counterfactuals[Action.DELETED].when is When.ALREADY
    assert found.deletion.sentence.startswith("The whole project was deleted at source; 1 of 2")
    assert (found.summary.whose, found.summary.exit_code) == (Whose.UPLOAD, 1)


def test_a_project_that_nobody_carries_is_a_usage_error() -> None:
    with pytest.raises(UsageError, match="no location knows"):
        run(plan(MIRROR), absent(), absent("mirror"))


def test_a_project_that_only_an_unreadable_place_could_know_is_not_called_gone() -> None:
    down = observe("mirror", outcome=Outcome.UNREACHABLE, connected=False)
    assert "source-project-gone" not in codes(row(run(plan(MIRROR), absent(), down)))


def test_a_quarantined_project_is_told_from_a_deleted_one() -> None:
    hidden = page((), project_status="quarantined")
    found = run(plan(MIRROR), source(hidden), KNOWS)
    assert "source-quarantined" in codes(row(found))
    assert not codes(row(found)) & {*_DELETED, "source-stale"}
    assert row(found).status is Status.BEHIND
    assert found.deletion.sentence.startswith("source has the project in quarantine; 1 of 2")
    assert found.summary.whose is Whose.UPLOAD


def test_an_empty_page_that_says_nothing_else_is_a_deletion() -> None:
    found = row(run(plan(MIRROR), source(page(())), KNOWS))
    assert codes(found) & _DELETED
    assert found.status is Status.BEHIND


def test_an_archived_project_is_said_and_stays_as_it_is() -> None:
    found = at_source(pages=(page(project_status="archived"),))
    assert (found.status, "source-archived" in codes(found)) == (Status.ROLLED_FORWARD, True)
    assert "source-archived" not in codes(at_source())


# --- whose is it?


def test_a_fix_that_nobody_lists_is_the_upload() -> None:
    found = run(plan(MIRROR), source(page(OLD)), observe("mirror", page(OLD)))
    assert found.summary.whose is Whose.UPLOAD
    assert "the upload, before any mirror" in found.summary.whose_text


def test_a_fix_that_only_a_mirror_lists_is_the_sources_delivery_network() -> None:
    found = run(plan(MIRROR), source(page(OLD)), KNOWS)
    assert found.summary.whose is Whose.CDN


def test_a_page_of_the_source_that_no_view_saw_stale_is_still_its_delivery_network() -> None:
    odd = surface("simple-html", encoding="identity", lists_fix=False)
    found = run(plan(MIRROR), source(surfaces=(surface(), odd)), observe("mirror", page(OLD)))
    assert found.summary.whose is Whose.CDN
    assert "simple-html (identity)" in found.summary.whose_text


def test_copies_behind_a_good_source_are_the_mirrors() -> None:
    found = run(plan(MIRROR), observe("mirror", page(OLD)))
    assert found.summary.whose is Whose.MIRROR
    assert "(mirror)" in found.summary.whose_text


def test_a_directory_that_nobody_syncs_is_the_clients_own() -> None:
    house = location("house", "wheelhouse", url=None, path="/srv/house")
    found = run(plan(house), observe("house", page(OLD)))
    assert found.summary.whose is Whose.CLIENT


def test_where_nothing_fails_nobody_is_named() -> None:
    found = run(plan(MIRROR), KNOWS)
    assert (found.summary.whose, found.summary.whose_text) == (Whose.NONE, "")


def test_where_the_source_cannot_be_read_nobody_is_blamed() -> None:
    down = observe("source", outcome=Outcome.UNREACHABLE, connected=False)
    found = run(plan(MIRROR), down, observe("mirror", page(OLD)))
    assert found.summary.whose is Whose.UNKNOWN


def test_an_older_legacy_json_blames_nobody() -> None:
    old = surface("legacy-project", lists_fix=False, serials={"last_serial": 9})
    found = run(plan(), source(surfaces=(surface(), old)))
    assert found.summary.whose is Whose.NONE
