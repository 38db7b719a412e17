"""How copies travel: the tree of `upstream` links, from the places that copy from nobody."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.model import LagState, Role, Verdict
from reports.words import STATUSES, Fact

__all__ = ["PathNode", "path_of"]


@dataclass(frozen=True, slots=True, kw_only=True)
class PathNode:
    """One place on the way of a copy.

    Attributes:
        name, kind, anchor: of its row; over several vantages, of the worst one.
        status: of that row.
        hop: how the copy gets here; "" for a root.
        children: places that copy from it.
    """

    name: str
    kind: str
    anchor: str
    status: Fact
    hop: str
    children: tuple[PathNode, ...]


# Real chains have two or three hops. A stored run may claim thousands; what is deeper starts a
# tree of its own.
MAX_DEPTH = 20

_Rows = dict[str, tuple[Verdict, str]]


def path_of(verdicts: Sequence[Verdict], anchors: Sequence[str]) -> tuple[PathNode, ...]:
    """Build the trees; empty if nothing declares an upstream. A circle of links is cut once."""
    rows: _Rows = {}
    for verdict, anchor in zip(verdicts, anchors, strict=True):  # the worst first
        rows.setdefault(verdict.location.name, (verdict, anchor))
    below: dict[str | None, list[str]] = defaultdict(list)
    for name, (verdict, _) in rows.items():
        upstream = verdict.location.upstream
        below[upstream if upstream in rows and upstream != name else None].append(name)
    if set(below) <= {None}:
        return ()
    placed: set[str] = set()
    roots = [_node(name, rows, below, placed) for name in below[None]]
    roots += [_node(name, rows, below, placed) for name in rows if name not in placed]
    return tuple(sorted(roots, key=lambda node: not node.children))


def _node(
    name: str,
    rows: _Rows,
    below: dict[str | None, list[str]],
    placed: set[str],
    depth: int = 1,
) -> PathNode:
    placed.add(name)
    verdict, anchor = rows[name]
    children = tuple(
        _node(child, rows, below, placed, depth + 1)
        for child in below[name]
        if child not in placed and depth < MAX_DEPTH
    )
    return PathNode(
        name=name,
        kind=verdict.location.kind,
        anchor=anchor,
        status=STATUSES[verdict.status],
        hop=_hop(verdict),
        children=children,
    )


def _hop(verdict: Verdict) -> str:
    if verdict.location.upstream is None or verdict.location.role is not Role.INDEX:
        return ""
    match verdict.lag.state:
        case LagState.CURRENT:
            return "fix arrived"
        case LagState.WITHIN_LAG:
            return "fix on its way"
        case LagState.STUCK:
            return "stuck"
        case LagState.NEVER:
            return "never syncs"
        case LagState.UNKNOWN:
            return "not known"
