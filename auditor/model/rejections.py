"""Why files lost, written down once per location instead of once per cell.

A location has some two hundred cells (environment × client × view), and in most of them the same
files lose for the same reasons. For the files that the incident is about (broken and fixed ones)
each rejection is kept exactly; the others are counted by rule.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from auditor.model.incident import Incident
from auditor.model.selection import Rejection, RejectionCode, Selection

__all__ = ["Cell", "CompactRejection", "cell_of", "compact_rejections", "expand_rejections"]

Cell = tuple[str, str]  # environment, asked_as


@dataclass(frozen=True, slots=True, kw_only=True)
class CompactRejection:
    """Files that lost for one reason, and every cell in which they did.

    Attributes:
        code, text, version: as in `Rejection`.
        files: names.
        environments: ids; together with `asked_as` the exact set of cells (their product).
        asked_as: `CLIENT/VIEW/SAMPLE`.
        views: the views in `asked_as`, for readers.
    """

    code: RejectionCode
    text: str
    version: str | None
    files: tuple[str, ...]
    environments: tuple[str, ...]
    asked_as: tuple[str, ...]
    views: tuple[str, ...]


_Rule = tuple[RejectionCode, str, str | None]


def cell_of(selection: Selection) -> Cell:
    """Name the cell that a selection answers for."""
    asked_as = f"{selection.client}/{selection.view}/{selection.sample}"
    return (selection.environment, asked_as)


def compact_rejections(
    selections: Iterable[Selection], incident: Incident
) -> tuple[tuple[CompactRejection, ...], dict[RejectionCode, int]]:
    """Return the rejections of broken and fixed files, and the numbers of other files by rule."""
    about: dict[_Rule, dict[str, set[Cell]]] = defaultdict(lambda: defaultdict(set))
    others: dict[RejectionCode, set[str]] = defaultdict(set)
    matters: dict[str | None, bool] = {}
    for rejected, cells in _shared(selections):
        for lost in rejected:
            if lost.version not in matters:
                matters[lost.version] = _concerns(incident, lost.version)
            if matters[lost.version]:
                about[(lost.code, lost.text, lost.version)][lost.filename].update(cells)
            else:
                others[lost.code].add(lost.filename)
    compact = [entry for rule, files in about.items() for entry in _entries(rule, files)]
    counts = {code: len(others[code]) for code in RejectionCode if code in others}
    return tuple(sorted(compact, key=_order)), counts


def expand_rejections(entries: Iterable[CompactRejection]) -> Mapping[Cell, tuple[Rejection, ...]]:
    """Give each cell its rejections back, sorted by file name."""
    cells: dict[Cell, list[Rejection]] = defaultdict(list)
    for entry in entries:
        lost = [
            Rejection(filename=name, version=entry.version, code=entry.code, text=entry.text)
            for name in entry.files
        ]
        for environment in entry.environments:
            for asked_as in entry.asked_as:
                cells[(environment, asked_as)].extend(lost)
    return {
        cell: tuple(sorted(lost, key=lambda r: (r.filename, r.code, r.text)))
        for cell, lost in cells.items()
    }


def _shared(selections: Iterable[Selection]) -> list[tuple[tuple[Rejection, ...], list[Cell]]]:
    """Cells that share one tuple of rejections, so that a large page is read once for them all."""
    shared: dict[int, tuple[tuple[Rejection, ...], list[Cell]]] = {}
    for selection in selections:
        entry = shared.setdefault(id(selection.rejected), (selection.rejected, []))
        entry[1].append(cell_of(selection))
    return list(shared.values())


def _concerns(incident: Incident, version: str | None) -> bool:
    return incident.is_broken(version) or incident.is_named_fixed(version)


def _entries(rule: _Rule, files: Mapping[str, set[Cell]]) -> list[CompactRejection]:
    together: dict[frozenset[Cell], list[str]] = defaultdict(list)
    for name, cells in files.items():
        together[frozenset(cells)].append(name)
    return [
        _entry(rule, names, environments, asked_as)
        for cells, names in together.items()
        for asked_as, environments in _products(cells)
    ]


def _entry(
    rule: _Rule, names: list[str], environments: list[str], asked_as: frozenset[str]
) -> CompactRejection:
    code, text, version = rule
    return CompactRejection(
        code=code,
        text=text,
        version=version,
        files=tuple(sorted(names)),
        environments=tuple(sorted(environments)),
        asked_as=tuple(sorted(asked_as)),
        views=tuple(sorted({name.rsplit("/", 2)[1] for name in asked_as})),
    )


def _products(cells: Iterable[Cell]) -> list[tuple[frozenset[str], list[str]]]:
    """Split cells into exact products: sets of clients' questions × lists of environments."""
    asked: dict[str, set[str]] = defaultdict(set)
    for environment, asked_as in cells:
        asked[environment].add(asked_as)
    products: dict[frozenset[str], list[str]] = defaultdict(list)
    for environment, questions in asked.items():
        products[frozenset(questions)].append(environment)
    return list(products.items())


def _order(entry: CompactRejection) -> tuple[str, ...]:
    return (
        entry.version or "",
        entry.code,
        entry.text,
        *entry.files,
        *entry.asked_as,
        *entry.environments,
    )
