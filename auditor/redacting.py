"""A run fit for the public: private hosts, names, paths and people replaced, public facts kept.

What is kept: PyPI and the public mirrors, the project, its versions, its files, digests, times,
statuses, reason codes, environments. What is replaced, by the same stand-in everywhere: names of
places, groups and vantages, hosts, paths, settings, local versions. What is withheld: excerpts of
private pages, headers that are not known to be harmless, labels, and what people wrote
in waivers. The history is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from importlib import import_module
from itertools import count
from typing import TypeVar, cast
from urllib.parse import urlsplit

from auditor.model import Evidence, Freshness, Location, Reason, Run, Vantage, Verdict
from auditor.model.notice import Notice
from auditor.model.pin import Pin
from auditor.model.surface import Surface
from auditor.redacted_text import TextRedactor, Vocabulary, hosts_in

__all__ = ["public_hosts", "redact"]

T = TypeVar("T")

WITHHELD = "(withheld)"
# Headers and facts whose values are of a closed form. The others can hold anything.
_HARMLESS = frozenset(
    {
        "accept-ranges",
        "age",
        "cache-control",
        "content-encoding",
        "content-length",
        "content-type",
        "date",
        "error",
        "etag",
        "expires",
        "last-modified",
        "pragma",
        "size",
        "sha256",
        "md5",
        "crc32",
        "status",
        "transfer-encoding",
        "vary",
        "x-pypi-last-serial",
    }
)
_CACHE_WORDS = re.compile(
    r"\b(?:hit|miss|stale|expired|bypass|revalidated|updating|refresh|none)\b", re.IGNORECASE
)
# Lock files that are called the same everywhere.
_LOCK_NAMES = re.compile(
    r"(?:requirements|constraints)[\w.-]{0,20}\.txt|(?:pylock(?:\.\w{1,20})?|uv|poetry|pdm)\.(?:toml|lock)"
    r"|Pipfile\.lock",
)
_LINE = re.compile(r":\d{1,7}$")


def public_hosts() -> frozenset[str]:
    """Hosts that everybody knows: PyPI's, as pip has them, and those of the shipped mirror list."""
    from auditor.config.public_mirrors import read_public_mirrors

    index = import_module("pip._internal.models.index").PyPI
    urls = [
        url for mirror in read_public_mirrors().mirrors for url in (mirror.url, *mirror.aliases)
    ]
    hosts = {urlsplit(url).hostname for url in (index.url, *urls)}
    return frozenset({host for host in hosts if host} | {index.file_storage_domain})


def redact(run: Run, public: Iterable[str] = ()) -> Run:
    """Return the run with everything private replaced. Pure; the same run gives the same result.

    Args:
        run: as it was judged or stored.
        public: hosts that may be named, such as `public_hosts()`.
    """
    words = _vocabulary(run, frozenset(host.lower() for host in public))
    return _Redactor(words).run(run)


