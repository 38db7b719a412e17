"""The text of an HTML page before it is parsed: its encoding and its end."""

from __future__ import annotations

import codecs
import re

from probes.kit.pages.parsed import PIP_STOPS, FaultLog

__all__ = ["check_ending", "check_hidden_anchors", "to_utf8"]

# Stateful and executable "encodings" of Python (utf-7, unicode_escape, zip, …) are left out.
_SAFE_CODECS = frozenset(
    {
        "ascii",
        "utf-8",
        "utf-8-sig",
        "utf-16",
        "utf-16-le",
        "utf-16-be",
        "latin-1",
        "iso8859-1",
        "koi8-r",
    }
    | {"gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"}
    | {f"iso8859-{n}" for n in range(2, 17)}
    | {f"cp{n}" for n in range(1250, 1259)}
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF16_LE, "utf-16-le"),
    (codecs.BOM_UTF16_BE, "utf-16-be"),
)
# HTML standard: a declaration must lie within the first 1,024 bytes.
_PRESCAN_BYTES = 1_024
_META_CHARSET = re.compile(
    rb"<meta[^<>]*?charset\s*=\s*[\"']?([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)
_XML_ENCODING = re.compile(
    rb"<\?xml[^<>]*?encoding\s*=\s*[\"']([A-Za-z0-9_.:-]{1,40})", re.IGNORECASE
)

_HTML_OPEN = re.compile(rb"<html[\s/>]", re.IGNORECASE)
_CLOSE = re.compile(rb"</(?:html|body)\s*>", re.IGNORECASE)
_ANCHOR = re.compile(rb"<a[\s/>]", re.IGNORECASE)
_UNSEEN = re.compile(rb"<(!--|script|style)", re.IGNORECASE)
_UNSEEN_ENDS = {
    b"!--": re.compile(rb"-->"),
    b"script": re.compile(rb"</script", re.IGNORECASE),
    b"style": re.compile(rb"</style", re.IGNORECASE),
}


def to_utf8(body: bytes, charset: str | None, faults: FaultLog) -> bytes:
    """Return the page as valid UTF-8.

    As pip reads it: what the Content-Type names, else UTF-8. Where pip stops, nobody can install
    from here. The files are still read, from what the page says of itself, as evidence.
    """
    if charset is not None:
        return _as_named(body, charset, faults)
    if body.isascii() or _is_utf8(body):
        return body.removeprefix(codecs.BOM_UTF8)
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            faults.lost("page", f"{PIP_STOPS}: it is {encoding}, which no header says")
            return _recode(body[len(mark) :], encoding)
    declared = _declared_codec(body) or "utf-8"
    faults.lost(
        "page", f"{PIP_STOPS}: it is no valid utf-8, and no header says what it is", declared
    )
    return _recode(body, declared)


def _as_named(body: bytes, charset: str, faults: FaultLog) -> bytes:
    """Decode by the charset of the Content-Type, which wins over a byte order mark in pip."""
    codec = _codec(charset)
    if codec is None:
        problem = "Content-Type names a charset that is not read here"
        if not _is_text_codec(charset):
            problem = f"{PIP_STOPS}: Content-Type names a charset that Python does not know"
        faults.lost("page", problem, charset)
        return _recode(body, "utf-8")
    try:
        text = body.decode(codec)
    except UnicodeDecodeError as error:
        problem = f"{PIP_STOPS}: its text is no valid {codec} ({error.reason})"
        faults.lost("page", problem, body[error.start : error.start + 40])
        text = body.decode(codec, "replace")
    # Surrogates: the decoders above let none through, so that this cannot fail.
    return text.removeprefix("\ufeff").encode()


def check_ending(page: bytes, faults: FaultLog) -> None:
    """Note a page that was cut: what is missing may have listed files.

    The HTTP layer refuses a body that is shorter than its Content-Length or lacks its last chunk,
    but a body that ends with the connection may have been cut anywhere, and nothing here tells
    which of these it was. So a page that opens <html> must close it, or its <body> (the standard
    makes both end tags optional, and generators omit the former alone).
    """
    if page.rfind(b"<") > page.rfind(b">"):
        faults.lost("page", "the page ends inside a tag; it was cut", _tail(page))
    elif page.rfind(b"<!--") > page.rfind(b"-->"):
        faults.lost("page", "the page ends inside a comment; it was cut", _tail(page))
    elif _CLOSE.search(page[-_PRESCAN_BYTES:]) or _CLOSE.search(page):
        return
    elif _HTML_OPEN.search(page[:_PRESCAN_BYTES]):
        faults.lost("page", "<html> is never closed; the page was cut", _tail(page))
    elif page.rfind(b"<a ") > max(page.rfind(b"</a"), page.rfind(b"</A")):
        faults.lost("page", "the page ends inside an anchor; it was cut", _tail(page))


def check_hidden_anchors(page: bytes, seen: int, faults: FaultLog) -> None:
    """Note anchors that an HTML tree does not show, but that pip, which reads tags, may see."""
    if page.count(b"<a ") == seen:
        return
    if (tags := len(_ANCHOR.findall(page))) > seen:
        tags = len(_ANCHOR.findall(_visible(page)))
    if tags > seen:
        faults.lost("page", f"{tags} anchor tags in the text and {seen} in the document")


def _visible(page: bytes) -> bytes:
    """Return the page without comments, scripts and styles. One pass, also over hostile text."""
    parts, start = [], 0
    while opening := _UNSEEN.search(page, start):
        parts.append(page[start : opening.start()])
        end = _UNSEEN_ENDS[opening[1].lower()].search(page, opening.end())
        if end is None:
            return b"".join(parts)
        start = end.end()
    return b"".join([*parts, page[start:]])


def _recode(body: bytes, encoding: str) -> bytes:
    return body.decode(encoding, "replace").encode()


def _is_utf8(body: bytes) -> bool:
    try:
        body.decode()
    except UnicodeDecodeError:
        return False
    return True


def _declared_codec(body: bytes) -> str | None:
    head = body[:_PRESCAN_BYTES]
    match = _META_CHARSET.search(head) or _XML_ENCODING.search(head)
    return _codec(match[1].decode("ascii")) if match else None


def _codec(name: str) -> str | None:
    """Return Python's name of a text encoding; None if it is not one of the safe ones."""
    try:
        found = codecs.lookup(name).name
    except (LookupError, ValueError):  # ValueError: a null character
        return None
    return found if found in _SAFE_CODECS else None


def _is_text_codec(name: str) -> bool:
    """Say whether Python decodes by it at all, in whatever way."""
    try:
        b" ".decode(name, "ignore")  # (nothing is looked up for an empty text)
    except (LookupError, ValueError):  # ValueError: a null character
        return False
    return True


def _tail(page: bytes) -> str:
    return page[-120:].decode("utf-8", "replace")
