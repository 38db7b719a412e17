"""The single fields of an entry and of a page, each read leniently: what is odd becomes a fault.

Every reader takes the value as decoded and `note(problem, seen)`, which records a fault that costs
that detail only.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from urllib.parse import urlsplit

from auditor.errors import Malformed
from auditor.model import Yank, normalise_project
from probes.kit.pages.digests import is_digest
from probes.kit.pages.links import MAX_URL_CHARS, without_credentials
from probes.kit.pages.parsed import MAX_ENTRIES, FaultLog, excerpt, storable

__all__ = [
    "MAX_HASHES",
    "MAX_REASON_CHARS",
    "MAX_SIZE_BYTES",
    "MAX_SPECIFIER_CHARS",
    "TIME_CHARS",
    "Note",
    "check_api_version",
    "check_name",
    "parse_upload_time",
    "parse_utc_times",
    "read_flag",
    "read_hashes",
    "read_provenance",
    "read_requires_python",
    "read_serial",
    "read_size",
    "read_status",
    "read_texts",
    "read_upload_time",
    "read_yank",
]

Note = Callable[[str, object], None]

# Real specifiers stay below 100 characters; a longer one is an attack on its parser.
MAX_SPECIFIER_CHARS = 1_000
MAX_REASON_CHARS = 4_000
# What a 64-bit signed integer holds: SQLite and most clients take no more.
MAX_SIZE_BYTES = 2**63 - 1
MAX_NAME_CHARS = 200
MAX_TEXT_CHARS = 1_000
# From seconds without an offset to nine digits of a second with one.
TIME_CHARS = frozenset(range(19, 41))
MAX_HASHES = 20

# PEP 691 1.0, PEP 700 1.1, PEP 708 1.2, PEP 740 1.3, PEP 792 1.4.
API_MAJOR, API_MINOR = 1, 4
_API_VERSION = re.compile(r"([0-9]{1,6})\.([0-9]{1,6})")
# PEP 792. Other words are kept as written.
_STATUSES = frozenset({"active", "archived", "quarantined", "deprecated"})


def read_hashes(value: object, note: Note, *, stops: Note) -> dict[str, str]:
    """Read `hashes`: every usable digest, lower-case. Anything but an object `stops` pip."""
    if value is None:
        return {}
    if not isinstance(value, dict):
        stops("its hashes are no object", value)
        return {}
    if len(value) > MAX_HASHES:
        note(f"it has {len(value)} hashes, more than {MAX_HASHES}", "")
    hashes: dict[str, str] = {}
    for algorithm, digest in list(value.items())[:MAX_HASHES]:
        name = str(algorithm).lower()
        text = digest.lower() if isinstance(digest, str) else ""
        if is_digest(name, text):
            hashes[name] = text
        else:
            note(f"its {excerpt(name[:40])} is no digest of that kind", digest)
    return hashes


def read_requires_python(value: object, note: Note, *, stops: Note) -> str | None:
    """Read the specifier as written; "" if there is none, None if it cannot be known.

    pip overlooks whatever is false, and `stops` at anything else that is no text.
    """
    if value is None:
        return ""
    if not isinstance(value, str):
        (stops if value else note)("its requires-python is no text", value)
        return None if value else ""
    if len(value) > MAX_SPECIFIER_CHARS or not storable(value):
        note("its requires-python is too long or no valid text", value)
        return None
    return value


def read_yank(value: object, note: Note) -> tuple[Yank, str | None]:
    """Read `yanked` of a JSON page (PEP 592 as in PEP 691: a boolean or a text that is not empty).

    Of everything else, pip takes as yanked what is true, and other installers may not.
    """
    if value is None or value is False:
        return Yank.NO, None
    if value is True:
        return Yank.YES, None
    if isinstance(value, str) and value:
        return Yank.YES, read_reason(value, note)
    problem = "its yanked is neither a boolean nor a text that says something; pip reads it as "
    note(problem + ("yanked" if value else "not yanked, uv may not"), value)
    return Yank.YES if value else Yank.NO, None


def read_reason(value: str, note: Note) -> str | None:
    """Read the text of a maintainer, shortened if need be; None if it is empty."""
    if len(value) > MAX_REASON_CHARS:
        note(f"a reason of {len(value)} characters is cut at {MAX_REASON_CHARS}", value)
        value = value[:MAX_REASON_CHARS]
    if not storable(value):
        note("a reason holds half of a surrogate pair", value)
        value = value.encode("utf-8", "replace").decode()
    return value or None


def read_size(value: object, note: Note) -> int | None:
    """Read `size` (PEP 700), bytes."""
    if value is None:
        return None
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE_BYTES:
        return value
    note("its size is no number of bytes", value)
    return None


def read_upload_time(value: object, note: Note, *, stops: Note) -> datetime | None:
    """Read `upload-time` (PEP 700), UTC. bandersnatch sends "" where it knows none.

    pip overlooks whatever is false, and `stops` at anything else that Python takes for no time.
    """
    if value is None or value == "":
        return None
    if value and not (isinstance(value, str) and _is_iso_format(value)):
        stops("its upload-time is no time (RFC 3339)", value)
        return None
    parsed = parse_upload_time(value) if isinstance(value, str) else None
    if parsed is None:
        note("its upload-time is no time (RFC 3339)", value)
    return parsed


def _is_iso_format(text: str) -> bool:
    try:
        datetime.fromisoformat(text)
    except ValueError:
        return False
    return True


def parse_upload_time(text: str) -> datetime | None:
    """Parse a time with date; None if it is none. Without an offset it is UTC, as PEP 700 says."""
    if len(text) not in TIME_CHARS:
        return None
    try:
        parsed = datetime.fromisoformat(text)
    except ValueError:
        return None
    if parsed.tzinfo is UTC:
        return parsed
    try:
        return parsed.astimezone(UTC) if parsed.tzinfo else parsed.replace(tzinfo=UTC)
    except OverflowError:  # the first and the last day that a date can be
        return None


def parse_utc_times(texts: Sequence[str]) -> Sequence[datetime] | None:
    """Parse many times at once, each as `parse_upload_time`; None if one of them says no UTC."""
    if not TIME_CHARS.issuperset(map(len, texts)):
        return None
    try:
        times = list(map(datetime.fromisoformat, texts))
    except ValueError:
        return None
    return times if {time.tzinfo for time in times} <= {UTC} else None


def read_flag(value: object, older: object, note: Note) -> bool | None:
    """Read `core-metadata`, else its older name `dist-info-metadata` (PEP 714); a page without
    either announces no sidecar."""
    flag = older if value is None else value
    if flag is None:
        return False
    if isinstance(flag, bool):
        return flag
    if isinstance(flag, dict):
        return True
    note("its core-metadata is neither a boolean nor an object", flag)
    return None


def read_provenance(value: object, note: Note) -> str | None:
    """Read the URL of the attestations (PEP 740)."""
    if value is None or value == "":
        return None
    if isinstance(value, str) and len(value) <= MAX_URL_CHARS and storable(value):
        try:
            if urlsplit(value).scheme in {"http", "https"} and urlsplit(value).hostname:
                return without_credentials(value)
        except ValueError:
            pass
    note("its provenance is no absolute URL (PEP 740)", value)
    return None


def read_texts(value: object, what: str, faults: FaultLog) -> tuple[str, ...] | None:
    """Read a list of texts of the page (`versions`, `tracks`, …); None if it has none."""
    if value is None:
        return None
    if not isinstance(value, list):
        faults.detail("page", f"its {what} is no array", value)
        return None
    if _are_usual(value):
        return tuple(value[:MAX_ENTRIES])
    texts = tuple(
        t for t in value if isinstance(t, str) and len(t) <= MAX_TEXT_CHARS and storable(t)
    )
    if len(texts) < len(value):
        problem = f"{len(value) - len(texts)} members of its {what} are no usable texts"
        faults.detail("page", problem, value)
    return texts[:MAX_ENTRIES]


def _are_usual(values: list[object]) -> bool:
    """Say whether all of them are short texts in ASCII."""
    try:
        text = "\n".join(values)  # type: ignore[arg-type]  # what is no text ends in the handler
    except TypeError:
        return False
    return text.isascii() and max(map(len, text.split("\n"))) <= MAX_TEXT_CHARS


def read_serial(value: object, faults: FaultLog) -> int | None:
    """Read a serial: a number (PyPI) or a text of digits (bandersnatch)."""
    if value is None:
        return None
    if isinstance(value, str) and len(value) <= 19 and value.isascii() and value.isdigit():
        value = int(value)
    if isinstance(value, int) and not isinstance(value, bool) and 0 <= value <= MAX_SIZE_BYTES:
        return value
    faults.detail("page", "its last serial is no number", value)
    return None


def read_status(value: object, faults: FaultLog) -> str | None:
    """Read the project's status marker (PEP 792), `active` if there is none."""
    if value is None:
        return "active"
    if not isinstance(value, str) or not value.strip() or len(value) > 100 or not storable(value):
        faults.detail("page", "its project status is no word (PEP 792)", value)
        return None
    if value not in _STATUSES:
        faults.detail("page", "its project status is none that PEP 792 knows", value)
    return value


def check_api_version(value: object, faults: FaultLog) -> str | None:
    """Read the API version; None if the page states none that can be read.

    Raises:
        Malformed: of another major version, which PEP 629 forbids to interpret.
    """
    if value is None:
        return None
    match = _API_VERSION.fullmatch(value.strip()) if isinstance(value, str) else None
    if match is None:
        faults.detail("page", "its API version is none (PEP 629)", value)
        return None
    if int(match[1]) != API_MAJOR:
        raise Malformed(
            f"the page says API version {match[0]} and only {API_MAJOR}.x can be read (PEP 629): "
            "update propagation-auditor"
        )
    if int(match[2]) > API_MINOR:
        problem = f"API version is newer than {API_MAJOR}.{API_MINOR}; what is new is not read"
        faults.detail("page", problem, match[0])
    return match[0]


def check_name(value: object, project: str, faults: FaultLog) -> str | None:
    """Read the project's name as the page says it; another project's is noted."""
    if value is None:
        return None
    if not isinstance(value, str) or len(value) > MAX_NAME_CHARS or not storable(value):
        faults.detail("page", "its name is no project's name", value)
        return None
    if normalise_project(value) != normalise_project(project):
        faults.detail("page", f"it says to be the page of another project than {project}", value)
    return value
