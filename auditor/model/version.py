"""Project names and versions, compared as installers compare them (PEP 503, PEP 440)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from packaging.specifiers import InvalidSpecifier, SpecifierSet
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from auditor.model.remembered import Remembered

__all__ = [
    "VersionRule",
    "are_plain_versions",
    "normalise_project",
    "parse_version",
    "plain_order",
    "version_order",
]

# A version is at most this long. Real ones stay under 60 characters; longer ones are an attack on
# the parser (CPython refuses to convert integers of more than 4,300 digits).
MAX_VERSION_CHARS = 200


@lru_cache(maxsize=4096)
def normalise_project(name: str) -> str:
    """Return the normalised form of a project's name (PEP 503)."""
    return str(canonicalize_name(name))


def parse_version(text: str) -> Version | None:
    """Parse a PEP 440 version; None if it is not one. Each distinct text is parsed once."""
    if len(text) > MAX_VERSION_CHARS:
        return None
    return _parse_version(text)


@lru_cache(maxsize=65536)
def _parse_version(text: str) -> Version | None:
    try:
        return Version(text)
    except (InvalidVersion, ValueError):
        return None


def version_order(version: Version) -> str:
    """Return a text that sorts among others as the version does among versions (PEP 440).

    Equal for equal versions, however they are spelled. Comparing and hashing such texts runs no
    Python code, unlike comparing versions. That of `1.0+local`
    begins with that of `1.0`, less its last character.
    """
    if version.pre is not None:
        pre = _PRE_ORDER[version.pre[0]] + _number(version.pre[1])
    else:
        # `1.0.dev1` comes before `1.0a1`, and `1.0.post1.dev1` does not.
        is_only_dev = version.post is None and version.dev is not None
        pre = _LOWEST if is_only_dev else _HIGHEST
    release = "".join(map(_number, _without_zeros(version.release)))
    return "".join(
        (
            _number(version.epoch),
            release,
            _LOWEST,
            pre,
            _LOWEST if version.post is None else "1" + _number(version.post),
            _HIGHEST if version.dev is None else "1" + _number(version.dev),
            _local_order(version.local),
        )
    )


def are_plain_versions(texts: Sequence[str]) -> bool:
    """Say whether all are final releases of numbers alone, such as `1.2.3`, as most are."""
    whole = "\n".join(texts)
    return _PLAIN(whole) is not None and whole.count("\n") == len(texts) - 1


def plain_order(text: str) -> str:
    """Return `version_order` of what is among `are_plain_versions`, without parsing it."""
    numbers = list(map(_PLAIN_NUMBERS.__getitem__, text.split(".")))
    while numbers and numbers[-1] == _ZERO:
        numbers.pop()
    return f"{_ZERO}{''.join(numbers)}{_PLAIN_END}"


_ONE_PLAIN = r"[0-9]{1,9}(?:\.[0-9]{1,9}){0,9}+"
_PLAIN = re.compile(rf"{_ONE_PLAIN}(?:\n{_ONE_PLAIN})*+").fullmatch


# Lower and higher than any character in between: every number begins with its length.
_LOWEST, _HIGHEST = "\0", "\xff"
# Nothing before the release, and nothing after it.
_PLAIN_END = f"{_LOWEST}{_HIGHEST}{_LOWEST}{_HIGHEST}{_LOWEST}"
_PRE_ORDER = {"a": "1", "b": "2", "rc": "3"}


def _number(value: int) -> str:
    digits = str(value)
    return chr(len(digits)) + digits


_PLAIN_NUMBERS: Remembered[str, str] = Remembered(lambda digits: _number(int(digits)))
_ZERO = _number(0)


def _without_zeros(release: tuple[int, ...]) -> tuple[int, ...]:
    """`1.0` and `1` are the same release."""
    end = len(release)
    while end and release[end - 1] == 0:
        end -= 1
    return release[:end]


def _local_order(local: str | None) -> str:
    """Order local labels: none, then texts, then numbers, part by part."""
    if local is None:
        return _LOWEST
    parts = (
        "\2" + _number(int(part)) if part.isdigit() else f"\1{part}{_LOWEST}"
        for part in local.split(".")
    )
    return "\1" + "".join(parts) + _LOWEST


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
        if self._specifier and any(len(s.version) > MAX_VERSION_CHARS for s in self._specifier):
            problem = f"{text[:40]!r}… has a version of more than {MAX_VERSION_CHARS} characters"
            raise ValueError(f"{problem}; shorten it")
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
