"""Pages that are nothing but a list of anchors, as every index server writes them.

Building the tree of such a page takes longer than all the rest. Its list is found by one pattern
instead, and only what stands around it becomes a tree. Whoever finds anything unusual here gives
up: the page is then read as a whole (`html_page`), with the same result.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from html import unescape

from probes.kit.pages.anchors import ATTRIBUTES as _COLUMNS
from probes.kit.pages.anchors import AnchorColumns

__all__ = ["AnchorBlock", "find_block"]

# Those that say something here, and two that do not. Each may be there once:
# of one that is there twice, pip takes the last and the HTML standard the first.
_NAMES = (*_COLUMNS, "rel", "data-gpg-sig")
_ONE_OF_THEM = "|".join(
    f'(?({group})(?!)){name}="([^"]*+)"' for group, name in enumerate(_NAMES, 1)
)
# Nothing is tried twice, and no value goes on behind the next quote: linear time.
_ANCHOR = re.compile(rf"<a(?:[ \n\t]++(?:{_ONE_OF_THEM}))++[ \n\t]*+>([^<]*+)</a>")
_STRIDE = _ANCHOR.groups + 1
_BETWEEN = re.compile(r"[ \n\t\r]*+(?:<br[ ]?/?>[ \n\t\r]*+)?+")

# What may stand before the list and behind it: elements of which no other one can change what an
# anchor is. Scripts, comments, tables and forms are not among them.
_ATTRIBUTES = rb'(?:\s++[A-Za-z-]++="[^"<>]*+")*+\s*+/?'
_AROUND = rb"(?:html|head|body|meta|base|link|h[1-6]|hr|br|p|pre)"
_HEAD = re.compile(
    rb"(?:[^<]++|<!doctype html>|<title>[^<]*+</title>|<%b%b>|</(?:head|h[1-6])>)*+"
    % (_AROUND, _ATTRIBUTES),
    re.IGNORECASE,
)
_TAIL = re.compile(
    rb"(?:[^<]++|</?(?:br|hr|p|pre)\s*+/?>|</body>|</html>|<!--SERIAL [0-9]{1,30}-->)*+",
    re.IGNORECASE,
)
# Around the anchors there is little. (What is looked at here is looked at again in the tree.)
_MAX_AROUND_BYTES = 16_384

_REFERENCE = re.compile(r"&(?!(?:amp|lt|gt|quot|#39|#x27);)")
_UNUSUAL = ("<", "\r", "\0")


@dataclass(frozen=True, slots=True)
class AnchorBlock:
    """The list of a page.

    Attributes:
        anchors: every anchor of the page.
        rest: the page without them.
    """

    anchors: AnchorColumns
    rest: bytes


def find_block(page: bytes) -> AnchorBlock | None:
    """Find the list of anchors on a page in UTF-8; None if this is a page of another kind."""
    start, last = page.find(b"<a "), page.rfind(b"</a>")
    if not 0 <= start < last:
        return None
    end = last + len(b"</a>")
    head, tail = page[:start], page[end:]
    if len(head) + len(tail) > _MAX_AROUND_BYTES:
        return None
    if _HEAD.fullmatch(head) is None or _TAIL.fullmatch(tail) is None:
        return None
    parts = _ANCHOR.split(page[start:end].decode())
    between = set(parts[::_STRIDE])
    if None in between or not all(map(_BETWEEN.fullmatch, filter(None, between))):
        return None
    names = "".join(parts[_STRIDE - 1 :: _STRIDE])
    columns = [_values(parts[group::_STRIDE]) for group in range(1, len(_COLUMNS) + 1)]
    # Signs of attributes in the text of an anchor are looked at twice elsewhere.
    if '"' in names or "=" in names or None in columns:
        return None
    anchors = AnchorColumns(*(column for column in columns if column is not None))
    return None if None in anchors.href else AnchorBlock(anchors, head + tail)


def _values(column: Sequence[str | None]) -> list[str | None] | None:
    """Return the values of an attribute as a tree has them; None if one is unusual."""
    text = "\n".join(filter(None, column))
    if any(sign in text for sign in _UNUSUAL) or _REFERENCE.search(text) is not None:
        return None
    if "&" not in text:
        return list(column)
    meant = {value: value and unescape(value) for value in set(column)}
    return [meant[value] for value in column]
