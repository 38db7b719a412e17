"""A run survives being written down and read back."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest

from auditor.errors import ObservationsError
from auditor.model import Run
from auditor.model.document import run_to_document
from auditor.model.stored_run import document_to_run
from auditor.runs import load_run
from reports import html, json_, terminal
from tests.reports import sample_runs
from tests.reports.hostile import NASTY, hostile_run

pytestmark = pytest.mark.slow

RUNS = pytest.mark.parametrize("make", sample_runs.ALL, ids=lambda f: f.__name__)


def stored(run: Run) -> dict[str, Any]:
    document: dict[str, Any] = json.loads(json_.render(run, {}))
    return document


@RUNS
def test_writing_what_was_read_gives_the_same_document(make: Callable[[], Run]) -> None:
    document = run_to_document(make())

    assert run_to_document(document_to_run(document)) == document
    assert stored(make()) == document


@RUNS
def test_places_that_share_their_cells_are_written_like_places_that_do_not(
    make: Callable[[], Run],
) -> None:
    run = make()
    alone = tuple(
        replace(v, selections=tuple(copy.copy(s) for s in v.selections)) for v in run.verdicts
    )

    assert run_to_document(replace(run, verdicts=alone)) == run_to_document(run)


@RUNS
def test_a_run_read_back_looks_the_same_in_every_report(make: Callable[[], Run]) -> None:
    run = make()
    again = document_to_run(stored(run))

    for renderer in (html, terminal, json_):
        assert renderer.render(run, {}) == renderer.render(again, {})


@RUNS
def test_a_run_read_back_is_equal_except_for_rejections_of_other_files(
    make: Callable[[], Run],
) -> None:
    def bare(run: Run) -> Run:
        verdicts = (
            replace(
                v,
                other_rejections={},
                selections=tuple(replace(s, rejected=()) for s in v.selections),
            )
            for v in run.verdicts
        )
        return replace(run, verdicts=tuple(verdicts))

    assert bare(document_to_run(stored(make()))) == bare(make())


def test_rejections_of_broken_files_come_back_in_exactly_their_cells() -> None:
    run = sample_runs.world()
    again = document_to_run(stored(run))

    for before, after in zip(run.verdicts, again.verdicts, strict=True):
        for old, new in zip(before.selections, after.selections, strict=True):
            kept = tuple(r for r in old.rejected if r.version in ("1.2.3", "1.2.4"))
            assert new.rejected == kept


def test_rejections_of_other_files_come_back_as_numbers() -> None:
    document = stored(sample_runs.world())
    source = next(row for row in document["locations"] if row["name"] == "source")

    assert source["rejected_others"] == {"lower-version": 1}
    assert [entry["code"] for entry in source["rejected"]] == ["yanked"]
    assert len(source["rejected"][0]["environments"]) == 49


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_hostile_text_survives_the_round_trip(text: str) -> None:
    document = stored(hostile_run(text))

    assert run_to_document(document_to_run(document)) == document


def test_times_are_written_in_utc() -> None:
    summer = datetime(2026, 11, 20, 15, 0, 4, tzinfo=timezone(timedelta(hours=2)))
    run = replace(sample_runs.all_clean(), finished_at=summer)

    assert run_to_document(run)["finished_at"] == "2026-11-20T13:00:04Z"
    assert document_to_run(stored(run)).finished_at == summer.astimezone(UTC)


def test_a_stored_run_can_be_loaded_from_its_file(tmp_path: Path) -> None:
    path = tmp_path / "run.json"
    path.write_text(json_.render(sample_runs.offline(), {}), encoding="utf-8")

    assert load_run(path) == sample_runs.offline()


def damaged(key: str, value: object) -> dict[str, Any]:
    """The sample document with one value replaced; a dot goes down, a number picks an entry."""
    document = copy.deepcopy(stored(sample_runs.world()))
    *way, last = key.split(".")
    place: Any = document
    for step in way:
        place = place[int(step) if step.isdigit() else step]
    place[last] = value
    return document


@pytest.mark.parametrize(
    ("key", "value", "named"),
    [
        ("schema_version", 2, "schema_version: 2 found, 1 expected"),
        ("schema_version", True, "schema_version: True found"),
        ("locations", {}, "locations: a list is expected"),
        ("locations.3.status", "bad", "locations[3].status: Invalid enum value 'bad'"),
        ("locations.0.selection.7.view", "lynx", "locations[0].selection[7]"),
        ("locations.0.if_deleted.when", "soon", "locations[0].if_deleted.when"),
        ("locations.0.if_deleted", None, "locations[0].if_deleted: an object is expected"),
        ("locations.0.freshness.fetched_at", "2026-01-01T00:00:00", "has no time zone"),
        ("locations.0.settings", {"a": [1]}, "locations[0]"),
        ("finished_at", "yesterday", "finished_at: "),
        ("finished_at", "9999-12-31T23:59:59-23:59", "is no date in UTC"),
        ("finished_at", "2026-01-01T00:00:00", "finished_at: 2026-01-01T00:00:00 has no time zone"),
        ("incident.broken", ["not a version!"], "incident.broken or incident.fixed"),
        ("requests.0.touch", None, "requests: "),
        ("summary", [], "summary: "),
        ("tool", 1, "tool: an object is expected"),
    ],
)
def test_damage_is_named_with_its_place(
    tmp_path: Path, key: str, value: object, named: str
) -> None:
    path = tmp_path / "run.json"
    path.write_text(json.dumps(damaged(key, value)), encoding="utf-8")

    with pytest.raises(ObservationsError) as caught:
        load_run(path)

    assert named in str(caught.value)
    assert str(caught.value).startswith(f"{path}: ")


@pytest.mark.parametrize(
    "content", [b"", b"{", b"\xff\xfe", b"[" * 100_000, b"[]", b"null", b'"text"', b"{}"]
)
def test_a_file_that_is_no_run_is_refused(tmp_path: Path, content: bytes) -> None:
    path = tmp_path / "run.json"
    path.write_bytes(content)

    with pytest.raises(ObservationsError, match=r"run\.json: "):
        load_run(path)


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObservationsError, match="No such file"):
        load_run(tmp_path / "gone.json")
