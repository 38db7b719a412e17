"""Times as people say them, and a word and a sign for every closed set."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from auditor.model import (
    Action,
    FixChosen,
    Gets,
    HeldState,
    Lag,
    LagState,
    Role,
    Status,
    Touch,
    View,
    When,
    YankState,
)
from reports import words

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    ("seconds", "said"),
    [
        (0, "0 seconds"),
        (1, "1 second"),
        (59, "59 seconds"),
        (60, "1 minute"),
        (90, "90 seconds"),
        (119, "2 minutes"),
        (3_600, "1 hour"),
        (5_400, "90 minutes"),
        (10_796, "3 hours"),
        (86_400, "1 day"),
        (200_000, "2 days"),
        (40 * 86_400, "40 days"),
    ],
)
def test_a_length_of_time_is_said_in_the_unit_a_person_would_use(seconds: float, said: str) -> None:
    assert words.span(seconds) == said


def test_a_moment_is_said_from_the_end_of_the_audit() -> None:
    assert words.distance(NOW, NOW) == "now"
    assert words.distance(NOW + timedelta(hours=3), NOW) == "in 3 hours"
    assert words.distance(NOW - timedelta(days=2), NOW) == "2 days ago"


def test_every_status_has_a_sign_and_its_own_word() -> None:
    assert {status: words.STATUSES[status].word for status in Status} == {
        status: status.value for status in Status
    }
    assert all(words.STATUSES[status].sign.strip() for status in Status)


def test_no_two_tones_share_a_sign_within_one_question() -> None:
    questions = (
        [words.STATUSES[s] for s in Status],
        [words.HELD[s] for s in HeldState],
        [words.GETS[s] for s in Gets],
        [
            words.yanked_fact(s, n, r)
            for s in (*YankState, None)
            for n in (True, None)
            for r in Role
        ],
        [words.fix_chosen_fact(s) for s in (*FixChosen, None)],
        [words.listed_fact(s, r) for s in (True, False, None) for r in Role],
        [words.fix_listed_fact(s, r) for s in (True, False, None) for r in Role],
        [words.lag_fact(Lag(state=s), r, NOW) for s in LagState for r in Role],
    )
    for facts in questions:
        tones = {(fact.sign, fact.tone) for fact in facts}
        assert len({sign for sign, _ in tones}) == len(tones)


def test_every_action_touch_view_and_moment_has_words() -> None:
    assert set(words.ACTIONS) == set(Action)
    assert set(words.TOUCHES) == set(Touch)
    assert set(words.VIEWS) == set(View)
    assert len({words.when_words(when, NOW) for when in When}) == len(When)
    assert words.when_words(NOW + timedelta(hours=1), NOW) == "by 2026-11-20 14:00 UTC (in 1 hour)"


def test_a_store_is_not_asked_what_only_an_index_can_answer() -> None:
    assert words.listed_fact(None, Role.STORE) == words.NOT_ASKED
    assert words.listed_fact(None, Role.INDEX).word == "unknown"
    assert words.yanked_fact(None, False, Role.INDEX) == words.NOT_ASKED
    assert words.yanked_fact(None, None, Role.INDEX).word == "unknown"
    assert words.lag_fact(Lag(state=LagState.UNKNOWN), Role.PIN, NOW) == words.NOT_ASKED
