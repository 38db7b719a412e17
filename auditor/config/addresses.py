"""Turns what a user wrote as `url` and `path` into addresses without credentials."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit
from urllib.request import url2pathname

from auditor.config.values import split_userinfo
from auditor.model.written_path import written_path

__all__ = ["Address", "absolute_path", "check_http_url", "parse_url"]

# "pypi.example/simple" and "127.0.0.1:8000": somebody forgot the scheme.
_SCHEMELESS = re.compile(r"[A-Za-z0-9.-]+\.[A-Za-z0-9-]+(?::\d+)?(?:/.*)?|localhost(?:[:/].*)?")


@dataclass(frozen=True, slots=True, kw_only=True, repr=False)
class Address:
    """Where a location is. May carry a secret, so its repr shows nothing.

    Attributes:
        url: without credentials; None: it is a directory or file.
        path: of a `file:` URL; None for others.
        username, password: what stood in the URL; None if nothing did.
        bucket, prefix: of an `s3:` URL; None for others.
    """

    url: str | None = None
    path: str | None = None
    username: str | None = None
    password: str | None = None
    bucket: str | None = None
    prefix: str | None = None

    def __repr__(self) -> str:
        return "Address(…)"


def parse_url(text: str, *, allow_s3: bool) -> Address:
    """Take an address apart.

    Raises:
        ValueError: it is none; the text never repeats a password.
    """
    text = text.strip()
    clean, username, password = _split(text)
    parts = urlsplit(clean)
    match parts.scheme.lower():
        case "http" | "https":
            check_http_url(clean)
            return Address(url=clean, username=username, password=password)
        case "file":
            return Address(path=url2pathname(parts.path))
        case "s3" if allow_s3:
            return _s3(clean)
        case "s3":
            raise ValueError("an s3:// address needs kind 's3'; write kind = \"s3\"")
    if _SCHEMELESS.fullmatch(clean):
        scheme = "http" if clean.startswith(("127.", "localhost")) else "https"
        raise ValueError(f"{_shown(clean)} has no scheme; write {scheme}://{_shown(clean)[1:-1]}")
    raise ValueError(
        f"{_shown(clean)} is no address; write one as for pip --index-url, or use path"
    )


def check_http_url(url: str) -> None:
    """Refuse an address that no request can be sent to. Raises ValueError."""
    parts = urlsplit(url)
    if parts.scheme.lower() not in ("http", "https") or not parts.hostname:
        raise ValueError(f"{_shown(url)} names no host; write http://HOST/ or https://HOST/")
    try:
        port = parts.port
    except ValueError:
        port = 0
    if port == 0:
        raise ValueError(f"{_shown(url)} has no valid port; write a number from 1 to 65535")
    if re.search(r"\s", url) or not url.isprintable():
        raise ValueError(f"{_shown(url)} holds a blank or control character; remove or quote it")
    if parts.query or parts.fragment:
        raise ValueError(f"{_shown(url)} goes on after its path; remove what follows '?' or '#'")


def _shown(url: str) -> str:
    """Quote an address for a message, without a login and what may be a token in its query."""
    return repr(re.sub(r"^([^/]*//)?[^/@]*@", r"\1", re.split(r"[?#]", url, maxsplit=1)[0]))


def absolute_path(text: str, directory: Path | None) -> str:
    """Return a path that no longer depends on where it was written."""
    path = written_path(text)
    return str((directory / path if directory else path).absolute())


def _split(text: str) -> tuple[str, str | None, str | None]:
    try:
        found = split_userinfo(text)
        if "@" in urlsplit(found[0]).netloc:  # "http://a:b@//c:d@host/", the host of which is empty
            raise ValueError("two logins")
    except ValueError as error:  # such as "http://[::1": its text may hold the whole address
        raise ValueError("is no address; write http://HOST/ or https://HOST/") from error
    return found


def _s3(url: str) -> Address:
    parts = urlsplit(url)
    if not parts.netloc:
        raise ValueError(f"{_shown(url)} names no bucket; write s3://BUCKET/PREFIX")
    return Address(url=url, bucket=parts.netloc, prefix=parts.path.lstrip("/") or None)
