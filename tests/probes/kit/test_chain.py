"""May a place be asked for a broken file, and what its answer says."""

from __future__ import annotations

import hashlib
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from aiohttp import web

from auditor.contracts import Assignment, Hop
from auditor.model import (
    Candidate,
    HeldState,
    Holding,
    Incident,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Role,
    View,
)
from auditor.upstreams import Upstreams, gone_from
from probes.kit.answer import Answer
from probes.kit.chain import AskedFile, ask_for, why_not_ask
from probes.kit.evidence import EvidenceRecorder
from probes.kit.session import GuardedSession
from tests.probes.conftest import MakeAssignment, Serve, Server

WHEEL = "brokenpkg-1.2.3-py3-none-any.whl"
BYTES = b"PK" + b"x" * 100
SHA256 = hashlib.sha256(BYTES).hexdigest()


def with_chain(assignment: Assignment, *hops: Hop, upstream: str | None = "source") -> Assignment:
    location = replace(assignment.location, upstream=upstream)
    return replace(assignment, location=location, upstreams=hops)


def hop(name: str, *gone: str) -> Hop:
    return Hop(name=name, kind="pypi", gone=frozenset(gone))


def test_a_place_without_declared_upstream_is_not_asked(assign: MakeAssignment) -> None:
    reason = why_not_ask(with_chain(assign("http://127.0.0.1/"), upstream=None), WHEEL)
    assert reason is not None
    assert "`upstream` is not declared" in reason


def test_every_place_of_the_chain_must_have_answered_that_it_is_gone(
    assign: MakeAssignment,
) -> None:
    assignment = assign("http://127.0.0.1/")
    assert why_not_ask(with_chain(assignment), WHEEL) is not None
    assert why_not_ask(with_chain(assignment, hop("source", "other.whl")), WHEEL) is not None
    assert why_not_ask(with_chain(assignment, hop("source", WHEEL)), WHEEL) is None
    broken = with_chain(assignment, hop("mid"), hop("source", WHEEL))
    assert "gone from mid" in (why_not_ask(broken, WHEEL) or "")
    whole = with_chain(assignment, hop("mid", WHEEL), hop("source", WHEEL))
    assert why_not_ask(whole, WHEEL) is None


def test_proxpi_is_never_asked(assign: MakeAssignment) -> None:
    """It remembers that a file failed, and redirects everybody from then on."""
    assignment = with_chain(assign("http://127.0.0.1/", kind="proxpi"), hop("source", WHEEL))
    assert why_not_ask(assignment, WHEEL) is not None


Answering = Callable[[web.Request], web.Response]


def always(body: bytes = b"", status: int = 200, **headers: str) -> Answering:
    def answer(request: web.Request) -> web.Response:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return web.Response(body=body, status=status, headers=named)

    return answer


async def ask(
    serve: Serve, assign: MakeAssignment, answering: Answering, **how: object
) -> tuple[Holding, Server]:
    async def handler(request: web.Request) -> web.StreamResponse:
        return answering(request)

    server = await serve(handler)
    assignment = with_chain(assign(f"{server.url}/simple/"), hop("source", WHEEL))
    file = AskedFile(filename=WHEEL, url=f"{server.url}/packages/{WHEEL}", sha256=SHA256)
    async with GuardedSession(assignment, retry_wait_s=0.0) as session:
        recorder = EvidenceRecorder(session.redactor)
        holding = await ask_for(assignment, session, recorder, file, **how)
        assert set(holding.evidence) <= {item.id for item in recorder.all()}
    return holding, server


async def test_bytes_that_are_there_are_read_for_their_digest(
    serve: Serve, assign: MakeAssignment
) -> None:
    holding, server = await ask(serve, assign, always(BYTES))
    assert (holding.state, holding.sha256, holding.size) == (HeldState.HELD, SHA256, len(BYTES))
    assert holding.answered == 200
    assert [asked.method for asked in server.log] == ["HEAD", "GET"]


async def test_they_are_not_read_where_that_is_not_wanted(
    serve: Serve, assign: MakeAssignment
) -> None:
    holding, server = await ask(serve, assign, always(BYTES), verify=False)
    assert (holding.state, holding.sha256) == (HeldState.HELD, None)
    assert [asked.method for asked in server.log] == ["HEAD"]


async def test_a_small_file_is_read_by_one_get(serve: Serve, assign: MakeAssignment) -> None:
    holding, server = await ask(serve, assign, always(BYTES), by_get=True)
    assert (holding.state, holding.sha256) == (HeldState.HELD, SHA256)
    assert [asked.method for asked in server.log] == ["GET"]


async def test_a_larger_file_is_read_whole_by_a_second_get(
    serve: Serve, assign: MakeAssignment
) -> None:
    large = b"PK" + b"y" * 200_000
    holding, server = await ask(serve, assign, always(large), by_get=True)
    assert holding.sha256 == hashlib.sha256(large).hexdigest()
    assert [asked.method for asked in server.log] == ["GET", "GET"]


@pytest.mark.parametrize("status", [404, 410])
async def test_not_found_is_not_held(status: int, serve: Serve, assign: MakeAssignment) -> None:
    holding, _ = await ask(serve, assign, always(status=status))
    assert (holding.state, holding.answered) == (HeldState.NOT_HELD, status)


