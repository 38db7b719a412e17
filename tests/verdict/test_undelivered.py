"""A page that lists the fix is no fix where its file is refused: whoever installs it fails."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model import Candidate, FixChosen, HeldState, Hint, Observation, Status
from auditor.model.extent import extent_of
from tests.verdict.stage import (
    CURRENT,
    FIX,
    GOOD,
    OLD,
    codes,
    held,
    location,
    observe,
    page,
    plan,
    run,
    verdict,
)

FREE = (held(HeldState.NOT_HELD),)


def refusing(*names: str) -> Hint:
    return Hint(
        code="kept-refusal",
        text="A refusal is kept.",
        expected="none",
        observed=f"404 for {', '.join(names)}",
        undeliverable=names,
    )


def mirror(*candidates: Candidate, hints: tuple[Hint, ...] = ()) -> Observation:
    return observe("mirror", page(candidates), hints=hints, holdings=FREE, holdings_complete=True)


def test_a_place_that_refuses_the_file_of_the_fix_is_behind() -> None:
    found = verdict(mirror(*CURRENT, hints=(refusing(FIX.filename),)))

    assert (found.status, found.fix.chosen) == (Status.BEHIND, FixChosen.ALL)
    reason = next(r for r in found.reasons if r.code == "fix-undelivered")
    assert FIX.filename in reason.text
    assert reason.observed == f"404 for {FIX.filename}"
    assert "rolled-forward" not in codes(found)


@pytest.mark.parametrize("hints", [(), (refusing(GOOD.filename),), (refusing(),)])
def test_files_that_nobody_chooses_may_be_refused(hints: tuple[Hint, ...]) -> None:
    assert verdict(mirror(*CURRENT, hints=hints)).status is Status.ROLLED_FORWARD


def test_where_the_broken_release_is_chosen_a_refusal_excuses_nothing() -> None:
    names = [file.filename for file in OLD]

    assert verdict(mirror(*OLD, hints=(refusing(*names),))).status is Status.EXPOSED


def test_a_refusal_that_was_cut_out_of_an_observation_leaves_a_doubt() -> None:
    whole = mirror(*CURRENT, hints=(refusing(FIX.filename),))
    cut = replace(whole, extent=extent_of(whole, every_page=True), hints=())

    assert verdict(cut).status is Status.UNKNOWN


def test_who_uses_a_place_together_with_others_fails_there_as_well() -> None:
    places = [location(name, group="ci", required=False) for name in ("first", "second")]
    refused = observe("second", page(CURRENT), hints=(refusing(FIX.filename),))

    found = run(plan(*places), observe("first", page((GOOD,))), refused)

    together = next(v for v in found.verdicts if v.location.name == "ci")
    assert (together.status, together.fix.chosen) == (Status.BEHIND, FixChosen.ALL)
    assert "fix-undelivered" in codes(together)
