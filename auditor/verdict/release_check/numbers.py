"""Is the number of the fix one that installers and caps take for the next patch?"""

from __future__ import annotations

from collections.abc import Iterator

from packaging.version import Version

from auditor.verdict.release_check.finding import Level, ReleaseFinding
from auditor.verdict.release_check.offer import Offer

__all__ = ["check_numbers"]


def check_numbers(offer: Offer) -> Iterator[ReleaseFinding]:
    """Look at every fixed version beside the broken one below it."""
    for fix in offer.fix_versions:
        below = [b for b in offer.context.line.broken if b < fix]
        yield from _suffixes(fix, below, offer)
        if below and not (fix.is_prerelease or fix.local):
            yield from _step(fix, below[-1], offer)


def _suffixes(fix: Version, below: list[Version], offer: Offer) -> Iterator[ReleaseFinding]:
    if fix.is_prerelease and not (below and all(b.is_prerelease for b in below)):
        yield _prerelease(fix)
    if fix.local:
        yield _local(fix)
    if fix.is_postrelease and not fix.is_prerelease:
        yield _postrelease(fix, offer)
    if below and fix.epoch != below[-1].epoch:
        yield _epoch(fix)


def _prerelease(fix: Version) -> ReleaseFinding:
    kind = "a development release" if fix.dev is not None else "a pre-release"
    return ReleaseFinding(
        code="fix-prerelease",
        level=Level.FAIL,
        text=f"{fix} is {kind}: unpinned installs pass it over while any final release fits.",
        expected="a final release",
        observed=str(fix),
        next_step=f"publish it as {fix.base_version}: .devN, aN, bN and rcN all sort below it",
    )


def _local(fix: Version) -> ReleaseFinding:
    return ReleaseFinding(
        code="fix-local-version",
        level=Level.FAIL,
        text=f"{fix} has a local label, which PyPI refuses: nobody else gets it from there.",
        expected="a public version",
        observed=f"+{fix.local}",
        next_step="publish the next patch release, without a label behind a plus",
    )


def _postrelease(fix: Version, offer: Offer) -> ReleaseFinding:
    base = fix.base_version
    return ReleaseFinding(
        code="fix-postrelease",
        level=Level.WARN,
        text=(
            f"{fix} is a post-release: unpinned installs take it, but a requirement of >{base} "
            f"leaves it out, =={base} stays where it is, and PEP 440 means it for errors in the "
            "metadata, not for fixes of the code."
        ),
        expected="the next patch release",
        observed=str(fix),
        next_step=f"publish {offer.next_free(Version(base))} instead, if it is not out yet",
    )


def _epoch(fix: Version) -> ReleaseFinding:
    return ReleaseFinding(
        code="fix-not-patch",
        level=Level.WARN,
        text=f"{fix} begins a new epoch: every cap without one leaves it out, for ever.",
        expected="the epoch of the broken release",
        observed=f"epoch {fix.epoch}",
        next_step="publish the next patch release",
    )


def _step(fix: Version, broken: Version, offer: Offer) -> Iterator[ReleaseFinding]:
    """The fix should differ from the broken release in the last number that caps leave free."""
    if (fix.major, fix.minor) == (broken.major, broken.minor) or fix.epoch != broken.epoch:
        return
    series = f"{broken.major}.{broken.minor}"
    caps = [f"~={series}.{broken.micro}", f"=={series}.*", f"<{broken.major}.{broken.minor + 1}"]
    if fix.major != broken.major:
        caps += [f"~={series}", f"<{broken.major + 1}"]
    yield ReleaseFinding(
        code="fix-not-patch",
        level=Level.WARN,
        text=(
            f"{fix} is not the next patch of {broken}: whoever caps it ({', '.join(caps)}) stays "
            f"on {broken} until it is yanked, or for good if it is pinned."
        ),
        expected=f"{offer.next_free(broken)}, or another {series}.N",
        observed=str(fix),
        next_step=f"publish {offer.next_free(broken)} as well, with nothing but the fix in it",
    )
