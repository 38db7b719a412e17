"""Files of one release that came at different times: what was installed in between."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.model import Candidate, Environment, parse_version
from auditor.selection import applicable, choose_all
from auditor.verdict.release_check.finding import Level, ReleaseFinding
from auditor.verdict.release_check.offer import Offer
from auditor.verdict.release_check.words import tell_environments

__all__ = ["check_timing"]

# A large release takes a few minutes to upload in one go (aiohttp 3.8.3: 87 files in 2.5 min), and
# PyPI lets clients keep a page for 10 minutes anyway.
_AT_ONCE = timedelta(minutes=5)


@dataclass(frozen=True, slots=True)
class _Gap:
    """From when till when somebody was without something.

    Attributes:
        since, until: UTC.
        without: `fix`: no file of it fitted yet; `wheel`: only the source did.
    """

    since: datetime
    until: datetime
    without: str


def check_timing(offer: Offer) -> Iterator[ReleaseFinding]:
    """Find out who waited for a file, and what they got meanwhile."""
    published = [c for c in offer.fixed if c.filename in offer.published]
    if not published or any(c.uploaded_at is None for c in published):
        return
    for version in offer.fix_versions:
        files = [c for c in published if parse_version(c.version or "") == version]
        gaps = _gaps(files, offer)
        for gap in sorted(gaps, key=lambda g: (g.since, g.until)):
            yield _told(gap, gaps[gap], files, offer)


def _gaps(files: list[Candidate], offer: Offer) -> dict[_Gap, list[Environment]]:
    found: dict[_Gap, list[Environment]] = {}
    times = sorted(c.uploaded_at for c in files if c.uploaded_at)
    if not times or times[-1] - times[0] <= _AT_ONCE:
        return found
    chosen = choose_all(files, offer.everybody, offer.project)
    for environment in offer.everybody:
        best = chosen[environment.id].candidate
        fitting = applicable(files, environment, offer.project)
        if best is None or best.uploaded_at is None:
            continue
        first = min(c.uploaded_at for c in files if c.filename in fitting and c.uploaded_at)
        for gap in (_Gap(times[0], first, "fix"), _Gap(first, best.uploaded_at, "wheel")):
            if gap.until - gap.since > _AT_ONCE:
                found.setdefault(gap, []).append(environment)
    return found


def _told(
    gap: _Gap, environments: list[Environment], files: list[Candidate], offer: Offer
) -> ReleaseFinding:
    who = tell_environments(environments, offer.everybody)
    span = f"from {gap.since:%Y-%m-%d %H:%M} to {gap.until:%Y-%m-%d %H:%M} UTC"
    meanwhile = (
        f"still got {_before(environments, gap, offer)}"
        if gap.without == "fix"
        else f"built {files[0].version} from source, or used an older wheel with --only-binary,"
    )
    return ReleaseFinding(
        code="fix-arrived-in-parts",
        level=Level.WARN,
        text=f"{who} {meanwhile} {span}: the files of {files[0].version} came one after another.",
        expected=f"all files within {_AT_ONCE.seconds // 60} minutes",
        observed=f"{(gap.until - gap.since).total_seconds() / 60:.0f} min apart",
        next_step="build everything first and upload it in one go; whoever installed meanwhile "
        "may have cached what they got",
    )


def _before(environments: list[Environment], gap: _Gap, offer: Offer) -> str:
    """What they got before the fix fitted: the newest of what was there by then."""
    there = [c for c in offer.files if c.uploaded_at is None or c.uploaded_at <= gap.since]
    older = [c for c in there if not offer.context.incident.is_named_fixed(c.version)]
    chosen = choose_all(older, environments, offer.project).values()
    got = sorted({c.candidate.version or "" for c in chosen if c.candidate})
    return " or ".join(got) or "nothing"
