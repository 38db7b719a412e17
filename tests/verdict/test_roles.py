"""A place whose role was left open is judged by what was seen there."""

from __future__ import annotations

import pytest

from auditor.model import Role, Status, Verdict

from .stage import FIX, OLD, location, observe, page, plan, run


def judged(settings: dict[str, bool], *pages: object) -> Verdict:
    place = location("bucket", "box", settings=settings, required=False)
    seen = observe("bucket", *pages, holdings_complete=True)
    found = run(plan(place), seen)
    return next(v for v in found.verdicts if v.location.name == "bucket")


@pytest.mark.parametrize("required", [True, False])
def test_pages_make_an_index_of_a_place_whose_role_is_open(required: bool) -> None:
    found = judged({"role_open": required}, page(OLD))
    assert (found.location.role, found.location.required) == (Role.INDEX, required)
    assert found.status is Status.EXPOSED


def test_without_pages_it_stays_a_store() -> None:
    found = judged({"role_open": True})
    assert (found.location.role, found.location.required) == (Role.STORE, False)
    assert found.status is Status.CLEAN


def test_a_role_that_was_given_stays() -> None:
    assert judged({}, page((FIX,))).location.role is Role.STORE
