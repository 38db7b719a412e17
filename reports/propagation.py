"""How copies travel: the tree of `upstream` links, from the places that copy from nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from auditor.model import LagState, Role, Status, Verdict
from reports.stages import Stage, stage_of
from reports.words import STATUSES, Fact, distance, short_span, span

__all__ = ["Crowd", "PathNode", "Paths", "path_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathNode:
    """One place on the way of a copy.

    Attributes:
        name, kind, anchor: of its row; over several vantages, of the worst one.
        status: of that row.
        hop: how the copy gets here, and how old it is; "" for a root.
        age: the same in two or three words, for a drawn line.
        stage: where on its way a copy is here.
        children: places that copy from it.
        crowds: places at the end of the path that are in the same state, where there are many.
    """

    name: str
    kind: str
    anchor: str
    status: Fact
    verdict: Status
    hop: str
    age: str
    stage: Stage
    children: tuple[PathNode, ...]
    crowds: tuple[Crowd, ...] = ()


@dataclass(frozen=True, slots=True)
class Crowd:
    """Many places at the end of the path in one state."""

    status: Fact
    hop: str
    nodes: tuple[PathNode, ...]

    @property
    def verdict(self) -> Status:
        """Of each."""
        return self.nodes[0].verdict

    @property
    def stage(self) -> Stage:
        """Of each."""
        return self.nodes[0].stage

    @property
    def age(self) -> str:
        """Of each, if all say the same; else ""."""
        ages = {node.age for node in self.nodes}
        return self.nodes[0].age if len(ages) == 1 else ""


@dataclass(frozen=True, slots=True)
class Paths:
    """The whole picture: trees, and places that nothing copies from and that copy from nobody."""

    trees: tuple[PathNode, ...] = ()
    crowds: tuple[Crowd, ...] = ()


# From so many on they are drawn as one.
CROWD = 8
# Real chains have two or three hops. A stored run may claim thousands; what is deeper starts a
# tree of its own.
MAX_DEPTH = 20

_LAGS = {
    LagState.CURRENT: "fix arrived",
    LagState.WITHIN_LAG: "fix on its way",
    LagState.STUCK: "stuck",
    LagState.NEVER: "never syncs",
    LagState.UNKNOWN: "delay not known",
}
_Rows = dict[str, tuple[Verdict, str]]


def path_of(verdicts: Sequence[Verdict], anchors: Sequence[str], now: datetime) -> Paths:
    """Build the trees; empty if there is no way to draw. A circle of links is cut once."""
    rows: _Rows = {}
    for verdict, anchor in zip(verdicts, anchors, strict=True):  # the worst first
        rows.setdefault(verdict.location.name, (verdict, anchor))
    below: dict[str | None, list[str]] = defaultdict(list)
    for name, (verdict, _) in rows.items():
        upstream = verdict.location.upstream
        below[upstream if upstream in rows and upstream != name else None].append(name)
    if set(below) <= {None} and len({stage_of(verdict) for verdict, _ in rows.values()}) < 2:
        return Paths()
    placed: set[str] = set()
    roots = [_node(name, rows, below, placed, now) for name in below[None]]
    roots += [_node(name, rows, below, placed, now) for name in rows if name not in placed]
    crowds = _crowds(roots)
    crowded = _names(crowds)
    trees = (root for root in roots if root.name not in crowded)
    return Paths(tuple(sorted(trees, key=lambda n: not (n.children or n.crowds))), crowds)


def _node(
    name: str,
    rows: _Rows,
    below: dict[str | None, list[str]],
    placed: set[str],
    now: datetime,
    depth: int = 1,
) -> PathNode:
    placed.add(name)
    verdict, anchor = rows[name]
    children = tuple(
        _node(child, rows, below, placed, now, depth + 1)
        for child in below[name]
        if child not in placed and depth < MAX_DEPTH
    )
    crowds = _crowds(children)
    crowded = _names(crowds)
    return PathNode(
        name=name,
        kind=verdict.location.kind,
        anchor=anchor,
        status=STATUSES[verdict.status],
        verdict=verdict.status,
        hop=_hop(verdict, now),
        age=_age(verdict, now),
        stage=stage_of(verdict),
        children=tuple(child for child in children if child.name not in crowded),
        crowds=crowds,
    )


def _names(crowds: Sequence[Crowd]) -> set[str]:
    return {node.name for crowd in crowds for node in crowd.nodes}


def _crowds(nodes: Sequence[PathNode]) -> tuple[Crowd, ...]:
    alike: dict[tuple[Fact, str, str, Stage], list[PathNode]] = defaultdict(list)
    for node in nodes:
        if not node.children and not node.crowds:
            state = node.hop.partition(",")[0]
            alike[(node.status, state, node.kind, node.stage)].append(node)
    return tuple(
        Crowd(status, f"{kind} · {state}" if state else kind, tuple(found))
        for (status, state, kind, _), found in alike.items()
        if len(found) >= CROWD
    )


def _hop(verdict: Verdict, now: datetime) -> str:
    if verdict.location.upstream is None or verdict.location.role is not Role.INDEX:
        return ""
    age_s, due = verdict.freshness.age_s, verdict.lag.latest_by
    facts = [_LAGS[verdict.lag.state]]
    if due is not None and verdict.lag.state in (LagState.WITHIN_LAG, LagState.STUCK):
        facts.append(f"due {distance(due, now)}")
    if age_s is not None:
        facts.append(f"page {span(age_s)} old")
    return ", ".join(facts)


def _age(verdict: Verdict, now: datetime) -> str:
    """The hop in two or three words: what is late first, else how old the page is."""
    if verdict.location.upstream is None or verdict.location.role is not Role.INDEX:
        return ""
    lag, age_s = verdict.lag, verdict.freshness.age_s
    due_s = None if lag.latest_by is None else (lag.latest_by - now).total_seconds()
    match lag.state:
        case LagState.WITHIN_LAG if due_s is not None and due_s > 0:
            return f"due in {short_span(due_s)}"
        case LagState.STUCK if due_s is not None and due_s < 0:
            return f"{short_span(-due_s)} overdue"
        case LagState.STUCK:
            return "stuck"
        case LagState.NEVER:
            return "never syncs"
        case LagState.CURRENT if age_s is None:
            return "fix arrived"
    return "lag not known" if age_s is None else f"page {short_span(age_s)} old"
