"""File names, versions, addresses and header fields: short texts that decide a lot."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from datetime import timedelta
from urllib.parse import urlsplit

import msgspec
from packaging.utils import (
    InvalidSdistFilename,
    InvalidWheelFilename,
    canonicalize_name,
    parse_sdist_filename,
    parse_wheel_filename,
)
from packaging.version import InvalidVersion, Version

from auditor.config.addresses import parse_url
from auditor.model import filename, orders
from auditor.model.filename import (
    MAX_FILENAME_CHARS,
    NamedFile,
    fits_of,
    read_filename,
    version_in,
    versions_in,
)
from auditor.model.version import normalise_project, parse_version, version_order
from probes.cache_server.lifetime import lifetime_s, page_life
from probes.cache_server.signs import signs_of
from probes.kit.answer import Headers
from probes.kit.freshness import (
    foreign_cache_signs,
    foreign_file_cache_signs,
    freshness_of,
    retry_after_s,
    serial_of,
)
from probes.kit.origins import follow, is_artifact_url, origin_of
from probes.kit.pages.links import without_credentials
from probes.kit.redaction import Redactor, redact_text, redact_url
from tests.fuzz.changes import changed_fields
from tests.fuzz.target import NOW, PROJECT, Target

__all__ = ["TARGETS"]

_SECRET = "hunter2-canary"  # what must not show
_USUAL = f"{PROJECT}-9.8.7.tar.gz"
_FAR = timedelta(days=365 * 80)


def read_name(data: bytes) -> None:
    """Where packaging and we both take a name for the project's, we read the same version."""
    name = data.decode("utf-8", "surrogateescape")
    ours = read_filename(name, PROJECT)
    stated = version_in(name, PROJECT)
    assert stated == (ours.version if isinstance(ours, NamedFile) else None)
    assert versions_in([name], PROJECT) == (stated,)
    _forget_names()
    lines = name.split("\n")
    assert versions_in([name, _USUAL, *lines], PROJECT) == (
        stated,
        "9.8.7",
        *(version_in(line, PROJECT) for line in lines),
    )
    if isinstance(ours, NamedFile):
        assert fits_of(PROJECT)[name] == (ours.tags and ours.tags.text, ours.py_version)
    # What has a slash is no file's name, and `.tar.whl` no wheel for pip: packaging takes both.
    theirs = None
    is_odd = "/" in name or name.lower().endswith(".tar.whl")
    if len(name) <= MAX_FILENAME_CHARS and not is_odd:
        theirs = _by_packaging(name)
    if theirs is not None:
        assert stated is not None, f"packaging reads {theirs}"
        assert parse_version(stated) == theirs
    if stated is not None:
        assert parse_version(stated) is not None
        assert "/" not in stated
    elif name.endswith(".whl") and isinstance(ours, NamedFile):
        raise AssertionError("a wheel without a version")


def _forget_names() -> None:
    """Let names be read anew, all at once: what is known of one is not read with the others."""
    filename._VERSIONS.clear()


def _by_packaging(name: str) -> Version | None:
    """The version that packaging reads in a name of the project; None if it reads none."""
    try:
        if name.endswith(".whl"):
            project, version, _, _ = parse_wheel_filename(name)
        elif name.isascii():
            project, version = parse_sdist_filename(name)
        else:
            return None
    except (InvalidWheelFilename, InvalidSdistFilename, InvalidVersion, ValueError):
        return None
    return version if project == canonicalize_name(PROJECT) and len(str(version)) < 100 else None


def order_versions(data: bytes) -> None:
    """Texts compare as the versions do that they stand for."""
    texts = data.decode("utf-8", "replace").split("\n")[:2]
    found = [version for text in texts if (version := parse_version(text)) is not None]
    for text, version in zip(texts, found, strict=False):
        if len(found) == len(texts):
            assert Version(text) == version
    orders._ORDERS.clear()
    for text, order in zip(texts, orders.orders_of(texts), strict=True):
        version = parse_version(text)
        assert (order or "")[:-1] == ("" if version is None else version_order(version))
    if len(found) == 2:
        one, other = found
        assert (one < other) == (version_order(one) < version_order(other))
        assert (one == other) == (version_order(one) == version_order(other))
    for text in texts:
        if text:
            normal = normalise_project(text)
            assert normalise_project(normal) == normal


