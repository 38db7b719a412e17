"""Serials that cannot be: above the source's, or contradicting themselves."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import Hint, Observation, Status
from tests.verdict.stage import CURRENT, OLD, codes, observe, page, source, verdict

FAKE = Hint(
    code="serial-fake",
    text="Header and page state different serials.",
    expected="one",
    observed="two",
)


def contradicting(observation: Observation) -> Observation:
    return replace(observation, hints=(FAKE,))


def test_a_serial_that_the_source_has_not_reached_is_said() -> None:
    found = verdict(observe("mirror", page(OLD, serial=99)))
    assert found.status is Status.EXPOSED
    assert "serial-ahead" in codes(found)
    assert "serial-behind" not in codes(found)


def test_the_serial_of_the_source_is_not_ahead_of_it() -> None:
    assert "serial-ahead" not in codes(verdict(observe("mirror", page(serial=30))))


def test_a_constant_is_fake_and_not_ahead() -> None:
    assert "serial-ahead" not in codes(verdict(observe("mirror", page(serial=1_000_000_000))))


def test_where_the_source_lacks_the_fix_it_is_the_source_that_is_behind() -> None:
    behind = source(page(OLD, serial=20))
    mirror = observe("mirror", page(CURRENT, serial=40))
    assert "source-stale" in codes(verdict(behind, mirror))
    assert "serial-ahead" not in codes(verdict(mirror, behind))


def test_a_contradictory_serial_is_fake_and_accuses_nobody() -> None:
    mirror = contradicting(observe("mirror", page(OLD, serial=99)))
    assert "serial-fake" in codes(verdict(mirror))
    assert "source-stale" not in codes(verdict(source(page(OLD, serial=20)), mirror))
