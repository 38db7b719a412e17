"""From an address on a page to the file that an installer would see behind it.

The rules are pip's (`models/link.py`): the file name is the last part of the URL's path, unquoted;
a hash is the first `#algorithm=value` that pip supports.
"""

from __future__ import annotations

import math
import posixpath
import re
from itertools import repeat
from urllib.parse import quote, unquote, urljoin, urlsplit, urlunsplit

import msgspec

from auditor.errors import Malformed
from probes.kit.pages.digests import is_digest
from probes.kit.pages.parsed import PIP_STOPS, storable

__all__ = [
    "MAX_URL_CHARS",
    "BadLink",
    "FileLink",
    "LinkReader",
    "is_filename",
    "without_credentials",
]

# Signed addresses of object stores stay below 2,000 characters; servers refuse 8,000.
MAX_URL_CHARS = 8_192
# No file system takes more than 255 bytes.
MAX_FILENAME_CHARS = 1_024

# An address of no common shape takes some 30 µs to read. That of a file, with what stands around
# it, takes some 100 bytes; a page of ten bytes for each would take three seconds per megabyte.
BYTES_PER_ODD, ALWAYS_ODD, MAX_ODD = 80, 2_000, 200_000

SCHEMES = frozenset({"http", "https", "file"})

# Nearly every address on a page has this shape, and for it no parsing of URLs is needed: nothing
# to unquote, no credentials, no query. (Parsing each cost half of the time of a page.)
_PLAIN = re.compile(
    r"(https?://\w[\w.-]*(?::[0-9]{1,4})?/|(?:\.\./)*|/)(\w[\w.+~!/-]*)(?:#sha256=([0-9a-f]{64}))?",
    re.ASCII,
)
_PLAIN_PATHS = re.compile(r"(?:\w[\w.+~!/-]*+(?:\n|\Z))*+", re.ASCII)
# pip: `LinkHash._hash_url_fragment_re`, searched in the whole URL, first match wins.
_HASH = re.compile(r"[#&](sha512|sha384|sha256|sha224|sha1|md5)=([^&]*)")
_EGG = re.compile(r"[#&]egg=([^&]*)")
# pip: `Link._project_name_re` (PEP 508).
_EGG_NAME = re.compile(r"(?:[A-Z0-9]|[A-Z0-9][A-Z0-9._-]*+(?<=[A-Z0-9]))$", re.IGNORECASE)
_QUERY_SAFE = "%/?:@!$&'()*+,;=-._~[]"


class BadLink(ValueError):
    """No file can be fetched from this address; the text says why.

    Attributes:
        stops_pip: whether pip ends with an error as soon as it reads the address.
    """

    def __init__(self, text: str, *, stops_pip: bool = False) -> None:
        super().__init__(f"{PIP_STOPS}: {text}" if stops_pip else text)
        self.stops_pip = stops_pip


# A struct, as thousands are made per page: a named tuple costs three times as much.
class FileLink(msgspec.Struct, frozen=True, gc=False):
    """Where a file is, and what its address says of it.

    Attributes:
        url: absolute, without credentials and fragment.
        filename: the last part of the path, unquoted.
        hashes: of the fragment; empty if there is none or it cannot be used.
        bad_hash: `algorithm=…` of a fragment that is no digest; "" if there is none.
        egg: what an `#egg=` fragment says, which pip reads instead of the file name; "" if none.
    """

    url: str
    filename: str
    hashes: dict[str, str] = {}
    bad_hash: str = ""
    egg: str = ""


