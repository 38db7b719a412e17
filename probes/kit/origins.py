"""Where a URL leads: its origin, whether it names an artifact, whether its host is private."""

from __future__ import annotations

import ipaddress
from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urljoin, urlsplit, urlunsplit

from auditor.errors import GuardRefused, Malformed

__all__ = ["Origin", "follow", "is_artifact_url", "is_private_address", "origin_of"]

_DEFAULT_PORTS = {"http": 80, "https": 443}

# Everything that some installer takes for a distribution, and the metadata beside it: a cache
# stores each of them on GET.
_ARTIFACT_SUFFIXES = (
    *(".whl", ".egg", ".exe", ".msi", ".rpm", ".zip", ".metadata", ".asc"),
    *(".tar", ".tgz", ".tbz", ".txz", ".tlz", ".tar.gz", ".tar.bz2", ".tar.xz", ".tar.z"),
    *(".tar.lz", ".tar.lzma", ".tar.zst", ".deb", ".dmg"),
)


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


def is_artifact_url(url: str) -> bool:
    """Say whether a URL looks as if it named a file to install, in its path or in its query."""
    try:
        parts = urlsplit(url)
        values = [value for _, value in parse_qsl(parts.query, max_num_fields=100)]
    except ValueError:
        return True
    names = [parts.path, parts.path.partition(";")[0], *values]
    return any(unquote(name).lower().endswith(_ARTIFACT_SUFFIXES) for name in names)


def is_private_address(host: str) -> bool | None:
    """Say whether a host is not on the public internet; None if it is a name, not an address."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        address = ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None
    mapped = getattr(address, "ipv4_mapped", None)
    return not (mapped or address).is_global


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
    target = urlunsplit((parts.scheme, netloc, parts.path or "/", parts.query, ""))
    origin_of(target)
    if not artifact_asked and is_artifact_url(target):
        raise GuardRefused("an index page redirects to a file, which was not followed")
    return target
