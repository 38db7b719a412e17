"""JSON lines, CSV, the monitoring line, and workflow annotations."""

from __future__ import annotations

import io
import json
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import jsonschema
import pandas as pd
import pytest

from auditor.model import Run
from auditor.model.run_id import run_id
from reports import csv_, github, json_, jsonl, nagios
from reports.columns import COLUMNS
from reports.declared import declared
from reports.github import MOST_ANNOTATIONS
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.many_places import many_places
from tests.reports.small_run import small_run

RUNS = pytest.mark.parametrize("make", [*sample_runs.ALL, small_run], ids=lambda f: f.__name__)


def row_schema() -> dict[str, Any]:
    """The JSON report's schema of a row, without what lines leave out."""
    whole: dict[str, Any] = json.loads(json_.schema())
    row: dict[str, Any] = whole["properties"]["locations"]["items"]
    if "$ref" in row:
        row = whole["$defs"][row["$ref"].rsplit("/", 1)[1]]
    kept = {key: value for key, value in row["properties"].items() if key not in jsonl.WITHOUT}
    added = {name: {"type": "string"} for name in ("type", "run", "incident_id")}
    required = [*(name for name in row["required"] if name not in jsonl.WITHOUT), *added]
    return {"$defs": whole["$defs"], **row, "properties": {**kept, **added}, "required": required}


@RUNS
def test_json_lines_are_a_run_and_its_rows(make: Callable[[], Run]) -> None:
    run = make()
    first, *rows = [json.loads(line) for line in jsonl.render(run, {}).splitlines()]
    validator = jsonschema.Draft202012Validator(row_schema())

    assert first["type"] == "run"
    assert first["summary"]["exit_code"] == run.summary.exit_code
    assert {row["type"] for row in rows} == {"location"}
    assert {row["run"] for row in rows} == {first["run"]} == {run_id(run)}
    assert {row["incident_id"] for row in rows} == {run.incident.id}
    assert len(rows) == len(run.verdicts)
    for row in rows:
        validator.validate(row)


def table(run: Run) -> pd.DataFrame:
    return pd.read_csv(io.StringIO(csv_.render(run, {})), dtype=str, keep_default_na=False)


@RUNS
def test_a_data_frame_has_one_row_per_place(make: Callable[[], Run]) -> None:
    run = make()
    frame = table(run)

    assert tuple(frame.columns) == COLUMNS
    assert sorted(frame["location"]) == sorted(v.location.name for v in run.verdicts)
    assert dict(zip(frame["location"], frame["status"], strict=True)) == {
        v.location.name: v.status.value for v in run.verdicts
    }


def test_cells_say_what_is_known_and_nothing_else() -> None:
    frame = table(small_run()).set_index("location")

    assert frame.loc["late-mirror", "broken_listed"] == "true"
    assert frame.loc["down", "broken_listed"] == ""
    assert frame.loc["source", "serial"] == "1042"
    assert frame.loc["late-mirror", "latest_by"] == "2026-11-20T16:00:00Z"
    assert frame.loc["app-lock", "pins"] == (
        "app/requirements.txt:7: forces 1.2.3; app/constraints.txt:2: allows <1.2.4"
    )
    assert frame.loc["stuck-mirror", "waived"] == "is switched off soon"


def test_the_monitoring_line_has_its_numbers_behind_the_bar() -> None:
    line = nagios.render(small_run(), {})
    text, _, data = line.rstrip("\n").partition(" | ")

    assert line.count("\n") == 1
    assert text == "PROPAGATION CRITICAL - 2 of 7 places still fail."
    assert data == "locations=6 failing=2 unknown=1"


@pytest.mark.parametrize(
    ("make", "word"),
    [
        (sample_runs.all_clean, "OK"),
        (sample_runs.offline, "UNKNOWN"),
        (sample_runs.interrupted, "WARNING"),
        (sample_runs.world, "CRITICAL"),
    ],
)
def test_the_monitoring_word_follows_the_exit_code(make: Callable[[], Run], word: str) -> None:
    assert nagios.render(make(), {}).startswith(f"PROPAGATION {word} - ")


def test_annotations_stand_at_the_lines_of_the_configuration() -> None:
    lines = github.render(small_run(), {}).splitlines()

    assert lines[0].startswith("::error title=the incident itself%3A fix-yanked::")
    assert (
        "::error file=conf/audit file.toml,line=11,title=exposed%3A late-mirror::"
        "The page is older than the fix. To do: bandersnatch --config mirror.conf sync brokenpkg"
    ) in lines
    assert any(line.startswith("::error title=pinned%3A app-lock::") for line in lines)
    assert any(line.startswith("::warning file=conf/audit file.toml,line=13,") for line in lines)
    assert any(line.startswith("::notice title=unknown%3A extra::") for line in lines)
    assert lines[-1] == "::notice title=brokenpkg%3A Not rolled forward::2 of 7 places still fail."


@pytest.mark.slow
def test_annotations_are_bounded_and_say_so() -> None:
    lines = github.render(many_places(), {}).splitlines()

    assert len(lines) == MOST_ANNOTATIONS + 2
    assert "more places: see another report" in lines[-2]


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("audit.toml:12", ("audit.toml", 12)),
        ("/etc/audit.toml:3", ("/etc/audit.toml", 3)),
        ("C:/audit.toml:3", ("C:/audit.toml", 3)),
        (None, None),
        ("", None),
        ("audit.toml", None),
        ("audit.toml:0", None),
        ("audit.toml:x", None),
        ("--location a=b:12", None),
        (":12", None),
    ],
)
def test_only_a_file_and_a_line_are_a_place_in_the_configuration(
    text: str | None, found: tuple[str, int] | None
) -> None:
    location = replace(sample_runs.all_clean().verdicts[0].location, declared_at=text)
    where = declared(location)

    assert (None if where is None else (where.file, where.line)) == found


@pytest.mark.parametrize(
    ("name", "render"),
    [
        ("small.jsonl", jsonl.render),
        ("small.csv", csv_.render),
        ("small.nagios.txt", nagios.render),
        ("small.github.txt", github.render),
    ],
)
def test_the_lines_stay_as_they_are(name: str, render: Callable[..., str], golden: Golden) -> None:
    golden.check(name, render(small_run(), {}))
