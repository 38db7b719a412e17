"""One answer of a server, as it came over the wire and decoded."""

from __future__ import annotations

import re
from collections.abc import Iterator, KeysView
from dataclasses import dataclass, field
from datetime import datetime

from auditor.errors import ProbeError

__all__ = ["Answer", "Headers", "shown"]

_MAX_HEADER_CHARS = 2000
# Half a surrogate pair, which JSON can smuggle in; not those that stand for a byte (PEP 383).
_HALVES = re.compile("[\ud800-\udc7f\udd00-\udfff]")


def shown(text: str, limit: int = _MAX_HEADER_CHARS) -> str:
    """Make a header value storable: no surrogates, no control characters, bounded."""
    if len(text) <= limit and text.isprintable():  # nearly always: no surrogate is printable
        return text
    text = _HALVES.sub("\N{REPLACEMENT CHARACTER}", text)
    clean = text.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    clean = "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in clean[:limit])
    return clean if len(text) <= limit else clean + "…"


@dataclass(frozen=True, slots=True)
class Headers:
    """Header fields in the order in which they came. Names compare without case."""

    fields: tuple[tuple[str, str], ...] = ()
    _by_name: dict[str, list[str]] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        by_name: dict[str, list[str]] = {}
        for name, value in self.fields:
            by_name.setdefault(name.lower(), []).append(value)
        object.__setattr__(self, "_by_name", by_name)  # frozen, and asked for twenty names a page

    @property
    def names(self) -> KeysView[str]:
        """The names that there are, in lower case."""
        return self._by_name.keys()

    def get(self, name: str) -> str | None:
        """Return the first field of that name; None if there is none."""
        values = self._by_name.get(name.lower())
        return shown(values[0]) if values else None

    def all(self, name: str) -> Iterator[str]:
        """Yield every field of that name."""
        return map(shown, self._by_name.get(name.lower(), ()))

    def joined(self, name: str) -> str | None:
        """Return all fields of that name as one list (RFC 9110, section 5.3); None if none."""
        values = self._by_name.get(name.lower())
        if not values:
            return None
        if len(values) == 1:  # as nearly always
            return shown(values[0]) or None
        return ", ".join(map(shown, values)) or None


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What came back for one request, after redirects.

    Attributes:
        method: as sent.
        sent_headers: the headers that the request had, without credentials.
        asked_url: what was asked first; not redacted, like every URL in here.
        url: what answered.
        hops: every URL that a redirect led to, in order.
        status: HTTP status.
        headers: of the answer.
        body: decoded; empty if `fault` says why.
        body_sha256: digest of the decoded body; None if it is empty.
        fault: why the body could not be decoded; None if it could.
        wire_bytes: length of the body before decoding.
        fetched_at: UTC.
        proxy: the proxy that was used, without credentials; None: direct.
        with_credentials: whether any were sent.
        address: the one that was connected to, where it was chosen among several; None: any.
        peer: the address that answered; None: not known, as behind a proxy.
        made_for: id of the other incident that it was asked for; None: for this one.
    """

    method: str
    sent_headers: tuple[tuple[str, str], ...]
    asked_url: str
    url: str
    hops: tuple[str, ...] = ()
    status: int
    headers: Headers
    body: bytes = b""
    body_sha256: str | None = None
    fault: ProbeError | None = None
    wire_bytes: int = 0
    fetched_at: datetime
    proxy: str | None = None
    with_credentials: bool = False
    address: str | None = None
    peer: str | None = None
    made_for: str | None = None