def read_headers(data: bytes) -> None:
    """No field makes reading fail; what is read can be stored, and lies within sane bounds."""
    headers = _headers(data)
    for serial in (None, 7):
        fresh = freshness_of(headers, NOW, body_serial=serial, redact=redact_text)
        msgspec.json.encode(fresh)
        assert fresh.expires_at is None or NOW <= fresh.expires_at <= NOW + _FAR
        assert fresh.age_s is None or 0 <= fresh.age_s <= 2**31
        assert len(fresh.cache_status) <= 16
    serial_found = serial_of(headers)
    assert serial_found is None or serial_found >= 0
    delay_s = retry_after_s(headers, NOW)
    assert delay_s is None or delay_s >= 0
    foreign_cache_signs(headers)
    foreign_file_cache_signs(headers)
    signs = signs_of(headers)
    life_s = lifetime_s(headers)
    assert life_s is None or 0 <= life_s <= 2**31
    for program in (None, *signs.programs):
        life = page_life(headers, signs, NOW, program)
        assert life.expires_at is None or life.expires_at >= NOW


def _headers(data: bytes) -> Headers:
    lines = data.decode("utf-8", "surrogateescape").split("\n")
    fields = (line.partition(":") for line in lines)
    return Headers(tuple((name, value.strip()) for name, colon, value in fields if colon))


def hide_secrets(data: bytes) -> None:
    """No user info and no named secret survives, wherever it stands."""
    # Nobody can tell that what stands there openly is one.
    text = data.decode("utf-8", "replace").replace(_SECRET, "")
    url = f"https://user:{_SECRET}@index.example/{text}"
    assert _SECRET not in redact_url(url)
    assert _SECRET not in redact_url(f"https://user:{_SECRET}@{text}")
    middle = len(text) // 2
    around = f"{text[:middle]}{_SECRET}{text[middle:]}"
    assert _SECRET not in Redactor([_SECRET]).text(around)
    assert _SECRET not in redact_text(f"{text} {url}")
    safe = redact_url(text)
    assert redact_url(safe) == safe
    with suppress(ValueError):
        assert "@" not in urlsplit(safe).netloc
    with suppress(ValueError):
        plain = without_credentials(text)
        assert "@" not in urlsplit(plain).netloc


def follow_redirect(data: bytes) -> None:
    """A redirect leads to http or https, or nowhere, and never silently from a page to a file."""
    location = data.decode("utf-8", "replace")
    here = "https://index.example/simple/brokenpkg/"
    for asked in (False, True):
        target = follow(here, location, artifact_asked=asked)
        assert target.startswith(("http://", "https://"))
        assert "@" not in urlsplit(target).netloc
        assert asked or not is_artifact_url(target)
        origin_of(target)


def read_address(data: bytes) -> None:
    """A location's URL is taken apart, and its login put aside, or refused."""
    text = data.decode("utf-8", "replace")
    for allow_s3 in (False, True):
        address = parse_url(text, allow_s3=allow_s3)
        assert "@" not in urlsplit(address.url or "").netloc


def _name_seeds() -> Iterator[bytes]:
    yield from (
        *(b"brokenpkg-1.2.3-py3-none-any.whl", b"brokenpkg-1.2.3.tar.gz", b"brokenpkg-1.2.3.zip"),
        *(b"brokenpkg-1!2.0rc1.post2.dev3+l.4-7x-cp312.cp313-abi3-manylinux_2_28_x86_64.whl",),
        *(b"Broken.Pkg-1.0.tar.gz", b"brokenpkg-1.0-py2.7.tar.gz", b"brokenpkg-v1.0-1.tbz"),
        "brokenpkg-1.2.3-py3-none-any\u2024whl".encode(),
        "brоkenpkg-1.2.3.tar.gz".encode(),
    )


def _version_seeds() -> Iterator[bytes]:
    yield from (b"1.2.3\n1.2.4", b"1!0.1a1\n1!0.1b2", b"1.0.post1\n1.0.dev1", b"1.0+a.1\n1.0+a.b")
    yield from (b"1.0\n1.0.0", b"v1.0-rc.1\n1.0c1", b"2.0rc1.post2.dev3\n2.0")


