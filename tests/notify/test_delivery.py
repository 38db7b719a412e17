"""The outbox: what was sent is not sent again, and what was not is not forgotten."""

from __future__ import annotations

import sqlite3
from collections.abc import Callable
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.history import History
from auditor.history.store import record_run
from auditor.notify import Channel, compose, deliver
from auditor.notify.message import Message
from tests.history.made import at, made
from tests.notify.receivers import Hook

MakeChannel = Callable[..., Channel]


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "h.sqlite3"


def record(file: Path, number: int, *channels: Channel) -> int:
    run, plan, observations = made(number)
    with History(file) as history, history.writing() as connection:
        recorded = record_run(connection, run, observations, plan, now=at(number))
        return compose(connection, channels, run, recorded)


def told(file: Path, number: int, *channels: Channel) -> tuple[str, ...]:
    with History(file) as history:
        return deliver(history, channels, now=at(number))


def events(receiver: Hook) -> list[list[tuple[str, str]]]:
    return [
        [(event.location, event.after) for event in Message.decode(got.body.decode()).events]
        for got in receiver.got
    ]


def test_each_change_is_delivered_once(file: Path, receiver: Hook, channel: MakeChannel) -> None:
    hook = channel("webhook", receiver.url)
    for number in (0, 2, 4, 5, 7):  # `office` is old in even runs; `lab` always
        record(file, number, hook)
        assert told(file, number, hook) == ()

    assert events(receiver) == [
        [("lab", "exposed"), ("office", "exposed")],
        [("office", "rolled-forward")],
    ]


def test_what_could_not_be_delivered_is_delivered_by_the_next_run_in_order(
    file: Path, receiver: Hook, channel: MakeChannel
) -> None:
    hook = channel("webhook", receiver.url)
    receiver.answers = [(500, {})] * 3
    record(file, 0, hook)
    (problem,) = told(file, 0, hook)
    record(file, 1, hook)
    assert told(file, 1, hook) == ()

    assert problem == ("notify 'webhook': not delivered: it answered 500; the next run tries again")
    assert events(receiver)[3:] == [
        [("lab", "exposed"), ("office", "exposed")],
        [("office", "rolled-forward")],
    ]


def test_a_run_that_was_killed_before_it_could_tell_is_told_by_the_next(
    file: Path, receiver: Hook, channel: MakeChannel
) -> None:
    hook = channel("webhook", receiver.url)
    assert record(file, 0, hook) == 1  # and then nothing more
    assert record(file, 2, hook) == 0
    told(file, 2, hook)

    assert events(receiver) == [[("lab", "exposed"), ("office", "exposed")]]


def test_news_of_last_week_is_given_up(file: Path, receiver: Hook, channel: MakeChannel) -> None:
    hook = channel("webhook", receiver.url)
    receiver.answers = [(500, {})] * 3
    record(file, 0, hook)
    with History(file) as history:
        (problem,) = deliver(history, [hook], now=at(0) + timedelta(days=4))
        assert deliver(history, [hook], now=at(0) + timedelta(days=4)) == ()

    assert problem.endswith("nobody will try again")
    assert len(receiver.got) == 3


def test_each_channel_is_told_for_itself(file: Path, receiver: Hook, channel: MakeChannel) -> None:
    first = channel("webhook", receiver.url)
    record(file, 0, first)
    second = channel("slack", receiver.url)
    assert record(file, 2, first, second) == 1  # the second one hears of it for the first time


def test_the_same_run_is_told_once(file: Path, receiver: Hook, channel: MakeChannel) -> None:
    hook = channel("webhook", receiver.url)
    assert [record(file, 0, hook), record(file, 0, hook)] == [1, 0]


def test_a_message_that_is_damaged_in_the_file_does_not_stop_the_others(
    file: Path, receiver: Hook, channel: MakeChannel
) -> None:
    hook = channel("webhook", receiver.url)
    record(file, 0, hook)
    with closing(sqlite3.connect(file)) as connection, connection:
        connection.execute("UPDATE outbox SET body = '{'")
    with History(file) as history:
        (problem,) = deliver(history, [hook], now=at(0))
    assert problem.endswith("nobody will try again")
    record(file, 1, hook)
    assert told(file, 1, hook) == ()
    assert events(receiver) == [[("office", "rolled-forward")]]


def test_no_secret_is_in_the_file_nor_in_what_is_said(
    file: Path, receiver: Hook, channel: MakeChannel
) -> None:
    hook = channel("webhook", receiver.url, secret="s3cret")

    def failing(to: Channel, message: Message) -> None:
        raise OSError(f"cannot reach {to.url} with {to.secret}")

    record(file, 0, hook)
    with History(file) as history:
        (problem,) = deliver(history, [hook], now=at(0), send=failing)

    assert "T0KEN" not in problem
    assert "s3cret" not in problem
    content = file.read_bytes()
    assert b"T0KEN" not in content
    assert b"s3cret" not in content
