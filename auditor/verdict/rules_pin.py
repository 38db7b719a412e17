"""Rules that decide the status of what forces a release, or already contains it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from packaging.version import Version

from auditor.model import (
    HeldState,
    Integrity,
    Outcome,
    Pin,
    PinState,
    Role,
    Status,
    parse_version,
)
from auditor.verdict.context import Context
from auditor.verdict.markers import holds_in
from auditor.verdict.pin_meaning import (
    PRESENT,
    admitted_by,
    all_broken,
    contains_broken,
    is_obscure,
)
from auditor.verdict.row import Row
from auditor.verdict.rules_index import hash_conflict, outcome_code, tampered
from auditor.verdict.ruling import Ruling, names, ruling

__all__ = [
    "behind",
    "clean",
    "local_build",
    "other_code",
    "outside",
    "pinned",
    "shadowed",
    "unread",
]

# Code of which it is not known whose it is, whatever its metadata says.
_OTHER_CODE = {
    Integrity.PATCHED: ("code-patched", "the installed files are not those of {}"),
    Integrity.REPLACED: ("code-replaced", "the installed files are not those of {}"),
    Integrity.EDITABLE: ("code-editable", "the code is that of a source tree, which may be any"),
    Integrity.UNKNOWN: ("code-unread", "whether the code is that of {} could not be read"),
}

# What a location says of its trouble is a path and a cause; a sentence is no longer.
_MAX_CAUSE_CHARS = 300


def pinned(row: Row) -> Iterator[Ruling]:
    """A lock, constraint, image or environment forces or already contains the broken release."""
    for pin in _entries(row):
        if contains_broken(pin, row.context):
            verb = "contains" if pin.state is PinState.INSTALLED else "forces"
            yield ruling(
                "pinned",
                f"{pin.where} {verb} the broken release{_binding(pin)}.",
                status=Status.PINNED,
                expected=f"{row.context.line.fixed_text}, or a later version that contains it",
                observed=_observed(pin),
                evidence=pin.evidence,
            )
    for pins, admitted in _joined(row):
        if admitted and row.context.source_observed and all_broken(admitted, row.context):
            yield ruling(
                "pinned",
                f"{_places(pins)} together admit the broken release only.",
                status=Status.PINNED,
                expected=f"{row.context.line.fixed_text}, or a later version that contains it",
                observed=names(map(_observed, pins)),
                evidence=(e for pin in pins for e in pin.evidence),
            )


def behind(row: Row) -> Iterator[Ruling]:
    """A cap or a pin admits no version that contains the fix."""
    for pin in _entries(row):
        admitted = admitted_by(pin, row.context)
        if admitted is None or contains_broken(pin, row.context):
            continue
        if not any(row.context.line.is_fix(str(version)) for version in admitted):
            yield ruling(
                "fix-excluded",
                f"{pin.where} admits no version that contains the fix.",
                status=Status.BEHIND,
                expected=f"a requirement that admits {row.context.line.fixed_text}",
                observed=_observed(pin),
                evidence=pin.evidence,
            )
    for pins, admitted in _joined(row):
        fix = any(row.context.line.is_fix(str(version)) for version in admitted)
        if not fix and not all_broken(admitted, row.context):
            yield ruling(
                "fix-excluded",
                f"{_places(pins)} together admit no version that contains the fix.",
                status=Status.BEHIND,
                expected=f"requirements that admit {row.context.line.fixed_text}",
                observed=names(map(_observed, pins)),
                evidence=(e for pin in pins for e in pin.evidence),
            )


def unread(row: Row) -> Iterator[Ruling]:
    """It could not be read to its end, or an entry could not be understood."""
    if row.location.role is not Role.PIN or row.observation.outcome is Outcome.ABSENT:
        return
    looked = row.observation.outcome is Outcome.OBSERVED
    obscure = [
        f"{pin.where} does not tell which version it means"
        for pin in _pins(row)
        if is_obscure(pin, row.context)
    ]
    if looked and row.observation.holdings_complete and not obscure:
        return
    code = "unreadable" if looked else outcome_code(row.observation.outcome, local=True)
    cause = row.observation.detail or names([*obscure, *row.observation.notes]) or "a part of it"
    how = "could not be read to its end" if looked else "could not be read"
    yield ruling(
        code,
        f"This {how}: {cause[:_MAX_CAUSE_CHARS]}.",
        status=Status.UNKNOWN,
        expected="every entry about the project",
        observed=cause,
        evidence=(e.id for e in row.observation.evidence),
    )


def shadowed(row: Row) -> Iterator[Ruling]:
    """The broken bytes are still in it, and nothing would import or install them by itself."""
    if row.location.role is not Role.PIN:
        return
    if any(contains_broken(pin, row.context) for pin in _pins(row)):
        return
    if row.broken.held in (HeldState.SHADOWED, HeldState.HELD) and row.observation.holdings:
        yield ruling(
            "latent",
            f"The broken bytes are in it: {names(row.broken.files)}.",
            status=Status.LATENT,
            expected="no broken artifact, hidden or not",
            observed=f"{row.broken.held.value}: {names(row.broken.files)}",
            evidence=(e for h in row.observation.holdings for e in h.evidence),
        )


def other_code(row: Row) -> Iterator[Ruling]:
    """Installed code is not known to be what its metadata calls it.

    It explains an entry of the broken release, and forbids to call any other one free of it: nobody
    knows what runs there.
    """
    for pin in _pins(row):
        is_broken = contains_broken(pin, row.context)
        if not pin.is_of_unknown_code or (is_broken and pin.integrity is Integrity.UNKNOWN):
            continue
        code, text = _OTHER_CODE[pin.integrity]
        yield ruling(
            code,
            f"{pin.where}: {text.format(pin.version or 'a release')}.",
            status=None if is_broken else Status.UNKNOWN,
            expected="the files that the release's RECORD lists",
            observed=pin.how,
            evidence=pin.evidence,
        )


def outside(row: Row) -> Iterator[Ruling]:
    """An entry forces the broken release, in environments only that are not audited."""
    if row.is_index:
        return
    for pin in row.observation.pins:
        if not _holds_somewhere(pin, row.context) and contains_broken(pin, row.context):
            yield ruling(
                "outside-environments",
                f"{pin.where} forces the broken release where {pin.marker}: in no environment "
                "that is audited.",
                expected=f"{row.context.line.fixed_text} in every environment",
                observed=_observed(pin),
                evidence=pin.evidence,
            )


def local_build(row: Row) -> Iterator[Ruling]:
    """A local build of the broken release is here; nobody says whether it has the defect."""
    for pin in _pins(row):
        version = parse_version(pin.version or "")
        if version is None or version.local is None or pin.state not in PRESENT:
            continue
        if row.context.line.is_broken(version.public) and not contains_broken(pin, row.context):
            yield ruling(
                "local-build",
                f"{pin.where} is a local build of the broken release: {version}.",
                status=Status.UNKNOWN,
                expected="a release, or a local build of the fix",
                observed=_observed(pin),
                evidence=pin.evidence,
            )


_NOT_CLEAN = (tampered, hash_conflict, pinned, behind, unread, shadowed, local_build, other_code)


def clean(row: Row) -> Iterator[Ruling]:
    """It was read to its end, and neither forces nor contains anything broken."""
    if row.location.role is not Role.PIN or row.observation.outcome is not Outcome.OBSERVED:
        return
    if not row.observation.holdings_complete or row.broken.held is not HeldState.NOT_HELD:
        return
    if any(True for rule in _NOT_CLEAN for _ in rule(row)):
        return
    everywhere = len(_pins(row)) == len(row.observation.pins)
    where = "" if everywhere else " in any environment that is audited"
    yield ruling(
        "clean",
        f"This was read to its end, and neither forces nor contains the broken release{where}.",
        status=Status.CLEAN,
        expected="no broken release",
        observed=names(map(_observed, _pins(row))) or "no entry holds one",
    )


def _pins(row: Row) -> list[Pin]:
    if row.is_index:
        return []  # a store can hold a whole environment, such as the `.venv` in a CI cache
    return [pin for pin in row.observation.pins if _holds_somewhere(pin, row.context)]


def _entries(row: Row) -> list[Pin]:
    """Each entry once, though several files of a directory include the one where it stands."""
    keys = ((p.where, p.state, p.version, p.specifier, p.marker) for p in _pins(row))
    return list(dict(zip(keys, _pins(row), strict=True)).values())


def _holds_somewhere(pin: Pin, context: Context) -> bool:
    return not context.environments or bool(holds_in(pin.marker, context.environments))


def _joined(row: Row) -> Iterator[tuple[tuple[Pin, ...], list[Version]]]:
    """Entries that bind together in an environment, and the known versions that all of them admit.

    Those that rule by themselves are left out: there is nothing to add.
    """
    texts = {pin.together for pin in row.observation.pins if pin.together}
    for together in sorted(texts):
        pins = [pin for pin in _pins(row) if pin.together == together]
        told = [(pin, admitted_by(pin, row.context)) for pin in pins]
        binding = [(pin, frozenset(found)) for pin, found in told if found is not None]
        for numbers in sorted(_groups([pin for pin, _ in binding], row.context)):
            group = [binding[n] for n in numbers]
            if len(group) > 1 and not any(_rules_alone(pin, row.context) for pin, _ in group):
                admitted = frozenset.intersection(*(found for _, found in group))
                yield tuple(pin for pin, _ in group), sorted(admitted)


def _groups(pins: Sequence[Pin], context: Context) -> set[tuple[int, ...]]:
    """The numbers of the entries that hold in one and the same environment, for all of them."""
    held = [frozenset(e.id for e in holds_in(p.marker, context.environments)) for p in pins]
    return {
        tuple(n for n, ids in enumerate(held) if environment.id in ids)
        for environment in context.environments
    }


def _rules_alone(pin: Pin, context: Context) -> bool:
    admitted = admitted_by(pin, context) or []
    fixes = any(context.line.is_fix(str(version)) for version in admitted)
    return not fixes or contains_broken(pin, context)


def _places(pins: Sequence[Pin]) -> str:
    return names(pin.where for pin in pins)


def _binding(pin: Pin) -> str:
    """How an entry binds, in words."""
    by = [
        word
        for word, is_so in (
            ("by hash", any(f.hashes for f in pin.files)),
            ("by URL", any(f.url for f in pin.files)),
        )
        if is_so
    ]
    return f" {' and '.join(by)}" if by and pin.state is PinState.FORCED else ""


def _observed(pin: Pin) -> str:
    what = pin.version or pin.specifier or "any version"
    if pin.code is not None and pin.code != pin.version:
        what = f"the code of {pin.code} as {pin.version or 'no version'}"
    marker = f" where {pin.marker}" if pin.marker else ""
    return f"{pin.where}: {what} {pin.state.value}{marker}"
