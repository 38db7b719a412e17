"""Project names and versions, compared as installers compare them (PEP 503, PEP 440)."""

from __future__ import annotations

from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

__all__ = ["VersionRule", "normalise_project", "parse_version"]

# A version is at most this long. Real ones stay under 60 characters; longer ones are an attack on
# the parser (CPython refuses to convert integers of more than 4,300 digits).
MAX_VERSION_CHARS = 200


def normalise_project(name: str) -> str:
    """Return the normalised form of a project's name (PEP 503)."""
    return str(canonicalize_name(name))


@lru_cache(maxsize=65536)
def parse_version(text: str) -> Version | None:
    """Parse a PEP 440 version; None if it is not one. Each distinct text is parsed once."""
    if len(text) > MAX_VERSION_CHARS:
        return None
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return None


class VersionRule:
    """One entry of `broken` or `fixed`: a version (`1.2.3`) or a specifier (`>=1.2,<1.2.4`).

    Raises:
        ValueError: the text is neither.
    """

    __slots__ = ("_specifier", "_version", "text")

    def __init__(self, text: str) -> None:
        self.text = text
        self._version = parse_version(text)
        try:
            self._specifier = None if self._version else SpecifierSet(text, prereleases=True)
        except InvalidSpecifier as error:
            raise ValueError(f"{text!r} is neither a version nor a specifier") from error
        if self._specifier is not None and not len(self._specifier):
            raise ValueError("an empty text is neither a version nor a specifier")

    def matches(self, version: Version) -> bool:
        """Say whether this rule names that version. `1.2.3` and `1.2.3.0` are the same version."""
        if self._specifier is None:
            return version == self._version
        return self._specifier.contains(version, prereleases=True)

    @property
    def version(self) -> Version | None:
        """The version, if the rule names exactly one; None for a specifier."""
        return self._version

    def named_versions(self) -> tuple[Version, ...]:
        """Every version that the rule itself contains: itself, or the lower bounds and pins."""
        if self._specifier is None:
            return (self._version,) if self._version else ()
        bounds = (
            parse_version(s.version) for s in self._specifier if s.operator in ("==", ">=", "~=")
        )
        return tuple(v for v in bounds if v is not None and self.matches(v))