class _Redactor:
    """Walks through a run; what needs a rule of its own has one, every other text is gone through.

    A stand-in is numbered at its first use, so the order of walking is part of the result.
    """

    def __init__(self, words: Vocabulary) -> None:
        self._words = words
        self._text = TextRedactor(words)

    def run(self, run: Run) -> Run:
        public = {v.location.name for v in run.verdicts if self._is_public(v)}
        shown = replace(
            run,
            vantages=tuple(map(self._vantage, run.vantages)),
            verdicts=tuple(self._verdict(verdict) for verdict in run.verdicts),
            deletion=replace(
                self._any(run.deletion),
                locations=tuple(map(self._name, run.deletion.locations)),
            ),
            requests=tuple(
                replace(
                    self._any(request),
                    location=self._name(request.location),
                    address=request.address if request.location in public else None,
                )
                for request in run.requests
            ),
            summary=self._any(run.summary),
            findings=self._any(run.findings),
            notices=tuple(map(self._notice, run.notices)),
            timeline=None,
            incident=replace(run.incident, fingerprints=self._any(run.incident.fingerprints)),
        )
        verdicts = sorted(shown.verdicts, key=lambda v: (v.location.name, v.vantage))
        return replace(shown, verdicts=tuple(verdicts))

    def _verdict(self, verdict: Verdict) -> Verdict:
        public = self._is_public(verdict)
        bare = replace(verdict, selections=(), evidence=(), surfaces=(), pins=())
        return replace(
            self._any(bare),
            location=self._location(verdict.location),
            vantage=self._name(verdict.vantage),
            waived=None if verdict.waived is None else WITHHELD,
            selections=self._any(verdict.selections),
            freshness=self._freshness(verdict.freshness, public),
            evidence=tuple(self._evidence(each, public) for each in verdict.evidence),
            surfaces=tuple(self._surface(each, public) for each in verdict.surfaces),
            pins=tuple(map(self._pin, verdict.pins)),
            reasons=tuple(map(self._reason, verdict.reasons)),
        )

    def _reason(self, reason: Reason) -> Reason:
        """Keys of caches are what somebody thought of, and may say anything."""
        shown = self._any(reason)
        return replace(shown, observed=WITHHELD) if reason.code == "suspect-cache" else shown

    def _notice(self, notice: Notice) -> Notice:
        location = None if notice.location is None else self._name(notice.location)
        return replace(self._any(notice), location=location)

    def _location(self, location: Location) -> Location:
        return replace(
            location,
            name=self._name(location.name),
            url=None if location.url is None else self._text(location.url),
            path=None if location.path is None else self._text.path(location.path),
            upstream=None if location.upstream is None else self._name(location.upstream),
            group=None if location.group is None else self._name(location.group),
            settings={key: self._setting(value) for key, value in location.settings.items()},
            declared_at=_declared(location.declared_at),
            vantages=(),
        )

    def _is_public(self, verdict: Verdict) -> bool:
        return _public_host(verdict, self._words.public_hosts) is not None

    def _vantage(self, vantage: Vantage) -> Vantage:
        return Vantage(id=self._name(vantage.id))

    def _evidence(self, evidence: Evidence, public: bool) -> Evidence:
        shown = self._any(replace(evidence, excerpt=""))
        if public:
            return replace(shown, excerpt=evidence.excerpt)
        kept = {k: v for k, v in shown.response.items() if k.lower() in _HARMLESS}
        return replace(shown, response=kept, excerpt=WITHHELD if evidence.excerpt else "")

    def _surface(self, surface: Surface, public: bool) -> Surface:
        shown = self._any(surface)
        if public:
            return shown
        return replace(
            shown,
            nodes=tuple(
                replace(node, node=f"node-{n}") for n, node in enumerate(shown.nodes, start=1)
            ),
            facts={k: v for k, v in shown.facts.items() if k.lower() in _HARMLESS},
        )

    def _freshness(self, freshness: Freshness, public: bool) -> Freshness:
        if public:
            return self._any(freshness)
        words = (" ".join(_CACHE_WORDS.findall(status)) for status in freshness.cache_status)
        return replace(self._any(freshness), cache_status=tuple(word for word in words if word))

    def _pin(self, pin: Pin) -> Pin:
        line = _LINE.search(pin.where)
        path = pin.where[: line.start()] if line else pin.where
        last = re.split(r"[/\\]", path)[-1]
        shown = last if _LOCK_NAMES.fullmatch(last) else self._text.path(path)
        return replace(self._any(pin), where=shown + (line.group() if line else ""))

    def _setting(self, value: str | int | float | bool) -> str | int | float | bool:
        return self._name(self._text(value)) if isinstance(value, str) else value

    def _name(self, name: str) -> str:
        return self._words.names.get(name, name)

    def _any(self, value: T) -> T:
        """Go through every text in a value of the model."""
        if isinstance(value, Enum):
            return value
        if isinstance(value, str):
            return cast(T, self._text(value))
        if isinstance(value, tuple):
            return cast(T, tuple(self._any(item) for item in value))
        if isinstance(value, Mapping):
            return cast(T, {self._any(key): self._any(item) for key, item in value.items()})
        if is_dataclass(value) and not isinstance(value, type):
            changes = {spec.name: self._any(getattr(value, spec.name)) for spec in fields(value)}
            return replace(value, **changes)
        return value


