"""Values that TOML has no type for: durations, version rules, digests, secrets, addresses.

Each function takes what stands in the file and returns what it means, or raises ValueError with
`cause; next step`.
"""

from __future__ import annotations

import math
import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal
from urllib.parse import SplitResult, unquote, urlsplit, urlunsplit

from auditor.config.suggest import did_you_mean
from auditor.model import Status, VersionRule, normalise_project

__all__ = [
    "SecretReference",
    "hexadecimal",
    "parse_duration",
    "parse_file_url",
    "parse_filename",
    "parse_incident_id",
    "parse_moment",
    "parse_name",
    "parse_project",
    "parse_secret",
    "parse_sha256",
    "parse_status",
    "parse_timeout",
    "parse_version_rule",
    "parse_yes_or_text",
    "split_userinfo",
]

_FIRST_YEAR, _LAST_YEAR = 1990, 2199
# Times are added to times, and the last year of a date is 9999.
_MAX_DURATION_S = 100 * 366 * 86400.0
_UNIT_S = {"s": 1.0, "m": 60.0, "h": 3600.0, "d": 86400.0, "w": 604800.0}
_DURATION_PART = re.compile(r"(\d+(?:\.\d+)?)\s*([smhdw])")
_DURATION = re.compile(rf"(?:{_DURATION_PART.pattern}\s*)+")

# The name of a project: https://packaging.python.org/en/latest/specifications/name-normalization/
_PROJECT = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]*[A-Za-z0-9])?")
_REQUIREMENT = re.compile(rf"(?P<name>{_PROJECT.pattern})\s*[=<>~!@].*", re.DOTALL)
_INCIDENT_ID = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]*")
_SHA256 = re.compile(r"sha256:([0-9a-fA-F]{64})")
_FILENAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._+!-]{0,254}")
_MAX_NAME_CHARS = 200


