"""Evidence is numbered by what was asked, not by which answer came first."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from auditor.model import (
    Evidence,
    HeldState,
    Holding,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    View,
)
from auditor.numbering import numbered

NOW = datetime(2026, 11, 20, tzinfo=UTC)


def answer(id_: str, agent: str) -> Evidence:
    return Evidence(
        id=id_,
        request="GET http://127.0.0.1:1/simple/brokenpkg/",
        reproduce=f"curl --header 'User-Agent: {agent}'",
        response={"status": "200"},
    )


def page(view: View, *evidence: str, sample: int = 1) -> Page:
    url = "http://127.0.0.1:1/simple/brokenpkg/"
    return Page(view=view, sample=sample, url=url, outcome=PageOutcome.OBSERVED, evidence=evidence)


def seen(evidence: tuple[Evidence, ...], pages: tuple[Page, ...]) -> Observation:
    return Observation(
        location="mirror",
        vantage="here",
        incident="brokenpkg-1.2.3",
        outcome=Outcome.OBSERVED,
        started_at=NOW,
        finished_at=NOW,
        evidence=evidence,
        pages=pages,
    )


def test_the_order_in_which_views_were_answered_does_not_show() -> None:
    pip_first = seen(
        (answer("e1", "pip"), answer("e2", "uv")), (page(View.PIP, "e1"), page(View.UV, "e2"))
    )
    uv_first = seen(
        (answer("e1", "uv"), answer("e2", "pip")), (page(View.PIP, "e2"), page(View.UV, "e1"))
    )
    assert numbered(pip_first) == numbered(uv_first)


def test_every_fact_keeps_its_own_evidence() -> None:
    holding = Holding(
        filename="brokenpkg-1.2.3.tar.gz",
        version="1.2.3",
        state=HeldState.HELD,
        how="",
        evidence=("e1",),
    )
    taken = seen(
        (answer("e1", "uv"), answer("e2", "pip")), (page(View.PIP, "e2"), page(View.UV, "e1"))
    )
    result = numbered(replace(taken, holdings=(holding,)))
    by_id = {item.id: item.reproduce for item in result.evidence}
    assert list(by_id) == ["e1", "e2"]
    assert "pip" in by_id[result.pages[0].evidence[0]]
    assert "uv" in by_id[result.pages[1].evidence[0]]
    assert "uv" in by_id[result.holdings[0].evidence[0]]


def test_samples_of_one_page_stay_in_their_sequence() -> None:
    old, new = answer("e1", "pip"), answer("e2", "pip")
    taken = seen((old, new), (page(View.PIP, "e1"), page(View.PIP, "e2", sample=2)))
    assert taken == numbered(taken)


def test_ids_that_name_two_things_are_left_alone() -> None:
    taken = seen((answer("e1", "uv"), answer("e1", "pip")), (page(View.PIP, "e1"),))
    assert taken == numbered(taken)
