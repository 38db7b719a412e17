"""Metrics: read by Prometheus' own parser, and by that of OpenMetrics."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace

import pytest
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as openmetrics
from prometheus_client.parser import text_string_to_metric_families as prometheus

from auditor.model import Run
from reports.prometheus import METRICS, render
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.small_run import small_run

Samples = dict[tuple[str, str], float]


def samples(run: Run, name: str) -> Samples:
    """Values of one metric by place and status."""
    return {
        (s.labels.get("location", ""), s.labels.get("status", "")): s.value
        for family in prometheus(render(run, {}))
        for s in family.samples
        if s.name == name
    }


@pytest.mark.parametrize("make", [*sample_runs.ALL, small_run], ids=lambda f: f.__name__)
@pytest.mark.parametrize("read", [prometheus, openmetrics])
def test_both_parsers_read_every_sample(
    make: Callable[[], Run], read: Callable[[str], Iterable[Metric]]
) -> None:
    text = render(make(), {})
    families = list(read(text))
    lines = [line for line in text.splitlines() if not line.startswith("#")]

    assert {family.name for family in families} <= set(METRICS)
    assert all(family.type == "gauge" and family.documentation for family in families)
    assert sum(len(family.samples) for family in families) == len(lines)


def test_what_is_not_known_has_no_sample() -> None:
    listed = samples(small_run(), "propagation_audit_location_broken_listed")

    assert listed[("late-mirror", "")] == 1
    assert listed[("clean-mirror", "")] == 0
    assert ("down", "") not in listed
    assert ("pip-cache", "") not in listed
    assert ("down", "") not in samples(small_run(), "propagation_audit_location_fix_chosen")
    assert ("down", "") not in samples(small_run(), "propagation_audit_location_broken_held")


def test_the_numbers_are_those_of_the_run() -> None:
    run = small_run()

    assert samples(run, "propagation_audit_exit_code") == {("", ""): 1}
    assert samples(run, "propagation_audit_locations")[("", "exposed")] == 2
    assert samples(run, "propagation_audit_location_failing")[("stuck-mirror", "")] == 0
    assert samples(run, "propagation_audit_location_waived")[("stuck-mirror", "")] == 1
    assert samples(run, "propagation_audit_location_status")[("app-lock", "pinned")] == 1
    assert samples(run, "propagation_audit_location_serial")[("source", "")] == 1042
    assert samples(run, "propagation_audit_location_requests")[("source", "")] == 4


def test_a_number_that_is_none_is_left_out() -> None:
    run = sample_runs.all_clean()
    odd = replace(run.verdicts[0], freshness=replace(run.verdicts[0].freshness, age_s=float("inf")))

    assert not samples(replace(run, verdicts=(odd,)), "propagation_audit_location_page_age_seconds")


def test_names_that_look_alike_when_cut_make_no_double_series() -> None:
    run = sample_runs.all_clean()
    one = run.verdicts[0]
    long = [replace(one, location=replace(one.location, name="x" * 300 + c)) for c in "ab"]
    text = render(replace(run, verdicts=tuple(long)), {})

    series = [line.rsplit(" ", 1)[0] for line in text.splitlines() if not line.startswith("#")]
    assert len(set(series)) == len(series)


def test_the_text_stays_as_it_is(golden: Golden) -> None:
    golden.check("small.prom", render(small_run(), {}))
