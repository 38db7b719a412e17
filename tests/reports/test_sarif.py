"""SARIF: valid, at the line of the configuration, and recognised again tomorrow."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from typing import Any

import jsonschema
import pytest

from auditor.model import Run
from reports.sarif import FINGERPRINT, MAX_RESULTS, render
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.many_places import many_places
from tests.reports.sarif_schema import SARIF
from tests.reports.small_run import small_run


def log(run: Run) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(render(run, {}))["runs"][0]
    return found


def by_place(run: Run) -> dict[str, dict[str, Any]]:
    results = log(run)["results"]
    return {r["locations"][0]["logicalLocations"][0]["name"]: r for r in results}


@pytest.mark.parametrize("make", [*sample_runs.ALL, small_run], ids=lambda f: f.__name__)
def test_the_log_is_what_the_specification_demands(make: Callable[[], Run]) -> None:
    document = json.loads(render(make(), {}))

    jsonschema.Draft202012Validator(SARIF).validate(document)
    run = document["runs"][0]
    rules = [rule["id"] for rule in run["tool"]["driver"]["rules"]]
    assert len(set(rules)) == len(rules)
    assert {result["ruleId"] for result in run["results"]} == set(rules)


def test_the_log_stays_as_it_is(golden: Golden) -> None:
    golden.check("small.sarif", render(small_run(), {}))


def test_a_result_points_at_the_line_that_declares_its_place() -> None:
    late = by_place(small_run())["late-mirror"]

    assert late["locations"][0]["physicalLocation"] == {
        "artifactLocation": {"uri": "conf/audit%20file.toml"},
        "region": {"startLine": 11},
    }


def test_a_place_that_an_option_named_has_no_line() -> None:
    assert "physicalLocation" not in by_place(small_run())["extra"]["locations"][0]


def test_levels_follow_what_counts() -> None:
    levels = {name: result["level"] for name, result in by_place(small_run()).items()}

    assert levels == {
        "brokenpkg-1.2.3": "warning",
        "app-lock": "error",
        "late-mirror": "error",
        "stuck-mirror": "note",
        "down": "warning",
        "extra": "note",
    }


def test_a_waived_row_is_suppressed_with_its_reason() -> None:
    (suppression,) = by_place(small_run())["stuck-mirror"]["suppressions"]

    assert suppression["justification"] == "is switched off soon"


def test_a_fingerprint_outlives_time_address_and_wording() -> None:
    run = small_run()
    later = replace(
        run,
        finished_at=run.finished_at + timedelta(days=1),
        verdicts=tuple(
            replace(
                v,
                location=replace(v.location, url="http://elsewhere.example/", declared_at=None),
                reasons=(),
            )
            for v in run.verdicts
        ),
    )

    def prints(of: Run) -> dict[str, str]:
        return {n: r["partialFingerprints"][FINGERPRINT] for n, r in by_place(of).items()}

    assert prints(run) == prints(later)
    assert len(set(prints(run).values())) == len(prints(run))


def test_a_rule_helps_with_the_reasons_of_this_run() -> None:
    rules = {rule["id"]: rule for rule in log(small_run())["tool"]["driver"]["rules"]}

    assert "auditor explain exposed" in rules["exposed"]["help"]["text"]
    assert "`stale-page`" in rules["exposed"]["help"]["markdown"]


@pytest.mark.slow
def test_a_fleet_stays_within_what_code_scanning_takes() -> None:
    text = render(many_places(), {})

    assert len(json.loads(text)["runs"][0]["results"]) <= MAX_RESULTS
    assert len(text.encode()) < 10_000_000


def test_a_rule_says_what_it_means_and_what_to_do() -> None:
    rules = {rule["id"]: rule["help"] for rule in log(small_run())["tool"]["driver"]["rules"]}

    pinned = rules["pinned"]
    assert "Move the pin to the fixed version" in pinned["text"]
    for heading in ("### What it means", "### What to do"):
        assert heading in pinned["markdown"]
    assert "sync brokenpkg`: fetches" in rules["exposed"]["markdown"]
    assert all(len(each["text"]) < 4_000 for each in rules.values())
