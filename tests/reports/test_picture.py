"""What the page draws and ticks off: the way of a copy, four stations, the fate of each copy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta

import pytest

from auditor.model import (
    Action,
    Counterfactual,
    DeletionSummary,
    FixChosen,
    HeldState,
    LagState,
    Run,
    Verdict,
    When,
    Whose,
)
from auditor.model.timeline import CurvePoint, Timeline
from reports import html, markdown, terminal
from reports.html import render
from reports.picture import cut, picture_of
from reports.view import RunView, view_of
from tests.reports import sample_runs
from tests.reports.hostile import NASTY, hostile_run
from tests.reports.many_places import many_places
from tests.reports.sample_rows import NOW, PUBLISHED
from tests.reports.small_run import small_run
from tests.verdict.test_counterfactual import world


def drawn(run: Run) -> dict[str, tuple[float, float]]:
    picture = picture_of(view_of(run).path)
    assert picture
    return {box.name: (box.x, box.y) for box in picture.boxes}


def changed(run: Run, change: Callable[[Verdict], Verdict]) -> Run:
    return replace(run, verdicts=tuple(map(change, run.verdicts)))


def stations(view: RunView) -> list[tuple[str, str]]:
    return [(station.sign, station.word) for station in view.stations]


def test_what_copies_stands_right_of_what_it_copies_from() -> None:
    places = drawn(sample_runs.world())

    assert places["source"][0] < places["stuck-mirror"][0] < places["pip-cache"][0]
    assert len(set(places.values())) == len(places) == 15


def test_no_box_lies_on_another() -> None:
    for run in (sample_runs.world(), many_places(), small_run()):
        picture = picture_of(view_of(run).path)
        assert picture
        spots = {(box.x, box.y) for box in picture.boxes}
        assert len(spots) == len(picture.boxes)
        assert max(box.x for box in picture.boxes) + picture.box <= picture.width
        assert max(box.y for box in picture.boxes) < picture.height


def test_a_line_says_how_late_or_how_old() -> None:
    picture = picture_of(view_of(sample_runs.world()).path)

    assert picture
    labels = {line.label for line in picture.lines}
    assert {"due in 3 h", "2 h overdue", "page 1 min old"} <= labels
    assert picture.styles == {"solid", "dashed", "dotted"}


def test_a_proxy_behind_a_mirror_is_a_column_of_its_own() -> None:
    def behind(verdict: Verdict) -> Verdict:
        if verdict.location.name != "late-mirror":
            return verdict
        location = replace(verdict.location, kind="http-cache", upstream="fresh-mirror")
        return replace(verdict, location=location)

    places = drawn(changed(sample_runs.world(), behind))
    assert places["fresh-mirror"][0] < places["late-mirror"][0] < places["pip-cache"][0]


def test_what_is_alike_is_drawn_once_with_its_number() -> None:
    assert "36 places" in drawn(many_places())
    assert len(drawn(many_places())) < 15


def test_where_there_is_one_stage_only_nothing_is_drawn() -> None:
    assert view_of(sample_runs.all_clean()).picture is None


def test_a_name_is_cut_to_its_box_and_wide_letters_take_two_columns() -> None:
    assert cut("mirror", 6) == "mirror"
    assert cut("mirrors", 6) == "mirro…"
    assert cut("日本語", 4) == "日…"


@pytest.mark.parametrize(
    ("whose", "upload", "delivery"),
    [
        (Whose.NONE, ("✔", "fine"), ("✔", "fine")),
        (Whose.CDN, ("✔", "fine"), ("✖", "at fault")),
        (Whose.UPLOAD, ("✖", "at fault"), ("?", "not known")),
    ],
)
def test_the_first_two_stations_follow_the_judge(
    whose: Whose, upload: tuple[str, str], delivery: tuple[str, str]
) -> None:
    run = sample_runs.world()
    view = view_of(replace(run, summary=replace(run.summary, whose=whose)))

    assert stations(view)[:2] == [upload, delivery]


def test_what_was_not_audited_is_never_fine() -> None:
    run = sample_runs.all_clean()
    signs = stations(view_of(run))
    assert signs[:2] == [("–", "not audited"), ("–", "not audited")]
    assert signs[3] == ("–", "not audited")
    assert {sign for sign, _ in stations(view_of(sample_runs.offline()))[:3]} == {"?"}


def test_copies_that_are_late_as_usual_are_on_their_way() -> None:
    assert stations(view_of(sample_runs.interrupted()))[2] == ("…", "on its way")


def test_fates_name_the_places_that_make_up_the_numbers() -> None:
    run = sample_runs.world()
    named = {group.word: [v.location.name for v in group.verdicts] for group in view_of(run).fates}

    assert [group.count for group in view_of(run).fates] == [8, 4, 0, 2]
    assert "pip-cache" in named["Never by itself"]
    assert named["Not determined"] == ["broken-page", "down"]


def test_where_numbers_and_rows_disagree_no_place_is_named() -> None:
    run = sample_runs.world()
    other = replace(run, deletion=replace(run.deletion, would_remain=3))

    assert view_of(other).fates[0].verdicts == ()
    assert view_of(other).fates[0].count == 3


def test_steps_are_ticked_off_by_what_was_seen() -> None:
    words = [step.word for step in view_of(sample_runs.world()).steps]
    seen = "done, as source shows"
    assert words == [seen, seen, "open", "not audited", seen]
    gone = replace(
        sample_runs.world(),
        deletion=DeletionSummary(
            sentence="",
            would_remove_at_once=0,
            would_remove_later=0,
            would_remain=0,
            undetermined=0,
            would_break_pins=0,
            already=True,
        ),
    )
    assert view_of(gone).steps[-1].word == "deleted"
    assert view_of(small_run()).steps[3].word == "open"
    assert {step.word for step in view_of(sample_runs.offline()).steps} == {
        "not known",
        "not audited",
    }


@pytest.mark.parametrize(("purged", "kept"), [(False, 4), (True, 2)])
def test_after_a_deletion_it_is_told_what_that_achieved_in_every_form(
    purged: bool, kept: int
) -> None:
    run = world(deleted=True, purged=purged)
    told = f"No. It is deleted, and {kept} of 6 places still have it."
    assert view_of(run).deletion.answer == told
    for form in (terminal.FORMAT, markdown.FORMAT, html.FORMAT):
        text = form.render(run, {})
        assert "Did deleting 1.2.3 help?" in text
        assert told in text
        assert "Would deleting" not in text
    assert f"{kept} of 6 places still have 1.2.3" in run.deletion.sentence


def test_it_is_said_why_the_fate_of_a_copy_is_not_determined() -> None:
    unread, *rest = view_of(sample_runs.world()).doubts
    assert rest == []
    assert "could not be read" in unread.why
    assert len(unread.verdicts) == sample_runs.world().deletion.undetermined

    run = sample_runs.world()
    after = {
        "what it does is unknown: give its kind; the fix whether it follows or not": (None, None),
        "it keeps files; but nobody knows when": (False, HeldState.NOT_HELD),
        "it reads its page again": (False, HeldState.UNKNOWN),
    }
    verdicts = [doubtful(run, because, *facts) for because, facts in after.items()]
    view = view_of(replace(run, verdicts=tuple(verdicts)))
    assert {doubt.why for doubt in view.doubts} == {
        "What it does is unknown: give its kind.",
        "Nobody knows when.",
        "Its page would lose it, but nobody sees from here whether it keeps the bytes.",
    }
    told = {row.foreseen[0].told for row in view.rows}
    assert "the fix whether it follows or not" in told


def doubtful(run: Run, because: str, listed: bool | None, held: HeldState | None) -> Verdict:
    """A mirror that lists it, and of which no more than this is foreseen."""
    verdict = next(v for v in run.verdicts if v.broken.listed and not v.is_source)
    after = Counterfactual(
        listed=listed, held=held or HeldState.UNKNOWN, when=When.UNKNOWN, because=because
    )
    location = replace(verdict.location, name=because[:12].replace(" ", "-"))
    return replace(verdict, location=location, counterfactuals={Action.DELETED: after})


def test_a_history_is_drawn_as_a_curve() -> None:
    def point(hours: int, fixed: int, unknown: int = 0) -> CurvePoint:
        at = PUBLISHED + timedelta(hours=hours)
        return CurvePoint(at=at, with_fix=fixed, without=4 - fixed - unknown, unknown=unknown)

    history = Timeline(
        since=PUBLISHED,
        until=NOW,
        runs=3,
        fix_seen_at=PUBLISHED + timedelta(minutes=5),
        moments=(),
        curve=(point(0, 0), point(1, 2, 1), point(2, 4)),
    )
    view = view_of(replace(sample_runs.world(), timeline=history))

    assert view.curve
    assert view.curve.label == (
        "The fix at 0 places in the first of 3 runs (3 hours ago), at 4 of 4 in the last."
    )
    assert view.curve.fixed.startswith("M0 150H0V150H")
    assert "The fix was first seen on a page." in {event.text for event in view.events}
    assert "How far the fix has come" in render(view.run, {})
    assert view_of(sample_runs.world()).curve is None


@pytest.mark.parametrize("name", NASTY)
def test_hostile_text_stays_text_in_the_drawing(name: str) -> None:
    run = hostile_run(NASTY[name])
    verdicts = tuple(
        replace(v, location=replace(v.location, upstream=None), is_source=n == 1)
        for n, v in enumerate(run.verdicts)
    )
    page = render(replace(run, verdicts=verdicts), {})
    picture = re.search(r'<svg class="picture".*?</svg>\n<ul', page, re.DOTALL)

    assert picture
    assert not re.search(r"<(?!/?(?:svg|defs|marker|path|text|title|rect|g|a|circle|ul)\b)",
                         picture[0])  # fmt: skip  # a line for each would be a page
    assert not re.search(r"\son\w+=", re.sub(r'"[^"]*"|>[^<]*<', "", picture[0]))


def test_late_and_fixed_rows_are_what_this_file_assumes() -> None:
    rows = {v.location.name: v for v in sample_runs.world().verdicts}
    assert rows["late-mirror"].lag.state is LagState.WITHIN_LAG
    assert rows["fresh-mirror"].fix.chosen is FixChosen.ALL
