"""Texts without private hosts, addresses, paths, names and people; the same stand-in every time.

A text is gone through once, from left to right, and each match is replaced as a whole, so that
nothing is replaced twice and no stand-in is taken for something private.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from ipaddress import ip_address
from urllib.parse import urlsplit

__all__ = ["TextRedactor", "Vocabulary", "hosts_in"]

# RFC 2606 reserves `.invalid`: nobody can be reached there by mistake.
_HOST = "host-{}.invalid"
_CUT = "…"
# What a name must be long enough for to be looked for in texts: a shorter one is an ordinary word.
_SHORTEST_NAME = 3

_URL = r"[a-zA-Z][a-zA-Z0-9+.-]{1,30}://[^\s\"'<>`|\\^{}]+"
_MAIL = r"(?<![\w.+-])[\w.+-]{1,64}@[\w-]+(?:\.[\w-]+)*"
# Home directories, drives, shares, and every word with a slash in it.
# It starts where a word starts, so that a long word is gone through once.
_PATH = (
    r"(?:[A-Za-z]:\\|\\\\)[^\s\"'<>|,;]+"
    r"|(?<![^\s\"'<>|,;()=:\[\]])[^\s\"'<>|,;()=:\[\]/]*/[^\s\"'<>|,;()\[\]]*"
)
_IPV6 = r"\[?(?:[0-9A-Fa-f]{0,4}:){2,7}[0-9A-Fa-f]{0,4}\]?(?::\d+)?"
_IPV4 = r"(?<![\w.])\d{1,3}(?:\.\d{1,3}){3}(?::\d{1,5})?(?![\w.]*\w)"
# Names that only an inside network resolves (RFC 6762 appendix G, RFC 9476, and common habit).
_INSIDE = (
    r"(?<![\w.-])(?:[\w-]+\.)+(?:internal|intranet|corp|home|lan|local|localdomain|private)"
    r"(?::\d{1,5})?(?![\w-])"
)
# With a letter in it, and neither the end of a media type nor that of a file name.
_LOCAL_VERSION = re.compile(
    r"(?<=[0-9])\+(?=[0-9.]*[a-z])(?!(?:json|xml|html)\b)"
    r"[a-z0-9]+(?:[._](?!(?:tar|gz|zip|whl)\b)[a-z0-9]+)*",
    re.IGNORECASE,
)
_MEDIA_TYPE = re.compile(
    r"(?:application|text|image|audio|video|font|multipart|\*)/[\w.+*-]+", re.IGNORECASE
)
# `HTTP/1.1`, `pip/26.3`, `n/a`, `2026/11/20`: a slash, and no path.
_NO_PATH = re.compile(r"[A-Za-z-]+/\d+(?:\.\d+)*|n/a|and/or|w/o|[\d./-]+", re.IGNORECASE)
# Parts of an index's paths that are the same everywhere.
_PUBLIC_PARTS = frozenset(
    ["simple", "pypi", "json", "files", "packages", "project", "web", "+simple", "+f", "dists"]
)  # fmt: skip  # a line for each would be a page


@dataclass(frozen=True, slots=True, kw_only=True)
class Vocabulary:
    """What is public, and what is known to be private.

    Attributes:
        project: normalised name.
        versions: every version that the run names.
        public_hosts: hosts that everybody knows, without ports.
        private_hosts: hosts of the places, without ports.
        names: what to put for a private name wherever it stands.
    """

    project: str
    versions: frozenset[str]
    public_hosts: frozenset[str]
    private_hosts: frozenset[str]
    names: Mapping[str, str]


@dataclass(slots=True)
class TextRedactor:
    """Replaces, and remembers what it put for what.

    Attributes:
        words: what is public and what is not.
    """

    words: Vocabulary
    _hosts: dict[str, str] = field(default_factory=dict)
    _paths: dict[str, str] = field(default_factory=dict)
    _done: dict[str, str] = field(default_factory=dict)
    _pattern: re.Pattern[str] = field(init=False)

    def __post_init__(self) -> None:
        self._pattern = re.compile("|".join(f"(?P<{n}>{p})" for n, p in self._alternatives()))

    def __call__(self, text: str) -> str:
        """Return the text with stand-ins."""
        found = self._done.get(text)
        if found is None:
            found = self._pattern.sub(self._replaced, text)
            found = self._done[text] = _LOCAL_VERSION.sub(self._local_version, found)
        return found

    def host(self, host: str, port: str = "") -> str:
        """The stand-in of a host and port, or the host itself if it is public."""
        bare = host.lower().strip("[]").rstrip(".")
        if bare in self.words.public_hosts:
            return host
        return self._hosts.setdefault(f"{bare}:{port}", _HOST.format(len(self._hosts) + 1))

    def path(self, path: str) -> str:
        """The stand-in of a file or directory: the same for the same text."""
        known = self._paths.setdefault(path.rstrip("/\\"), f"path-{len(self._paths) + 1}")
        last = re.split(r"[/\\]", path.rstrip("/\\"))[-1]
        return f"{known}/{last}" if self._is_public_part(last) else known

    def _alternatives(self) -> Iterable[tuple[str, str]]:
        yield "url", _URL
        yield "mail", _MAIL
        if names := sorted(filter(_is_findable, self.words.names), key=len, reverse=True):
            yield "name", rf"(?<![\w-])(?:{'|'.join(map(re.escape, names))})(?![\w-])"
        if hosts := sorted(self._domains(), key=len, reverse=True):
            listed = "|".join(map(re.escape, hosts))
            yield "host", rf"(?i:(?<![\w.-])(?:[\w-]+\.)*(?:{listed}))(?::\d{{1,5}})?(?![\w-])"
        yield "inside", _INSIDE
        yield "ipv4", _IPV4
        yield "ipv6", _IPV6
        yield "path", _PATH

    def _domains(self) -> set[str]:
        """Private hosts, and the domain that each is in: its neighbours are private as well."""
        found: set[str] = set()
        for host in self.words.private_hosts - self.words.public_hosts:
            found.add(host)
            labels = host.split(".")
            if len(labels) > 2 and not _is_address(host):
                found.add(".".join(labels[1:] if len(labels) == 3 else labels[-3:]))
        return found

    def _replaced(self, match: re.Match[str]) -> str:
        handlers: dict[str, Callable[[str], str]] = {
            "url": self._url,
            "mail": lambda _: "somebody@host.invalid",
            "name": lambda text: self.words.names[text],
            "host": self._host_and_port,
            "inside": self._host_and_port,
            "ipv4": self._address,
            "ipv6": self._address,
            "path": self._word_with_slash,
        }
        return handlers[match.lastgroup or "path"](match.group())

    def _url(self, url: str) -> str:
        rest = url[len(url.rstrip(".,;:)")) :]
        try:
            parts = urlsplit(url[: len(url) - len(rest)])
            host, port = parts.hostname or "", str(parts.port or "")
        except ValueError:
            return f"https://{_HOST.format(0)}/{_CUT}{rest}"
        if host in self.words.public_hosts and not parts.username:
            return url
        path = self._segments(parts.path) if host else self._segments(parts.path, cut_all=True)
        return f"{parts.scheme}://{self.host(host, port) if host else ''}{path}{rest}"

    def _segments(self, path: str, *, cut_all: bool = False) -> str:
        kept: list[str] = []
        for part in path.split("/")[1:]:
            shown = part if not part or (self._is_public_part(part) and not cut_all) else _CUT
            if not (shown == _CUT and kept[-1:] == [_CUT]):
                kept.append(shown)
        return "/" + "/".join(kept) if kept else ""

    def _host_and_port(self, text: str) -> str:
        host, _, port = text.partition(":")
        return self.host(host, port)

    def _address(self, text: str) -> str:
        if text in self.words.versions:
            return text
        port = re.search(r"(?<=[\]\d]):\d+$", text) if text.startswith("[") or "." in text else None
        bare = text[: port.start()] if port else text
        number = port.group()[1:] if port else ""
        return self.host(bare, number) if _is_address(bare.strip("[]")) else text

    def _word_with_slash(self, text: str) -> str:
        bare = text.rstrip(".:")
        rest = text[len(bare) :]
        if bare in ("", "/") or _NO_PATH.fullmatch(bare) or _MEDIA_TYPE.match(bare):
            return text
        if all(not part or self._is_public_part(part) for part in bare.split("/")):
            return text
        return self.path(bare) + rest

    def _is_public_part(self, part: str) -> bool:
        """Whether a part of a path is public: the project, a version, a file of it."""
        plain = re.sub(r"[-_.]+", "-", part).lower()
        project = self.words.project
        is_file = plain.startswith(f"{project}-") and plain[len(project) + 1 :][:1].isdigit()
        return part in _PUBLIC_PARTS or part in self.words.versions or plain == project or is_file

    def _local_version(self, match: re.Match[str]) -> str:
        """A local version names whoever built it (PEP 440), unless the incident names it."""
        known = any(version.endswith(match.group()) for version in self.words.versions)
        return match.group() if known else "+local"


def _is_findable(name: str) -> bool:
    return len(name) >= _SHORTEST_NAME


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def hosts_in(text: str) -> set[str]:
    """Hosts of the addresses in a text, without ports, in lower case."""
    found = set()
    for url in re.findall(_URL, text):
        try:
            host = urlsplit(url.rstrip(".,;:)")).hostname
        except ValueError:
            continue
        if host:
            found.add(host.rstrip("."))
    return found