def _header_seeds() -> Iterator[bytes]:
    date = b"Date: Mon, 23 Nov 2026 11:00:00 GMT\n"
    yield date + b"Cache-Control: max-age=600, s-maxage=30\nAge: 20\nX-PyPI-Last-Serial: 77\n"
    yield date + b"Expires: Mon, 23 Nov 2026 12:10:00 GMT\nVia: 1.1 squid (squid/5.7), 1.1 varnish"
    yield b'Cache-Status: nginx; hit; ttl=30, "edge"; fwd=miss\nX-Cache: HIT from a\nX-Varnish: 1 2'
    yield b'Retry-After: 120\nETag: "x"\nLast-Modified: Mon, 23 Nov 2026 11:00:00 GMT\nServer: x'
    yield b"Retry-After: Mon, 23 Nov 2026 12:10:00 GMT\nX-Served-By: a\nX-Cache: HIT, MISS\nAge: 1"


def _url_seeds() -> Iterator[bytes]:
    yield from (b"simple/?token=abcdefgh#sha256=00", b"https://u:p@h.example/x?X-Amz-Signature=1")
    yield b"https://a:b@//c:d@h.example/x"
    yield from (b"a%40b//c@d", b"Authorization: Bearer abcdefgh", b"http://[::1]:8080/\\x")


def _location_seeds() -> Iterator[bytes]:
    yield from (b"/simple/brokenpkg", b"../x/", b"https://other.example/", b"//cdn.example/a?b")
    yield b"https://a:b@h.example//c:d@other.example/"
    yield from (
        b"file:///etc/passwd",
        b"http://u:p@127.0.0.1:80/",
        b"javascript:1",
        b"x-1.0.tar.gz",
    )


def _address_seeds() -> Iterator[bytes]:
    yield from (b"https://user:pass@index.example/simple/", b"s3://wheels/prod/", b"http://[::1]/")
    yield from (b"https://index.example:8443/simple?x=1#y", b"file:///srv/simple")


_HEADER_TOKENS = (
    *(b"Age:", b"Via:", b"Cache-Status:", b"X-Cache:", b"max-age=", b"s-maxage=", b"no-store"),
    *(b"Expires:", b"Date:", b"Retry-After:", b"X-Varnish:", b"Last-Modified:", b"+9999", b"0001"),
    *(
        b"X-PyPI-Last-Serial:",
        b"Age: 99999\n",
        b"9" * 30,
        b"1e5",
        "²".encode(),
        b"Server: squid",
        b"Warning:",
    ),
)


def _refusals() -> tuple[type[Exception], ...]:
    from auditor.errors import ProbeError

    return (ProbeError,)


TARGETS = (
    Target(
        name="names.filename",
        run=read_name,
        seeds=_name_seeds,
        tokens=(b"-py3-none-any.whl", b".tar.gz", b"-py2.7", b"+", b"1!", "²".encode(), b"__"),
    ),
    Target(
        name="names.version",
        run=order_versions,
        seeds=_version_seeds,
        tokens=(b".post", b".dev", b"rc", b"+", b"1!", b"alpha", b"-", b"_", "１".encode()),
    ),
    Target(
        name="names.headers",
        change=changed_fields,
        run=read_headers,
        seeds=_header_seeds,
        tokens=_HEADER_TOKENS,
    ),
    Target(
        name="names.secrets",
        run=hide_secrets,
        seeds=_url_seeds,
        tokens=(b"@", b"://", b"%40", b"token=", b"password=", b"Bearer ", b"[", b"\\", b"#"),
    ),
    Target(
        name="names.redirect",
        run=follow_redirect,
        seeds=_location_seeds,
        refusals=_refusals(),
        tokens=(b"http://", b"//", b"file:", b"\\", b"\t", b"[", b"@", b".whl", b"%2F", b":99999"),
    ),
    Target(
        name="names.address",
        run=read_address,
        seeds=_address_seeds,
        refusals=(ValueError,),
        tokens=(b"s3://", b"https://", b"@", b":", b"[", b"%", "²".encode()),
    ),
)
