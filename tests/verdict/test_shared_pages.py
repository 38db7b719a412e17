"""Places share their pages: what a deed makes of one is worked out once, however many show it."""

from __future__ import annotations

import pytest

from auditor.model import Candidates
from auditor.verdict import judge, page_changes
from auditor.verdict.behaviour import Deed
from auditor.verdict.context import Context
from tests.verdict import stage


def changes_for(monkeypatch: pytest.MonkeyPatch, places: int) -> int:
    """Judge so many places that show one page; return how often a page was changed."""
    made: list[Deed] = []
    change = page_changes._changed

    def counted(deed: Deed, candidates: Candidates, context: Context) -> Candidates:
        made.append(deed)
        return change(deed, candidates, context)

    with monkeypatch.context() as patched:
        patched.setattr(page_changes, "_changed", counted)
        shown = stage.page(stage.CURRENT)
        names = [f"m{number}" for number in range(places)]
        plan = stage.plan(*map(stage.location, names))
        judge(plan, [stage.source(), *(stage.observe(name, shown) for name in names)])
    return len(made)


def test_more_places_with_the_same_page_cost_no_more_changed_pages(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    few, many = (changes_for(monkeypatch, places) for places in (2, 20))

    assert 0 < few == many
