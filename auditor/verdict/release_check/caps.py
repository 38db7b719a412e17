"""Dependants that cannot take the fix: their requirements, and the locks that were looked at."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from auditor.model import Pin, PinState, Yank, parse_version
from auditor.selection import choose_all
from auditor.verdict.release_check.finding import Level, ReleaseFinding, Wanted
from auditor.verdict.release_check.offer import Offer
from auditor.verdict.release_check.words import joined

__all__ = ["check_caps"]


def check_caps(offer: Offer, wanted: Sequence[Wanted]) -> Iterator[ReleaseFinding]:
    """See which requirements admit no fixed version, and what they get instead."""
    for each in (*wanted, *_pinned(offer)):
        if any(_admits(each.specifier, fix) for fix in _fixes(offer)):
            continue
        broken = [b for b in offer.context.line.broken if _admits(each.specifier, b)]
        yield _excluded(each, broken, offer)


def _fixes(offer: Offer) -> Iterator[Version]:
    """The fixed versions, and every later one on offer that contains the fix."""
    yield from offer.fix_versions
    for text in {c.version for c in offer.files if c.version and c.yanked is not Yank.YES}:
        version = parse_version(text)
        if version is not None and offer.context.line.is_fix(text):
            yield version


def _excluded(wanted: Wanted, broken: Sequence[Version], offer: Offer) -> ReleaseFinding:
    got = _gets(wanted, offer)
    keeps = [v for v in got if offer.context.line.is_broken(v)]
    gets = f"still gets {joined(keeps)}" if keeps else f"gets {joined(got) or 'nothing'}"
    return ReleaseFinding(
        code="cap-excludes-fix",
        level=Level.FAIL if broken else Level.WARN,
        text=f"{wanted.text} ({wanted.where}) leaves out {offer.fix_text}, and {gets}.",
        expected=f"a requirement that admits {offer.fix_text}",
        observed=wanted.text,
        next_step=_step(broken, offer),
    )


def _gets(wanted: Wanted, offer: Offer) -> list[str]:
    """What installers choose within these bounds, in the environments that were asked for.

    A yanked release is chosen where a requirement names it and nothing else (PEP 592).
    """
    admitted = tuple(
        c
        for c in offer.files
        if c.version and (v := parse_version(c.version)) and _admits(wanted.specifier, v)
    )
    # `==1.2.*` names no release, and `===` may name what is no version.
    exact = [
        s.version
        for s in wanted.specifier
        if s.operator in ("==", "===") and parse_version(s.version)
    ]
    environments, pin = offer.context.environments, exact[0] if exact else None
    chosen = choose_all(admitted, environments, offer.project, pin=pin).values()
    return sorted({c.candidate.version or "" for c in chosen if c.candidate})


def _step(broken: Sequence[Version], offer: Offer) -> str:
    if not broken:
        return f"ask its maintainers to admit {offer.fix_text}"
    exclusion = ",".join(f"!={b}" for b in broken)
    return (
        f"ask its maintainers to admit {offer.fix_text} and exclude {exclusion}; or publish the "
        "fix as a patch that the cap admits as well"
    )


def _pinned(offer: Offer) -> Iterable[Wanted]:
    for observation in offer.observations:
        for pin in observation.pins:
            specifier = _specifier(pin)
            if specifier is not None:
                text = f"{offer.project}{specifier}"
                where = f"{observation.location}, {pin.where}"
                yield Wanted(specifier=specifier, text=text, where=where)


def _specifier(pin: Pin) -> SpecifierSet | None:
    """What an entry of a lock admits; None if it caps nothing, or cannot be read."""
    if pin.state not in (PinState.FORCED, PinState.RANGE):
        return None
    text = f"=={pin.version}" if pin.version else pin.specifier
    try:
        return SpecifierSet(text) if text else None
    except InvalidSpecifier:
        return None


def _admits(specifier: SpecifierSet, version: Version) -> bool:
    return specifier.contains(version, prereleases=True)
