"""Who gets the fix, who builds it from source, and who stays behind: by choosing for everybody."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta

from auditor.model import Candidate, Choice, Environment, RejectionCode, parse_version
from auditor.selection import applicable, choose_all
from auditor.selection.policies import Picked, applicable_to, choose_as, client_of
from auditor.verdict.release_check.environments import other_interpreters
from auditor.verdict.release_check.finding import Level, ReleaseFinding
from auditor.verdict.release_check.offer import Offer, wheels
from auditor.verdict.release_check.words import platform_words, tell_environments, tell_pairs, verb
from auditor.verdict.ruling import names

__all__ = ["UPLOAD_WINDOW", "check_reach", "missing_wheels_advice"]

# PyPI takes no new file for a release that is older than this (warehouse pull request 19727).
UPLOAD_WINDOW = timedelta(days=14)
_WINDOW_RULE_SINCE = datetime(2026, 7, 8, tzinfo=UTC)

# In the order in which they are asked of the files of the fix: what is nearest to being chosen.
_CAUSES = {
    RejectionCode.LOWER_VERSION: "fix-not-chosen",
    RejectionCode.YANKED: "fix-yanked",
    RejectionCode.PRERELEASE: "fix-prerelease",
    RejectionCode.REQUIRES_PYTHON: "fix-requires-python",
}
_WHY = {
    "fix-not-chosen": "something else is preferred to the fix",
    "fix-yanked": "the fix is yanked",
    "fix-prerelease": "the fix is a pre-release, which installers pass over",
    "fix-requires-python": "the fix does not admit that Python",
    "fix-no-matching-file": "the fix has no file that fits",
    "fix-not-listed": "no file of the fix is listed",
}


@dataclass(frozen=True, slots=True)
class _Stays:
    """Why somebody does not get the fix, and what they get.

    Attributes:
        code: of the finding.
        gets: the version; "" for nothing.
        broken: whether that one is broken.
        had_broken: whether they could install the broken release at all.
        why: in words.
    """

    code: str
    gets: str
    broken: bool
    had_broken: bool
    why: str


def check_reach(offer: Offer) -> Iterator[ReleaseFinding]:
    """Choose from every page as it is served, for everybody; each finding once."""
    views: dict[ReleaseFinding, list[str]] = {}
    # Views of one place mostly say the same of what decides, and pages have thousands of files.
    known: dict[object, tuple[ReleaseFinding, ...]] = {}
    for page in offer.pages:
        client = client_of(page.view)
        facts = tuple((c.filename, c.yanked, c.requires_python) for c in page.candidates)
        if (client, facts) not in known:
            known[client, facts] = tuple(_of_page(client, page.candidates, offer))
        for finding in known[client, facts]:
            views.setdefault(finding, []).append(page.view.value)
    every = {page.view.value for page in offer.pages}
    for finding, seen in views.items():
        if set(seen) == every:
            yield finding
        else:
            text = f"{finding.text.removesuffix('.')} (for {names(seen)})."
            yield replace(finding, text=text)


def missing_wheels_advice(offer: Offer) -> str:
    """Say how missing wheels can still be added, or that they cannot."""
    fix = offer.fix_versions[-1] if offer.fix_versions else None
    if any(p.candidate.filename not in offer.published for p in offer.proposed):
        return "build the missing files before you upload, or upload them within the same minutes"
    following = f"{offer.next_free()} with all of them" if fix else "a higher version"
    uploads = [c.uploaded_at for c in offer.fixed if c.uploaded_at]
    if not offer.is_pypi or not uploads or offer.now < _WINDOW_RULE_SINCE:
        return f"upload the missing files to {fix}, or publish {following}"
    closes = min(uploads) + UPLOAD_WINDOW
    if closes > offer.now:
        return (
            f"upload the missing files to {fix} before {closes:%Y-%m-%d %H:%M} UTC, when PyPI "
            f"closes the release ({UPLOAD_WINDOW.days} days after its first file)"
        )
    return (
        f"publish {following}: PyPI took more files of {fix} until {closes:%Y-%m-%d %H:%M} UTC, "
        f"{UPLOAD_WINDOW.days} days after its first one"
    )


def _of_page(
    client: str, candidates: Sequence[Candidate], offer: Offer
) -> Iterator[ReleaseFinding]:
    named = {c.filename for c in offer.fixed}
    fixed = tuple(c for c in candidates if c.filename in named)
    chosen = choose_as(client, candidates, offer.everybody, offer.project)
    stays: dict[_Stays, list[Environment]] = {}
    building: dict[bool, list[Environment]] = {}
    unsure: list[Environment] = []
    for environment in offer.everybody:
        if not applicable_to(client, offer.before_and_after, environment, offer.project):
            continue
        found = chosen[environment.id]
        if found.choice is Choice.UNKNOWN:
            unsure.append(environment)
        elif not offer.context.line.is_fix(found.candidate.version if found.candidate else None):
            why = _stays(client, found, fixed, environment, offer)
            stays.setdefault(why, []).append(environment)
        elif (had := _builds(found, environment, offer)) is not None:
            building.setdefault(had, []).append(environment)
    for why, environments in stays.items():
        yield _left_behind(why, environments, offer)
    for had, environments in building.items():
        yield _from_source(had, environments, offer)
    if unsure:
        yield _undecided(chosen, unsure, offer)
    if fixed:
        yield from _others(fixed, offer)


def _stays(
    client: str,
    found: Picked,
    fixed: tuple[Candidate, ...],
    environment: Environment,
    offer: Offer,
) -> _Stays:
    got = found.candidate
    code = _why_not(client, fixed, got, environment, offer) if fixed else "fix-not-listed"
    return _Stays(
        code=code,
        gets=(got.version or "") if got else "",
        broken=bool(got and offer.context.is_broken_file(got)),
        had_broken=bool(applicable(offer.broken, environment, offer.project)),
        why=found.reason if code == "fix-not-chosen" else _WHY[code],
    )


def _why_not(
    client: str,
    fixed: tuple[Candidate, ...],
    got: Candidate | None,
    environment: Environment,
    offer: Offer,
) -> str:
    """Say which rule the fix lost by: beside what was chosen, as all other files do not matter."""
    beside = (*fixed, got) if got else fixed
    chosen = choose_as(client, beside, [environment], offer.project)[environment.id]
    names_of_fix = {c.filename for c in fixed}
    lost = {r.code for r in chosen.rejected if r.filename in names_of_fix}
    return next((code for rule, code in _CAUSES.items() if rule in lost), "fix-no-matching-file")


def _left_behind(
    stays: _Stays, environments: Sequence[Environment], offer: Offer
) -> ReleaseFinding:
    who = tell_environments(environments, offer.everybody)
    gets = _gets(stays, who)
    files = (c.requires_python or "none" for c in offer.fixed)
    observed = f"requires-python {names(files)}" if stays.code == "fix-requires-python" else ""
    return ReleaseFinding(
        code=stays.code,
        level=Level.FAIL if stays.broken or stays.had_broken else Level.WARN,
        text=f"{who} {gets}: {stays.why}.",
        expected=f"{offer.fix_text} for an unpinned install, or a later version that contains it",
        observed=observed or f"{stays.gets or 'nothing'} in {len(environments)} environments",
        next_step=_step(stays, offer),
    )


def _gets(stays: _Stays, who: str) -> str:
    get = verb(who, "gets", "get")
    if stays.broken:
        return f"still {get} {stays.gets}"
    if not stays.gets:
        return f"{get} nothing"
    return f"{get} {stays.gets}" if stays.had_broken else f"{get} {stays.gets}, as before"


def _step(stays: _Stays, offer: Offer) -> str:
    following = offer.next_free()
    if not stays.had_broken:
        return (
            f"nothing, if the broken release left these out on purpose; else publish {following} "
            f"with the files and the requires-python of {offer.last_good_version}"
        )
    steps = {
        "fix-not-chosen": f"publish the fix above everything that is broken, such as {following}",
        "fix-yanked": f"publish {following}; or take the yank back, if it was a mistake",
        "fix-prerelease": "publish a final release",
        "fix-requires-python": f"publish {following} with the requires-python of the broken "
        "release; where that Python is left out on purpose, yank the broken release, so that its "
        "users get the last good one",
        "fix-no-matching-file": missing_wheels_advice(offer),
        "fix-not-listed": "wait for this page to be made anew; if it stays, tell whoever runs it",
    }
    return steps[stays.code]


def _builds(found: Picked, environment: Environment, offer: Offer) -> bool | None:
    """Say whether somebody who builds the fix from source had a wheel of the broken release.

    None if they build nothing, or had to before as well; False if only the last good one had it.
    """
    file = found.candidate
    if file is None or file.filename.endswith(".whl"):
        return None
    if parse_version(file.version or "") not in offer.fix_versions:
        return None  # a later release, with files of its own
    if applicable(offer.broken_wheels, environment, offer.project):
        return True
    return False if applicable(offer.last_good_wheels, environment, offer.project) else None


def _from_source(had: bool, environments: Sequence[Environment], offer: Offer) -> ReleaseFinding:
    who = tell_environments(environments, offer.everybody)
    before = offer.context.line.broken_text if had else str(offer.last_good_version)
    only = f"; --only-binary gets {_with_wheels_only(environments, offer)}"
    return ReleaseFinding(
        code="fix-builds-from-source",
        level=Level.FAIL if had else Level.WARN,
        text=f"{who} {verb(who, 'builds', 'build')} {offer.fix_text} from source, where {before} "
        f"has a wheel{only}.",
        expected="a wheel wherever the broken and the last good release have one",
        observed=f"no wheel of {offer.fix_text} in {len(environments)} environments",
        next_step=missing_wheels_advice(offer),
    )


def _with_wheels_only(environments: Sequence[Environment], offer: Offer) -> str:
    chosen = choose_all(wheels(offer.files), environments, offer.project).values()
    got = {c.candidate.version if c.candidate else None for c in chosen}
    return names(sorted(v or "nothing" for v in got))


def _undecided(
    chosen: Mapping[str, Picked], unsure: Sequence[Environment], offer: Offer
) -> ReleaseFinding:
    return ReleaseFinding(
        code="undecided",
        level=Level.UNKNOWN,
        text=f"What {tell_environments(unsure, offer.everybody)} gets cannot be said.",
        expected="version, yank and requires-python of every file that could win",
        observed=chosen[unsure[0].id].reason,
        next_step="check against an index that states these facts",
    )


def _others(fixed: Sequence[Candidate], offer: Offer) -> Iterator[ReleaseFinding]:
    """PyPy and its like: no rules of ours choose for them, so their wheels are compared."""
    project = offer.project
    before = other_interpreters(wheels((*offer.broken, *offer.last_good)), project)
    have = {(i, platform_words(p)[0]) for i, p in other_interpreters(wheels(fixed), project)}
    lost = [pair for pair in before if (pair[0], platform_words(pair[1])[0]) not in have]
    generic = any(c.filename.endswith("-none-any.whl") for c in fixed)
    if not lost or generic:
        return
    has_sdist = len(wheels(fixed)) < len(fixed)
    had = other_interpreters(wheels(offer.broken), project) & set(lost)
    what = "built from source" if has_sdist else "left behind"
    yield ReleaseFinding(
        code="fix-builds-from-source" if has_sdist else "fix-no-matching-file",
        level=Level.FAIL if had else Level.WARN,
        text=f"{tell_pairs(lost, sorted(before))}: {what}, {offer.fix_text} has no wheel for it.",
        expected="a wheel wherever the broken and the last good release have one",
        observed=f"no wheel of {offer.fix_text} for {names(sorted({i for i, _ in lost}))}",
        next_step=missing_wheels_advice(offer),
    )
