"""Which caches an answer came through, and what each of them says that it did: pure."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from probes.kit.answer import Headers, shown

__all__ = ["HopState", "Program", "Signs", "State", "gather", "signs_of"]

_MAX_HOPS = 16
_MAX_CHARS = 200


class Program(StrEnum):
    """Software that caches and that we know the ways of."""

    NGINX = "nginx"
    SQUID = "squid"
    VARNISH = "varnish"
    APACHE = "apache"


class State(StrEnum):
    """What a cache did for one answer."""

    HIT = "hit"
    STALE = "stale"  # kept beyond its lifetime, and given all the same
    REVALIDATED = "revalidated"  # the upstream confirmed it just now
    MISS = "miss"
    BYPASS = "bypass"
    UNKNOWN = "unknown"

    @property
    def is_fresh_from_upstream(self) -> bool:
        """Whether the upstream was asked for this very answer."""
        return self in (State.MISS, State.REVALIDATED, State.BYPASS)


@dataclass(frozen=True, slots=True, kw_only=True)
class HopState:
    """One cache in the way, as it speaks of itself.

    Attributes:
        name: of the host or the software; "" if it gives none.
        state: what it did.
        said: the header that says so, shortened.
    """

    name: str
    state: State
    said: str

    def __str__(self) -> str:
        return f"{self.name or 'a cache'}: {self.state.value} ({self.said})"


@dataclass(frozen=True, slots=True, kw_only=True)
class Signs:
    """What the headers of an answer say of the caches that it came through.

    Attributes:
        hops: each cache that speaks of itself, the nearest first.
        programs: those that left their mark.
        server: the product in `Server`; "" if there is none. squid and Varnish pass on that of
            their upstream, nginx puts its own, Apache does so on a hit only.
        intermediaries: how many there are by `Via`.
        age_s: RFC 9111 Age; None if not sent.
    """

    hops: tuple[HopState, ...] = ()
    programs: frozenset[Program] = frozenset()
    server: str = ""
    intermediaries: int = 0
    age_s: int | None = None

    @property
    def state(self) -> State:
        """What the nearest cache did that says so; an answer with an age was kept somewhere."""
        told = next((h.state for h in self.hops if h.state is not State.UNKNOWN), None)
        if told is not None:
            return told
        return State.HIT if self.age_s else State.UNKNOWN


# RFC 9211, section 2: parameters of one list member. A quoted text has no semicolon in practice.
_PARAMETER = re.compile(
    r";\s*([a-z*][a-z0-9_.*-]*)\s*(?:=\s*(\"[^\"]*\"|[^;,\s]+))?", re.IGNORECASE
)
_FROM = re.compile(r"\s*([A-Z_]+)\s+from\s+(\S+)", re.IGNORECASE)
_WORDS = {
    "hit": State.HIT,
    "tcp_hit": State.HIT,
    "stale": State.STALE,
    "updating": State.STALE,
    "revalidated": State.REVALIDATED,
    "revalidate": State.REVALIDATED,
    "miss": State.MISS,
    "expired": State.MISS,
    "bypass": State.BYPASS,
    "none": State.BYPASS,
}
_PROGRAM_MARKS = {
    Program.SQUID: re.compile(r"\(squid[/)]", re.IGNORECASE),
    Program.VARNISH: re.compile(r"\bvarnish\b", re.IGNORECASE),
    Program.APACHE: re.compile(r"\(Apache[/)]", re.IGNORECASE),
    Program.NGINX: re.compile(r"\bnginx\b", re.IGNORECASE),
}


def signs_of(headers: Headers) -> Signs:
    """Read the signs of caches in the headers of one answer."""
    return Signs(
        hops=tuple(_hops(headers))[:_MAX_HOPS],
        programs=frozenset(_programs(headers)),
        server=_product(headers.get("server")),
        intermediaries=len(_members(headers.joined("via"))),
        age_s=_age_s(headers.get("age")),
    )


def gather(signs: Iterable[Signs]) -> frozenset[Program]:
    """Return every program that left its mark on any of several answers."""
    return frozenset(program for one in signs for program in one.programs)


def _hops(headers: Headers) -> Iterator[HopState]:
    # `Cache-Status`: the cache nearest to the client comes last (RFC 9211, section 2).
    for member in reversed(_members(headers.joined("cache-status"))):
        yield _of_cache_status(member)
    for member in reversed(_members(headers.joined("x-cache"))):
        yield _of_x_cache("x-cache", member)
    for name in ("x-cache-status", "x-proxy-cache", "cf-cache-status"):
        value = headers.get(name)
        if value:
            yield _hop("", _word(value), f"{name}: {value}")
    varnish = (headers.get("x-varnish") or "").strip()
    if varnish:
        # Two transaction ids: that of this request, and of the one that fetched the object.
        state = State.HIT if len(varnish.split()) > 1 else State.MISS
        yield _hop("varnish", state, f"x-varnish: {varnish}")
    detail = headers.get("x-cache-detail")
    if detail:
        yield _hop("apache", _of_detail(detail), f"x-cache-detail: {detail}")


def _hop(name: str, state: State, said: str) -> HopState:
    return HopState(name=shown(name, _MAX_CHARS), state=state, said=shown(said, _MAX_CHARS))


def _of_cache_status(member: str) -> HopState:
    name = member.partition(";")[0].strip().strip('"')
    found = {m[1].lower(): (m[2] or "").strip('"').lower() for m in _PARAMETER.finditer(member)}
    ttl = found.get("ttl", "")
    if "hit" in found and found["hit"] != "?0":
        state = State.STALE if ttl.startswith("-") else State.HIT
    elif found.get("fwd-status") == "304":
        state = State.REVALIDATED
    elif "fwd" in found:
        state = State.BYPASS if found["fwd"] in ("bypass", "method", "request") else State.MISS
    else:
        state = State.UNKNOWN
    return _hop(name, state, f"cache-status: {member}")


def _of_x_cache(header: str, member: str) -> HopState:
    match = _FROM.match(member)
    if match:
        return _hop(match[2], _word(match[1]), f"{header}: {member}")
    return _hop("", _word(member), f"{header}: {member}")


def _of_detail(detail: str) -> State:
    """Read Apache's CacheDetailHeader, such as `"cache hit"` or `"cache miss: attempting …"`."""
    text = detail.strip().strip('"').lower()
    for words, state in (
        ("conditional cache hit: entity refreshed", State.REVALIDATED),
        ("cache hit", State.HIT),
        ("cache miss", State.MISS),
    ):
        if text.startswith(words):
            return state
    return State.UNKNOWN


def _word(text: str) -> State:
    words = text.strip().lower().split()
    return _WORDS.get(words[0].rstrip(",;"), State.UNKNOWN) if words else State.UNKNOWN


def _programs(headers: Headers) -> Iterator[Program]:
    via, server = headers.joined("via") or "", headers.get("server") or ""
    for program, mark in _PROGRAM_MARKS.items():
        if mark.search(via):
            yield program
    if (headers.get("x-varnish") or "").strip() or _product(server) == "varnish":
        yield Program.VARNISH
    if headers.get("x-squid-error") or headers.get("x-cache-lookup") or _product(server) == "squid":
        yield Program.SQUID
    if headers.get("x-cache-detail") or _product(server) == "apache":
        yield Program.APACHE
    if _product(server) in ("nginx", "openresty", "tengine"):
        yield Program.NGINX


def _product(server: str | None) -> str:
    words = (server or "").replace("/", " ").split()
    return words[0].lower()[:_MAX_CHARS] if words else ""


def _members(text: str | None) -> list[str]:
    return [member.strip() for member in (text or "").split(",") if member.strip()]


def _age_s(text: str | None) -> int | None:
    digits = (text or "").strip()
    return int(digits[:10]) if digits.isascii() and digits.isdigit() else None
