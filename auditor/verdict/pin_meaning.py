"""What one entry of a lock or an environment means for the releases that are known."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.version import Version

from auditor.model import Pin, PinState, parse_version
from auditor.verdict.context import Context

__all__ = ["PRESENT", "admitted_by", "all_broken", "contains_broken", "is_obscure"]

# As what an entry is there, rather than admits or hides.
PRESENT = (PinState.FORCED, PinState.INSTALLED)


def all_broken(versions: Sequence[Version], context: Context) -> bool:
    """Whether there are any, and all of them are broken."""
    return bool(versions) and all(context.line.is_broken(str(v)) for v in versions)


def contains_broken(pin: Pin, context: Context) -> bool:
    """Whether an entry forces the broken release, or is it."""
    if pin.state in PRESENT and _is_broken(pin, context):
        return True
    digests = {f.hashes.get("sha256") for f in pin.files} - {None}
    if pin.state in PRESENT and digests & context.broken_sha256:
        return True
    # Where nobody lists the releases, a range may admit others than those that the question names.
    if not context.source_observed and not _names_version(pin):
        return False
    return all_broken(admitted_by(pin, context) or (), context)


def _is_broken(pin: Pin, context: Context) -> bool:
    return context.line.is_broken(pin.version) or context.line.is_broken(pin.code)


def _names_version(pin: Pin) -> bool:
    """Whether an entry admits one version only, whatever releases there are."""
    return pin.version is not None or (
        "," not in pin.specifier and pin.specifier.startswith("==") and "*" not in pin.specifier
    )


def admitted_by(pin: Pin, context: Context) -> list[Version] | None:
    """Known versions that an entry admits; None if it decides nothing about versions."""
    if pin.state is PinState.FORCED and pin.version is not None:
        version = parse_version(pin.version)
        return [version] if version is not None else None
    if not _says_range(pin):
        return None
    found = _matching(pin.specifier, _known_versions(context))
    return None if found is None else list(found)


@lru_cache(maxsize=1024)
def _matching(specifier: str, known: tuple[Version, ...]) -> tuple[Version, ...] | None:
    try:
        return tuple(SpecifierSet(specifier).filter(known, prereleases=True))
    except InvalidSpecifier:
        return None


def is_obscure(pin: Pin, context: Context) -> bool:
    """Whether an entry binds in a way of which it is not known whether it means broken bytes."""
    if admitted_by(pin, context) is not None or contains_broken(pin, context):
        return False
    if pin.state is PinState.RANGE:
        return bool(pin.specifier)
    if pin.state is not PinState.FORCED:
        return parse_version(pin.version or pin.code or "") is None
    told = bool(pin.files) and all("sha256" in f.hashes for f in pin.files)
    return not (told and context.broken_sha256)


def _says_range(pin: Pin) -> bool:
    return pin.state is PinState.RANGE and bool(pin.specifier)


def _known_versions(context: Context) -> tuple[Version, ...]:
    listed = {c.version for c in context.source_files.values() if c.version}
    parsed = {v for text in listed if (v := parse_version(text)) is not None}
    return tuple(sorted({*parsed, *context.line.broken, *context.line.fixed}))
