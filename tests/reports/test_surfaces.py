"""The source's surfaces, and whose the trouble is, in every report that people read."""

from __future__ import annotations

import json
from dataclasses import replace

import jsonschema
import pytest

from auditor.model import NodeAge, PageOutcome, Run, Surface, Whose
from auditor.model.document import run_to_document
from auditor.model.stored_run import document_to_run
from reports import html, json_, terminal
from tests.reports import sample_runs
from tests.reports.hostile import NASTY

pytestmark = pytest.mark.slow

SAID = "Neither the upload nor source is at fault: 2 copies are not in step with it."


def surface(**facts: object) -> Surface:
    known = Surface(
        name="cdn-json",
        encoding="gzip",
        outcome=PageOutcome.OBSERVED,
        status=200,
        url="http://source.example/simple/brokenpkg/",
        serials={"header": 30, "meta": 29},
        lists_broken=True,
        lists_fix=False,
        age_s=18_120.0,
        nodes=(NodeAge(node="cache-edge", hit=True, age_s=120.0), NodeAge(node="cache-shield")),
        stripped=False,
        facts={"files": "6"},
        evidence=("e1",),
    )
    return replace(known, **facts)


def with_surfaces(run: Run, *surfaces: Surface, text: str = SAID) -> Run:
    first, *rest = run.verdicts
    return replace(
        run,
        verdicts=(replace(first, surfaces=surfaces), *rest),
        summary=replace(run.summary, whose=Whose.MIRROR, whose_text=text),
    )


def test_a_stored_run_keeps_its_surfaces_and_its_answer() -> None:
    run = with_surfaces(sample_runs.all_clean(), surface(), surface(name="simple-html"))
    document = run_to_document(run)
    assert document_to_run(json.loads(json.dumps(document))).summary == run.summary
    again = document_to_run(document)
    assert again.verdicts[0].surfaces == run.verdicts[0].surfaces
    assert run_to_document(again) == document


def test_the_json_report_keeps_its_schema() -> None:
    run = with_surfaces(sample_runs.world(), surface(), surface(outcome=PageOutcome.SKIPPED))
    jsonschema.validate(json.loads(json_.render(run, {})), json.loads(json_.schema()))


def test_a_run_of_an_older_version_has_neither() -> None:
    document = run_to_document(sample_runs.all_clean())
    assert isinstance(document["summary"], dict)
    assert isinstance(document["locations"], list)
    for key in ("whose", "whose_text"):
        del document["summary"][key]
    for row in document["locations"]:
        assert isinstance(row, dict)
        del row["surfaces"]
    again = document_to_run(document)
    assert (again.summary.whose, again.summary.whose_text) == (Whose.UNKNOWN, "")
    assert {v.surfaces for v in again.verdicts} == {()}


def test_whose_it_is_stands_right_below_the_answer() -> None:
    lines = terminal.render(with_surfaces(sample_runs.world()), {"width": 200}).splitlines()
    assert lines.index(SAID) == 2
    assert SAID in html.render(with_surfaces(sample_runs.world()), {})


def test_where_nobody_is_named_nothing_is_said() -> None:
    assert "whose" not in html.render(sample_runs.all_clean(), {}).partition("<script")[0]


def test_the_page_shows_each_surface_with_its_ages() -> None:
    page = html.render(with_surfaces(sample_runs.world(), surface()), {})
    for text in ("cdn-json (gzip)", "18120 s old", "cache-edge: 120 s", "serial 29 (meta)"):
        assert text in page
    assert "fix not listed" in page


@pytest.mark.parametrize("name", NASTY)
def test_hostile_text_in_a_surface_stays_text(name: str) -> None:
    nasty = NASTY[name]
    odd = surface(
        name=nasty,
        subject=nasty,
        outcome=PageOutcome.MALFORMED,
        detail=nasty,
        facts={nasty: nasty},
        nodes=(NodeAge(node=nasty),),
    )
    run = with_surfaces(sample_runs.all_clean(), odd, text=nasty)
    plain = html.render(with_surfaces(sample_runs.all_clean(), surface()), {})
    page = html.render(run, {})
    assert page.count("<script") == plain.count("<script")
    assert 'onmouseover="' not in page
    assert not set(terminal.render(run, {})) & set("\x1b\x07\x9b\r\x00\b\u202e\u2066\u200b")
