"""pip itself reads and chooses from made pages, and we must do the same (see tests/truth)."""

from __future__ import annotations

import secrets
from random import Random

import pytest

from auditor.model import RejectionCode
from auditor.selection import choose
from probes.kit.pages import parse_page
from tests.truth.compare import ENVIRONMENTS, compare_case, failing_cases
from tests.truth.pages import HTML_TYPE, as_html, make_page
from tests.truth.pip_finder import PAGE_URL

FIXED_SEED = "a tree"
PAGES_PER_PART = 250


def _disagreements(seed: str, cases: range) -> list[str]:
    print(f"seed {seed!r}, cases {cases}")
    return [
        f"{seed} {case}: {c.question}: we {c.ours}, pip {c.pips}"
        for case in cases
        for c in compare_case(seed, case)
        if not c.agree
    ]


@pytest.mark.slow
@pytest.mark.parametrize("part", range(4))
def test_pip_chooses_the_same_from_a_thousand_made_pages(part: int) -> None:
    cases = range(part * PAGES_PER_PART, (part + 1) * PAGES_PER_PART)

    assert _disagreements(FIXED_SEED, cases) == []


def test_pip_chooses_the_same_from_pages_never_made_before() -> None:
    assert _disagreements(secrets.token_hex(4), range(100)) == []


@pytest.mark.parametrize(("seed", "case"), failing_cases() or [(FIXED_SEED, 0)])
def test_pages_that_once_were_chosen_from_differently_stay_right(seed: str, case: int) -> None:
    assert _disagreements(seed, range(case, case + 1)) == []


def test_the_made_pages_make_every_rule_decide() -> None:
    """Agreement proves little if the pages are tame."""
    met = set()
    for case in range(120):
        page = make_page(Random(f"{FIXED_SEED}:{case}"))
        parsed = parse_page(
            as_html(page), url=PAGE_URL, content_type=HTML_TYPE, project=page.project
        )
        chosen = choose(parsed.candidates, ENVIRONMENTS[1], page.project)
        met |= {rejection.code for rejection in chosen.rejected}

    # Those of settings, which no page makes: tests/real/test_client_settings.py.
    by_settings = {RejectionCode.TOO_YOUNG, RejectionCode.CONSTRAINED}
    assert met == set(RejectionCode) - by_settings