class LinkReader:
    """Reads the addresses of one page.

    Args:
        base: URL against which relative ones are resolved.
        relative_base: whether the page wrote it as a relative one.
        page_bytes: length of the page: odd addresses cost time, so that it bounds their number;
            None: no bound.

    Attributes:
        used_base: whether any was relative so far.
    """

    def __init__(
        self, base: str, *, relative_base: bool = False, page_bytes: int | None = None
    ) -> None:
        self.relative_base = relative_base
        self._odd_left = _odd_allowed(page_bytes)
        self.used_base = False
        self._base = base
        self._joined: dict[str, str] = {}

    def plain(self, href: str) -> FileLink | None:
        """Read an address of the common shape; None if it has another one."""
        match = _PLAIN.fullmatch(href)
        if match is None or len(href) > MAX_URL_CHARS:
            return None
        prefix, path, digest = match.groups()
        filename = path.rpartition("/")[2]
        if not is_filename(filename) or "/." in path or "//" in path:
            return None
        if prefix[:4] != "http":
            prefix = self._joined.get(prefix) or self._join(prefix)
            if not prefix:
                return None
        hashes = {"sha256": digest} if digest else {}
        return FileLink(prefix + path, filename, hashes)

    def origin(self, url: str) -> str:
        """Return scheme and host of an address of the common shape; "" if it has another one."""
        match = _PLAIN.match(url)
        return match[1] if match and match[1].startswith("http") and self.plain(url) else ""

    def locate_all(self, urls: list[str]) -> list[str] | None:
        """Return the absolute addresses of some in which every character is harmless.

        None if one is of no common shape. Nearly every page has all its files in one place, which
        is then found once.
        """
        first = self.plain(urls[0])
        prefix = match[1] if (match := _PLAIN.match(urls[0])) else ""
        if first is None or not all(map(str.startswith, urls, repeat(prefix))):
            return self._locate_each(urls)
        if prefix[:4] == "http":
            return urls
        rests = [url[len(prefix) :] for url in urls]
        text = "\n".join(rests)
        if "//" in text or "/." in text or _PLAIN_PATHS.fullmatch(text) is None:
            return self._locate_each(urls)
        joined = self._joined[prefix]
        return [joined + rest for rest in rests]

    def _locate_each(self, urls: list[str]) -> list[str] | None:
        found = [link.url for url in urls if (link := self.plain(url)) is not None]
        return found if len(found) == len(urls) else None

    def _resolve(self, href: str) -> str:
        self.used_base = True
        return urljoin(self._base, href)

    def _join(self, prefix: str) -> str:
        """Resolve `../../` or `/` once per page; "" if the page's own URL is an odd one."""
        try:
            joined = self.read_any(f"{prefix}x").url
        except BadLink:
            return ""
        self._joined[prefix] = joined.removesuffix("x")
        return self._joined[prefix]

    def read(self, href: str) -> FileLink:
        """Read any address.

        Raises:
            BadLink: nothing can be fetched from it.
        """
        return self.plain(href) or self.read_any(href)

    def read_any(self, href: str) -> FileLink:
        """Read an address step by step, without the short cut.

        Raises:
            BadLink: nothing can be fetched from it.
            Malformed: the page has more of these than any index.
        """
        self._odd_left -= 1
        if self._odd_left < 0:
            raise Malformed(
                "the page has more short and odd addresses than any index: "
                "look at what serves this URL"
            )
        absolute = self._absolute(href)
        if len(href) > MAX_URL_CHARS:
            raise BadLink(f"its URL has {len(href)} characters, more than {MAX_URL_CHARS}")
        if not storable(href):
            raise BadLink("its URL holds half of a surrogate pair")
        try:
            url, path = _checked(absolute)
        except BadLink:
            raise
        except ValueError as error:  # whose text may hold credentials
            raise BadLink("its URL cannot be parsed") from error
        filename = _last_part(path)
        hashes, bad_hash = _hash(absolute)
        return FileLink(url, filename, hashes, bad_hash, _egg(absolute))

    def _absolute(self, href: str) -> str:
        """Return the address as pip completes it, before anything is made of it.

        Raises:
            BadLink: pip ends with an error here.
        """
        try:
            # As pip: an absolute address is not normalised, a relative one is.
            absolute = href if href.startswith(("https://", "http://")) else self._resolve(href)
            urlsplit(absolute)
        except ValueError as error:  # whose text may hold credentials
            raise BadLink("its URL cannot be parsed", stops_pip=True) from error
        if (egg := _EGG.search(absolute)) and not _EGG_NAME.match(egg[1]):
            raise BadLink("its #egg= fragment is no project's name", stops_pip=True)
        return absolute


def _odd_allowed(page_bytes: int | None) -> float:
    if page_bytes is None:
        return math.inf
    return min(MAX_ODD, ALWAYS_ODD + page_bytes // BYTES_PER_ODD)


def _egg(absolute: str) -> str:
    egg = _EGG.search(absolute)
    return egg[1] if egg else ""


def without_credentials(url: str) -> str:
    """Return the URL without `user:password@` and fragment.

    Raises:
        ValueError: it cannot be parsed as a URL.
    """
    parts = urlsplit(url)
    netloc = parts.netloc.rpartition("@")[2]
    path = quote(parts.path, safe=_QUERY_SAFE.replace("?", ""))
    if parts.scheme == "file" and not parts.netloc:
        path = re.sub(r"^//+", "/", path)
    if not netloc and (parts.netloc or path.startswith("//")):
        # What looks like its path would take the place of its host.
        raise ValueError("a path in the place of a host")
    query = quote(parts.query, safe=_QUERY_SAFE)
    return urlunsplit((parts.scheme, netloc, path, query, ""))


def is_filename(name: str) -> bool:
    """Say whether the last part of a path can be the name of a file."""
    return name not in {"", ".", ".."} and len(name) <= MAX_FILENAME_CHARS


def _checked(absolute: str) -> tuple[str, str]:
    """Return the clean URL and the raw path of an address that can be followed."""
    parts = urlsplit(absolute)
    if parts.scheme not in SCHEMES:
        raise BadLink(f"the scheme {parts.scheme[:20]!r} of its URL is not http, https or file")
    if parts.scheme != "file" and not parts.hostname:
        raise BadLink("its URL names no host")
    _ = parts.port  # raises ValueError for anything that is no port
    return without_credentials(absolute), parts.path


def _last_part(path: str) -> str:
    """Return the file name as pip finds it: unquote first, then take what is behind the last /."""
    filename = posixpath.basename(unquote(path).rstrip("/"))
    if not is_filename(filename):
        raise BadLink(f"its URL has no file name of 1 to {MAX_FILENAME_CHARS} characters")
    return filename


def _hash(url: str) -> tuple[dict[str, str], str]:
    """Return the hash that pip takes from a URL, and its text if it is no digest."""
    match = _HASH.search(url)
    if match is None:
        return {}, ""
    algorithm, digest = match[1], match[2].lower()
    return ({algorithm: digest}, "") if is_digest(algorithm, digest) else ({}, match[0][1:])
