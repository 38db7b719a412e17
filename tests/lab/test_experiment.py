"""The experiment compares what it predicted with what it saw, and says where it was wrong."""

from __future__ import annotations

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.lab.artifacts import build_release
from auditor.lab.drive.upstream import serving
from auditor.lab.experiment.asking import ASKERS
from auditor.lab.experiment.outcome import Cell, Mark, Prediction, Seen, compare, contradictions
from auditor.lab.experiment.page import to_html
from auditor.lab.experiment.playing import Result
from auditor.lab.experiment.programs import COMMANDS, find_programs
from auditor.lab.experiment.scenarios import SCENARIOS, begin, play
from auditor.lab.experiment.table import Experiment, Failure, to_json
from auditor.lab.experiment.variants import Variant, one_each, variants_of
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.model import Counterfactual, Gets, HeldState, Status, When
from auditor.verdict.behaviour import Deed

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
BEFORE = Counterfactual(
    listed=True,
    held=HeldState.HELD,
    unpinned_gets=Gets.BROKEN,
    pinned_gets=Gets.BROKEN,
    hash_locked_gets=Gets.BROKEN,
    offline_gets=Gets.ERROR,
)
AFTER = Counterfactual(
    listed=False,
    held=HeldState.HELD,
    unpinned_gets=Gets.FIX,
    pinned_gets=Gets.ERROR,
    hash_locked_gets=Gets.BROKEN,
    offline_gets=Gets.ERROR,
    when=NOW,
)
PREDICTION = Prediction(deed=Deed.DELETED_FILE_GONE, now=BEFORE, after=AFTER)


def seen(at: datetime, held: bool | None = None, **gets: Gets) -> Seen:
    named = {name.replace("_", "-"): got for name, got in gets.items()}
    return Seen(gets=named, held=held, began_at=at, ended_at=at)


def marks(prediction: Prediction, what: Seen) -> dict[str, Mark]:
    return {cell.subject: cell.mark for cell in compare(prediction, what)}


def test_after_the_time_that_was_named_everything_must_be_as_predicted() -> None:
    found = marks(PREDICTION, seen(NOW, True, unpinned=Gets.FIX, pinned=Gets.BROKEN))
    assert found == {"unpinned": Mark.RIGHT, "pinned": Mark.WRONG, "bytes": Mark.RIGHT}


def test_before_the_time_that_was_named_nothing_may_have_changed() -> None:
    early = NOW - timedelta(seconds=1)
    assert marks(PREDICTION, seen(early, unpinned=Gets.BROKEN)) == {"unpinned": Mark.RIGHT}
    assert marks(PREDICTION, seen(early, unpinned=Gets.FIX)) == {"unpinned": Mark.WRONG}


def test_while_it_arrives_both_answers_are_right_and_no_other() -> None:
    during = replace(seen(NOW - timedelta(seconds=1)), ended_at=NOW)
    for got, mark in ((Gets.BROKEN, Mark.RIGHT), (Gets.FIX, Mark.RIGHT), (Gets.OLDER, Mark.WRONG)):
        assert marks(PREDICTION, replace(during, gets={"unpinned": got})) == {"unpinned": mark}


def test_what_was_not_predicted_is_neither_right_nor_wrong() -> None:
    nothing = replace(PREDICTION, after=Counterfactual())
    assert set(marks(nothing, seen(NOW, False, pinned=Gets.ERROR)).values()) == {Mark.UNKNOWN}


def test_without_a_time_only_what_does_not_change_is_predicted() -> None:
    dateless = replace(PREDICTION, after=replace(AFTER, when=When.UNKNOWN))
    found = marks(dateless, seen(NOW, True, unpinned=Gets.BROKEN, by_url=Gets.BROKEN))
    assert found == {"unpinned": Mark.UNKNOWN, "by-url": Mark.RIGHT, "bytes": Mark.RIGHT}
    assert marks(dateless, seen(NOW, unpinned=Gets.OLDER)) == {"unpinned": Mark.WRONG}


def test_an_audit_that_says_something_else_than_was_seen_is_told() -> None:
    what = seen(NOW, True, unpinned=Gets.FIX, pinned=Gets.BROKEN)
    (cell,) = contradictions(Deed.DELETED_FILE_GONE, AFTER, what)
    assert (cell.subject, cell.predicted, cell.seen) == ("pinned", "error", "broken")
    # Under other bytes of the same name an audit still says that they are the broken release.
    assert contradictions(Deed.REPLACED, AFTER, what) == ()
    assert contradictions(Deed.REPLACED, AFTER, seen(NOW, False)) == ()
    # The very bytes are the broken release whatever was put in their place.
    free = replace(AFTER, held=HeldState.NOT_HELD)
    (cell,) = contradictions(Deed.REPLACED, free, seen(NOW, True))
    assert (cell.subject, cell.predicted, cell.seen) == ("bytes", "not-held", "held")


def test_who_has_a_hash_refuses_other_bytes() -> None:
    new = replace(AFTER, pinned_gets=Gets.FIX)
    again = replace(PREDICTION, deed=Deed.REPLACED, after=new)
    assert marks(again, seen(NOW, by_hash=Gets.ERROR)) == {"by-hash": Mark.RIGHT}
    never = replace(again, after=replace(BEFORE, when=When.NEVER))
    assert marks(never, seen(NOW, by_hash=Gets.BROKEN)) == {"by-hash": Mark.RIGHT}


