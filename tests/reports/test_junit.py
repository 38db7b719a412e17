"""JUnit XML: what CI systems read of it."""

from __future__ import annotations

from collections.abc import Callable
from xml.etree import ElementTree

import pytest

from auditor.model import Run
from reports.junit import render
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.small_run import small_run

OUTCOMES = {"failure", "error", "skipped"}


def suite_of(run: Run) -> ElementTree.Element:
    whole = ElementTree.fromstring(render(run, {}))
    assert whole.tag == "testsuites"
    (suite,) = whole
    assert suite.tag == "testsuite"
    return suite


def outcome(case: ElementTree.Element) -> str:
    found = [child.tag for child in case if child.tag in OUTCOMES]
    return found[0] if found else "passed"


@pytest.mark.parametrize("make", [*sample_runs.ALL, small_run], ids=lambda f: f.__name__)
def test_the_numbers_are_those_of_the_cases(make: Callable[[], Run]) -> None:
    suite = suite_of(make())
    cases = list(suite)
    outcomes = [outcome(case) for case in cases]

    assert {case.tag for case in cases} == {"testcase"}
    assert all(set(case.attrib) >= {"classname", "name"} for case in cases)
    assert all(len([c for c in case if c.tag in OUTCOMES]) <= 1 for case in cases)
    assert suite.attrib["tests"] == str(len(cases))
    assert suite.attrib["failures"] == str(outcomes.count("failure"))
    assert suite.attrib["errors"] == str(outcomes.count("error"))
    assert suite.attrib["skipped"] == str(outcomes.count("skipped"))


def test_each_place_is_a_case_with_the_outcome_that_counts() -> None:
    cases = {case.attrib["name"]: outcome(case) for case in suite_of(small_run())}

    assert cases == {
        "fix-yanked": "failure",
        "fix-no-wheels": "passed",
        "app-lock": "failure",
        "late-mirror": "failure",
        "stuck-mirror": "skipped",
        "down": "error",
        "extra": "skipped",
        "pip-cache": "passed",
        "source": "passed",
        "clean-mirror": "passed",
    }


def test_a_skipped_case_says_why() -> None:
    skipped = {c.attrib["name"]: c.find("skipped") for c in suite_of(small_run())}

    assert skipped["stuck-mirror"] is not None
    assert skipped["stuck-mirror"].attrib["message"].startswith("Waived: is switched off soon.")
    assert skipped["extra"] is not None
    assert skipped["extra"].attrib["message"].startswith("Not required.")


def test_a_failure_carries_rule_expected_observed_and_remedy() -> None:
    case = next(c for c in suite_of(small_run()) if c.attrib["name"] == "late-mirror")
    failure = case.find("failure")

    assert case.attrib["file"] == "conf/audit file.toml"
    assert case.attrib["line"] == "11"
    assert failure is not None
    assert failure.attrib["type"] == "exposed"
    assert failure.text
    assert "stale-page: The page is older than the fix." in failure.text
    assert "expected a page fetched after 10:00 UTC; observed a page of 09:12 UTC" in failure.text
    assert "to do: bandersnatch --config mirror.conf sync brokenpkg" in failure.text


def test_the_document_stays_as_it_is(golden: Golden) -> None:
    golden.check("small.junit.xml", render(small_run(), {}))
