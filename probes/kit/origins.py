"""Where a URL leads: its origin, whether it names an artifact, what a redirect makes of it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache
from urllib.parse import unquote, urljoin, urlsplit, urlunsplit

from auditor.errors import GuardRefused, Malformed
from probes.kit.reach import is_loopback

__all__ = [
    "Origin",
    "follow",
    "is_artifact_url",
    "is_same_host",
    "origin_of",
]

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Everything that some installer takes for a distribution, and the metadata beside it: a cache
# stores each of them on GET. What follows the suffix does not matter: servers cut off `/`, `;v=1`,
# `#sha256=…` or a blank in their own ways, and some take the name from the query.
_ARTIFACT = re.compile(
    r"\.(?:whl|egg|exe|msi|rpm|zip|metadata|asc|tar|t[gbxl]z|tbz2|gz|bz2|xz|lz|lzma|zst|deb|dmg)"
    r"(?![a-z0-9])",
    re.IGNORECASE,
)
# A server may undo `%2577` twice. What is still not plain after this many times is no honest URL.
_MAX_UNQUOTED = 5


@dataclass(frozen=True, slots=True)
class Origin:
    """Scheme, host and port: who gets to see credentials (RFC 6454)."""

    scheme: str
    host: str
    port: int

    @property
    def host_and_port(self) -> str:
        """`name:port`, with brackets around an IPv6 address."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"


@lru_cache(maxsize=4096)  # each URL is looked at from a dozen sides
def origin_of(url: str) -> Origin:
    """Return the origin of an http or https URL.

    Raises:
        Malformed: it is no such URL.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError as error:
        raise Malformed(f"the URL cannot be read: {error}; check its host and port") from error
    if parts.scheme not in _DEFAULT_PORTS:
        raise Malformed(f"the URL begins with {parts.scheme[:20]!r}; only http and https are asked")
    if not host:
        raise Malformed("the URL names no host; write it as https://HOST/simple/")
    return Origin(parts.scheme, host.rstrip("."), port or _DEFAULT_PORTS[parts.scheme])


@lru_cache(maxsize=4096)
def is_artifact_url(url: str) -> bool:
    """Say whether a URL looks as if it named a file to install, in its path or in its query.

    A name that says nothing (`/blobs/5f3a`) is none: registries keep their pages under such.
    """
    try:
        parts = urlsplit(url)
    except ValueError:
        return True
    text = f"{parts.path}?{parts.query}"
    for _ in range(_MAX_UNQUOTED):
        if _ARTIFACT.search(text):
            return True
        plainer = unquote(text)
        if plainer == text:
            return False
        text = plainer
    return True


def is_same_host(one: str, other: str) -> bool:
    """Say whether two hosts are one: by name, or since both are this machine's loopback."""
    return one == other or (is_loopback(one) and is_loopback(other))


def follow(current: str, location: str | None, *, artifact_asked: bool) -> str:
    """Return the URL that a redirect leads to, without credentials and fragment.

    Raises:
        Malformed: it leads nowhere that can be asked.
        GuardRefused: an index page leads to an artifact, which a cache would store.
    """
    if not location:
        raise Malformed("the server redirects without saying where to")
    try:
        parts = urlsplit(urljoin(current, location.strip()))
    except ValueError as error:
        raise Malformed(f"the server redirects to what is no URL: {error}") from error
    netloc = parts.netloc.rpartition("@")[2]
    # Without one, what looks like its path would take the place of its host.
    if parts.scheme in ("http", "https") and not netloc:
        raise Malformed("the server redirects to a URL without a host")
    target = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
    origin_of(target)
    if not artifact_asked and is_artifact_url(target):
        raise GuardRefused("an index page redirects to a file, which was not followed")
    return target
