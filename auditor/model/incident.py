"""What went wrong: one project, its broken releases, the releases that fix it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from functools import cached_property, lru_cache

from packaging.version import Version

from auditor.model.orders import order_of
from auditor.model.remembered import Remembered
from auditor.model.version import VersionRule, parse_version

__all__ = ["Finding", "Fingerprint", "Incident"]

# More than any project has.
_MAX_VERSIONS = 1 << 13


@dataclass(frozen=True, slots=True, kw_only=True)
class Fingerprint:
    """What is known of one broken artifact. Stores differ in what they can match it by.

    Attributes:
        filename: file name on the index; None if only a digest was given.
        version: its version as text; None if not known.
        size: bytes; None if not known.
        sha256, md5, crc32: lower-case hexadecimal; None if not known.
        url: where the source offers it, without credentials; None if not known.
    """

    filename: str | None = None
    version: str | None = None
    size: int | None = None
    sha256: str | None = None
    md5: str | None = None
    crc32: str | None = None
    url: str | None = None


@dataclass(frozen=True, kw_only=True)
class Incident:
    """One broken release and its cure.

    Attributes:
        id: unique name, `PROJECT-FIRSTBROKEN` by default.
        project: normalised name (PEP 503).
        broken: versions or specifiers, as they were written.
        fixed: versions or specifiers that cure it.
        fingerprints: the broken artifacts as far as they are known before looking (config).
        environments: ids such as `cp312-manylinux_2_28_x86_64`; empty means the default matrix.
        published_at: when the fix was published; None: learnt from the source.
        opened_at: when the incident was recorded; None if nobody said.
        references: files of the project as the source listed them when they were first seen, from
            the history; those of broken releases stand in `fingerprints` as well, so that stores
            are searched for them after a deletion.
        fix_seen_at: when any place was first seen to list the fix; None: there is no history.
    """

    id: str
    project: str
    broken: tuple[str, ...]
    fixed: tuple[str, ...]
    fingerprints: tuple[Fingerprint, ...] = ()
    environments: tuple[str, ...] = ()
    published_at: datetime | None = None
    opened_at: datetime | None = None
    references: tuple[Fingerprint, ...] = ()
    fix_seen_at: datetime | None = None

    @cached_property
    def broken_rules(self) -> tuple[VersionRule, ...]:
        """The entries of `broken`, ready to match."""
        return tuple(VersionRule(text) for text in self.broken)

    @cached_property
    def fixed_rules(self) -> tuple[VersionRule, ...]:
        """The entries of `fixed`, ready to match."""
        return tuple(VersionRule(text) for text in self.fixed)

    @cached_property
    def broken_sha256(self) -> frozenset[str]:
        """Digests that identify a broken artifact wherever it lies and whatever it is called."""
        return frozenset(f.sha256 for f in self.fingerprints if f.sha256)

    @cached_property
    def _known(self) -> Remembered[str | None, tuple[bool, bool]]:
        """Of each version that was met: whether it is broken, and whether it is named as fixed."""
        return Remembered(self._read_text)

    @cached_property
    def _orders(self) -> tuple[frozenset[str], frozenset[str]] | None:
        """The orders of the versions named in `broken` and in `fixed`; None: a rule is no version.

        Orders are known of every version on a page, and say which are equal without parsing any.
        """
        broken = [order_of(text) for text in self.broken]
        fixed = [order_of(text) for text in self.fixed]
        if None in broken or None in fixed:
            return None
        return frozenset(filter(None, broken)), frozenset(filter(None, fixed))

    def _read_text(self, text: str | None) -> tuple[bool, bool]:
        if text is None or self._orders is None:
            return self._read(parse_version(text) if text else None)
        broken, fixed = self._orders
        order = order_of(text)
        return order in broken, order in fixed and order not in broken

    def _read(self, version: Version | None) -> tuple[bool, bool]:
        if version is None:
            return False, False
        if any(rule.matches(version) for rule in self.broken_rules):
            return True, False
        return False, any(rule.matches(version) for rule in self.fixed_rules)

    @cached_property
    def breaks(self) -> Callable[[str | None], bool]:
        """As `is_broken`, for the texts of whole pages: asked again, a text runs no Python code."""
        return lru_cache(maxsize=_MAX_VERSIONS)(self.is_broken)

    @cached_property
    def cures(self) -> Callable[[str | None], bool]:
        """As `is_named_fixed`, likewise."""
        return lru_cache(maxsize=_MAX_VERSIONS)(self.is_named_fixed)

    def is_broken(self, version: Version | str | None) -> bool:
        """Say whether a version is one of the broken ones. Text that is no version is not."""
        return (self._read(version) if isinstance(version, Version) else self._known[version])[0]

    def is_named_fixed(self, version: Version | str | None) -> bool:
        """Say whether a version is named in `fixed`. (What *counts* as the fix: `verdict.fix`.)"""
        return (self._read(version) if isinstance(version, Version) else self._known[version])[1]


# Findings that come of looking from several places.
_OF_VANTAGES = ("split-vantage", "clock-skew")


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """Something wrong with the incident itself, or with how it was looked at.

    Attributes:
        code: a reason code, see `auditor explain CODE`.
        failing: whether it makes the audit fail (exit code 1).
    """

    code: str
    text: str
    expected: str
    observed: str
    failing: bool

    @property
    def about(self) -> str:
        """What it is that something is wrong with, in words."""
        return "the vantages" if self.code in _OF_VANTAGES else "the incident itself"
