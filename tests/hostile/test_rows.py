"""Every way to misbehave: the right outcome, a bounded number of requests, no false green."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterator, Mapping

import pytest

from auditor.model import Run
from tests.hostile.playing import Played, play
from tests.hostile.table import PAGE_MIB, ROWS, Row

pytestmark = pytest.mark.slow

GREEN = {"clean", "rolled-forward", "absent", "latent"}
All = tuple[Run, Mapping[str, Played]]


@pytest.fixture(scope="module")
def all_played() -> Iterator[All]:
    """Audit all of them at once, as one audit of many bad places would."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("probes.kit.receiving.MAX_PAGE_BYTES", PAGE_MIB * 2**20)
        patch.setattr("probes.kit.transport.MAX_WIRE_BYTES", PAGE_MIB * 2**20)
        yield asyncio.run(play(ROWS))


@pytest.mark.parametrize("row", ROWS, ids=[row.name for row in ROWS])
def test_a_misbehaving_server_is_seen_for_what_it_is(row: Row, all_played: All) -> None:
    played = all_played[1][row.name]
    assert re.fullmatch(row.status, played.verdict.status.value), played.told
    assert re.fullmatch(row.outcome, played.verdict.outcome.value), played.told
    assert re.search(row.says, played.told), played.told
    assert len(played.server.requests) <= row.requests
    assert played.server.sent_bytes <= row.sent_bytes


def test_no_row_expects_green_of_what_was_not_read_in_full() -> None:
    for row in ROWS:
        if row.outcome != "observed":
            assert not GREEN & set(row.status.split("|")), row.name


def test_the_names_of_the_rows_are_different() -> None:
    assert len({row.name for row in ROWS}) == len(ROWS)


def test_no_reason_is_longer_than_anybody_reads(all_played: All) -> None:
    for name, played in all_played[1].items():
        for reason in played.verdict.reasons:
            assert len(reason.text) < 1_500, name
        assert len(played.verdict.detail) < 600, name


def test_the_ledger_has_every_request_that_arrived(all_played: All) -> None:
    run, played = all_played
    for row in ROWS:
        server = played[row.name].server
        recorded = [r for r in run.requests if r.url.startswith(f"{server.url}/")]
        assert len(recorded) == len(server.requests), row.name
