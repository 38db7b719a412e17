"""Is the fix a good one? The incident itself is checked before any location is judged."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from packaging.specifiers import InvalidSpecifier, SpecifierSet

from auditor.model import Candidate, Environment, Finding, Yank, parse_version
from auditor.selection import applicable
from auditor.verdict.context import Context
from auditor.verdict.ruling import names

__all__ = ["check_incident"]

# Python versions that a requires-python may admit or leave out, beside the matrix.
PYTHONS = ("2.7", "3.5", "3.6", "3.7", "3.8", "3.9", "3.10", "3.11", "3.12", "3.13", "3.14", "3.15")


def check_incident(context: Context) -> tuple[Finding, ...]:
    """Everything that is wrong with the fix, judged on the source's file list."""
    if not context.source_observed:
        return ()
    files = list(context.source_files.values())
    fixed = [c for c in files if context.incident.is_named_fixed(c.version)]
    broken = [c for c in files if context.line.is_broken(c.version)]
    if not fixed:
        return (_not_published(context),)
    checks = (
        _yanked(fixed),
        _prerelease(fixed, broken),
        _reused(context),
        _narrower_python(fixed, broken),
        _fewer_wheels(fixed, broken, context),
    )
    return tuple(finding for found in checks for finding in found)


def _finding(code: str, text: str, expected: str, observed: str) -> Finding:
    return Finding(code=code, text=text, expected=expected, observed=observed, failing=True)


def _not_published(context: Context) -> Finding:
    where = context.source.name if context.source else "the source"
    return _finding(
        "fix-not-listed",
        f"{where} lists no file of the fix {context.line.fixed_text}.",
        f"a file of {context.line.fixed_text} at the source",
        f"{len(context.source_files)} files, none of them the fix",
    )


def _yanked(fixed: list[Candidate]) -> Iterator[Finding]:
    yanked = [c.filename for c in fixed if c.yanked is Yank.YES]
    if yanked and len(yanked) == len(fixed):
        yield _finding(
            "fix-yanked",
            "The fix itself is yanked, so that no unpinned install gets it.",
            "a fix that is not yanked",
            names(yanked),
        )


def _prerelease(fixed: list[Candidate], broken: list[Candidate]) -> Iterator[Finding]:
    """A pre-release as the fix is passed over wherever a final release is on offer."""
    versions = {v for c in fixed if c.version and (v := parse_version(c.version))}
    others = {v for c in broken if c.version and (v := parse_version(c.version))}
    if (
        versions
        and all(v.is_prerelease for v in versions)
        and not all(v.is_prerelease for v in others)
    ):
        yield _finding(
            "fix-prerelease",
            "The fix is a pre-release, which installers pass over.",
            "a final release",
            names(str(v) for v in sorted(versions)),
        )


def _reused(context: Context) -> Iterator[Finding]:
    """One file name must not stand for two sets of bytes."""
    ours = [
        name
        for name in sorted(context.references.disputed)
        if (c := context.source_files.get(name))
        and (context.line.is_broken(c.version) or context.incident.is_named_fixed(c.version))
    ]
    if ours:
        yield _finding(
            "reused-name",
            "The source offers different bytes under one file name.",
            "one set of bytes per file name",
            names(ours),
        )


def _narrower_python(fixed: list[Candidate], broken: list[Candidate]) -> Iterator[Finding]:
    lost = [
        python
        for python in PYTHONS
        if any(_admits(c, python) for c in broken) and not any(_admits(c, python) for c in fixed)
    ]
    if lost:
        yield _finding(
            "fix-requires-python",
            f"The fix leaves out Python {names(lost)}, where the broken release installs.",
            "requires-python not narrower than that of the broken release",
            names({c.requires_python or "none" for c in fixed}),
        )


def _admits(candidate: Candidate, python: str) -> bool:
    """Whether any micro release of that Python may be meant; installers ignore nonsense."""
    try:
        specifier = SpecifierSet(candidate.requires_python or "")
    except InvalidSpecifier:
        return True
    return any(specifier.contains(f"{python}.{micro}") for micro in (0, 1, 5, 20))


def _fewer_wheels(
    fixed: list[Candidate], broken: list[Candidate], context: Context
) -> Iterator[Finding]:
    """Wherever the broken release has a wheel, the fix needs one, or people stay behind."""
    project = context.incident.project
    lost = [
        e.id
        for e in context.environments
        if _has_wheel(broken, e, project) and not _has_wheel(fixed, e, project)
    ]
    if lost:
        yield _finding(
            "fix-no-matching-file",
            f"The fix has no wheel for {len(lost)} of {len(context.environments)} environments "
            "for which the broken release has one.",
            "a wheel wherever the broken release has one",
            f"none for {names(lost)}",
        )


def _has_wheel(files: Iterable[Candidate], environment: Environment, project: str) -> bool:
    wheels = [c for c in files if c.filename.endswith(".whl")]
    return bool(applicable(wheels, environment, project))
