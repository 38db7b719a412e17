"""Law 3: what is missing, cut, or unread never turns anything green, and never accuses."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from itertools import product
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec import structs

from auditor.errors import UsageError
from auditor.model import (
    Action,
    Candidate,
    FileHosting,
    Freshness,
    HeldState,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RemedyTemplate,
    Severity,
    Status,
    View,
    Waiver,
    When,
    Yank,
)
from auditor.observations import read, write
from tests.verdict.stage import (
    BROKEN,
    CURRENT,
    FIX,
    GOOD,
    KINDS,
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
    verdict,
    wheel,
)

MIRROR = location("mirror")
ALL_VIEWS = {**KINDS, "simple": replace(KINDS["simple"], views=tuple(View))}
ELSEWHERE = FileHosting.ELSEWHERE


def every_view(files: tuple[Candidate, ...] = CURRENT, *, samples: int = 1) -> list[Page]:
    wanted = product(View, range(1, samples + 1))
    return [page(files, view, sample=sample) for view, sample in wanted]


def judged(seen: Observation, **facts: object) -> tuple[Status, set[str]]:
    the_plan = plan(replace(MIRROR, **facts), kinds=ALL_VIEWS)
    found = next(v for v in run(the_plan, seen).verdicts if v.location.name == "mirror")
    return found.status, codes(found)


def test_a_place_without_an_observation_is_an_unknown_row() -> None:
    found = run(plan(MIRROR))
    assert [(v.location.name, v.status) for v in found.verdicts] == [
        ("mirror", Status.UNKNOWN),
        ("source", Status.ROLLED_FORWARD),
    ]
    assert found.summary.exit_code == 3


def test_a_view_that_nobody_asked_is_not_read() -> None:
    assert judged(observe("mirror", *every_view()))[0] is Status.ROLLED_FORWARD
    for left_out in View:
        pages = [p for p in every_view() if p.view is not left_out]
        status, why = judged(observe("mirror", *pages))
        assert status is Status.UNKNOWN
        assert "view-missing" in why


def test_a_sample_that_is_missing_is_not_read() -> None:
    pages = every_view(samples=2)
    assert judged(observe("mirror", *pages), samples=2)[0] is Status.ROLLED_FORWARD
    assert judged(observe("mirror", *pages[:-1]), samples=2)[0] is Status.UNKNOWN


def test_absent_needs_every_page_to_say_so() -> None:
    absent = page((), outcome=PageOutcome.ABSENT)
    busy = page((), View.UV, outcome=PageOutcome.UNREACHABLE, detail="503")
    seen = observe("mirror", absent, busy, outcome=Outcome.ABSENT)
    assert verdict(seen, required=False).status is Status.UNKNOWN
    at_source = observe("source", absent, busy, outcome=Outcome.ABSENT)
    found = run(plan(MIRROR), at_source, seen)
    assert found.summary.exit_code == 3
    gone = [observe(n, absent, outcome=Outcome.ABSENT) for n in ("source", "mirror")]
    with pytest.raises(UsageError):
        run(plan(MIRROR), *gone)


def test_a_first_view_without_digests_does_not_hide_what_the_others_state() -> None:
    bare = tuple(structs.replace(c, hashes={}, size=None) for c in CURRENT)
    other = structs.replace(YANKED, hashes={"sha256": digest("other bytes")})
    tampered = observe("mirror", page((GOOD, other, FIX)))
    two_views = source(page(bare), page(CURRENT, View.UV))
    assert verdict(tampered, two_views).status is Status.TAMPERED


def test_a_place_without_digests_neither_hides_a_conflict_nor_is_part_of_it() -> None:
    gone = source(page((GOOD, FIX)))
    bare = structs.replace(YANKED, hashes={}, size=None)
    other = structs.replace(YANKED, hashes={"sha256": digest("other bytes")})
    silent = observe("a", page((GOOD, bare, FIX)))
    one, two = observe("b", page()), observe("c", page((GOOD, other, FIX)))
    found = run(plan(*(location(n) for n in "abc")), gone, silent, one, two)
    accused = {v.location.name for v in found.verdicts if "hash-conflict" in codes(v)}
    assert accused == {"b", "c"}


@pytest.mark.parametrize(
    "cached",
    [
        page(OLD, complete=False),
        page(OLD, outcome=PageOutcome.MALFORMED),
        page((GOOD, structs.replace(BROKEN, yanked=Yank.UNKNOWN))),
    ],
    ids=["cut", "malformed", "yank not known"],
)
@pytest.mark.parametrize("expires_at", [NOW + timedelta(hours=1), None])
def test_a_trusted_page_that_cannot_be_read_leaves_a_store_unknown(
    cached: Page, expires_at: object
) -> None:
    kept = replace(cached, freshness=Freshness(expires_at=expires_at))
    seen = observe("box", kept, holdings_complete=True)
    assert verdict(seen, kind="box").status is Status.UNKNOWN
    expired = replace(cached, freshness=Freshness(expires_at=NOW - timedelta(hours=1)))
    assert verdict(replace(seen, pages=(expired,)), kind="box").status is Status.CLEAN


def test_a_broken_page_without_a_known_expiry_leaves_a_store_unknown() -> None:
    kept = page(OLD, freshness=Freshness())
    seen = observe("box", kept, holdings_complete=True)
    assert verdict(seen, kind="box").status is Status.UNKNOWN


def test_a_store_that_was_read_in_part_is_unknown_though_broken_bytes_were_found() -> None:
    seen = observe("box", holdings=(held(HeldState.HELD),), holdings_complete=False)
    found = verdict(seen, kind="box")
    assert found.status is Status.UNKNOWN
    assert {"broken-held", "unreadable"} <= codes(found)


def test_a_broken_file_whose_version_nobody_states_is_known_by_its_name() -> None:
    nameless = structs.replace(YANKED, version=None, hashes={}, size=None)
    seen = observe("mirror", page((FIX, nameless)), file_hosting=ELSEWHERE)
    assert verdict(seen).status is not Status.CLEAN
    bytes_ = replace(held(HeldState.HELD), version=None)
    box = observe("box", holdings=(bytes_,), holdings_complete=True)
    assert verdict(box, kind="box").status is Status.LATENT


def test_a_damaged_copy_is_not_accused() -> None:
    cut = Holding(
        filename=BROKEN.filename,
        version="1.2.3",
        sha256=digest("half of it"),
        size=500,
        state=HeldState.HELD,
        how="read",
        intact=False,
    )
    box = observe("box", holdings=(cut,), holdings_complete=True)
    found = verdict(box, kind="box")
    assert found.status is Status.LATENT
    assert "corrupt" in codes(found)
    whole = replace(cut, intact=True)
    beside = replace(whole, sha256=digest("other bytes"))
    both = replace(box, holdings=(cut, beside))
    assert verdict(both, kind="box").status is Status.TAMPERED
    assert verdict(replace(box, holdings=(whole,)), kind="box").status is Status.TAMPERED


def test_other_bytes_are_never_excused_by_being_late() -> None:
    other = structs.replace(BROKEN, hashes={"sha256": digest("other bytes")})
    late = replace(MIRROR, expected_lag_s=6 * 3600.0)
    found = run(plan(late, grace=True), observe("mirror", page((GOOD, other))))
    assert found.verdicts[0].status is Status.TAMPERED
    assert found.summary.exit_code == 1


def test_a_source_that_was_read_in_part_has_deleted_nothing() -> None:
    lost = page((), View.UV, outcome=PageOutcome.UNREACHABLE)
    found = run(plan(MIRROR), source(page((GOOD, FIX)), lost), observe("mirror", page()))
    whens = {v.counterfactuals[Action.DELETED].when for v in found.verdicts}
    assert When.ALREADY not in whens


def test_a_sentence_says_rolled_forward_only_where_somebody_got_the_fix() -> None:
    relaxed = replace(MIRROR, required=False)
    down = observe("mirror", outcome=Outcome.UNREACHABLE)
    lost = replace(location("source", "pypi"), required=False)
    nothing = replace(plan(relaxed), locations=(lost, relaxed))
    found = run(nothing, down, observe("source", outcome=Outcome.UNREACHABLE))
    assert found.summary.exit_code == 0
    assert "Nothing is known" in found.summary.sentence
    some = run(plan(relaxed), down)
    assert "except at mirror (not known)" in some.summary.sentence


def test_a_waived_failure_is_named_in_a_good_sentence() -> None:
    waiver = Waiver(location="mirror", incident=None, until=NOW.date(), reason="r")
    found = run(plan(MIRROR, waivers=(waiver,)), observe("mirror", page(OLD)))
    assert "except at mirror (waived)" in found.summary.sentence


def test_a_remedy_never_removes_the_fix_nor_a_file_that_is_not_there() -> None:
    template = RemedyTemplate(command="rm {file}", effect="e", statuses=tuple(Status))
    kinds = {**KINDS, "simple": replace(KINDS["simple"], remedies=(template,))}
    renamed = structs.replace(wheel("1.2.4"), hashes=YANKED.hashes, size=None)

    def commands(files: tuple[Candidate, ...]) -> list[str]:
        found = run(plan(MIRROR, kinds=kinds), observe("mirror", page(files)))
        return [r.command for r in found.verdicts[0].remedies]

    assert commands(OLD) == [f"rm {BROKEN.filename}"]
    assert commands((GOOD, renamed)) == []
    assert commands((GOOD,)) == []


def test_a_place_seen_twice_from_one_vantage_is_one_row(tmp_path: Path) -> None:
    old = observe("mirror", page(OLD))
    new = observe("mirror", page(), finished_at=NOW + timedelta(minutes=5))
    write(tmp_path / "new.jsonl", plan(MIRROR), (new,))
    write(tmp_path / "old.jsonl", plan(MIRROR), (old,))
    for order in (["new.jsonl", "old.jsonl"], ["old.jsonl", "new.jsonl"]):
        _, seen, _ = read([tmp_path / name for name in order])
        assert seen == (new,)


def test_a_lost_digest_is_no_way_out_of_an_accusation() -> None:
    bare = structs.replace(YANKED, hashes={}, size=None)
    found = verdict(observe("mirror", page((GOOD, bare, FIX))))
    assert found.status is Status.UNKNOWN
    assert "digest-missing" in codes(found)
    nothing_stated = tuple(structs.replace(c, hashes={}, size=None) for c in CURRENT)
    assert verdict(observe("mirror", page(nothing_stated))).status is Status.ROLLED_FORWARD


# --- monotone: deleting facts never improves ---------------------------------------------------

STORED = [
    observe("mirror", *every_view()),
    observe("mirror", *every_view(OLD)),
    observe("mirror", *every_view((GOOD, YANKED))),
    observe("mirror", *every_view((GOOD, FIX)), file_hosting=ELSEWHERE),
    observe("mirror", *every_view()[:3], page(OLD, View.POETRY)),
    observe("mirror", *every_view(), holdings=(held(HeldState.HELD),)),
]


def without(candidate: Candidate, fact: str) -> Candidate:
    missing: dict[str, object] = {
        "yanked": Yank.UNKNOWN,
        "hashes": {},
        "requires_python": None,
        "version": None,
    }
    return structs.replace(candidate, **{fact: missing.get(fact)})


def deleted(seen: Observation, index: int, fact: str, which: int) -> Observation:
    """Delete one fact of one file, or one page, or its being complete."""
    at = index % len(seen.pages)
    one = seen.pages[at]
    if fact == "page":
        return replace(seen, pages=tuple(p for p in seen.pages if p is not one))
    if fact == "complete":
        lost = replace(one, complete=False)
    elif fact == "hosting":
        return replace(seen, file_hosting=FileHosting.UNKNOWN)
    else:
        files = list(one.candidates)
        files[which % len(files)] = without(files[which % len(files)], fact)
        lost = replace(one, candidates=tuple(files))
    return replace(seen, pages=(*seen.pages[:at], lost, *seen.pages[at + 1 :]))


FACTS = ["page", "complete", "hosting", "yanked", "hashes", "size", "requires_python", "version"]


# The first example fills caches, and a busy machine takes its time.
@pytest.mark.slow
@settings(deadline=None)
@given(
    st.sampled_from(range(len(STORED))),
    st.lists(
        st.tuples(st.integers(0, 9), st.sampled_from(FACTS), st.integers(0, 9)),
        min_size=1,
        max_size=4,
    ),
)
def test_deleting_facts_never_turns_anything_green(
    which: int, deletions: list[tuple[int, str, int]]
) -> None:
    seen = STORED[which]
    before, _ = judged(seen)
    for index, fact, file in deletions:
        if seen.pages:
            seen = deleted(seen, index, fact, file)
    after, _ = judged(seen)
    if before.severity is not Severity.OK:
        assert after.severity is not Severity.OK
    if before.severity is Severity.OK and after.severity is Severity.OK:
        assert after.rank <= before.rank


@pytest.mark.parametrize("fact", ["page", "complete", "yanked", "requires_python", "version"])
@pytest.mark.parametrize("stored", [0, 3], ids=["rolled-forward", "clean"])
def test_deleting_a_decisive_fact_never_leaves_a_place_green(stored: int, fact: str) -> None:
    before, _ = judged(STORED[stored])
    assert before in (Status.ROLLED_FORWARD, Status.CLEAN)
    winner = len(STORED[stored].pages[0].candidates) - 1
    for index in range(len(View)):
        after, _ = judged(deleted(STORED[stored], index, fact, winner))
        assert after.severity is not Severity.OK


def test_a_place_that_was_asked_once_on_purpose_misses_no_sample() -> None:
    pages = every_view(samples=1)
    once = replace(observe("mirror", *pages), samples_asked=1)
    assert judged(once, samples=4)[0] is Status.ROLLED_FORWARD
    assert judged(replace(once, pages=once.pages[:-1]), samples=4)[0] is Status.UNKNOWN
    assert judged(replace(once, samples_asked=None), samples=4)[0] is Status.UNKNOWN
