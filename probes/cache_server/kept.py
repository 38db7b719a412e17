"""One answer that a cache keeps on disk, and its HTTP header as it was written down: pure."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import unquote

from probes.cache_server.signs import Program
from probes.kit.answer import Headers, shown
from probes.kit.redaction import redact_url

__all__ = ["Damaged", "KeptAnswer", "fields_of", "header_of", "moment"]

_MAX_FIELDS = 500


class Damaged(Exception):
    """It begins like a file of that cache and cannot be read; the text says why."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KeptAnswer:
    """What a cache wrote down beside a body.

    Attributes:
        program: whose file it is.
        key: what the cache looks it up by: a URL, or what its operator made of one.
        status: HTTP status of the answer.
        headers: of the answer.
        variant: which requests get it, such as `accept: text/html`; "" if every one.
        body_at: where the body begins in its file.
        has_body: False for a mere list of variants, of which no request gets anything.
        body_inode: of the file that the body must be in, or the program passes over both; None: it
            does not check that.
        stored_at: when it was fetched or last confirmed, UTC; None if not known.
        expires_at: until when it is given without asking, UTC; None: by a rule of the cache.
    """

    program: Program
    key: str
    status: int
    headers: Headers
    variant: str = ""
    body_at: int
    has_body: bool = True
    body_inode: int | None = None
    stored_at: datetime | None = None
    expires_at: datetime | None = None

    @property
    def filename(self) -> str:
        """The last part of what it was asked for, as an index would call a file."""
        return shown(unquote(self.key.partition("?")[0].partition("#")[0].rpartition("/")[2]))

    @property
    def shown_key(self) -> str:
        """The key without what a signed URL would give away."""
        return redact_url(self.key) if "://" in self.key else self.key.partition("?")[0]

    @property
    def announced_size(self) -> int | None:
        """How long the body should be; None if that was not said."""
        text = self.headers.get("content-length") or ""
        return int(text) if text.isascii() and text.isdigit() and len(text) < 16 else None


def header_of(text: bytes) -> tuple[int, Headers]:
    """Read a status line and the fields below it.

    Raises:
        Damaged: there is no status line.
    """
    line, _, rest = text.partition(b"\n")
    words = line.split(maxsplit=2)
    if len(words) < 2 or not words[0].startswith(b"HTTP/") or not words[1].isdigit():
        raise Damaged("it has no status line")
    return int(words[1][:3]), fields_of(rest)


def fields_of(text: bytes) -> Headers:
    """Read header fields up to the first empty line."""
    fields: list[tuple[str, str]] = []
    for line in text.decode("latin-1").splitlines()[:_MAX_FIELDS]:
        if not line.strip():
            break
        name, colon, value = line.partition(":")
        if colon:
            fields.append((name.strip(), value.strip()))
    return Headers(tuple(fields))


def moment(seconds: float) -> datetime | None:
    """Return a time; None for what is none, such as -1."""
    if seconds <= 0:
        return None
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (OverflowError, ValueError, OSError):
        return None
