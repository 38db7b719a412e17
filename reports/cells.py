"""What installers get, cells that agree said in one line.

Two hundred cells of a healthy place are one sentence: *49 of 49 environments × 4 views get 1.2.4*.
Where cells differ, each line says which.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass

from auditor.model import Choice, Selection, View
from reports.words import VIEWS, Fact, Tone, plural

__all__ = ["SelectionLine", "selection_lines"]

_Column = tuple[str, View, int]  # client, view, sample
_Result = tuple[bool, Choice, str | None, bool | None, bool | None]


@dataclass(frozen=True, slots=True, kw_only=True)
class SelectionLine:
    """Cells that get the same.

    Attributes:
        fact: what they get.
        environments: such as `49 of 49 environments`.
        names: the environments' ids.
        views: such as `4 views` or `uv, Poetry`.
        reason: of one of them.
        other_reasons: how many other reasons there are.
        counts: whether the cells count.
        cells: how many.
        all_environments: whether no environment is left out.
    """

    fact: Fact
    environments: str
    names: tuple[str, ...]
    views: str
    reason: str
    other_reasons: int
    counts: bool
    cells: int
    all_environments: bool

    @property
    def sentence(self) -> str:
        """`49 of 49 environments × 4 views get 1.2.4`."""
        return f"{self.environments} × {self.views} get {self.fact.word}"


def selection_lines(selections: Sequence[Selection]) -> tuple[SelectionLine, ...]:
    """Group cells by what they get, the worst first."""
    total = len({s.environment for s in selections})
    columns = {_column(s) for s in selections}
    by_result: dict[_Result, list[Selection]] = defaultdict(list)
    for selection in selections:
        by_result[_result(selection)].append(selection)
    lines = [
        _line(block, total, columns, wanted)
        for cells in by_result.values()
        for wanted, block in _blocks(cells)
    ]
    return tuple(sorted(lines, key=_rank))


def _blocks(cells: Sequence[Selection]) -> list[tuple[set[_Column], list[Selection]]]:
    """Split into exact products of environments and columns."""
    environments: dict[_Column, set[str]] = defaultdict(set)
    for cell in cells:
        environments[_column(cell)].add(cell.environment)
    together: dict[frozenset[str], set[_Column]] = defaultdict(set)
    for column, names in environments.items():
        together[frozenset(names)].add(column)
    return [(wanted, [c for c in cells if _column(c) in wanted]) for wanted in together.values()]


def _line(
    cells: Sequence[Selection], total: int, columns: set[_Column], wanted: set[_Column]
) -> SelectionLine:
    names = tuple(sorted({c.environment for c in cells}))
    reasons = sorted({c.reason for c in cells if c.reason})
    return SelectionLine(
        fact=_fact(cells[0]),
        environments=f"{len(names)} of {plural(total, 'environment')}",
        names=names,
        views=_views(wanted, columns),
        reason=reasons[0] if reasons else "",
        other_reasons=max(0, len(reasons) - 1),
        counts=cells[0].counts,
        cells=len(cells),
        all_environments=len(names) == total,
    )


def _views(wanted: set[_Column], every: set[_Column]) -> str:
    if wanted == every:
        views = plural(len({view for _, view, _ in every}), "view")
        samples = len({sample for *_, sample in every})
        return views if samples == 1 else f"{views} × {samples} samples"
    many_samples = len({sample for *_, sample in every}) > 1
    by_view: dict[str, list[int]] = defaultdict(list)
    for client, view, sample in sorted(wanted, key=lambda c: (list(View).index(c[1]), c)):
        by_view[_view_name(client, view)].append(sample)
    if not many_samples:
        return ", ".join(by_view)
    numbers = {tuple(samples) for samples in by_view.values()}
    all_views = {_view_name(client, view) for client, view, _ in every}
    if len(numbers) == 1 and set(by_view) == all_views:
        return f"{plural(len(by_view), 'view')} × {_samples(next(iter(numbers)))}"
    return ", ".join(f"{name} ({_samples(samples)})" for name, samples in by_view.items())


def _samples(numbers: Sequence[int]) -> str:
    listed = ", ".join(str(n) for n in numbers)
    return f"sample {listed}" if len(numbers) == 1 else f"samples {listed}"


def _view_name(client: str, view: View) -> str:
    name = VIEWS[view]
    same = view.value.split("-")[0] == client
    return name if same else f"{name} as {client}"


def _fact(cell: Selection) -> Fact:
    if cell.choice is Choice.NOTHING:
        return Fact("○", "nothing", Tone.BAD if cell.counts else Tone.PLAIN)
    if cell.choice is Choice.REFUSED:
        return Fact("–", "no answer that this client can read", Tone.PLAIN)
    if cell.choice is Choice.UNKNOWN or cell.version is None:
        return Fact("?", "a release that is not known", Tone.UNKNOWN)
    if cell.is_broken:
        return Fact("✖", f"{cell.version} (broken)", Tone.BAD)
    if cell.is_fix:
        return Fact("✔", f"{cell.version} (the fix)", Tone.GOOD)
    return Fact("▼", f"{cell.version} (not the fix)", Tone.BAD if cell.counts else Tone.PLAIN)


def _column(cell: Selection) -> _Column:
    return (cell.client, cell.view, cell.sample)


def _result(cell: Selection) -> _Result:
    return (cell.counts, cell.choice, cell.version, cell.is_fix, cell.is_broken)


def _rank(line: SelectionLine) -> tuple[bool, int, int, str, str]:
    return (
        not line.counts,
        list(Tone).index(line.fact.tone),
        -line.cells,
        line.fact.word,
        line.views,
    )
