"""The text of an HTML page before it is parsed: its encoding, its end, its bounds."""

from __future__ import annotations

import codecs
import re

from auditor.errors import Malformed
from probes.kit.pages.parsed import FaultLog

__all__ = ["check_ending", "check_hidden_anchors", "only_index_markup", "to_utf8"]

# Stateful and executable "encodings" of Python (utf-7, unicode_escape, zip, …) are left out.
_SAFE_CODECS = frozenset(
    {"ascii", "utf-8", "utf-16", "utf-16-le", "utf-16-be", "latin-1", "iso8859-1", "koi8-r"}
    | {"gbk", "gb2312", "gb18030", "big5", "shift_jis", "euc_jp", "euc_kr"}
    | {f"iso8859-{n}" for n in range(2, 17)}
    | {f"cp{n}" for n in range(1250, 1259)}
)
_BYTE_ORDER_MARKS = (
    (codecs.BOM_UTF8, "utf-8"),
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

# The HTML standard's tree rules take quadratic time for hostile markup: 100,000 nested <div> keep
# the parser busy for 26 s, 50,000 attributes of one tag for 7 s, and formatting elements that are
# never closed multiply. An index page has about fifteen tags beside its anchors, and five
# attributes per anchor. Beyond these bounds, tags that say nothing here go first, and a page with
# such a tag is refused.
MAX_OTHER_TAGS = 40
MAX_ATTRIBUTES = 100
# One attribute as the standard cuts it. Nothing is ever tried twice (`++`, `(?>`): linear time.
_ATTRIBUTE = (
    rb"(?>[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+))?+)"
)
_CROWDED = re.compile(rb"<[a-z][^\s/>]*+%b{%d}" % (_ATTRIBUTE, MAX_ATTRIBUTES + 1), re.IGNORECASE)
_KEPT = rb"(?!(?:a|base|meta|title|script|style|textarea)[\s/>])"
_OTHER_TAG = re.compile(
    rb"</?%b[a-z][^\s/>]*+%b{0,%d}+[\s/]*+>" % (_KEPT, _ATTRIBUTE, MAX_ATTRIBUTES), re.IGNORECASE
)

_ANCHOR = re.compile(rb"<a[\s/>]", re.IGNORECASE)
_UNSEEN = re.compile(rb"<(!--|script|style)", re.IGNORECASE)
_UNSEEN_ENDS = {
    b"!--": re.compile(rb"-->"),
    b"script": re.compile(rb"</script", re.IGNORECASE),
    b"style": re.compile(rb"</style", re.IGNORECASE),
}
_HTML_OPEN = re.compile(rb"<html[\s/>]", re.IGNORECASE)
_HTML_CLOSE = re.compile(rb"</html\s*>", re.IGNORECASE)


def to_utf8(body: bytes, charset: str | None, faults: FaultLog) -> bytes:
    """Return the page as valid UTF-8.

    Order: byte order mark, Content-Type, UTF-8 if it is valid (pip reads nothing else), what the
    page says of itself.
    """
    for mark, encoding in _BYTE_ORDER_MARKS:
        if body.startswith(mark):
            return _recode(body[len(mark) :], encoding, faults)
    named = _codec(charset) if charset else None
    if charset and named is None:
        faults.detail("page", "Content-Type names a charset that is not known here", charset)
    if named is not None:
        return _recode(body, named, faults)
    if body.isascii() or _is_utf8(body):
        return body
    declared = _declared_codec(body)
    if declared is None or declared == "utf-8":
        return _recode(body, "utf-8", faults)
    faults.detail("page", f"pip stops at this page: it is {declared}, which no header says")
    return _recode(body, declared, faults)


def check_ending(page: bytes, faults: FaultLog) -> None:
    """Note a page that was cut: what is missing may have listed files."""
    if page.rfind(b"<") > page.rfind(b">"):
        faults.lost("page", "the page ends inside a tag; it was cut", _tail(page))
    elif page.rfind(b"<!--") > page.rfind(b"-->"):
        faults.lost("page", "the page ends inside a comment; it was cut", _tail(page))
    elif _HTML_OPEN.search(page[:_PRESCAN_BYTES]) and not (
        _HTML_CLOSE.search(page[-_PRESCAN_BYTES:]) or _HTML_CLOSE.search(page)
    ):
        faults.lost("page", "<html> is never closed; the page was cut", _tail(page))


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


def only_index_markup(page: bytes) -> bytes:
    """Return the page without markup that could keep the parser busy.

    Raises:
        Malformed: a tag has more attributes than any index writes.
    """
    if _CROWDED.search(page):
        raise Malformed(
            f"the page has a tag with more than {MAX_ATTRIBUTES} attributes and is no index: "
            "look at what serves this URL"
        )
    anchors = page.count(b"<a ") + page.count(b"</a>") + page.count(b"<br")
    if page.count(b"<") - anchors <= MAX_OTHER_TAGS:
        return page
    return _OTHER_TAG.sub(b" ", page)


def _recode(body: bytes, encoding: str, faults: FaultLog) -> bytes:
    try:
        text = body.decode(encoding)
    except UnicodeDecodeError as error:
        problem = f"its text is no valid {encoding} ({error.reason}); pip stops at this page"
        faults.detail("page", problem, body[error.start : error.start + 40])
        text = body.decode(encoding, "replace")
    # Surrogates: utf-16 decoders let none through, so that this cannot fail.
    return text.encode()


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
    except LookupError:
        return None
    return found if found in _SAFE_CODECS else None


def _tail(page: bytes) -> str:
    return page[-120:].decode("utf-8", "replace")