def parse_duration(value: object) -> float:
    """Return seconds: a number is seconds already, a text is like `90s`, `2h` or `1d12h`."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return _sensible(_seconds_of(value))
    if isinstance(value, str):
        text = value.strip().lower()
        if _DURATION.fullmatch(text):
            parts = _DURATION_PART.findall(text)
            return _sensible(sum(float(n) * _UNIT_S[unit] for n, unit in parts))
        if re.fullmatch(r"\d+(\.\d+)?", text):
            return _sensible(float(text))
    raise ValueError(f'{value!r} is no duration; write seconds such as 90, or "30m", "2h", "1d"')


def _seconds_of(number: float) -> float:
    try:
        return float(number)
    except OverflowError:  # an integer of hundreds of digits
        return math.inf


def _sensible(seconds: float) -> float:
    if not 0 <= seconds < math.inf:
        raise ValueError(f"{seconds:g} is no duration; write a number of seconds from 0")
    if seconds > _MAX_DURATION_S:
        raise ValueError(f"{seconds:g} s is longer than a century; write a shorter duration")
    return seconds


def parse_moment(moment: datetime) -> datetime:
    """Return a time, unless nothing could be added to it: dates end with the year 9999."""
    if not _FIRST_YEAR <= moment.year <= _LAST_YEAR:
        raise ValueError(f"the year {moment.year} is none of a release; correct it")
    return moment


def parse_timeout(value: object) -> float:
    """Return seconds as `parse_duration` does, but never 0: nothing answers in no time."""
    seconds = parse_duration(value)
    if seconds == 0:
        raise ValueError("0 leaves no time for an answer; write a number of seconds above 0")
    return seconds


def parse_yes_or_text(value: object) -> bool | str:
    """Return true, false or a text that is not empty."""
    if isinstance(value, bool) or (isinstance(value, str) and value):
        return value
    raise ValueError("must be true, false or a text; write true")


def parse_project(value: str) -> str:
    """Return the normalised name of a project."""
    requirement = _REQUIREMENT.fullmatch(value)
    if requirement:
        raise ValueError(
            f"{value!r} names a version as well; write {requirement['name']!r} alone, and say "
            "broken and fixed versions apart"
        )
    if len(value) > _MAX_NAME_CHARS or not _PROJECT.fullmatch(value):
        raise ValueError(
            f"{value!r} is no project name; use letters, digits, '.', '-' and '_', such as requests"
        )
    return normalise_project(value)


def parse_version_rule(value: str) -> str:
    """Return the text of a version or specifier if it is one."""
    try:
        VersionRule(value.strip())
    except ValueError as error:
        raise ValueError(f'{error}; write "1.2.3" or ">=1.2.0,<1.2.4"') from error
    return value.strip()


def parse_sha256(value: str) -> str:
    """Return the digest of `sha256:…` in lower case, without the prefix."""
    found = _SHA256.fullmatch(value.strip())
    if found is None:
        raise ValueError(f"{value!r} is no digest; write sha256: and 64 hexadecimal digits")
    return found[1].lower()


def hexadecimal(algorithm: str, digits: int) -> Callable[[str], str]:
    """Return what reads a digest, in lower case, with or without the algorithm before it."""
    pattern = re.compile(rf"(?:{algorithm}:)?([0-9a-fA-F]{{{digits}}})")

    def parse(value: str) -> str:
        found = pattern.fullmatch(value.strip())
        if found is None:
            raise ValueError(f"{value!r} is no {algorithm}; write {digits} hexadecimal digits")
        return found[1].lower()

    return parse


def parse_filename(value: str) -> str:
    """Return the name of a file, as an index lists it."""
    if not _FILENAME.fullmatch(value):
        raise ValueError(
            f"{value!r} is no file name of an index; write it as listed, such as "
            "brokenpkg-1.2.3-py3-none-any.whl"
        )
    return value


def parse_file_url(value: str) -> str:
    """Return the address of a file, which must hold no secret: reports show it."""
    parts = urlsplit(value)  # ValueError says what is wrong
    if parts.scheme not in ("http", "https") or not parts.hostname or not value.isprintable():
        raise ValueError("is no address of a file; write it as the page gave it, http(s)://…")
    if "@" in parts.netloc or parts.query or parts.fragment:
        raise ValueError("has a user, a query or a fragment; leave that out, as reports show it")
    return value


def parse_incident_id(value: str) -> str:
    """Return an incident's id if it can stand in a file name, as `{id}` in a report's name does."""
    if len(value) > _MAX_NAME_CHARS or not _INCIDENT_ID.fullmatch(value):
        raise ValueError(
            f"{value!r} cannot stand in a file name; use letters, digits, '.', '-', '_', '+', '!'"
        )
    return value


def parse_name(value: str) -> str:
    """Return a name that can be printed on one line."""
    if not value.strip() or len(value) > _MAX_NAME_CHARS or not value.isprintable():
        raise ValueError("must be a short text on one line; give it a name")
    return value


def parse_status(value: object) -> Status:
    """Return a status by its word."""
    words = [status.value for status in Status]
    if value not in words:
        hint = did_you_mean(str(value), words)
        raise ValueError(f"{value!r} is no status; {hint}known: {', '.join(words)}")
    return Status(str(value))


@dataclass(frozen=True, slots=True, repr=False)
class SecretReference:
    """Where a secret is to be had. Its repr never shows one.

    Attributes:
        source: what kind of place.
        value: name of the variable, path of the file, name of the keyring's service; or, for a
            literal, the secret itself.
    """

    source: Literal["literal", "env", "file", "keyring"]
    value: str

    def __repr__(self) -> str:
        return f"SecretReference({self.describe()})"

    def describe(self) -> str:
        """Say where it is, without saying what it is."""
        return "a literal" if self.source == "literal" else f"{self.source} {self.value}"


def parse_secret(value: object) -> SecretReference:
    """Return a secret's reference: `{env = "X"}`, `{file = "…"}`, `{keyring = "…"}` or a text."""
    if isinstance(value, SecretReference):
        return value
    if isinstance(value, str):
        return SecretReference("literal", value)
    known = ("env", "file", "keyring")
    if not isinstance(value, dict) or len(value) != 1:
        raise ValueError('must be one reference; write {env = "NAME"}')
    [(source, name)] = value.items()
    if source not in known:
        hint = did_you_mean(str(source), known)
        raise ValueError(f"unknown reference {source!r}; {hint}known: {', '.join(known)}")
    if not isinstance(name, str) or not name:
        raise ValueError(f'{source} must be a text; write {{{source} = "NAME"}}')
    return SecretReference(source, name)


def split_userinfo(url: str) -> tuple[str, str | None, str | None]:
    """Return a URL without its user part, and the user's name and password (None if missing)."""
    parts = urlsplit(url)
    if "@" not in parts.netloc:
        return url, None, None
    userinfo, _, host = parts.netloc.rpartition("@")
    username, separator, password = userinfo.partition(":")
    clean = urlunsplit(SplitResult(parts.scheme, host, parts.path, parts.query, parts.fragment))
    return clean, unquote(username) or None, unquote(password) if separator else None
