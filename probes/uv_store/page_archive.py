"""The page itself, as uv 0.13 stores it in `simple-v28`: versions, and the files of each.

Measured on uv 0.13.9 with pages that state every fact in each of its forms. The file name is not
stored: it is the end of the URL, as it is for uv.
"""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Literal
from urllib.parse import unquote, urljoin, urlsplit

from auditor.model import Candidate, Yank
from auditor.model.filename import version_in
from probes.uv_store.rkyv import Archive, NotArchived

__all__ = ["LAYOUT", "read_candidates"]

LAYOUT = 28

_ROOT_BYTES = 12
_VERSION_BYTES, _FILE_BYTES, _SPECIFIER_BYTES, _DIGEST_BYTES = 56, 96, 32, 12
_MAX_FILES = 500_000
# Wheels, source archives, and a third sort that we have never seen filled.
_SORTS = (24, 32, 40)
# A lone SHA-256 is stored in place; none or several are a sequence, in which it has another number.
_LONE_SHA256, _SEVERAL, _SHA256_OF_SEVERAL = 0, 5, 1
# pep440: in this order.
_OPERATORS = ("==", "==", "===", "!=", "!=", "~=", "<", "<=", ">", ">=")
_STARRED = frozenset({1, 4})
# A release of at most four numbers, the first of two bytes, with nothing behind them.
_PLAIN_RELEASE = 0x500000
_MAX_TIME_MS = 7_258_118_400_000

Flags = tuple[int, int, int, int]


def read_candidates(page: bytes, url: str, project: str) -> tuple[Candidate, ...]:
    """Read every file that a page lists.

    Args:
        page: without the policy.
        url: where it came from.
        project: whose page it is.

    Raises:
        NotArchived: it is laid out in another way, or damaged.
    """
    archive = Archive(page)
    versions = archive.sequence(len(page) - _ROOT_BYTES, _VERSION_BYTES)
    places = [
        file
        for version in versions
        for sort in _SORTS
        for file in archive.sequence(version + sort, _FILE_BYTES)
    ]
    if len(places) > _MAX_FILES:
        raise NotArchived(f"a page of {len(places)} files")
    return tuple(_candidate(archive, at, url, project) for at in places)


def _candidate(archive: Archive, at: int, page_url: str, project: str) -> Candidate:
    has_size, has_time = _flag(archive, at + 93), _flag(archive, at + 94)
    url = _url(archive, at, page_url)
    filename = unquote(urlsplit(url).path.rpartition("/")[2])
    if not filename:
        raise NotArchived("a file without a name")
    sha256 = _sha256(archive, at + 16)
    yanked, reason = _yank(archive, at + 84)
    return Candidate(
        filename=filename,
        version=version_in(filename, project),
        url=url,
        hashes={"sha256": sha256} if sha256 else {},
        yanked=yanked,
        yank_reason=reason,
        requires_python=_requires_python(archive, at + 72),
        size=archive.u64(at) if has_size else None,
        uploaded_at=_time(archive.i64(at + 8)) if has_time else None,
        has_metadata=_flag(archive, at + 92),
    )


def _sha256(archive: Archive, at: int) -> str | None:
    kind = archive.u8(at)
    if kind == _LONE_SHA256:
        return archive.part(at + 1, 32).hex()
    if kind == _SEVERAL:
        for digest in archive.sequence(at + 4, _DIGEST_BYTES):
            if archive.u32(digest) == _SHA256_OF_SEVERAL:
                return archive.text(digest + 4).lower()
    return None


def _flag(archive: Archive, at: int) -> bool:
    value = archive.u8(at)
    if value > 1:
        raise NotArchived("a truth value that is none")
    return bool(value)


def _url(archive: Archive, at: int, page_url: str) -> str:
    try:
        match archive.u32(at + 52):
            case 0:
                return urljoin(archive.text(at + 56) or page_url, archive.text(at + 64))
            case 1:
                return archive.text(at + 56)
    except ValueError as error:
        raise NotArchived("a URL that is none") from error
    raise NotArchived("a URL of an unknown sort")


def _time(milliseconds: int) -> datetime:
    if not 0 <= milliseconds < _MAX_TIME_MS:
        raise NotArchived("an upload at no time")
    return datetime.fromtimestamp(0, UTC) + timedelta(milliseconds=milliseconds)


def _yank(archive: Archive, at: int) -> tuple[Literal[Yank.NO, Yank.YES], str | None]:
    place = archive.optional_target(at)
    if place is None:
        return Yank.NO, None
    kind = archive.u8(place)
    if kind == 0:
        return (Yank.YES if _flag(archive, place + 1) else Yank.NO), None
    if kind == 1:
        return Yank.YES, archive.text(place + 4)
    raise NotArchived("a yank of an unknown sort")


def _requires_python(archive: Archive, at: int) -> str | None:
    """Return the specifier; "" if none is stated, None if it has a form that we do not read."""
    if archive.u32(at) == 0:
        return ""
    specifiers = archive.sequence(archive.target(at + 4), _SPECIFIER_BYTES)
    texts = [_specifier(archive, place) for place in specifiers]
    return None if None in texts else ",".join(text for text in texts if text)


def _specifier(archive: Archive, at: int) -> str | None:
    operator, release = archive.u8(at), archive.u64(at + 16)
    length = archive.u8(at + 24)
    if operator >= len(_OPERATORS):
        raise NotArchived("a comparison of an unknown sort")
    if archive.u8(at + 8) or release & 0xFFFFFF != _PLAIN_RELEASE or not 1 <= length <= 4:
        return None  # one with .dev, rc or the like, which hardly any Requires-Python has
    numbers = (release >> 48, release >> 40 & 0xFF, release >> 32 & 0xFF, release >> 24 & 0xFF)
    text = ".".join(map(str, numbers[:length]))
    return f"{_OPERATORS[operator]}{text}{'.*' if operator in _STARRED else ''}"
