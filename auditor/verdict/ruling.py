"""What a rule is, and the few ways in which rules put facts into words."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass

from auditor.model import Choice, Page, Reason, Selection, Status, View
from auditor.verdict.row import Row

__all__ = ["Rule", "Ruling", "evidence_of", "names", "ruling", "scope", "tell_cells", "tell_views"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Ruling:
    """What one rule says of one row.

    Attributes:
        status: what it demands; None if it only explains.
        reason: rule, expected and observed.
    """

    status: Status | None
    reason: Reason


Rule = Callable[[Row], Iterator[Ruling]]


def ruling(
    code: str,
    text: str,
    *,
    status: Status | None = None,
    expected: str,
    observed: str,
    evidence: Iterable[str] = (),
) -> Ruling:
    """Make a ruling with its reason."""
    reason = Reason(
        code=code,
        text=text,
        expected=expected,
        observed=observed,
        evidence=tuple(dict.fromkeys(evidence)),
    )
    return Ruling(status=status, reason=reason)


def names(items: Iterable[str], *, most: int = 4) -> str:
    """Join names for a sentence; says how many more there are."""
    listed = list(dict.fromkeys(items))
    more = len(listed) - most
    return ", ".join(listed[:most]) + (f" and {more} more" if more > 0 else "")


def evidence_of(pages: Iterable[Page]) -> list[str]:
    """Ids of the evidence behind these pages."""
    return [evidence for page in pages for evidence in page.evidence]


def scope(cells: Sequence[Selection], of: Sequence[Selection]) -> str:
    """Say which part of all cells these are, as ` (view pip-html, 3 of 49 environments)`.

    Empty if they are all of them.
    """
    parts: list[str] = []
    views = {c.view for c in cells}
    if views != {c.view for c in of}:
        parts.append(f"view {tell_views(cells)}")
    if any(len({c.sample for c in cells if c.view is v}) < _samples(of, v) for v in views):
        parts.append("not every time")
    here, everywhere = {c.environment for c in cells}, {c.environment for c in of}
    if here != everywhere:
        parts.append(f"{len(here)} of {len(everywhere)} environments")
    return f" ({', '.join(parts)})" if parts else ""


def _samples(cells: Sequence[Selection], view: View) -> int:
    return len({c.sample for c in cells if c.view is view})


def tell_views(cells: Sequence[Selection]) -> str:
    """Name the views of these cells, as `pip, uv`."""
    return names(cell.view.value for cell in cells)


def tell_cells(cells: Sequence[Selection], of: Sequence[Selection]) -> str:
    """Sum up what cells get: `1.2.3 in 49 of 49 environments (views pip, uv)`."""
    environments = {cell.environment for cell in cells}
    all_environments = {cell.environment for cell in of}
    got = Counter(_got(cell) for cell in cells)
    return (
        f"{names(text for text, _ in got.most_common())} in {len(environments)} of "
        f"{len(all_environments)} environments (views {tell_views(cells)})"
    )


def _got(cell: Selection) -> str:
    if cell.choice is Choice.NOTHING:
        return "nothing"
    return cell.version or "an unknown version"
