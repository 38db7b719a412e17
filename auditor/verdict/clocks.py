"""Vantages whose clocks differ, told by the servers that they both asked.

Ages and lifetimes are measured between two times of one clock, so that a wrong one does no harm.
What compares a vantage's clock with somebody else's, such as how long ago the fix was published,
would be wrong by the difference: it is taken out, and stated.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from statistics import median

from auditor.model import Evidence, Finding, Observation, Page

__all__ = ["clock_differences", "skew_findings"]

# `Date` is in whole seconds, answers take a while, and a page may be cached without saying so.
TOLERANCE_S = 60.0
# Nobody's clock is off by more; a hostile header must not overflow a date.
MAX_S = 50 * 365 * 86_400.0

_Offsets = Mapping[str, float]


def clock_differences(observations: Sequence[Observation]) -> Mapping[str, timedelta]:
    """Return, of each vantage whose clock is off, what must be added to its times.

    The one whose clock is nearest to those of the servers is taken to be right. Compared are
    answers of the same place only, so that a server's own wrong clock cancels out.
    """
    if len({observation.vantage for observation in observations}) < 2:
        return {}
    offsets: dict[str, _Offsets] = {}
    for vantage in sorted({observation.vantage for observation in observations}):
        seen = _offsets_s(o for o in observations if o.vantage == vantage)
        if seen:
            offsets[vantage] = seen
    if len(offsets) < 2:
        return {}
    right = min(offsets, key=lambda vantage: abs(median(offsets[vantage].values())))
    found: dict[str, timedelta] = {}
    for vantage, seen in offsets.items():
        common = [
            seconds - offsets[right][name]
            for name, seconds in seen.items()
            if name in offsets[right]
        ]
        if common and abs(median(common)) > TOLERANCE_S:
            found[vantage] = timedelta(seconds=round(median(common)))
    return found


def skew_findings(differences: Mapping[str, timedelta]) -> Iterator[Finding]:
    """State every clock that is off."""
    told = "; ".join(
        f"that of {vantage} is {_skew(each)}" for vantage, each in sorted(differences.items())
    )
    if told:
        yield Finding(
            code="clock-skew",
            text=f"Clocks differ: {told}. What was seen from there is judged as if they were "
            "right, and its times are shown as they were written.",
            expected=f"clocks of all vantages that agree within {TOLERANCE_S:.0f} s",
            observed=f"{told}, by the servers that others asked as well",
            failing=False,
        )


def _skew(difference: timedelta) -> str:
    seconds = int(abs(difference.total_seconds()))
    return f"{seconds} s {'behind' if difference > timedelta() else 'ahead'}"


def _offsets_s(observations: Iterable[Observation]) -> _Offsets:
    """By place: seconds by which its server's clock is ahead of the vantage's."""
    found: defaultdict[str, list[float]] = defaultdict(list)
    for observation in observations:
        evidence = {each.id: each for each in observation.evidence}
        for page in observation.pages:
            found[observation.location] += _of_page(page, evidence)
    return {name: median(seconds) for name, seconds in found.items() if seconds}


def _of_page(page: Page, evidence: Mapping[str, Evidence]) -> Iterator[float]:
    fetched_at = page.freshness.fetched_at
    for name in page.evidence:
        said = evidence[name].response.get("date", "") if name in evidence else ""
        dated = _parsed(said)
        if fetched_at is not None and dated is not None:
            # A stored answer carries the date of its birth and its age (RFC 9111, section 4.2.3).
            seconds = (dated - fetched_at).total_seconds() + (page.freshness.age_s or 0.0)
            if abs(seconds) < MAX_S:
                yield seconds


def _parsed(text: str) -> datetime | None:
    try:
        dated = parsedate_to_datetime(text)
    except ValueError:
        return None
    return dated if dated.tzinfo else None
