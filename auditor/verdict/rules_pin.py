"""Rules that decide the status of what forces a release, or already contains it."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence

from packaging.markers import InvalidMarker, Marker, UndefinedComparison
from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from auditor.model import (
    Environment,
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
from auditor.verdict.row import Row
from auditor.verdict.rules_index import outcome_code
from auditor.verdict.ruling import Ruling, names, ruling

__all__ = ["behind", "clean", "patched", "pinned", "shadowed", "unread"]

_HERE = (PinState.FORCED, PinState.INSTALLED)

_CODES = {Integrity.PATCHED: "code-patched", Integrity.REPLACED: "code-replaced"}

# Marker variables that no environment decides (PEP 508 `extra`; PEP 751 the other two).
_CHOSEN_BY_USER = re.compile(r"\b(extra|extras|dependency_groups)\b")


def pinned(row: Row) -> Iterator[Ruling]:
    """A lock, constraint, image or environment forces or already contains the broken release."""
    for pin in _pins(row):
        if _contains_broken(pin, row.context):
            verb = "contains" if pin.state is PinState.INSTALLED else "forces"
            yield ruling(
                "pinned",
                f"{pin.where} {verb} the broken release{_binding(pin)}.",
                status=Status.PINNED,
                expected=f"{row.context.line.fixed_text}, or a later version that contains it",
                observed=_observed(pin),
                evidence=pin.evidence,
            )


def behind(row: Row) -> Iterator[Ruling]:
    """A cap or a pin admits no version that contains the fix."""
    for pin in _pins(row):
        admitted = _admitted(pin, row.context)
        if admitted is None or _contains_broken(pin, row.context):
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


def unread(row: Row) -> Iterator[Ruling]:
    """It could not be read to its end, or an entry could not be understood."""
    if row.location.role is not Role.PIN or row.observation.outcome is Outcome.ABSENT:
        return
    looked = row.observation.outcome is Outcome.OBSERVED
    obscure = [p.where for p in _pins(row) if _is_obscure(p, row.context)]
    if looked and row.observation.holdings_complete and not obscure:
        return
    code = "unreadable" if looked else outcome_code(row.observation.outcome, local=True)
    yield ruling(
        code,
        "This could not be read to its end.",
        status=Status.UNKNOWN,
        expected="every entry about the project",
        observed=row.observation.detail or names([*obscure, *row.observation.notes]) or "a part",
        evidence=(e.id for e in row.observation.evidence),
    )


def shadowed(row: Row) -> Iterator[Ruling]:
    """The broken bytes are still in it, and nothing would import or install them by itself."""
    if row.location.role is not Role.PIN:
        return
    if any(_contains_broken(pin, row.context) for pin in _pins(row)):
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


def patched(row: Row) -> Iterator[Ruling]:
    """Installed code of the broken or the fixed release is not what that release contains."""
    for pin in _pins(row):
        line = row.context.line
        if pin.integrity in _CODES and (line.is_broken(pin.version) or line.is_fix(pin.version)):
            yield ruling(
                _CODES[pin.integrity],
                f"{pin.where}: the installed files are not those of {pin.version}.",
                expected="the files that the release's RECORD lists",
                observed=pin.how,
                evidence=pin.evidence,
            )


def clean(row: Row) -> Iterator[Ruling]:
    """It was read to its end, and neither forces nor contains anything broken."""
    if row.location.role is not Role.PIN or row.observation.outcome is not Outcome.OBSERVED:
        return
    if row.observation.holdings_complete and row.broken.held is HeldState.NOT_HELD:
        yield ruling(
            "clean",
            "This was read to its end, and neither forces nor contains the broken release.",
            status=Status.CLEAN,
            expected="no broken release",
            observed=names(map(_observed, row.observation.pins)) or "no entry holds one",
        )


def _pins(row: Row) -> list[Pin]:
    if row.is_index:
        return []  # a store can hold a whole environment, such as the `.venv` in a CI cache
    environments = row.context.environments
    return [p for p in row.observation.pins if _holds_somewhere(p.marker, environments)]


def _contains_broken(pin: Pin, context: Context) -> bool:
    if pin.state in _HERE and context.line.is_broken(pin.version):
        return True
    digests = {f.hashes.get("sha256") for f in pin.files} - {None}
    if pin.state is PinState.FORCED and digests & context.broken_sha256:
        return True
    admitted = _admitted(pin, context)
    return bool(admitted) and all(context.line.is_broken(str(v)) for v in admitted or ())


def _admitted(pin: Pin, context: Context) -> list[Version] | None:
    """Known versions that an entry admits; None if it decides nothing about versions."""
    known = _known_versions(context)
    if pin.state is PinState.FORCED and pin.version is not None:
        version = parse_version(pin.version)
        return [version] if version is not None else None
    if not _says_range(pin):
        return None
    try:
        return list(SpecifierSet(pin.specifier).filter(known, prereleases=True))
    except InvalidSpecifier:
        return None


def _is_obscure(pin: Pin, context: Context) -> bool:
    """Whether an entry binds in a way of which it is not known whether it means broken bytes."""
    if _admitted(pin, context) is not None:
        return False
    if pin.state is PinState.RANGE:
        return bool(pin.specifier)
    if pin.state is not PinState.FORCED:
        return False
    told = bool(pin.files) and all("sha256" in f.hashes for f in pin.files)
    return not (told and context.broken_sha256)


def _says_range(pin: Pin) -> bool:
    return pin.state is PinState.RANGE and bool(pin.specifier)


def _known_versions(context: Context) -> list[Version]:
    listed = (parse_version(c.version or "") for c in context.source_files.values())
    named = (*context.line.broken, *context.line.fixed)
    return sorted({v for v in (*listed, *named) if v is not None})


def _holds_somewhere(marker: str, environments: Sequence[Environment]) -> bool:
    """Whether an entry holds in any audited environment; one that cannot be told holds."""
    # Who asks for an extra or a group gets its entries, on any platform.
    if not marker or not environments or _CHOSEN_BY_USER.search(marker):
        return True
    try:
        parsed = Marker(marker)
        return any(parsed.evaluate(_marker_values(e)) for e in environments)
    except (InvalidMarker, UndefinedComparison, KeyError):
        return True


def _marker_values(environment: Environment) -> dict[str, str]:
    """The marker variables that an environment's id decides (PEP 508)."""
    platform = environment.platform
    windows, mac = platform.startswith("win"), platform.startswith("macosx")
    system = "Windows" if windows else "Darwin" if mac else "Linux"
    machine = platform.rpartition("win_")[2] if windows else platform
    return {
        "python_version": ".".join(environment.python_full_version.split(".")[:2]),
        "python_full_version": environment.python_full_version,
        "os_name": "nt" if windows else "posix",
        "sys_platform": "win32" if windows else "darwin" if mac else "linux",
        "platform_system": system,
        "platform_machine": _machine(machine),
    }


def _machine(platform: str) -> str:
    known = ("x86_64", "aarch64", "arm64", "i686", "armv7l", "ppc64le", "s390x", "riscv64")
    found = next((name for name in known if platform.endswith(name)), "")
    return found or {"amd64": "AMD64", "win32": "x86", "arm64": "ARM64"}.get(platform, platform)


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
    marker = f" where {pin.marker}" if pin.marker else ""
    return f"{pin.where}: {what} {pin.state.value}{marker}"
