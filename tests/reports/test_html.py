"""The page: self-contained, honest, and the same until somebody means to change it."""

from __future__ import annotations

import base64
import hashlib
import re
import subprocess
import sys
from collections.abc import Callable
from dataclasses import replace

import pytest

from auditor.model import Action, DeletionSummary, Run, Vantage
from reports.html import render
from tests.conftest import Golden
from tests.reports import sample_runs

pytestmark = pytest.mark.slow

RUNS = pytest.mark.parametrize("make", sample_runs.ALL, ids=lambda f: f.__name__)


def block(page: str, tag: str) -> str:
    found = re.search(rf"<{tag}>(.*?)</{tag}>", page, re.DOTALL)
    assert found
    return found[1]


def text_of(page: str) -> str:
    """The page as a reader sees it: no style, no script, no markup."""
    bare = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)
    return " ".join(re.sub(r"<[^>]*>", " ", bare).split())


def test_the_policy_allows_this_style_and_this_script_and_nothing_else() -> None:
    page = render(sample_runs.all_clean(), {})
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', page)

    def digest(tag: str) -> str:
        return base64.b64encode(hashlib.sha256(block(page, tag).encode()).digest()).decode()

    assert policy
    assert policy[1].replace("&#39;", "'").split("; ") == [
        "default-src 'none'",
        f"style-src 'sha256-{digest('style')}'",
        f"script-src 'sha256-{digest('script')}'",
        "img-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


@RUNS
def test_the_page_names_no_file_of_another_place(make: Callable[[], Run]) -> None:
    page = render(make(), {})
    markup = re.sub(r"<(style|script)\b.*?</\1>", "", page, flags=re.DOTALL)

    assert not re.findall(r"""\b(?:src|srcset|action|style|on\w+)=["']""", markup)
    assert set(re.findall(r'href="([^"]*)"', markup)) <= {"data:,"} | {
        f"#{anchor}" for anchor in re.findall(r'id="([^"]*)"', markup)
    }
    assert "url(" not in block(page, "style")
    assert "@import" not in block(page, "style")


@RUNS
def test_the_page_has_the_marks_that_assistive_programs_need(make: Callable[[], Run]) -> None:
    page = render(make(), {})
    ids = re.findall(r'\bid="([^"]*)"', page)

    assert '<html lang="en">' in page
    assert page.count("<h1>") == 1
    assert page.count("<main ") == 1
    assert page.count("<table") == page.count("<caption>")
    assert not re.findall(r"<th(?! scope=)[ >]", page)
    assert len(ids) == len(set(ids))


def test_the_answer_comes_before_everything_else() -> None:
    page = text_of(render(sample_runs.world(), {}))
    order = (
        "7 of 15 places still fail",
        "What to do now",
        "Every place, the worst first",
        "The path of a copy",
        "Why: place by place",
        "Would deleting 1.2.3 help?",
        "Timeline",
        "Method and limits",
        "What was not looked at",
        "Every request that was made",
    )
    # The navigation names the sections, too: look behind it.
    places = [page.rindex(heading) for heading in order]

    assert places == sorted(places)


def test_agreeing_cells_are_one_line_and_differing_cells_say_which() -> None:
    page = text_of(render(sample_runs.world(), {}))

    assert "✔ 1.2.4 (the fix) 49 of 49 environments × 4 views" in page
    assert "✖ 1.2.3 (broken) 49 of 49 environments × pip before 22.2" in page
    assert "✖ 1.2.3 (broken) 49 of 49 environments × 4 views × samples 2, 4" in page
    assert "cp39-win_amd64" not in page


def test_the_deletion_argument_uses_the_numbers_of_the_audit() -> None:
    page = text_of(render(sample_runs.world(), {}))

    assert "No. The broken release would stay in 8 of 14 places." in page
    assert "✖ Never by itself 8 of 14" in page
    assert "… Later 4 of 14" in page
    assert "✔ At once 0 of 14" in page
    assert "? Not determined 2 of 14" in page
    assert "! The cost nobody sees. Once it is deleted, 7 places" in page
    assert "At 5 of 11 index places that list 1.2.3, whoever pinned it would get an error" in page
    assert "No pin (lock file, image, environment) was audited" in page
    assert "General facts, not measured by this audit" in page


@pytest.mark.parametrize(
    ("numbers", "persists", "answer"),
    [
        ((0, 0, 3, 1), 4, "No. The broken release would stay in 3 of 4 places."),
        ((1, 1, 0, 2), 2, "Not shown. What would happen in 2 of 4 places is not known."),
        ((1, 2, 0, 0), 3, "Not now. 2 places would lose it only after a delay."),
        ((1, 0, 0, 0), 1, "It would go from 1 place, at once."),
        ((0, 0, 0, 0), 0, "There is nothing to delete: no place here is known to have it."),
        ((0, 0, 0, 0), 2, "Not shown. This audit has no numbers for it."),
    ],
)
def test_the_answer_on_deletion_follows_from_the_numbers(
    numbers: tuple[int, int, int, int], persists: int, answer: str
) -> None:
    at_once, later, remain, undetermined = numbers
    run = sample_runs.world()
    run = replace(
        run,
        summary=replace(run.summary, broken_persists=persists),
        deletion=DeletionSummary(
            sentence="",
            would_remove_at_once=at_once,
            would_remove_later=later,
            would_remain=remain,
            undetermined=undetermined,
            would_break_pins=0,
        ),
    )

    assert answer in text_of(render(run, {}))


def test_an_unknown_counterfactual_says_why() -> None:
    page = text_of(render(sample_runs.world(), {}))

    assert "? unknown nothing is known of down" in page
    assert "? unknown the source refuses a second file of the same name" in page


def test_a_waiver_silences_a_row_and_keeps_it_in_sight() -> None:
    page = text_of(render(sample_runs.with_findings(), {}))

    assert "∥ waived" in page
    assert "Waived: is switched off on 2026-12-31" in page
    assert "What to do now" not in page


def test_what_is_wrong_with_the_incident_is_told_at_the_top() -> None:
    page = text_of(render(sample_runs.with_findings(), {}))

    assert page.index("The incident itself: The fixed release is itself yanked") < page.index(
        "Every place"
    )


def test_an_interrupted_audit_says_so() -> None:
    page = text_of(render(sample_runs.interrupted(), {}))

    assert "? Interrupted. This audit was stopped before every place was seen." in page
    assert "Interrupted: 13 places were not looked at." in page


def test_rows_of_several_vantages_are_told_apart() -> None:
    run = sample_runs.all_clean()
    other = replace(run.verdicts[0], vantage="sin-1")
    run = replace(
        run, verdicts=(*run.verdicts, other), vantages=(*run.vantages, Vantage(id="sin-1"))
    )
    page = render(run, {})

    assert 'id="loc-clean-mirror-ams-1"' in page
    assert 'id="loc-clean-mirror-sin-1"' in page
    assert "from sin-1" in text_of(page)


def test_links_to_places_stay_the_same_and_never_collide() -> None:
    run = sample_runs.all_clean()
    verdict = run.verdicts[0]
    names = ("Office mirror", "office-mirror", "日本", "!!")
    verdicts = tuple(
        replace(verdict, location=replace(verdict.location, name=name)) for name in names
    )
    page = render(replace(run, verdicts=verdicts), {})

    for anchor in ("loc-office-mirror", "loc-office-mirror-2", "loc-unnamed", "loc-unnamed-2"):
        assert page.count(f'id="{anchor}"') == 1


def test_a_circle_of_upstreams_is_drawn_once() -> None:
    run = sample_runs.world()
    loop = tuple(
        replace(v, location=replace(v.location, upstream="stuck-mirror"))
        if v.location.name in ("late-mirror", "stuck-mirror", "source")
        else v
        for v in run.verdicts
    )
    ring = tuple(
        replace(v, location=replace(v.location, upstream="late-mirror"))
        if v.location.name == "stuck-mirror"
        else v
        for v in loop
    )
    page = render(replace(run, verdicts=ring), {})
    path = page[page.index('id="path"') : page.index('id="places"')]

    for verdict in run.verdicts:
        assert path.count(f">{verdict.location.name}</a>") == 1


def test_a_thousand_hops_do_not_break_the_page() -> None:
    run = sample_runs.all_clean()
    verdict = run.verdicts[0]
    chain = tuple(
        replace(
            verdict,
            selections=(),
            location=replace(verdict.location, name=f"hop-{n}", upstream=f"hop-{n - 1}"),
        )
        for n in range(1_000)
    )

    assert ">hop-999</a>" in render(replace(run, verdicts=chain), {})


def test_a_verdict_without_counterfactuals_is_unknown_throughout() -> None:
    run = sample_runs.all_clean()
    bare = replace(run.verdicts[0], counterfactuals={})
    page = text_of(render(replace(run, verdicts=(bare,)), {}))

    assert page.count("? what would change here is not known") == len(Action)


def test_the_page_stays_as_it_is(golden: Golden) -> None:
    page = render(sample_runs.interrupted(), {})
    for tag in ("style", "script"):
        page = page.replace(block(page, tag), "")
    page = re.sub(r"sha256-[\w+/=]+", "sha256-…", page)

    golden.check("interrupted.html", page)


def test_naming_the_format_does_not_load_its_template_engine() -> None:
    code = "import sys, reports.html, reports.terminal; print('jinja2' in sys.modules)"
    answer = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "False"