def _vocabulary(run: Run, public: frozenset[str]) -> Vocabulary:
    incident = run.incident
    chosen = {cell.version for verdict in run.verdicts for cell in verdict.selections}
    versions = {*incident.broken, *incident.fixed, *(v for v in chosen if v and "+" not in v)}
    hosts = {host for text in _texts(run) for host in hosts_in(text)}
    return Vocabulary(
        project=incident.project,
        versions=frozenset(versions),
        public_hosts=public,
        private_hosts=frozenset(hosts - public),
        names=_names(run, public),
    )


def _texts(run: Run) -> Iterator[str]:
    """Every text that may name a host; cells name none that is not said elsewhere."""
    bare = (replace(verdict, selections=()) for verdict in run.verdicts)
    stack: list[object] = [run.requests, run.findings, run.summary, run.incident, tuple(bare)]
    while stack:
        value = stack.pop()
        if isinstance(value, str):
            yield value
        elif isinstance(value, tuple):
            stack.extend(value)
        elif isinstance(value, Mapping):
            stack.extend((*value.keys(), *value.values()))
        elif is_dataclass(value):
            stack.extend(getattr(value, spec.name) for spec in fields(value))


def _names(run: Run, public: frozenset[str]) -> dict[str, str]:
    """Stand-ins of all private names, numbered in the order of the rows."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    places = {v.location.name: v for v in sorted(run.verdicts, key=lambda v: v.location.name)}
    kept = {name for name, v in places.items() if _says_nothing(v.location)}
    for number, (name, verdict) in enumerate(places.items(), start=1):
        if name not in kept:
            host = _public_host(verdict, public)
            found[name] = _unused(host or f"place-{number}", taken | kept)
            taken.add(found[name])
    for prefix, names in (
        ("vantage", {*(v.id for v in run.vantages), *(v.vantage for v in run.verdicts)}),
        ("group", {v.location.group for v in run.verdicts}),
        ("upstream", {v.location.upstream for v in run.verdicts} - kept),
        ("setting", set(_settings(run))),
        ("place", {request.location for request in run.requests} - kept),
    ):
        for number, name in enumerate(sorted(name for name in names if name), start=1):
            if name not in found:
                found[name] = _unused(f"{prefix}-{number}", taken)
                taken.add(found[name])
    return found


def _settings(run: Run) -> Iterator[str]:
    """Settings that are names, such as a bucket's; addresses and paths are told by their form."""
    for verdict in run.verdicts:
        for value in verdict.location.settings.values():
            if isinstance(value, str) and not re.search(r"://|[/\\]", value.rstrip("/")):
                yield value


def _says_nothing(location: Location) -> bool:
    """Whether a name is the one that everybody's place has."""
    bare = re.sub(r"-\d+$", "", location.name)
    return bare in (location.kind, "source", "origin")


def _public_host(verdict: Verdict, public: frozenset[str]) -> str | None:
    """The host of a place that everybody can reach; None if anything about it is private."""
    location = verdict.location
    texts = [value for value in location.settings.values() if isinstance(value, str)]
    if location.url is None or location.path is not None or texts or verdict.proxy is not None:
        return None
    parts = urlsplit(location.url)
    return parts.hostname if parts.hostname in public and not parts.username else None


def _unused(name: str, taken: set[str]) -> str:
    numbered = (name if n == 1 else f"{name}-{n}" for n in count(1))
    return next(each for each in numbered if each not in taken)


def _declared(declared_at: str | None) -> str | None:
    line = _LINE.search(declared_at or "")
    return f"config.toml{line.group()}" if line else None
