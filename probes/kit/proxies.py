"""Which forward proxy a request goes through: the location's own, else the environment's, as pip.

pip (through requests) and urllib read the same variables but do not agree on NO_PROXY. What pip
does counts: the report must say through which proxy *its* users see a place.
"""

from __future__ import annotations

import ipaddress
import os
import urllib.request
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit, urlunsplit

from auditor.errors import ProbeError
from probes.kit.origins import origin_of
from probes.kit.redaction import redact_url

__all__ = ["Environment", "Proxies", "proxy_for", "proxy_secrets", "with_login"]


def proxy_for(url: str, via: str | None) -> str | None:
    """Return the proxy through which a URL is asked, credentials included; None: directly.

    Args:
        url: what is asked.
        via: the proxy that the location names; None: what the environment says.

    Raises:
        ProbeError: the proxy speaks a protocol that we do not.
    """
    return _usable(via) if via else Environment.as_it_is().proxy_for(url)


class Proxies:
    """`proxy_for` for many requests: the environment is read once, and each host decided once.

    Args:
        via: the proxy that the location names; None: what the environment says.
        environment: as it was read before.
    """

    def __init__(self, via: str | None, environment: Environment) -> None:
        self._via = via
        self._environment = environment
        self._by_host: dict[tuple[str, str], str | None] = {}

    def to(self, url: str) -> str | None:
        """Return what `proxy_for` does.

        Raises:
            ProbeError: the proxy speaks a protocol that we do not.
        """
        if self._via:
            return _usable(self._via)
        origin_of(url)  # refuses what is no URL
        parts = urlsplit(url)
        host = parts.scheme, parts.netloc  # as written: NO_PROXY can name a port
        if host not in self._by_host:
            self._by_host[host] = self._environment.proxy_for(url)
        return self._by_host[host]


def _usable(proxy: str) -> str:
    """Return a proxy as those who open connections want it."""
    proxy = _with_scheme(proxy)
    try:
        parts = urlsplit(proxy)
        usable = parts.scheme in ("http", "https") and bool(parts.hostname) and parts.port != 0
    except ValueError:
        usable = False
    if not usable:
        raise ProbeError(f"the proxy {redact_url(proxy)} cannot be used; name it http://HOST:PORT")
    return proxy


def proxy_secrets(via: str | None, environment: Environment | None = None) -> Iterator[str]:
    """Yield the passwords of every proxy that could be used, in each form they are written in.

    Args:
        via: the proxy that the location names; None: none.
        environment: as it was read before; None: it is read.
    """
    environment = environment or Environment.as_it_is()
    for proxy in (via, *environment.proxies.values()):
        if not proxy or "@" not in proxy:
            continue
        try:
            parts = urlsplit(_with_scheme(proxy))
        except ValueError:
            continue
        if parts.password:
            user, password = unquote(parts.username or ""), unquote(parts.password)
            yield from (password, parts.password, f"{user}:{password}")
        elif parts.username:  # a token as user name, without a password
            yield from (unquote(parts.username), f"{unquote(parts.username)}:")


def with_login(via: str, username: str | None, password: str | None) -> str:
    """Return the address of a proxy with its login, as those who open connections want it."""
    if username is None and password is None:
        return via
    parts = urlsplit(_with_scheme(via))
    login = f"{quote(username or '', safe='')}:{quote(password or '', safe='')}"
    host = parts.netloc.rpartition("@")[2]
    return urlunsplit((parts.scheme, f"{login}@{host}", parts.path, "", ""))


def _with_scheme(proxy: str) -> str:
    return proxy if "://" in proxy else f"http://{proxy}"


@dataclass(frozen=True, slots=True)
class Environment:
    """What this process's environment says of proxies.

    Attributes:
        proxies: by scheme.
        no_proxy: which hosts are asked directly.
    """

    proxies: Mapping[str, str]
    no_proxy: str

    @classmethod
    def as_it_is(cls) -> Environment:
        """Read it.

        HTTP_PROXY, HTTPS_PROXY and ALL_PROXY, lower case first; without HTTP_PROXY in a CGI script,
        where a request's `Proxy:` header becomes that variable (https://httpoxy.org).
        """
        # requests takes an empty `no_proxy` for none at all, urllib for *no exception*.
        no_proxy = os.environ.get("no_proxy") or os.environ.get("NO_PROXY") or ""
        return cls(urllib.request.getproxies(), no_proxy)

    def proxy_for(self, url: str) -> str | None:
        """Return the proxy for a URL, None if it is asked directly; raises as `proxy_for`."""
        origin = origin_of(url)
        proxy = self.proxies.get(origin.scheme) or self.proxies.get("all")
        if not proxy or _is_bypassed(origin.host, urlsplit(url).port, self.no_proxy):
            return None
        return _usable(proxy)


def _is_bypassed(host: str, port: int | None, no_proxy: str) -> bool:
    """Say what pip would: requests' reading of NO_PROXY, or else that of urllib and the system."""
    entries = [entry for entry in no_proxy.replace(" ", "").split(",") if entry]
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        listed = any(_names(entry, host, port) for entry in entries)
    else:
        listed = any(_contains(entry, address) for entry in entries)
    return listed or bool(urllib.request.proxy_bypass(host))


def _names(entry: str, host: str, port: int | None) -> bool:
    """`example`, `.example` and `example:8443`: a host, those below it, a port in the URL."""
    name = entry.lstrip(".")  # as written: only urllib, which is asked as well, ignores case
    written = (host, f"{host}:{port}" if port else host)
    return any(each == name or each.endswith(f".{name}") for each in written)


def _contains(entry: str, address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> bool:
    """`10.0.0.7` and `10.0.0.0/8`: urllib does not know the latter."""
    try:
        return address in ipaddress.ip_network(entry, strict=False)
    except ValueError:
        return False
