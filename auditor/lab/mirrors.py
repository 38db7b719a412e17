"""How the mirrors of the embedded world differ from their source."""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable

from auditor.lab.catalogue import ProjectState
from auditor.lab.index import EmbeddedIndex, PageSource
from auditor.lab.negotiation import PageFormat

__all__ = ["Flapping", "SplitByForm", "break_half_of", "mirror_of"]

# Entries that a page may hold in place of a file without saying which file it was: nothing in
# them names one. pip skips the first two and stops at the third.
NAMELESS_ENTRIES: tuple[dict[str, object] | None, ...] = (
    {},
    {"filename": 123, "url": None, "hashes": "none"},
    None,
)

# In HTML a link can be lost, or be one that no URL parser takes, or the page ends in its middle.
LOST_HREF = "data-lost-href="
UNPARSABLE_HREF = 'href="http://[/'  # the bracket opens an IPv6 address that never ends
TRUNCATED_ANCHOR = '    <a href="../../packages/'

ANCHOR_LINE = re.compile(r"^ *<a .*$", re.MULTILINE)


def mirror_of(*states: ProjectState, with_files: bool = True) -> EmbeddedIndex:
    """Make an index that carries these projects as another one showed them.

    Args:
        states: the projects.
        with_files: whether it holds the bytes too.
    """
    index = EmbeddedIndex()
    for state in states:
        index.adopt(state, with_files=with_files)
    return index


class SplitByForm:
    """Shows one state in JSON and another in HTML, as two caches with different ages do."""

    def __init__(self, *, in_json: PageSource, in_html: PageSource) -> None:
        self._json = in_json
        self._html = in_html

    @property
    def serial(self) -> int | None:
        """Of the JSON side."""
        return self._json.serial

    def project(self, name: str, form: PageFormat, accept: str) -> ProjectState | None:
        """Return the state that belongs to this form."""
        side = self._json if form.is_json else self._html
        return side.project(name, form, accept)

    def projects(self) -> Iterable[ProjectState]:
        """Return the projects of the JSON side."""
        return self._json.projects()


class Flapping:
    """Several nodes behind one name, asked in turn.

    Each Accept header has a turn of its own. Were there one turn for all, a client that asks in a
    certain rhythm would meet the same node again and again.
    """

    def __init__(self, *nodes: PageSource) -> None:
        self._nodes = nodes
        self._asked: Counter[str] = Counter()

    @property
    def serial(self) -> int | None:
        """Of the first node."""
        return self._nodes[0].serial

    def project(self, name: str, form: PageFormat, accept: str) -> ProjectState | None:
        """Return the answer of the node whose turn it is."""
        node = self._nodes[self._asked[accept] % len(self._nodes)]
        self._asked[accept] += 1
        return node.project(name, form, accept)

    def projects(self) -> Iterable[ProjectState]:
        """Return the projects of the first node."""
        return self._nodes[0].projects()


def break_half_of(text: str, form: PageFormat) -> str:
    """Spoil half of a page's entries beyond use: the middle ones, where the broken release lies.

    The oldest and the newest stay good, so that the fix is on the page, and nobody can say what
    else is. A page of fewer than two entries has no halves and stays whole.
    """
    return _break_json(text) if form.is_json else _break_html(text)


def _middle(number: int) -> range:
    half = number // 2
    first = (number - half) // 2
    return range(first, first + half)


def _break_json(text: str) -> str:
    page = json.loads(text)
    for turn, position in enumerate(_middle(len(page["files"]))):
        page["files"][position] = NAMELESS_ENTRIES[turn % len(NAMELESS_ENTRIES)]
    return json.dumps(page)


def _break_html(text: str) -> str:
    anchors = ANCHOR_LINE.findall(text)
    if len(anchors) < 2:
        return text
    spoilt = list(anchors)
    for turn, position in enumerate(_middle(len(anchors))):
        spoilt[position] = _spoil_anchor(anchors[position], turn)
    head = text.partition(anchors[0])[0]
    return "\n".join([head.rstrip(), *spoilt, TRUNCATED_ANCHOR])


def _spoil_anchor(anchor: str, turn: int) -> str:
    if turn % 2 == 0:
        return anchor.replace("href=", LOST_HREF, 1)
    return anchor.replace('href="', UNPARSABLE_HREF, 1)