@pytest.mark.parametrize("how", [{"is_cache": True}, {"may_expire": True}])
async def test_the_404_of_a_cache_may_be_that_of_somebody_above(
    how: dict[str, bool], serve: Serve, assign: MakeAssignment
) -> None:
    """nginx with `proxy_cache_use_stale error` keeps the bytes, and gives them later on."""
    holding, _ = await ask(serve, assign, always(status=404), **how)
    assert (holding.state, holding.answered) == (HeldState.UNKNOWN, 404)
    known = {**how, "may_expire": False}
    never_expires, _ = await ask(serve, assign, always(status=404), **known)
    assert never_expires.state is HeldState.NOT_HELD


@pytest.mark.parametrize("status", [302, 401, 403, 429, 500, 502])
async def test_anything_else_says_nothing_and_is_asked_once(
    status: int, serve: Serve, assign: MakeAssignment
) -> None:
    holding, server = await ask(serve, assign, always(status=status, Location="/elsewhere.whl"))
    assert (holding.state, holding.answered) == (HeldState.UNKNOWN, status)
    assert len(server.log) == 1


async def test_a_kind_may_know_better_what_an_answer_means(
    serve: Serve, assign: MakeAssignment
) -> None:
    def reason(answer: Answer) -> str | None:
        return "told so" if answer.status == 502 else None

    holding, _ = await ask(serve, assign, always(status=502), not_held=reason)
    assert holding.state is HeldState.NOT_HELD
    assert holding.how.endswith("told so")


async def test_the_answer_of_somebody_elses_cache_says_nothing(
    serve: Serve, assign: MakeAssignment
) -> None:
    answering = always(BYTES, Age="5")
    holding, _ = await ask(serve, assign, answering)
    assert (holding.state, holding.answered) == (HeldState.UNKNOWN, None)
    assert "from a cache (age)" in holding.how
    of_the_cache_itself, _ = await ask(serve, assign, answering, is_cache=True)
    assert of_the_cache_itself.state is HeldState.HELD


async def test_an_error_page_with_status_200_is_no_other_file(
    serve: Serve, assign: MakeAssignment
) -> None:
    holding, _ = await ask(serve, assign, always(b"<html>please log in</html>"))
    assert (holding.state, holding.sha256) == (HeldState.UNKNOWN, None)
    replaced, _ = await ask(serve, assign, always(b"PK other bytes"))
    assert replaced.state is HeldState.HELD
    assert replaced.sha256 != SHA256
    assert replaced.how.endswith("and are others")


NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
INCIDENT = Incident(id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",))


def observed(name: str, *holdings: Holding, urls: tuple[str, ...] = ()) -> Observation:
    page = Page(
        view=View.PIP,
        outcome=PageOutcome.OBSERVED,
        url="http://127.0.0.1/simple/brokenpkg/",
        candidates=tuple(Candidate(filename=WHEEL, version="1.2.3", url=url) for url in urls),
    )
    return Observation(
        location=name,
        vantage="here",
        incident="i",
        outcome=Outcome.OBSERVED,
        pages=(page,),
        holdings=holdings,
        started_at=NOW,
        finished_at=NOW,
    )


def held(state: HeldState, answered: int | None, filename: str = WHEEL) -> Holding:
    return Holding(filename=filename, state=state, how="", answered=answered)


def test_gone_is_what_was_asked_for_and_answered_so() -> None:
    gone = held(HeldState.NOT_HELD, 404)
    assert gone_from(observed("source", gone)) == {WHEEL}
    assert gone_from(observed("source", gone, urls=("/a",))) == {WHEEL}
    assert gone_from(observed("source", held(HeldState.NOT_HELD, None))) == frozenset()
    assert gone_from(observed("source", held(HeldState.HELD, 200))) == frozenset()
    assert gone_from(observed("source", held(HeldState.NOT_HELD, 502))) == frozenset()


def test_a_name_with_two_files_is_gone_only_if_both_are() -> None:
    gone = held(HeldState.NOT_HELD, 404)
    assert gone_from(observed("source", gone, held(HeldState.UNKNOWN, None))) == frozenset()
    assert gone_from(observed("source", gone, urls=("/a", "/b"))) == frozenset()
    assert gone_from(observed("source", gone, held(HeldState.NOT_HELD, 410))) == {WHEEL}


def place(name: str, upstream: str | None) -> Location:
    return Location(name=name, kind="simple", role=Role.INDEX, url="http://x/", upstream=upstream)


SOURCE, MID, LEAF = place("source", None), place("mid", "source"), place("leaf", "mid")
STRAY = place("stray", "nowhere")


async def test_a_chain_is_handed_on_nearest_first() -> None:
    upstreams = Upstreams([SOURCE, MID, LEAF, STRAY], SOURCE)
    gone = held(HeldState.NOT_HELD, 404)
    upstreams.saw(SOURCE, INCIDENT, observed("source", gone))
    upstreams.saw(MID, INCIDENT, observed("mid", held(HeldState.HELD, 200)))
    assert await upstreams.above(LEAF, INCIDENT) == (
        Hop(name="mid", kind="simple"),
        Hop(name="source", kind="simple", gone=frozenset({WHEEL})),
    )
    assert await upstreams.above(SOURCE, INCIDENT) == ()
    assert await upstreams.above(STRAY, INCIDENT) == ()


async def test_nobody_waits_where_nothing_is_gone_at_the_source() -> None:
    upstreams = Upstreams([SOURCE, MID, LEAF], SOURCE)
    upstreams.saw(SOURCE, INCIDENT, observed("source"))
    assert await upstreams.above(LEAF, INCIDENT) == ()
