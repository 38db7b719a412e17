"""The way of a copy as a drawing: where each box and line goes.

Columns are the stages that occur, rows hold one place or one crowd each. A line runs from the right
edge of a place to a trunk, and from there to what copies from it. Units are those of the drawing,
which are CSS pixels where the page is wide enough.
"""

from __future__ import annotations

import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field

from auditor.model import Status
from reports.propagation import Crowd, PathNode, Paths
from reports.stages import STAGES, Stage
from reports.words import Fact, Tone

__all__ = ["Box", "Heading", "Line", "Picture", "picture_of"]

ROW, BOX_HEIGHT, TOP = 52, 42, 34
# Where the trunk stands in the gap between two columns, and how round its corners are.
TRUNK, BEND = 0.14, 8
MAX_WIDTH, MAX_BOX, MIN_BOX, MIN_GAP, MAX_GAP = 1_100, 250, 176, 128, 200
# Beyond these the list below says it better than a picture.
MAX_COLUMNS, MAX_BOXES = 6, 120
# Pixels of one column of text at 13 pixels, and what a box leaves for its sign and its edges.
LETTER, EDGES = 7.7, 52

_SHAPES = {
    Status.TAMPERED: "octagon",
    Status.EXPOSED: "octagon",
    Status.PINNED: "square",
    Status.BEHIND: "triangle",
    Status.UNKNOWN: "ring",
    Status.LATENT: "diamond",
    Status.ROLLED_FORWARD: "circle",
    Status.ABSENT: "ring",
    Status.CLEAN: "circle",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Box:
    """One place, or many that are alike.

    Attributes:
        x, y: of its upper left corner.
        title: all of it in words.
        name, note: its two lines, cut to its width.
        href: fragment of its reasons; "" for many.
        shape: name of the sign's outline.
    """

    x: float
    y: float
    title: str
    name: str
    note: str
    href: str
    shape: str
    status: Fact
    many: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Line:
    """From the place above to this one.

    Attributes:
        points: path data from the trunk on.
        x, y: of the end of its label.
        label: how late or how old, in two words.
        style: `solid`, `dashed` (what is at its end fails) or `dotted` (not known).
    """

    points: str
    x: float
    y: float
    label: str
    tone: Tone
    style: str


@dataclass(frozen=True, slots=True)
class Heading:
    """What a column holds."""

    x: float
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Picture:
    """Everything to draw.

    Attributes:
        width, height: of the whole.
        box: width of each box.
        trunks: path data of what the lines from one place have in common.
        shapes: one status of each shape that occurs, the worst first.
        unlinked: whether some place hangs on nothing, the first one excepted.
    """

    width: float
    height: float
    box: float
    headings: tuple[Heading, ...]
    boxes: tuple[Box, ...]
    trunks: tuple[str, ...]
    lines: tuple[Line, ...]
    shapes: tuple[tuple[str, Fact], ...]
    unlinked: bool

    @property
    def styles(self) -> frozenset[str]:
        """Of the lines that occur."""
        return frozenset(line.style for line in self.lines)


@dataclass(slots=True)
class _Spot:
    """A place on the grid, before columns have a width."""

    node: PathNode | Crowd
    stage: Stage
    column: int
    row: float
    above: _Spot | None


@dataclass(slots=True)
class _Grid:
    spots: list[_Spot] = field(default_factory=list)
    rows: int = 0
    taken: dict[int, int] = field(default_factory=dict)  # row: rightmost column of a linked place

    def tree(self, node: PathNode, above: _Spot | None) -> _Spot:
        """Put a place left of all that copies from it, and in the middle of them."""
        spot = self._put(node, node.stage, above)
        below = [self.tree(child, spot) for child in node.children]
        for crowd in node.crowds:
            below.append(self._put(crowd, crowd.stage, spot))
            self._take(below[-1])
        if below:
            spot.row = (below[0].row + below[-1].row) / 2
        else:
            self._take(spot)
        return spot

    def single(self, node: PathNode | Crowd) -> None:
        """Put what hangs on nothing where its column is free, and no line passes."""
        spot = self._put(node, node.stage, None)
        row = 0
        while self.taken.get(row, -1) >= spot.column:
            row += 1
        spot.row = row
        self.taken[row] = max(self.taken.get(row, -1), spot.column)
        self.rows = max(self.rows, row + 1)

    def _put(self, node: PathNode | Crowd, stage: Stage, above: _Spot | None) -> _Spot:
        column = list(Stage).index(stage)
        if above is not None:
            column = max(column, above.column + 1)
        spot = _Spot(node, stage, column, 0, above)
        self.spots.append(spot)
        return spot

    def _take(self, spot: _Spot) -> None:
        spot.row = self.rows
        self.taken[self.rows] = spot.column
        self.rows += 1


def picture_of(paths: Paths) -> Picture | None:
    """Lay it out; None if there is nothing to draw, or more than a picture can show."""
    grid = _Grid()
    for root in paths.trees:
        if root.children or root.crowds:
            grid.tree(root, None)
    alone: list[PathNode | Crowd] = [r for r in paths.trees if not (r.children or r.crowds)]
    for place in (*alone, *paths.crowds):
        grid.single(place)
    used = sorted({spot.column for spot in grid.spots})
    if not 2 <= len(used) <= MAX_COLUMNS or len(grid.spots) > MAX_BOXES:
        return None
    return _drawn(grid, {column: n for n, column in enumerate(used)})


def _drawn(grid: _Grid, columns: dict[int, int]) -> Picture:
    count = len(columns)
    room = (MAX_WIDTH - (count - 1) * MIN_GAP) / count
    box = round(min(MAX_BOX, max(MIN_BOX, room)))
    gap = round(min(MAX_GAP, max(MIN_GAP, (MAX_WIDTH - count * box) / (count - 1))))
    at = {column: n * (box + gap) + 1.0 for column, n in columns.items()}
    shapes = {(_SHAPES[s.node.verdict], s.node.status.word): s.node.status for s in grid.spots}
    ranked = sorted(shapes.items(), key=lambda item: _RANKS.index(item[0][1]))
    return Picture(
        width=count * box + (count - 1) * gap + 2,
        height=TOP + grid.rows * ROW,
        box=box,
        headings=tuple(_headings(grid.spots, at)),
        boxes=tuple(_box(spot, at[spot.column], box) for spot in grid.spots),
        trunks=tuple(_trunks(grid.spots, at, box, gap)),
        lines=tuple(_lines(grid.spots, at, box, gap)),
        shapes=tuple((shape, fact) for (shape, _), fact in ranked),
        unlinked=any(s.above is None and s.stage is not Stage.SOURCE for s in grid.spots),
    )


_RANKS = [status.value for status in Status]


def _headings(spots: Sequence[_Spot], at: dict[int, float]) -> Iterator[Heading]:
    for column, x in at.items():
        stages = {spot.stage for spot in spots if spot.column == column}
        first = next(stage for stage in Stage if stage in stages)
        yield Heading(x, STAGES[first])


def _box(spot: _Spot, x: float, width: float) -> Box:
    node = spot.node
    many = isinstance(node, Crowd)
    name = f"{len(node.nodes)} places" if isinstance(node, Crowd) else node.name
    kind = node.hop.partition(" · ")[0] if isinstance(node, Crowd) else node.kind
    note = f"{node.status.word} · {kind}"
    return Box(
        x=x,
        y=TOP + spot.row * ROW,
        title=f"{name}: {note}" + (f", {node.hop}" if node.hop else ""),
        name=cut(name, (width - EDGES) / LETTER),
        note=cut(note, (width - EDGES) / LETTER * 1.12),
        href="" if isinstance(node, Crowd) else node.anchor,
        shape=_SHAPES[node.verdict],
        status=node.status,
        many=many,
    )


def _lines(spots: Sequence[_Spot], at: dict[int, float], box: float, gap: float) -> Iterator[Line]:
    for spot in spots:
        if spot.above is None:
            continue
        y, end = _middle(spot), at[spot.column]
        tone = spot.node.status.tone
        yield Line(
            points=f"M{_trunk_x(spot.above, at, box, gap) + BEND:g} {y:g}H{end - 8:g}",
            x=end - 14,
            y=y - 6,
            label=cut(spot.node.age, (gap * (1 - TRUNK) - 24) / 6.3),
            tone=tone,
            style={Tone.BAD: "dashed", Tone.UNKNOWN: "dotted"}.get(tone, "solid"),
        )


def _trunks(spots: Sequence[_Spot], at: dict[int, float], box: float, gap: float) -> Iterator[str]:
    """What all copies of one place have in common: out of it, up and down, and off to each."""
    for spot in spots:
        below = sorted(_middle(each) for each in spots if each.above is spot)
        if not below:
            continue
        x, start = _trunk_x(spot, at, box, gap), at[spot.column] + box - 6
        path = f"M{start:g} {_middle(spot):g}H{x if below[0] < below[-1] else x + BEND:g}"
        if below[0] < below[-1]:
            top, *inner, bottom = below
            path += f"M{x + BEND:g} {top:g}Q{x:g} {top:g} {x:g} {top + BEND:g}V{bottom - BEND:g}"
            path += f"Q{x:g} {bottom:g} {x + BEND:g} {bottom:g}"
            path += "".join(f"M{x:g} {y:g}h{BEND:g}" for y in inner)
        yield path


def _middle(spot: _Spot) -> float:
    return TOP + spot.row * ROW + BOX_HEIGHT / 2


def _trunk_x(spot: _Spot, at: dict[int, float], box: float, gap: float) -> float:
    return round(at[spot.column] + box + gap * TRUNK, 1)


def cut(text: str, columns: float) -> str:
    """Cut a text to so many columns of a line; wide characters take two."""
    kept: list[str] = []
    used = 0
    for char in text:
        used += 2 if unicodedata.east_asian_width(char) in "WF" else 1
        if used > columns:
            return f"{''.join(kept[:-1])}…"
        kept.append(char)
    return text
