"""Settings that keep new uploads away, and constraints files."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from msgspec import structs

from auditor.model import Yank
from auditor.selection.constraints import Constraint, admitted
from auditor.selection.cooldown import Cooldown, parse_cooldown
from tests.selection.made import WHEEL, file

NOW = datetime(2026, 11, 20, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("7 days", Cooldown(age=timedelta(days=7))),
        ("36h", Cooldown(age=timedelta(hours=36))),
        ("1 week, 2 days", Cooldown(age=timedelta(days=9))),
        ("P3D", Cooldown(age=timedelta(days=3))),
        ("PT90M", Cooldown(age=timedelta(minutes=90))),
        ("2026-11-20T10:00:00Z", Cooldown(before=datetime(2026, 11, 20, 10, tzinfo=UTC))),
        ("2026-11-20T10:00:00+02:00", Cooldown(before=datetime(2026, 11, 20, 8, tzinfo=UTC))),
        ("2026-11-20", Cooldown(before=datetime(2026, 11, 20, tzinfo=UTC))),
    ],
)
def test_ages_and_moments_are_read(text: str, expected: Cooldown) -> None:
    assert expected == parse_cooldown(text)


@pytest.mark.parametrize("text", ["", "soon", "7 fortnights", "7", "P", "PT", "days"])
def test_what_is_neither_names_the_next_step(text: str) -> None:
    with pytest.raises(ValueError, match="write"):
        parse_cooldown(text)


def test_a_file_must_be_older_than_the_age_and_not_as_old() -> None:
    week = parse_cooldown("7 days")
    at_the_limit = structs.replace(file(f"1.0-{WHEEL}"), uploaded_at=NOW - timedelta(days=7))
    older = structs.replace(at_the_limit, uploaded_at=NOW - timedelta(days=7, seconds=1))

    assert [week.admits(each, NOW) for each in (at_the_limit, older)] == [False, True]
    assert [week.admits(each, NOW) for each in (at_the_limit, older)] == [False, True]


def test_a_file_without_an_upload_time_is_never_accepted() -> None:
    assert not parse_cooldown("1 day").admits(file(f"1.0-{WHEEL}"), NOW)


def test_an_age_accepts_an_upload_when_it_is_over_and_a_moment_now_or_never() -> None:
    assert parse_cooldown("7 days").accepted_from(NOW) == NOW + timedelta(days=7)
    moment = parse_cooldown("2026-11-20T10:00:00Z")
    assert moment.accepted_from(NOW) is None
    assert moment.accepted_from(NOW - timedelta(hours=3)) == NOW - timedelta(hours=3)


def cap(specifier: str) -> Constraint:
    return Constraint(project="demo", specifier=specifier)


def test_a_cap_leaves_what_it_admits() -> None:
    files = (file(f"1.0-{WHEEL}"), file(f"2.0rc1-{WHEEL}"), file(f"2.0-{WHEEL}"), file("x.rpm"))

    assert admitted(files, [cap("<2")]) == files[:1]
    assert admitted(files, [cap(">=1")]) == files[:3]


def test_a_pin_by_constraint_takes_a_yanked_release() -> None:
    (pinned,) = admitted((file(f"1.0-{WHEEL}", yanked=True),), [cap("==1.0")])

    assert pinned.yanked is Yank.NO
    (kept,) = admitted((file(f"1.0-{WHEEL}", yanked=True),), [cap("==1.*")])
    assert kept.yanked is Yank.YES
