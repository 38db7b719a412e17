"""What misbehaving servers do, and the most that an audit may make of it."""

from __future__ import annotations

import asyncio
import gzip
import zlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from functools import partial

import zstandard

from probes.kit.retries import ATTEMPTS
from tests.hostile.bodies import (
    BARE_HTML,
    HTML,
    HTML_TYPE,
    JSON,
    JSON_TYPE,
    entry,
    gzip_bomb,
    json_page,
    negotiated,
    zlib_bomb,
    zstd_bomb,
)
from tests.hostile.server import Play, Request, Wire, head

__all__ = [
    "PAGE_MIB",
    "ROWS",
    "Row",
    "close_mid_body",
    "encoded",
    "endless_body",
    "fixed",
    "good",
    "half_open",
    "reset_mid_body",
    "to",
]

VIEWS = 4
ONCE = VIEWS
# For what ends by itself, also on a busy machine; and for what only the deadline ends.
LONG_S, SHORT_S = 60.0, 2.0
AGAIN = VIEWS * ATTEMPTS
MIB = 2**20
# What these rows are played with in place of the true bounds, which take too long to be sent (see
# `test_memory.py` for those).
PAGE_MIB = 2


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One way to misbehave.

    Attributes:
        name: in words.
        play: does it.
        outcome: how looking ends.
        status: what the place counts as.
        says: found in what the place's row tells the reader.
        requests: the most that may be sent there.
        sent_bytes: the most that the server gets rid of.
        timeout_s: of the location.
    """

    name: str
    play: Play
    outcome: str = "malformed"
    status: str = "unknown"
    says: str = ""
    requests: int = ONCE
    sent_bytes: int = 2 * MIB
    timeout_s: float = LONG_S


def fixed(answer: bytes | Callable[[Request], bytes]) -> Play:
    """Send the same bytes each time."""

    async def play(request: Request, wire: Wire) -> None:
        await wire.send(answer if isinstance(answer, bytes) else answer(request))

    return play


def good(request: Request, **headers: object) -> bytes:
    """Write the answer that a healthy server gives."""
    kind, body = negotiated(request)
    named = {"Content_Type": kind, "Content_Length": len(body), **headers}
    return head(**named) + body


def encoded(coding: str, wire_body: bytes, kind: str = JSON_TYPE) -> Play:
    """Answer with an encoded body."""
    named = {"Content_Type": kind, "Content_Encoding": coding, "Content_Length": len(wire_body)}
    return fixed(head(**named) + wire_body)


def as_json(body: bytes) -> Play:
    """Answer with a body that says it is a JSON page."""
    return fixed(head(Content_Type=JSON_TYPE, Content_Length=len(body)) + body)


def as_html(body: bytes) -> Play:
    """Answer with a body that says it is an HTML page."""
    return fixed(head(Content_Type=HTML_TYPE, Content_Length=len(body)) + body)


def status(line: str, **headers: object) -> Play:
    """Answer with a status and no body."""
    return fixed(head(line, Content_Length=0, **headers))


def at_first(times: int, play: Play) -> Play:
    """Misbehave for the first requests, and recover."""

    async def both(request: Request, wire: Wire) -> None:
        if request.number <= times:
            await play(request, wire)
        else:
            await wire.send(good(request))

    return both


async def endless_body(_: Request, wire: Wire) -> None:
    await wire.send(head(Content_Type=JSON_TYPE))
    await wire.forever(bytes(MIB))


async def endless_chunks(_: Request, wire: Wire) -> None:
    await wire.send(head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked"))
    await wire.forever(b"100000\r\n" + bytes(MIB) + b"\r\n")


def in_chunks(begin: bytes, again: bytes) -> Play:
    """Begin a body in chunks, and go on in the same way for ever."""

    async def play(_: Request, wire: Wire) -> None:
        await wire.send(head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked") + begin)
        await wire.forever(again * (2**16 // len(again)))

    return play


def before_all(again: bytes) -> Play:
    """Send the same instead of an answer, for ever."""

    async def play(_: Request, wire: Wire) -> None:
        await wire.forever(again * (2**16 // len(again)))

    return play


async def endless_trailers(_: Request, wire: Wire) -> None:
    await wire.send(head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked") + b"0\r\n")
    await wire.forever(b"X-Trailer: yes\r\n" * 4096)


async def endless_headers(_: Request, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\n")
    await wire.forever(b"X-More: yes\r\n" * 4096)


async def endless_header(_: Request, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nX-More: ")
    await wire.forever(b"x" * 2**16)


async def drip(request: Request, wire: Wire) -> None:
    kind, body = negotiated(request)
    await wire.send(head(Content_Type=kind, Content_Length=len(body)))
    for number in range(len(body)):
        await wire.send(body[number : number + 1])
        await asyncio.sleep(0.05)


async def drip_headers(_: Request, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nX-Slow: ")
    await wire.forever(b"z", 0.05)


async def silence(_: Request, wire: Wire) -> None:
    await wire.hang()


async def half_open(request: Request, wire: Wire) -> None:
    await wire.send(good(request)[:-20])
    await wire.hang()


async def reset_at_once(_: Request, wire: Wire) -> None:
    wire.reset()


async def reset_mid_body(request: Request, wire: Wire) -> None:
    await wire.send(good(request)[:-20])
    await asyncio.sleep(0.02)
    wire.reset()


async def close_mid_body(request: Request, wire: Wire) -> None:
    await wire.send(good(request)[:-20])


async def close_mid_headers(_: Request, wire: Wire) -> None:
    await wire.send(b"HTTP/1.1 200 OK\r\nContent-Type: text/ht")


def chunked(framing: bytes) -> Play:
    return fixed(head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked") + framing)


def one_chunk(body: bytes) -> bytes:
    return b"%x\r\n%b\r\n" % (len(body), body)


def to(where: Callable[[Request], str]) -> Play:
    """Redirect."""

    async def play(request: Request, wire: Wire) -> None:
        await wire.send(head("302 Found", Location=where(request), Content_Length=0))

    return play


def to_fixed(where: str) -> Play:
    """Redirect to the same address each time."""
    return to(lambda _: where)


def later(**delta: float) -> str:
    return format_datetime(datetime.now(UTC) + timedelta(**delta), usegmt=True)


HUGE = "9" * 10_000
CUT_BARE = BARE_HTML[: BARE_HTML.rindex(b"<a ")]  # whole anchors: only the last one is missing
GZIPPED, ZSTD = gzip.compress(JSON), zstandard.compress(JSON)


def control_rows() -> Iterator[Row]:
    """What must be read as ever: a test of faults says little of an auditor that reads nothing."""
    read = {"outcome": "observed", "status": "clean"}
    yield Row(name="healthy", play=fixed(good), **read)
    yield Row(
        name="HTTP/1.0, and the connection ends the body",
        play=fixed(lambda r: head(http="1.0", Content_Type=negotiated(r)[0]) + negotiated(r)[1]),
        **read,
    )
    yield Row(
        name="a page of which each byte is a chunk",
        play=fixed(
            head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked")
            + b"".join(one_chunk(bytes([each])) for each in JSON + b" " * 300_000)
            + b"0\r\n\r\n"
        ),
        sent_bytes=8 * MIB,
        **read,
    )
    yield Row(
        name="chunks with extensions and a trailer",
        play=fixed(
            head(Content_Type=JSON_TYPE, Transfer_Encoding="chunked")
            + one_chunk(JSON).replace(b"\r\n", b";a=b\r\n", 1)
            + b"0\r\nX-Sum: 1\r\n\r\n"
        ),
        **read,
    )
    yield Row(
        name="early hints before the answer",
        play=fixed(lambda r: b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n" * 9 + good(r)),
        **read,
    )
    yield Row(
        name="a page compressed by zstd, in two frames",
        play=encoded("zstd", zstandard.compress(JSON[:50]) + zstandard.compress(JSON[50:])),
        **read,
    )
    yield Row(
        name="a page compressed by gzip, in many members",
        play=encoded("gzip", b"".join(gzip.compress(JSON[n : n + 9]) for n in range(0, 999, 9))),
        **read,
    )
    yield Row(
        name="deflate without its header",
        play=encoded("deflate", zlib.compress(JSON)[2:-4]),
        **read,
    )
    yield Row(
        name="three errors in a row, then an answer",
        play=at_first(2, status("503 Busy")),
        requests=VIEWS + 2,
        **read,
    )
    yield Row(
        name="a reset in the middle, then an answer",
        play=at_first(1, reset_mid_body),
        requests=VIEWS + 1,
        **read,
    )
    yield Row(
        name="429 with Retry-After in seconds, then an answer",
        play=at_first(1, status("429 Slow Down", Retry_After="0")),
        requests=VIEWS + 1,
        **read,
    )
    yield Row(
        name="429 with Retry-After as a date that has passed, then an answer",
        play=at_first(1, status("429 Slow Down", Retry_After=later(hours=-1))),
        requests=VIEWS + 1,
        **read,
    )
    for name, days in (("a week ahead", 7), ("a week behind", -7), ("a century ahead", 36525)):
        yield Row(
            name=f"a clock {name}",
            play=fixed(partial(good, Date=later(days=days), Age=HUGE[:4000])),
            **read,
        )
    yield Row(
        name="a Date, an Age and an Expires that are none",
        play=fixed(
            lambda r: good(r, Date="yesterday", Age="-1", Expires=HUGE[:4000], ETag="\x80\xff")
        ),
        **read,
    )


def size_rows() -> Iterator[Row]:
    """Too much of something."""
    for coding, bomb in (("gzip", gzip_bomb), ("deflate", zlib_bomb), ("zstd", zstd_bomb)):
        yield Row(
            name=f"a {coding} bomb",
            play=encoded(coding, bomb(4 * PAGE_MIB)),
            says="bomb",
            sent_bytes=2 * MIB,
        )
    yield Row(name="a bomb in a bomb", play=encoded("gzip", gzip.compress(gzip_bomb(4 * PAGE_MIB))))
    yield Row(
        name="two codings",
        play=encoded("gzip, gzip", gzip.compress(GZIPPED)),
        outcome="skipped",
        says="our limit",
    )
    yield Row(
        name="brotli, which nobody offers",
        play=encoded("br", b"\x8b\x02\x80{}\x03"),
        outcome="skipped",
        says="our limit",
    )
    yield Row(
        name="a bomb of a million gzip members",
        play=encoded("gzip", gzip.compress(b"") * 50_000),
        sent_bytes=8 * MIB,
    )
    endless = {"says": "larger than", "sent_bytes": VIEWS * 8 * PAGE_MIB * MIB}
    yield Row(name="an endless body", play=endless_body, **endless)
    yield Row(name="endless chunks", play=endless_chunks, **endless)
    framed = {"sent_bytes": AGAIN * 4 * MIB, "requests": AGAIN}
    endless = {"says": "goes on and on", "sent_bytes": ONCE * 16 * MIB}
    for name, play in (
        ("an endless chunk extension", in_chunks(b"5;", b"x")),
        ("a chunk size of endless zeros", in_chunks(b"", b"0")),
        ("blanks without end after a chunk size", in_chunks(b"5", b" ")),
        (
            "an extension of 7,000 bytes for each byte",
            in_chunks(b"", b"1;%b\r\n \r\n" % (b"x" * 7000)),
        ),
        ("interim answers without end", before_all(b"HTTP/1.1 100 Continue\r\n\r\n")),
        ("early hints without end", before_all(b"HTTP/1.1 103 H\r\nLink: </x>\r\n\r\n")),
        ("empty lines without end", before_all(b"\r\n")),
    ):
        yield Row(name=name, play=play, **endless)
    yield Row(name="endless trailers", play=endless_trailers, **framed)
    yield Row(name="endless headers", play=endless_headers, **framed)
    yield Row(name="a header without end", play=endless_header, **framed)
    yield Row(name="a trailer without end", play=in_chunks(b"0\r\nX: ", b"x"), **framed)
    yield Row(name="a status without end", play=before_all(b"HTTP/1.1 200 "), **framed)
    yield Row(
        name="a header that is folded without end",
        play=before_all(b"HTTP/1.1 200 OK\r\nX: " + b"y\r\n " * 9000),
        **framed,
    )
    yield Row(
        name="a switch to another protocol",
        play=before_all(b"HTTP/1.1 101 S\r\nConnection: upgrade\r\nUpgrade: x\r\n\r\n" + bytes(9)),
        outcome="malformed|unreachable",
        **framed,
    )
    yield Row(
        name="a header of a megabyte", play=fixed(lambda r: good(r, X_Big="x" * MIB)), **framed
    )
    many = {f"X_{number}": "yes" for number in range(20_000)}
    yield Row(name="twenty thousand headers", play=fixed(lambda r: good(r, **many)), **framed)


def framing_rows() -> Iterator[Row]:
    """Bodies that are not as long as they say."""
    broken = {"outcome": "unreachable", "requests": AGAIN, "says": "broke off|closed"}
    whole = len(JSON)
    yield Row(
        name="a Content-Length that is too long",
        play=fixed(head(Content_Type=JSON_TYPE, Content_Length=whole + 9) + JSON),
        **broken,
    )
    yield Row(
        name="a Content-Length that is too short",
        play=fixed(head(Content_Type=JSON_TYPE, Content_Length=whole - 9) + JSON),
        says="broken HTTP|cannot be decoded",
    )
    for value in ("-1", "many", HUGE, "0x10", f"{whole}, {whole + 1}"):
        yield Row(
            name=f"a Content-Length of {value[:12]}",
            play=fixed(head(Content_Type=JSON_TYPE, Content_Length=value) + JSON),
            requests=AGAIN,
        )
    yield Row(
        name="two different Content-Lengths",
        play=fixed(
            head(Content_Type=JSON_TYPE, Content_Length=f"{whole}\r\nContent-Length: 9") + JSON
        ),
    )
    yield Row(
        name="a Content-Length and chunks",
        play=fixed(
            head(Content_Type=JSON_TYPE, Content_Length=9, Transfer_Encoding="chunked")
            + one_chunk(JSON)
            + b"0\r\n\r\n"
        ),
        requests=AGAIN,
    )
    yield Row(name="chunks without the last one", play=chunked(one_chunk(JSON)), **broken)
    for name, framing in (
        ("a chunk size that is none", b"zz\r\n" + JSON),
        ("a negative chunk size", b"-5\r\n" + JSON),
        ("a huge chunk size", b"f" * 40 + b"\r\n" + JSON),
        ("a chunk that is longer than it says", b"9\r\n" + JSON + b"\r\n0\r\n\r\n"),
    ):
        yield Row(name=name, play=chunked(framing), requests=AGAIN)
    yield Row(name="a close in the middle of the body", play=close_mid_body, **broken)
    yield Row(name="a close in the middle of the headers", play=close_mid_headers, **broken)
    yield Row(
        name="a list of anchors that ends with the connection",
        play=fixed(head(http="1.0", Content_Type=HTML_TYPE) + CUT_BARE),
        outcome="observed",
        says="connection",
    )
    yield Row(name="gzip that breaks off", play=encoded("gzip", GZIPPED[:-9]), says="breaks off")
    yield Row(
        name="zstd that breaks off", play=encoded("zstd", ZSTD[:-9]), says="breaks off|decompress"
    )
    yield Row(
        name="a list of anchors in zstd whose frame is never ended",
        play=encoded("zstd", _unended(CUT_BARE), HTML_TYPE),
        says="breaks off|decompress",
    )


def _unended(text: bytes) -> bytes:
    """Return a frame of zstd that has all of a text, and not its last block."""
    frame = zstandard.ZstdCompressor(write_content_size=False).compressobj()
    return frame.compress(text) + frame.flush(zstandard.COMPRESSOBJ_FLUSH_BLOCK)


def time_rows() -> Iterator[Row]:
    """Servers that take their time, or break down."""
    slow = {"outcome": "unreachable", "timeout_s": SHORT_S}
    yield Row(name="a slow drip", play=drip, says="did not finish|no complete answer", **slow)
    yield Row(
        name="headers that drip",
        play=drip_headers,
        says="did not finish|no complete answer",
        **slow,
    )
    yield Row(
        name="a server that says nothing",
        play=silence,
        says="did not finish|no complete answer",
        **slow,
    )
    yield Row(
        name="a connection that is half open",
        play=half_open,
        says="did not finish|no complete answer",
        **slow,
    )
    again = {"outcome": "unreachable", "requests": AGAIN}
    yield Row(name="a reset at once", play=reset_at_once, says="closed|reset|broke", **again)
    yield Row(
        name="a reset in the middle of the body",
        play=reset_mid_body,
        says="broke off|closed",
        **again,
    )
    for line in ("500 No", "502 No", "503 No", "504 No", "429 No", "599 No", "999 No"):
        yield Row(name=f"nothing but {line[:3]}", play=status(line), says=line[:3], **again)
    for name, value in (
        ("an hour", "3600"),
        ("four thousand digits", HUGE[:4000]),
        ("a date in a year", later(days=365)),
    ):
        yield Row(
            name=f"Retry-After: {name}",
            play=status("429 Slow Down", Retry_After=value),
            outcome="unreachable",
            says="429",
        )
    for value in ("-1", "soon", "1e9", "Fri, 99 Foo 2026 99:99:99 GMT"):
        yield Row(
            name=f"Retry-After: {value}",
            play=status("503 Busy", Retry_After=value),
            says="503",
            **again,
        )


def content_rows() -> Iterator[Row]:
    """Answers that are whole, and no page."""
    yield Row(
        name="another Content-Type",
        play=fixed(lambda r: good(r).replace(negotiated(r)[0].encode(), b"text/plain")),
        says="Content-Type",
    )
    yield Row(
        name="no Content-Type",
        play=fixed(lambda r: head(Content_Length=len(JSON)) + JSON),
        says="no Content-Type",
    )
    yield Row(name="HTML that says it is JSON", play=as_json(HTML), says="cannot be decoded")
    yield Row(name="JSON that says it is HTML", play=as_html(JSON), says="no index")
    yield Row(
        name="a Content-Type of API v2",
        play=fixed(
            head(Content_Type=JSON_TYPE.replace("v1", "v2"), Content_Length=len(JSON)) + JSON
        ),
        says="API v2",
    )
    yield Row(
        name="JSON nested without end", play=as_json(b"[" * MIB), says="nested", sent_bytes=8 * MIB
    )
    yield Row(
        name="JSON nested in what nobody reads",
        play=as_json(JSON[:-1] + b', "x": ' + b"[" * 90_000 + b"]" * 90_000 + b"}"),
        says="nested",
    )
    yield Row(
        name="invalid UTF-8 in a JSON page",
        play=as_json(JSON.replace(b"brokenpkg", b"broken\xff\xfepkg", 1)),
        outcome="observed",
        says="utf-8",
    )
    yield Row(
        name="invalid UTF-8 in an HTML page",
        play=as_html(HTML.replace(b"</body>", b"\xff\xfe</body>")),
        outcome="observed",
        says="utf-8",
    )
    yield Row(
        name="two lists of files",
        play=as_json(b'{"files": [], ' + JSON[1:]),
        outcome="observed",
        says="twice",
    )
    yield Row(
        name="two lists of files, one of them in disguise",
        play=as_json(rb'{"\u0066iles": [], ' + JSON[1:]),
        outcome="observed",
        says="twice",
    )
    yield Row(
        name="half a page that never closes",
        play=as_html(HTML[: HTML.rindex(b"<a ")]),
        outcome="observed",
        says="cut|closed",
    )
    yield Row(
        name="an HTML page that opens a comment",
        play=as_html(HTML.replace(b"<br>\n<a", b"<br>\n<!--<a")),
        outcome="observed",
        says="cut|comment",
    )
    yield Row(name="an empty body", play=as_json(b""), says="cannot be decoded")
    yield Row(name="an empty body as HTML", play=as_html(b""), says="no index")
    yield Row(
        name="a login page",
        play=as_html(
            b"<html><body><h1>Links for brokenpkg</h1><form><input type='password'></form>"
            b"</body></html>"
        ),
        says="login",
    )
    yield Row(
        name="files that are no list",
        play=as_json(b'{"meta": {}, "name": "brokenpkg", "files": {}}'),
        says="array of files",
    )
    yield Row(
        name="files that are numbers",
        play=as_json(json_page([entry("1.2.4"), 7])),
        outcome="observed",
        says="no object",
    )
    yield Row(
        name="the page of another project",
        play=as_json(JSON.replace(b'"brokenpkg"', b'"otherpkg"')),
        outcome="observed",
        status="clean",
    )


def entry_rows() -> Iterator[Row]:
    """Whole pages of which single entries are hostile: the fix stands beside each."""

    def beside(*entries: object, **more: object) -> Play:
        return as_json(json_page([entry("1.2.2"), *entries, entry("1.2.4")], **more))

    lost = {"outcome": "observed", "status": "unknown"}
    kept = {"outcome": "observed", "status": "clean"}
    for url in (
        "javascript:alert(1)",
        "data:text/html,x",
        "vbscript:x",
        "gopher://h/brokenpkg-1.2.3.tar.gz",
        "http://[::1/brokenpkg-1.2.3.tar.gz",
        "https:///brokenpkg-1.2.3.tar.gz",
        "https://h:99999/brokenpkg-1.2.3.tar.gz",
    ):
        yield Row(
            name=f"an entry at {url[:24]}", play=beside({**entry("1.2.3"), "url": url}), **lost
        )
    for name in (
        "../../etc/passwd",
        "..%2f..%2fetc%2fpasswd",
        "C:\\brokenpkg-1.2.3.tar.gz",
        "/etc/brokenpkg-1.2.1.tar.gz",
        "brokenpkg-1.2.1.tar.gz\0.txt",
        "a\u202egz.rat.1.2.1-gkpnekorb",
        "br\u043ekenpkg-1.2.3-py3-none-any.whl",
        "brokenpkg\u2010-1.2.3.tar.gz",
        "\N{FULLWIDTH LATIN SMALL LETTER B}rokenpkg-1.2.3.tar.gz",
        "CON.whl",
        "x" * 5000 + ".whl",
    ):
        yield Row(
            name=f"a file called {name[:24]!r}",
            play=beside({"filename": name, "url": f"https://files.example/{name}", "hashes": {}}),
            outcome="observed",
            status="clean|unknown",
        )
    for name in (
        "9" * 10_000,
        "1." * 5_000 + "1",
        "1!" * 900,
        "1+" + "a." * 4_000,
        "0" * 900 + "1",
    ):
        yield Row(
            name=f"a version of {len(name)} characters: {name[:4]}",
            play=beside(
                {
                    "filename": f"brokenpkg-{name}.tar.gz",
                    "url": f"https://files.example/brokenpkg-{name}.tar.gz",
                    "hashes": {},
                }
            ),
            outcome="observed",
            status="clean|unknown",
        )
    sizes: tuple[object, ...] = (10**400, -1, 1e308, "1", True, {})
    for value in sizes:
        yield Row(
            name=f"a size of {str(value)[:12]}", play=beside(entry("1.2.1", size=value)), **kept
        )
    for value in (
        ">=3." + "9" * 5000,
        ">=3," * 50_000,
        "~=" * 10_000,
        "(" * 10_000,
        ">=3\0",
        "=" * 900,
    ):
        yield Row(
            name=f"the fix asks for Python {value[:12]!r} and so on",
            play=as_json(json_page([entry("1.2.2"), entry("1.2.4", **{"requires-python": value})])),
            outcome="observed",
            status="unknown|behind|clean",
        )
    for value in (
        "x" * 900_000,
        "\x1b]0;pwned\x07",
        "<script>alert(1)</script>" * 9,
        "a" * 90_000 + "!",
    ):
        yield Row(
            name=f"a reason for the yank: {value[:9]!r}",
            play=beside(entry("1.2.3", yanked=value)),
            outcome="observed",
            status="rolled-forward",
            sent_bytes=8 * MIB,
        )
    yield Row(
        name="a serial of ten thousand digits",
        play=as_json(JSON.replace(b": 7}", b": " + HUGE.encode() + b"}")),
        outcome="observed",
    )
    yield Row(
        name="an API version of many digits",
        play=beside(meta={"api-version": f"1.{HUGE}"}),
        outcome="observed",
        status="clean",
    )
    yield Row(
        name="a base that leads elsewhere",
        play=as_html(HTML.replace(b"<head>", b'<head><base href="javascript:x">')),
        outcome="observed",
        status="clean|unknown",
    )
    yield Row(
        name="a base that leads to a relative place",
        play=as_html(
            HTML.replace(b"<head>", b'<head><base href="//">').replace(
                b"https://files.example", b""
            )
        ),
        outcome="observed",
    )


def redirect_rows() -> Iterator[Row]:
    """Servers that send us elsewhere."""
    for name, where, says in (
        ("a loop", lambda r: r.path, "redirects"),
        ("a loop with ever new addresses", lambda r: f"{r.path}?{r.number}", "redirects"),
    ):
        yield Row(name=f"a redirect: {name}", play=to(where), says=says, requests=VIEWS * 6)
    for target, says in (
        ("file:///etc/passwd", "http"),
        ("ftp://127.0.0.1/", "http"),
        ("data:text/html,x", "http"),
        ("javascript:alert(1)", "http"),
        ("//", "redirects"),
        ("http://a:b@//eve:pass@127.0.0.1/", "without a host"),
        ("http://[::1/", "no URL"),
        ("http://h:99999/", "URL"),
        ("", "where"),
        ("http://exa\udcffmple/", ""),
    ):
        yield Row(
            name=f"a redirect to {target[:22]!r}",
            play=to_fixed(target.encode("utf-8", "surrogateescape").decode("latin-1")),
            says=says,
            outcome="malformed|unreachable",
            requests=VIEWS * 6,
        )
    for target in ("brokenpkg-1.2.3-py3-none-any.whl", "x?file=brokenpkg-1.2.4.tar.gz", "a%2ewhl"):
        yield Row(
            name=f"a redirect to the file {target}",
            play=to_fixed(f"/files/{target}"),
            says="file",
            outcome="skipped",
        )


ROWS = (
    *control_rows(),
    *size_rows(),
    *framing_rows(),
    *time_rows(),
    *content_rows(),
    *entry_rows(),
    *redirect_rows(),
)
