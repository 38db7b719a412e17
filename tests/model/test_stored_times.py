"""Times of stored records: each is found wherever it is kept, and refused where it is none."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest

from auditor.model import (
    Candidate,
    Freshness,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    RequestRecord,
    Touch,
    View,
)
from auditor.model.stored_times import fault_of, find_bad_time, in_utc

GOOD = datetime(2026, 11, 20, 10, tzinfo=UTC)
NAIVE = datetime(2026, 11, 20, 10)  # noqa: DTZ001 - what must be refused
LAST_EVENING = datetime(9999, 12, 31, 23, 59, tzinfo=timezone(-timedelta(hours=23)))
FIRST_MORNING = datetime(1, 1, 1, tzinfo=timezone(timedelta(hours=1)))
END_IN_UTC = datetime(9999, 12, 31, 23, 59, tzinfo=UTC)


def observation(**changes: object) -> Observation:
    fields = {"location": "here", "vantage": "v", "incident": "i", "outcome": Outcome.OBSERVED}
    return Observation(**{**fields, "started_at": GOOD, "finished_at": GOOD, **changes})  # type: ignore[arg-type]  # filled from a table


def page(**changes: object) -> Page:
    fields = {"view": View.PIP, "outcome": PageOutcome.OBSERVED, "url": "https://index.example/"}
    return Page(**{**fields, **changes})  # type: ignore[arg-type]  # filled from a table


FILES = (Candidate("foo-1.tar.gz"), Candidate("foo-2.tar.gz", uploaded_at=LAST_EVENING))
BAD = {
    "its own": observation(finished_at=NAIVE),
    "of a file": observation(pages=(page(), page(candidates=FILES))),
    "of a page": observation(pages=(page(freshness=Freshness(expires_at=FIRST_MORNING)),)),
}


@pytest.mark.parametrize("record", BAD.values(), ids=BAD.keys())
def test_a_time_that_is_none_is_found_at_any_depth(record: Observation) -> None:
    assert find_bad_time(record, "observation") is not None


def test_it_is_said_where_it_stands() -> None:
    record = BAD["of a file"]

    assert find_bad_time(record, "observation") == (
        "observation.pages[1].candidates.uploaded_at: 9999-12-31T23:59:00-23:00 is no date in UTC"
    )


def test_every_time_of_a_request_counts() -> None:
    sent = RequestRecord(
        method="GET",
        url="https://index.example/",
        location="here",
        touch=Touch.INERT,
        status=200,
        sent_at=GOOD,
    )
    good = observation(requests=(sent,))

    assert find_bad_time(good, "observation") is None
    assert find_bad_time(replace(good, requests=(sent, replace(sent, sent_at=NAIVE))), "o")


@pytest.mark.parametrize("moment", [GOOD, END_IN_UTC, LAST_EVENING.replace(year=9998)])
def test_a_moment_that_can_be_told_in_utc_is_one(moment: datetime) -> None:
    assert fault_of(moment) is None
    assert in_utc(moment) == moment


@pytest.mark.parametrize("moment", [LAST_EVENING, FIRST_MORNING])
def test_a_moment_outside_of_the_calendar_is_refused(moment: datetime) -> None:
    with pytest.raises(ValueError, match="is no date in UTC"):
        in_utc(moment)
