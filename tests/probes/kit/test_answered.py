"""One request for all incidents of a project: who asks, who waits, and what each is told."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime

import pytest

from auditor.contracts import Ledger
from auditor.errors import Unreachable
from auditor.model import RequestRecord, Touch
from probes.kit.answer import Answer, Headers
from probes.kit.answered import AnsweredOnce
from probes.kit.request import Request

NOW = datetime(2026, 11, 20, tzinfo=UTC)
URL = "http://127.0.0.1/simple/x/"
REQUEST = Request(url=URL, headers=(("Accept", "text/html"),), touch=Touch.REFRESHES_INDEX)
KEY = ("mirror", REQUEST, 1)


class Server:
    """Counts how often it is asked, and answers when told to."""

    def __init__(self, *, fault: Unreachable | None = None) -> None:
        self.asked = 0
        self.fault = fault
        self.go = asyncio.Event()

    async def __call__(self, ledger: Ledger) -> Answer:
        self.asked += 1
        record = RequestRecord(
            location="mirror", method="GET", url=URL, touch=REQUEST.touch, status=200, sent_at=NOW
        )
        ledger.write(record)
        await self.go.wait()
        if self.fault is not None:
            raise self.fault
        return Answer(
            method="GET",
            sent_headers=REQUEST.headers,
            asked_url=URL,
            url=URL,
            status=200,
            headers=Headers(),
            fetched_at=NOW,
        )


async def wait_for_tasks() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


def asking(
    answers: AnsweredOnce, server: Server, incident: str, ledger: Ledger, timeout_s: float = 10
) -> asyncio.Task[Answer]:
    asked = answers.answer(KEY, server, ledger, incident=incident, timeout_s=timeout_s)
    return asyncio.create_task(asked)


async def test_the_second_incident_takes_what_the_first_one_asked_for() -> None:
    answers, server = AnsweredOnce(), Server()
    ledgers = {name: Ledger() for name in ("first", "second", "late")}
    tasks = [asking(answers, server, name, ledgers[name]) for name in ("first", "second")]
    await wait_for_tasks()
    server.go.set()
    first, second = await asyncio.gather(*tasks)
    late = await asking(answers, server, "late", ledgers["late"])
    assert server.asked == 1
    assert [a.made_for for a in (first, second, late)] == [None, "first", "first"]
    made = {name: [r.made_for for r in ledger.records()] for name, ledger in ledgers.items()}
    assert made == {"first": [None], "second": ["first"], "late": ["first"]}


async def test_asking_again_for_one_incident_asks_the_server_again() -> None:
    answers, server = AnsweredOnce(), Server()
    server.go.set()
    for turn in (1, 2):
        key = ("mirror", REQUEST, turn)
        await answers.answer(key, server, Ledger(), incident="a", timeout_s=10)
    assert server.asked == 2


async def test_a_failure_is_shared_with_those_who_saw_it_and_nobody_else() -> None:
    answers, server = AnsweredOnce(), Server(fault=Unreachable("gone", connected=True))
    ledgers = [Ledger(), Ledger()]
    tasks = [
        asking(answers, server, name, ledger)
        for name, ledger in zip(("first", "second"), ledgers, strict=True)
    ]
    await wait_for_tasks()
    server.go.set()
    results = await asyncio.gather(*tasks, return_exceptions=True)
    assert [str(each) for each in results] == ["gone", "gone"]
    assert server.asked == 1
    assert [r.made_for for r in ledgers[1].records()] == ["first"]
    server.fault = None
    answer = await asking(answers, server, "later", Ledger())
    assert (answer.status, answer.made_for, server.asked) == (200, None, 2)


async def test_when_whoever_asked_gives_up_another_one_asks() -> None:
    answers, server = AnsweredOnce(), Server()
    ledgers = [Ledger(), Ledger()]
    first, second = (
        asking(answers, server, name, ledger)
        for name, ledger in zip(("first", "second"), ledgers, strict=True)
    )
    await wait_for_tasks()
    first.cancel()
    await asyncio.wait([first])
    server.go.set()
    answer = await second
    assert first.cancelled()
    assert (answer.status, answer.made_for, server.asked) == (200, None, 2)
    # What was sent stays written down where it was sent for.
    assert [len(ledger.records()) for ledger in ledgers] == [1, 1]


async def test_nobody_waits_longer_for_anothers_answer_than_its_own_time() -> None:
    answers, server = AnsweredOnce(), Server()
    first = asking(answers, server, "first", Ledger())
    await wait_for_tasks()
    with pytest.raises(Unreachable, match="not answered in time"):
        await answers.answer(KEY, server, Ledger(), incident="second", timeout_s=0.01)
    server.go.set()
    assert (await first).status == 200


async def test_a_request_of_its_own_has_its_own_limits() -> None:
    answers, server = AnsweredOnce(), Server()
    task = asking(answers, server, "first", Ledger(), timeout_s=0.001)
    await asyncio.sleep(0.02)
    server.go.set()
    assert (await task).status == 200
