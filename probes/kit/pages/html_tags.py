"""The tags of an HTML page before it is parsed: bounds against hostile markup, odd attributes.

Everything here takes time in proportion to the page, whatever the page is.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence

from auditor.errors import Malformed
from probes.kit.pages.parsed import FaultLog

__all__ = ["check_attributes", "count_scanned", "is_usual", "only_index_markup"]

# The HTML standard's tree rules take quadratic time for hostile markup: 100,000 nested <div> keep
# the parser busy for 26 s, 50,000 attributes of one tag for 7 s, and formatting elements that are
# never closed multiply. An index page has about fifteen tags beside its anchors, and five
# attributes per anchor. Beyond these bounds, tags that say nothing here go first, and a page with
# such a tag is refused.
MAX_OTHER_TAGS = 40
MAX_ATTRIBUTES = 100
# A tree takes some 250 bytes for each tag, however short it is, and 150 for each attribute. An
# entry has three tags in 60 bytes or more. The largest page on PyPI has 60,000 tags, and is read
# without a tree.
BYTES_PER_TAG, ALWAYS_TAGS, MAX_TAGS = 8, 10_000, 600_000
MAX_ATTRIBUTES_OF_PAGE = 1_000_000
# The parser finds the name of an attribute in time that grows with the number of different names:
# 100,000 of them, which a megabyte holds, keep it busy for 2 s, and a page ten times as long for
# minutes. Index pages have about ten, and web pages some dozen.
MAX_NAMES = 500
_NAME_BEFORE_VALUE = re.compile(rb"(?<![A-Za-z-])([A-Za-z-]++)=\"")
# What a tag is depends on all that stands before it (comments, scripts, quotes), so that one is
# looked for from every `<` and what overlaps is read again. Tags of index pages do not overlap; a
# page that makes us read itself more often than this is refused.
MAX_READINGS = 4
_ALWAYS_READ_BYTES = 2**16
# Shorter anchors than `<a href="x">x</a>` lead nowhere; more quotes than this are an attack.
_BYTES_PER_QUOTE = 8

# One attribute as the standard cuts it. Nothing is ever tried twice (`++`, `(?>`): linear time.
_ATTRIBUTE = (
    rb"(?>[\s/]*+[^\s/>][^\s/>=]*+(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+))?+)"
)
# A tag as index servers write them, each value replaced by the quote before it.
_UNUSUAL_TAG = re.compile(
    rb"</?[A-Za-z](?![A-Za-z0-9]*+(?:\s++[A-Za-z-]++=\"){0,%d}+\s*+/?+>)" % MAX_ATTRIBUTES
)
_OPENING = re.compile(rb"</?[a-z]", re.IGNORECASE)
_TAG = re.compile(
    rb"</?[a-z][^\s/>]*+%b{0,%d}+(%b?+)" % (_ATTRIBUTE, MAX_ATTRIBUTES, _ATTRIBUTE), re.IGNORECASE
)
_REST_OF_TAG = rb"%b{0,%d}+[\s/]*+>" % (_ATTRIBUTE, MAX_ATTRIBUTES)
_KEPT = rb"(?:a|base|meta|title|script|style|textarea)(?=[\s/>])"
# Those that are kept are read as well: what stands within them is none of the others.
_KEPT_OR_OTHER_TAG = re.compile(
    rb"(</?%b%b)|</?(?!%b)[a-z][^\s/>]*+%b" % (_KEPT, _REST_OF_TAG, _KEPT, _REST_OF_TAG),
    re.IGNORECASE,
)

_ANCHOR = re.compile(rb"<a(?=[\s/>])", re.IGNORECASE)
_ATTRIBUTES = re.compile(rb"%b{0,%d}+" % (_ATTRIBUTE, MAX_ATTRIBUTES))
_NAMES = re.compile(
    rb"[\s/]*+([^\s/>][^\s/>=]*+)"
    rb"(?:\s*+=\s*+(?:\"[^\"]*+\"|'[^']*+'|[^\s>\"'][^\s>]*+))?+"
)
# `data-yanked=>`: an empty value to pip, and to the tree none at all.
_EMPTY_YANK = re.compile(rb"data-yanked[ \t\n\f\r]*=[ \t\n\f\r]*>", re.IGNORECASE)
# `href=="x"`: the standard's value begins with the second sign, in the parser of pip it does not.
_DOUBLED_SIGN = re.compile(rb"(?:href|data-[a-z-]{1,40})\s*+=\s*+=", re.IGNORECASE)
# The one letter beyond ASCII whose lower case is one of an attribute's: pip lowers by Unicode.
_KELVIN_YANK = "data-yan\N{KELVIN SIGN}ed".encode()


def is_usual(page: bytes) -> bool:
    """Say whether every tag is as index servers write them: `<a href="…" data-yanked="…">`.

    What a tag is does not depend on what stands before it then. Quoted values are taken out at
    once, because reading them by a pattern takes ten times as long.
    """
    if page.count(b'"') > len(page) // _BYTES_PER_QUOTE:
        return False
    parts = page.split(b'"')
    if b"<" in b"".join(parts[1::2]):
        return False
    return _UNUSUAL_TAG.search(b'"'.join(parts[::2])) is None


def only_index_markup(page: bytes, *, usual: bool) -> bytes:
    """Return the page without markup that could keep the parser busy.

    Raises:
        Malformed: a tag has more attributes than any index writes, tags lie within tags, or there
            are more of either than any index has.
    """
    if page.count(b"<") > 4 * MAX_TAGS:  # so many that nobody should even read them
        raise Malformed(
            "the page has millions of tags and is no index: look at what serves this URL"
        )
    if not usual:
        count_scanned(page)
    anchors = page.count(b"<a ") + page.count(b"</a>") + page.count(b"<br")
    few = page.count(b"<") - anchors <= MAX_OTHER_TAGS
    markup = page if few else _KEPT_OR_OTHER_TAG.sub(lambda tag: tag[1] or b" ", page)
    _refuse_too_much(markup, usual=usual)
    return markup


def _refuse_too_much(markup: bytes, *, usual: bool) -> None:
    """Refuse what would make a tree that fills the memory, or takes forever to make.

    Raises:
        Malformed: it has more tags, attributes or names of attributes than any index.
    """
    allowed = min(MAX_TAGS, ALWAYS_TAGS + len(markup) // BYTES_PER_TAG)
    if markup.count(b"<") > allowed < sum(1 for _ in _OPENING.finditer(markup)):
        raise Malformed(
            f"the page has more than {allowed} tags in {len(markup)} bytes and is no index: "
            "look at what serves this URL"
        )
    names, attributes = set[bytes](), 0
    for found in _names_by_tag(markup, usual=usual):
        names.update(found)
        attributes += len(found)
        if len(names) > MAX_NAMES or attributes > MAX_ATTRIBUTES_OF_PAGE:
            raise Malformed(
                "the page has more attributes, or names of them, than any index: "
                "look at what serves this URL"
            )


def _names_by_tag(markup: bytes, *, usual: bool) -> Iterator[list[bytes]]:
    if usual:
        yield _NAME_BEFORE_VALUE.findall(markup)
        return
    for opening in _OPENING.finditer(markup):
        tag = _TAG.match(markup, opening.start())
        if tag is not None:
            yield _NAMES.findall(tag[0])


def count_scanned(page: bytes) -> int:
    """Read every tag of an unusual page, and return how many bytes that took.

    Raises:
        Malformed: as `only_index_markup`.
    """
    scanned, allowed = 0, MAX_READINGS * len(page) + _ALWAYS_READ_BYTES
    for opening in _OPENING.finditer(page):
        tag = _TAG.match(page, opening.start())
        if tag is None:
            continue
        if tag[1]:
            raise Malformed(
                f"the page has a tag with more than {MAX_ATTRIBUTES} attributes and is no index: "
                "look at what serves this URL"
            )
        scanned += len(tag[0])
        if scanned > allowed:
            raise Malformed(
                "the page has tags within tags within tags and is no index: "
                "look at what serves this URL"
            )
    return scanned


def check_attributes(
    page: bytes,
    anchors: Sequence[Mapping[str, str | None]],
    others: int,
    faults: FaultLog,
    *,
    usual: bool,
) -> None:
    """Note anchors whose attributes pip reads otherwise than an HTML tree has them.

    Of an attribute that is there twice, pip takes the last one, and the HTML standard the first.

    Args:
        page: the markup that became the tree.
        anchors: the attributes of each, as in the tree.
        others: how many attributes all other elements have.
        usual: whether `is_usual`.
    """
    # Each attribute of the tree stands in the text; if none stands there once more, none is lost.
    in_tree = others + sum(map(len, anchors))
    if usual and page.count(b'="') <= in_tree:
        return
    if b"==" in page and _DOUBLED_SIGN.search(page) is not None:
        faults.lost("page", "an attribute has two equals signs; pip reads another value")
    if _EMPTY_YANK.search(page) is not None:
        faults.lost("page", "data-yanked has an equals sign and no value; pip reads it as a yank")
    if _KELVIN_YANK in page.lower():
        faults.lost("page", "a letter that is no k makes an attribute which pip reads as a yank")
    if _is_any_repeated(page):
        problem = "an anchor has an attribute twice; pip takes the last, HTML the first"
        faults.lost("page", problem)


def _is_any_repeated(page: bytes) -> bool:
    """Look at every anchor, also at those that begin within another tag or a comment.

    That is bounded by `count_scanned`, which refuses a page of which too much is read again.
    """
    for opening in _ANCHOR.finditer(page):
        tag = _ATTRIBUTES.match(page, opening.end())
        names = [name.lower() for name in _NAMES.findall(tag[0])] if tag else []
        if len(set(names)) < len(names):
            return True
    return False
