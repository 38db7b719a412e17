"""The release line of an incident: which versions are broken, and which count as the fix."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

from packaging.version import Version

from auditor.model import Incident, parse_version

__all__ = ["ReleaseLine"]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReleaseLine:
    """Broken and fixed versions, made concrete over the versions that were seen anywhere.

    Attributes:
        incident: the question.
        broken: broken versions, those named and those seen that a specifier matches, ascending.
        fixed: fixed versions likewise; none of them is broken.
    """

    incident: Incident
    broken: tuple[Version, ...]
    fixed: tuple[Version, ...]
    # Pages have thousands of files, and few versions.
    _is_broken: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)
    _is_fix: dict[str, bool] = field(default_factory=dict, init=False, repr=False, compare=False)

    @classmethod
    def of(cls, incident: Incident, seen: Iterable[Version]) -> ReleaseLine:
        """Make the rules of an incident concrete over the versions that were seen."""
        known = set(seen)
        named = {v for rule in incident.broken_rules for v in rule.named_versions()}
        broken = {v for v in known | named if incident.is_broken(v)}
        named = {v for rule in incident.fixed_rules for v in rule.named_versions()}
        fixed = {v for v in known | named if incident.is_named_fixed(v)}
        return cls(incident=incident, broken=tuple(sorted(broken)), fixed=tuple(sorted(fixed)))

    def is_broken(self, version: str | None) -> bool:
        """Say whether a version is one of the broken ones."""
        if version is None:
            return False
        if version not in self._is_broken:
            self._is_broken[version] = self.incident.is_broken(version)
        return self._is_broken[version]

    def is_fix(self, version: str | None) -> bool:
        """Say whether somebody who got this version got the fix.

        It does if it is not broken itself and some fixed version at or below it has no broken
        version between the two: whatever came after the fix contains it.
        """
        if version is None:
            return False
        if version not in self._is_fix:
            self._is_fix[version] = self._contains_fix(version)
        return self._is_fix[version]

    def _contains_fix(self, version: str) -> bool:
        parsed = parse_version(version)
        if parsed is None or self.incident.is_broken(parsed):
            return False
        bases = [f for f in self.fixed if f <= parsed]
        # The highest base leaves the smallest gap for a broken version to lie in.
        return bool(bases) and not any(bases[-1] < b <= parsed for b in self.broken)

    @property
    def broken_text(self) -> str:
        """The broken versions as a reader would name them."""
        return ", ".join(map(str, self.broken)) or ", ".join(self.incident.broken)

    @property
    def fixed_text(self) -> str:
        """The fixed versions as a reader would name them."""
        return ", ".join(self.incident.fixed)