@pytest.mark.parametrize("name", SCENARIOS)
async def test_each_scenario_does_at_the_source_what_it_says(name: str) -> None:
    deed = SCENARIOS[name][0]
    wheel = build_release(PROJECT, BROKEN)[0]
    async with serving(EmbeddedIndex(PROJECT)) as upstream:
        begin(upstream.index)
        await play(deed, upstream)
        states = [s for s in upstream.index.projects() if s.name == PROJECT]
        listed = {f.artifact.version for s in states for f in s.files}
        served = upstream.index.files.get(wheel.path) is not None
    gone = deed in (Deed.DELETED_FILE_GONE, Deed.DELETED_FILE_SERVED, Deed.PROJECT_DELETED)
    assert (BROKEN in listed) is not gone
    assert (FIXED in listed) is (deed in (Deed.ROLLED_FORWARD, Deed.FIXED_THEN_YANKED))
    assert served is (deed not in (Deed.DELETED_FILE_GONE, Deed.PROJECT_DELETED, Deed.REPLACED))


def test_every_deed_that_is_foreseen_is_played() -> None:
    assert {deed for deed, _ in SCENARIOS.values()} == set(Deed)


def test_a_directory_that_is_named_is_searched_with_its_environments(tmp_path: Path) -> None:
    command = tmp_path / "some-environment" / "bin" / "squid"
    command.parent.mkdir(parents=True)
    command.write_text("#!/bin/sh\necho Squid Cache: Version 99.1\n", encoding="utf-8")
    command.chmod(0o755)
    found = find_programs([tmp_path])
    assert (found.found["squid"], found.versions["squid"]) == (command, "99.1")
    assert set(found.found) | set(found.missing) == set(COMMANDS)


def test_every_program_has_variants_that_ask_at_once_and_later(tmp_path: Path) -> None:
    programs = replace(
        find_programs(), found={name: tmp_path / name for name in COMMANDS}, missing=()
    )
    variants = variants_of(programs)
    assert {v.program for v in variants} == set(COMMANDS)
    assert {v.waits for v in variants} == {True, False}
    assert len({v.title for v in variants}) == len(variants)
    quick = one_each(variants)
    assert sorted(v.program for v in quick) == sorted(COMMANDS)
    assert next(v for v in quick if v.program == "nginx").waits


def experiment(
    *failures: Failure, got: Gets = Gets.FIX, contradicted: tuple[Cell, ...] = ()
) -> Experiment:
    what = seen(NOW, None, unpinned=got)
    result = Result(
        variant=Variant(program="nginx", settings="<odd>", make=object),  # type: ignore[arg-type]  # never made
        scenario="delete",
        place="edge",
        kind="http-cache",
        prediction=PREDICTION,
        measured_by="nginx 1, measured 2026-11-22",
        seen=what,
        cells=compare(PREDICTION, what),
        status=Status.EXPOSED,
        contradicted=contradicted,
    )
    return Experiment(
        began_at=NOW,
        ended_at=NOW,
        tool_version="0",
        versions={"nginx": "1.22.1"},
        missing=("squid",),
        results=(result,),
        failures=failures,
    )


def test_the_table_names_program_version_settings_scenario_and_outcome() -> None:
    document = json.loads(to_json(experiment()))
    (row,) = document["rows"]
    keys = ("program", "version", "settings", "scenario", "place")
    assert [row[k] for k in keys] == ["nginx", "1.22.1", "<odd>", "delete", "edge"]
    assert row["cells"]["unpinned"] == {"predicted": "fix", "seen": "fix", "mark": "right"}
    assert row["predicted"]["when"] == "2026-11-20T13:00:00Z"
    assert (document["cells"]["right"], document["missing"]) == (1, ["squid"])
    assert document["began_at"] == "2026-11-20T13:00:00Z"


def test_the_page_is_safe_and_tells_what_was_wrong() -> None:
    text = to_html(experiment(got=Gets.BROKEN))
    assert "&lt;odd&gt;" in text
    assert "<odd>" not in text
    assert "✗ broken; predicted: fix" in text
    assert "0 predictions were right, 1 wrong" in text
    assert "1 of 1 places still gave the broken release to somebody, 1 of them to those" in text
    assert "nginx 1.22.1<small>edge</small>" in text


def test_it_succeeds_only_if_all_was_played_and_nothing_was_wrong() -> None:
    failure = Failure(program="nginx", settings="x", scenario="yank", text="no port")
    assert experiment().succeeded
    assert not experiment(failure).succeeded
    assert not experiment(got=Gets.BROKEN).succeeded
    cell = Cell(subject="pinned", predicted="error", seen="broken", mark=Mark.WRONG)
    assert not experiment(contradicted=(cell,)).succeeded


def test_every_way_of_asking_has_a_column() -> None:
    text = to_html(experiment())
    for asker in ASKERS:
        assert f">{asker.replace('by-url', 'by URL').replace('-', ' ')}</th>" in text


@pytest.mark.parametrize(
    ("words", "problem"),
    [
        (["--scenario", "nap"], "none of roll-forward"),
        (["--program", "nap"], "none of devpi-server"),
        (["--report", "pdf=x"], "none of json=FILE"),
        (["--jobs", "0"], "at least 1"),
    ],
)
def test_a_mistake_on_the_command_line_is_told(words: list[str], problem: str) -> None:
    import argparse

    from auditor.cli import lab

    parser = argparse.ArgumentParser()
    lab.add_arguments(parser)
    with pytest.raises(UsageError, match=problem):
        lab.run(parser.parse_args(words))
