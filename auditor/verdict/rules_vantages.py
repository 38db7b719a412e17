"""What follows from looking at one place from several vantages."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from auditor.model import Finding
from auditor.verdict.clocks import skew_findings
from auditor.verdict.context import Context
from auditor.verdict.row import Row
from auditor.verdict.ruling import Ruling, names, ruling
from auditor.verdict.sights import disagreement

__all__ = ["VANTAGE_CODES", "split_vantage", "vantage_findings"]

# Each is told in full beside its own row.
MOST_TOLD = 3
_EXPECTED = "the same answer wherever it is asked from"

# Code to meaning, usual cause and remedy, for `auditor explain`.
VANTAGE_CODES = {
    "split-vantage": (
        "One place is seen differently from two vantages.",
        "A CDN or a resolver that sends them to different nodes, a proxy or a firewall in between, "
        "or a change between the two looks.",
        "Compare the addresses and times in the evidence; ask again from both at once.",
    ),
    "clock-skew": (
        "The clock of a vantage is off, compared with the servers that others asked as well.",
        "A machine that does not synchronise its clock.",
        "Set its clock (timedatectl, chronyc). Until then the difference is taken out of what is "
        "judged by time.",
    ),
}


def split_vantage(row: Row) -> Iterator[Ruling]:
    """This place is seen differently from another vantage."""
    sights = row.context.sights.get(row.location.name, ())
    told = disagreement(sights) if sights else ""
    if told:
        others = [s.vantage for s in sights if s.vantage != row.observation.vantage]
        yield ruling(
            "split-vantage",
            f"This place is seen differently from {', '.join(others)}.",
            expected=_EXPECTED,
            observed=told,
            evidence=[e for page in row.usable_pages for e in page.evidence],
        )


def vantage_findings(context: Context) -> Iterator[Finding]:
    """Findings of their own: places that vantages disagree on, and clocks that are off."""
    told = {
        name: said
        for name, sights in sorted(context.sights.items())
        if (said := disagreement(sights))
    }
    if told:
        vantages = sorted({s.vantage for name in told for s in context.sights[name]})
        verb = "is" if len(told) == 1 else "are"
        yield Finding(
            code="split-vantage",
            text=f"{names(told)} {verb} seen differently from {_listed(vantages)}.",
            expected=_EXPECTED,
            observed=_observed(told),
            failing=False,
        )
    yield from skew_findings(context.clock_differences)


def _observed(told: Mapping[str, str]) -> str:
    if len(told) == 1:
        return next(iter(told.values()))
    return names((f"{name} ({said})" for name, said in told.items()), most=MOST_TOLD)


def _listed(vantages: Sequence[str]) -> str:
    *first, last = vantages
    return f"{', '.join(first)} and {last}"
