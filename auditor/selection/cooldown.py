"""Settings that keep new uploads away from installers for a while, and when they let one through.

uv's `exclude-newer`, pip's `--uploaded-prior-to`, Poetry's `solver.min-release-age` and Renovate's
`minimumReleaseAge` all compare the upload time that the index states with an age or a time. uv
(0.13) and pip (26.3) take a file that was uploaded *before* that moment only. What each does where
the index states no upload time stands in `auditor.verdict.policy`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import datetime, timedelta

from auditor.model.observation import Candidate
from auditor.model.stored_times import in_utc

__all__ = ["Cooldown", "parse_cooldown"]

_UNITS = {
    **dict.fromkeys(("s", "sec", "second", "seconds"), timedelta(seconds=1)),
    **dict.fromkeys(("m", "min", "minute", "minutes"), timedelta(minutes=1)),
    **dict.fromkeys(("h", "hr", "hour", "hours"), timedelta(hours=1)),
    **dict.fromkeys(("d", "day", "days"), timedelta(days=1)),
    **dict.fromkeys(("w", "week", "weeks"), timedelta(weeks=1)),
}
_PART = re.compile(r"(\d{1,6})\s*([a-z]+)[\s,]*")
# ISO 8601 as uv and pip take it: weeks and days, then hours, minutes and seconds.
_ISO = re.compile(
    r"p(?:(\d{1,6})w)?(?:(\d{1,6})d)?(?:t(?:(\d{1,6})h)?(?:(\d{1,6})m)?(?:(\d{1,6})s)?)?"
)
_ISO_UNITS = ("w", "d", "h", "m", "s")


@dataclass(frozen=True, slots=True)
class Cooldown:
    """From when on an upload is accepted.

    Attributes:
        age: an upload must be older than this; None: `before` says it.
        before: an upload must be from before this moment (UTC); None: `age` says it.
    """

    age: timedelta | None = None
    before: datetime | None = None

    def cutoff(self, at: datetime) -> datetime:
        """Return the moment before which a file must have been uploaded, seen from *at*."""
        if self.before is not None:
            return self.before
        return at - (self.age or timedelta())

    def admits(self, candidate: Candidate, at: datetime) -> bool:
        """Say whether a file may be installed at a time; never, if nobody says its age."""
        return candidate.uploaded_at is not None and candidate.uploaded_at < self.cutoff(at)

    def accepted_from(self, uploaded_at: datetime) -> datetime | None:
        """Return when an upload is accepted; None: never, a fixed moment does not move."""
        if self.age is not None:
            return uploaded_at + self.age
        accepted = self.before is not None and uploaded_at < self.before
        return uploaded_at if accepted else None


def parse_cooldown(text: str) -> Cooldown:
    """Read an age such as `7 days`, `36h` or `P3D`, or a moment such as `2026-11-20T10:00:00Z`.

    A date alone means its midnight in UTC.

    Raises:
        ValueError: it is neither.
    """
    plain = text.strip().lower()
    age = _iso_age(plain) or _age(plain)
    if age is not None:
        return Cooldown(age=age)
    try:
        moment = in_utc(datetime.fromisoformat(text.strip().upper()))
    except ValueError as error:
        raise ValueError(
            f'{text!r} is neither an age nor a time; write "7 days", "P7D" or '
            '"2026-11-20T10:00:00Z"'
        ) from error
    return Cooldown(before=moment)


def _age(text: str) -> timedelta | None:
    parts = _PART.findall(text)
    if not parts or _PART.sub("", text) or any(unit not in _UNITS for _, unit in parts):
        return None
    return sum((int(number) * _UNITS[unit] for number, unit in parts), timedelta())


def _iso_age(text: str) -> timedelta | None:
    match = _ISO.fullmatch(text)
    if match is None or not any(match.groups()):
        return None
    numbers = zip(match.groups(), _ISO_UNITS, strict=True)
    return sum((int(number) * _UNITS[unit] for number, unit in numbers if number), timedelta())
