"""What software answers: recognised from headers, addresses and page bodies already fetched.

Nothing here sends a request. A *certain* sign is one that only this software gives; an address that
merely looks like it is a guess, good enough for a note and never for a relaxed touch (design
section 10: that takes the declared kind, a certain sign, and nobody's cache in front).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from functools import lru_cache
from types import MappingProxyType
from urllib.parse import urlsplit

from probes.kit.answer import Answer, Headers
from probes.kit.freshness import serial_of
from probes.kit.session import GuardedSession, Request

__all__ = [
    "PULP_SERIAL",
    "RecognisingSession",
    "Recognition",
    "SerialNature",
    "Software",
    "is_bandersnatch_page",
    "is_devpi_answer",
]

# pulp_python answers this as the serial of every project (pulp_python issue 1254).
PULP_SERIAL = 1_000_000_000
# Signs stand at the beginning of a page, serials at its beginning or end.
_HEAD_BYTES = 2**13
_TAIL_BYTES = 2**14
# So many pages are remembered, by their digest.
_MAX_KNOWN_BODIES = 4096


class Software(StrEnum):
    """What can be recognised; the order is that in which the more telling wins."""

    DEVPI = "devpi"
    NEXUS = "Nexus Repository"
    ARTIFACTORY = "Artifactory"
    GITLAB = "GitLab's package registry"
    AZURE = "Azure Artifacts"
    CODEARTIFACT = "AWS CodeArtifact"
    GOOGLE = "Google Artifact Registry"
    PULP = "Pulp"
    PROXPI = "proxpi"
    BANDERSNATCH = "bandersnatch"
    PYPISERVER = "pypiserver"
    NGINX_LISTING = "a directory listing of nginx"
    APACHE_LISTING = "a directory listing of Apache"
    PYTHON_LISTING = "a directory listing of Python's http.server"
    SIMPLEINDEX = "simpleindex"
    WAREHOUSE = "PyPI's own software"


class SerialNature(StrEnum):
    """What the serials of a place are worth."""

    REAL = "real"
    STRING = "string"  # real, and written as a text in the JSON page (bandersnatch)
    CONSTANT = "constant"
    CONTRADICTORY = "contradictory"  # header and body of one answer differ
    ABSENT = "absent"


@dataclass(frozen=True, slots=True)
class _HeaderSign:
    """A header that only one software sends; `value` narrows it down."""

    name: str
    software: Software
    value: re.Pattern[str] = re.compile("")


_HEADER_SIGNS = (
    _HeaderSign("x-devpi-api-version", Software.DEVPI),
    _HeaderSign("server", Software.NEXUS, re.compile(r"^Nexus/")),
    _HeaderSign("server", Software.ARTIFACTORY, re.compile(r"^Artifactory/")),
    _HeaderSign("x-artifactory-id", Software.ARTIFACTORY),
    _HeaderSign("x-artifactory-node-id", Software.ARTIFACTORY),
    _HeaderSign("x-jfrog-version", Software.ARTIFACTORY),
    _HeaderSign("x-gitlab-meta", Software.GITLAB),
    _HeaderSign("gitlab-sv", Software.GITLAB),
    _HeaderSign("x-tfs-processid", Software.AZURE),
    _HeaderSign("x-vss-e2eid", Software.AZURE),
    _HeaderSign("x-pypi-last-serial", Software.PULP, re.compile(rf"^{PULP_SERIAL}$")),
)
_BODY_SIGNS: Mapping[Software, re.Pattern[bytes]] = MappingProxyType(
    {
        Software.PROXPI: re.compile(rb'<meta name="generator" content="proxpi">'),
        Software.PULP: re.compile(rb'/pulp/content/[^"]+#sha256=|/pulp/content/[^"]+"'),
        # pypiserver 2.4: a heading like PyPI's, digests in the links, and no repository version.
        Software.PYPISERVER: re.compile(
            rb'<meta name="viewport"[^<>]*>\s*<title>Links for [^<]*</title>\s*</head>\s*<body>\s*'
            rb"<h1>Links for "
        ),
        Software.NGINX_LISTING: re.compile(rb"<h1>Index of [^<]*</h1><hr><pre><a href"),
        Software.APACHE_LISTING: re.compile(
            rb"<h1>Index of [^<]*</h1>\s*(?:<ul>|<pre>\s*<img|<table>)", re.IGNORECASE
        ),
        Software.SIMPLEINDEX: re.compile(
            rb'\A\s*<!DOCTYPE html>\s*<html>\s*<head>\s*<meta charset="utf-8">\s*</head>\s*'
            rb'<body>\s*<a href="\./'
        ),
        Software.PYTHON_LISTING: re.compile(rb"<h1>Directory listing for "),
    }
)
_WORDS: Mapping[Software, bytes] = MappingProxyType(
    {
        Software.PROXPI: b"proxpi",
        Software.PULP: b"/pulp/content/",
        Software.PYPISERVER: b"viewport",
        Software.NGINX_LISTING: b"<h1>Index of ",
        Software.APACHE_LISTING: b"Index of ",
        Software.SIMPLEINDEX: b'href="./',
        Software.PYTHON_LISTING: b"Directory listing for ",
    }
)
# Where an index of that software lies, as its documentation has it; hosts by single labels.
_PATH_GUESSES: Mapping[Software, re.Pattern[str]] = MappingProxyType(
    {
        Software.ARTIFACTORY: re.compile(r"/api/pypi/[^/]+(?:/simple)?(?:/|$)"),
        Software.NEXUS: re.compile(r"/repository/[^/]+/simple(?:/|$)"),
        Software.GITLAB: re.compile(r"/api/v4/(?:projects|groups)/.+/packages/pypi/simple(?:/|$)"),
        Software.AZURE: re.compile(r"/_packaging/[^/]+/pypi/simple(?:/|$)"),
        Software.DEVPI: re.compile(r"/\+simple(?:/|$)"),
    }
)

# What bandersnatch writes: the serial of a project's JSON page as a string, where PyPI has a
# number; both forms carry that serial and link their files by `../../packages/`.
_BANDERSNATCH_JSON = (
    re.compile(rb'"_last-serial"\s*:\s*"\d{1,18}"'),
    re.compile(rb'"api-version"\s*:\s*"1\.1"'),
    re.compile(rb'"url"\s*:\s*"\.\./\.\./packages/'),
)
_BANDERSNATCH_HTML = (
    re.compile(rb"<!--SERIAL \d{1,18}-->\s*\Z"),
    re.compile(rb'href="\.\./\.\./packages/'),
)
_WAREHOUSE_JSON = re.compile(rb'"_last-serial"\s*:\s*\d')
# Two patterns that begin with a word: one with two beginnings takes ten times as long.
_BODY_SERIALS = (
    re.compile(rb'"_last-serial"\s*:\s*"?(\d{1,18})(?!\d)'),
    re.compile(rb"<!--SERIAL (\d{1,18})(?!\d)"),
)


def is_devpi_answer(headers: Headers) -> bool:
    """Whether devpi-server made this answer: it names the version of its interface in each."""
    return headers.get("x-devpi-api-version") is not None


def is_bandersnatch_page(body: bytes, content_type: str | None) -> bool:
    """Whether bandersnatch wrote this page of a project."""
    is_json = "json" in (content_type or "").lower()
    wanted = _BANDERSNATCH_JSON if is_json else _BANDERSNATCH_HTML
    return all(pattern.search(body) for pattern in wanted)


@dataclass(frozen=True, slots=True)
class _BodySigns:
    """What a page shows: signs of software, serials, and whether one of these is a text."""

    software: tuple[tuple[Software, str], ...]
    serials: frozenset[int]
    is_text: bool


class _KnownBodies(dict[tuple[str, str | None], _BodySigns]):
    """Pages already looked at, by digest and type. All places of an audit share one of these."""

    def look_at(self, answer: Answer) -> _BodySigns:
        """Look at a page, once for the same bytes: most views of most places get the same."""
        content_type = answer.headers.get("content-type")
        if answer.body_sha256 is None:
            return _look(answer.body, content_type)
        key = answer.body_sha256, content_type
        signs = self.get(key)
        if signs is None:
            if len(self) >= _MAX_KNOWN_BODIES:
                self.clear()
            signs = self[key] = _look(answer.body, content_type)
        return signs


@dataclass(slots=True)
class Recognition:
    """What the answers of one place show of the software that made them.

    Attributes:
        certain: software by the sign that only it gives.
        guessed: software by an address that looks like it.
        serials: what each answer's serial was like.
    """

    certain: dict[Software, str] = field(default_factory=dict)
    guessed: dict[Software, str] = field(default_factory=dict)
    serials: set[SerialNature] = field(default_factory=set)
    _bodies: _KnownBodies = field(default_factory=_KnownBodies)

    @property
    def software(self) -> Software | None:
        """The most telling that is recognised, certain before guessed; None if nothing is."""
        order = list(Software)
        for found in (self.certain, self.guessed):
            if found:
                return min(found, key=order.index)
        return None

    @property
    def sign(self) -> str:
        """By what it was recognised; "" if it was not."""
        software = self.software
        if software is None:
            return ""
        return self.certain.get(software) or self.guessed[software]

    def is_certain(self, software: Software) -> bool:
        """Whether this and no other software answered, by signs that only it gives."""
        return software in self.certain and set(self.certain) <= {software, Software.WAREHOUSE}

    @property
    def serial(self) -> SerialNature:
        """What the serials are worth, the most doubtful first."""
        for nature in (
            SerialNature.CONTRADICTORY,
            SerialNature.CONSTANT,
            SerialNature.STRING,
            SerialNature.REAL,
        ):
            if nature in self.serials:
                return nature
        return SerialNature.ABSENT

    def see(self, answer: Answer) -> None:
        """Take what one answer shows, whatever its status."""
        for software, sign in _header_signs(answer.headers):
            self.certain.setdefault(software, sign)
        for software, sign in _guesses(answer.url):
            self.guessed.setdefault(software, sign)
        if answer.status == 200 and answer.body:
            self._see_body(answer)

    def _see_body(self, answer: Answer) -> None:
        signs = self._bodies.look_at(answer)
        for software, sign in signs.software:
            self.certain.setdefault(software, sign)
        nature = _serial_nature(answer.headers, signs)
        if nature is not None:
            self.serials.add(nature)


def _look(body: bytes, content_type: str | None) -> _BodySigns:
    if len(body) > _HEAD_BYTES + _TAIL_BYTES:
        body = body[:_HEAD_BYTES] + body[-_TAIL_BYTES:]
    serials = {int(digits) for pattern in _BODY_SERIALS for digits in pattern.findall(body)}
    return _BodySigns(
        software=tuple(_page_signs(body, content_type)),
        serials=frozenset(serials),
        is_text=bool(_BANDERSNATCH_JSON[0].search(body)),
    )


def _header_signs(headers: Headers) -> Iterator[tuple[Software, str]]:
    there = headers.names
    for sign in [sign for sign in _HEADER_SIGNS if sign.name in there]:
        value = headers.get(sign.name)
        if value is not None and sign.value.search(value):
            yield sign.software, f"its header {sign.name}"


@lru_cache(maxsize=1024)
def _guesses(url: str) -> tuple[tuple[Software, str], ...]:
    """Guess from an address. Every view of a place has the same."""
    return tuple(_address_guesses(url))


def _address_guesses(url: str) -> Iterator[tuple[Software, str]]:
    try:
        parts = urlsplit(url)
        labels = (parts.hostname or "").split(".")
    except ValueError:
        return
    for software, pattern in _PATH_GUESSES.items():
        if pattern.search(parts.path):
            yield software, "its address"
    if "codeartifact" in labels:
        yield Software.CODEARTIFACT, "its address"
    if labels[0].endswith("-python") and "pkg" in labels:
        yield Software.GOOGLE, "its address"


def _page_signs(body: bytes, content_type: str | None) -> Iterator[tuple[Software, str]]:
    if is_bandersnatch_page(body, content_type):
        yield Software.BANDERSNATCH, "how it writes serials and links"
    elif "json" in (content_type or "").lower() and _WAREHOUSE_JSON.search(body):
        yield Software.WAREHOUSE, "the form of its JSON page"
    for software, pattern in _BODY_SIGNS.items():
        # Looking for a word takes a hundredth of the time.
        if _WORDS[software] in body and pattern.search(body):
            yield software, "the form of its page"


def _serial_nature(headers: Headers, stated: _BodySigns) -> SerialNature | None:
    """Say what the serial of one page is worth; None if it has none."""
    header = serial_of(headers)
    everything = stated.serials | ({header} if header is not None else set())
    if not everything:
        return None
    if PULP_SERIAL in everything:
        return SerialNature.CONSTANT
    if header is not None and stated.serials and header not in stated.serials:
        return SerialNature.CONTRADICTORY
    return SerialNature.STRING if stated.is_text else SerialNature.REAL


class RecognisingSession(GuardedSession):
    """A session that lets a recognition see every answer that is no file's.

    Attributes:
        recognition: what the answers so far show.
    """

    recognition: Recognition

    async def __aenter__(self) -> RecognisingSession:
        shared = self._assignment.shared
        known = None if shared is None else shared.one(_KnownBodies, "signs of pages")
        self.recognition = Recognition(_bodies=_KnownBodies() if known is None else known)
        await super().__aenter__()
        return self

    async def send(self, request: Request) -> Answer:
        """Send a request as `GuardedSession.send` does.

        Raises:
            ProbeError: as there.
        """
        answer = await super().send(request)
        if not request.artifact:
            self.recognition.see(answer)
        return answer
