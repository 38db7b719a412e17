"""`--explain NAME`: why each client gets what it gets from one place, with the files that lost."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Sequence

from auditor.cli.messages import one_line
from auditor.config.suggest import did_you_mean
from auditor.errors import UsageError
from auditor.model import Choice, Pin, Rejection, Run, Selection, Verdict, parse_version

__all__ = ["explain_place"]

# Environments and losers that are told one by one; of the others the number.
_SHOWN_ENVIRONMENTS = 6
_SHOWN_LOSERS = 12

_Answer = tuple[str, Choice, str | None, str, tuple[Rejection, ...]]


def explain_place(run: Run, name: str) -> str:
    """Tell in plain words what every client gets from one place, and why nothing better.

    Raises:
        UsageError: the run has no such place.
    """
    rows = [verdict for verdict in run.verdicts if verdict.location.name == name]
    if not rows:
        known = sorted({verdict.location.name for verdict in run.verdicts})
        hint = did_you_mean(name, known) or f"known: {', '.join(known)}"
        raise UsageError(f"--explain: there is no place {name!r}; {hint.rstrip()}")
    lines = [line for row in rows for line in _row(row, run)]
    return "\n".join(one_line(line) for line in lines) + "\n"


def _row(row: Verdict, run: Run) -> Iterator[str]:
    seen_from = f", seen from {row.vantage}" if len(run.vantages) > 1 else ""
    yield f"{run.incident.project} at {row.location.name}{seen_from}: {row.status.value}"
    for pin in row.pins:
        yield f"  {_pin(pin)}"
    if not row.selections and not row.pins:
        yield "  nothing is chosen from this place: it only holds files, or was not read"
    total = len({cell.environment for cell in row.selections})
    for answer, cells in _alike(row.selections):
        yield from _answer(answer, cells, total)


def _pin(pin: Pin) -> str:
    """Say of one entry of a lock, an image or an environment what it asks for."""
    named = next((file.filename for file in pin.files if file.filename), "the project")
    what = pin.version or pin.specifier or named
    how = f" ({pin.how})" if pin.how else ""
    where = f", where {pin.marker}" if pin.marker else ""
    return f"{pin.where}: {pin.state.value} {what}{where}{how}"


def _alike(cells: Sequence[Selection]) -> list[tuple[_Answer, list[Selection]]]:
    """Put together what gets the same for the same reasons, the largest part first."""
    found: defaultdict[_Answer, list[Selection]] = defaultdict(list)
    for cell in cells:
        better = tuple(_better(cell))
        found[cell.client, cell.choice, cell.filename, cell.reason, better].append(cell)
    return sorted(found.items(), key=lambda each: (each[0][0], -len(each[1]), each[0][3]))


def _better(cell: Selection) -> Iterator[Rejection]:
    """Yield what looked better than the chosen file, or would have been possible."""
    chosen = parse_version(cell.version or "")
    for lost in cell.rejected:
        version = parse_version(lost.version or "")
        if version is not None and (chosen is None or version >= chosen):
            yield lost


def _answer(answer: _Answer, cells: Sequence[Selection], total: int) -> Iterator[str]:
    client, choice, filename, reason, better = answer
    views = ", ".join(dict.fromkeys(cell.view.value for cell in cells))
    environments = sorted({cell.environment for cell in cells})
    got = filename or _WITHOUT_FILE[choice]
    verdict = {True: " (the fix)", None: ""}.get(cells[0].is_fix, " (not the fix)")
    verdict = " (broken)" if cells[0].is_broken else verdict
    yield ""
    yield f"  {client} gets {got}{verdict if filename else ''}"
    yield f"    where: {_told(environments, total)}; page of {views}"
    if not any(cell.counts for cell in cells):
        yield "    does not count: neither a broken nor a fixed file is for these environments"
    yield f"    why: {reason}"
    yield from _losers(better)


_WITHOUT_FILE = {
    Choice.CHOSEN: "a file",
    Choice.NOTHING: "nothing",
    Choice.UNKNOWN: "something that cannot be said",
    Choice.REFUSED: "no page that it can read",
}


def _told(environments: Sequence[str], total: int) -> str:
    if len(environments) == total and total > 1:
        return f"in all {total} environments"
    more = len(environments) - _SHOWN_ENVIRONMENTS
    shown = ", ".join(environments[:_SHOWN_ENVIRONMENTS])
    return f"{shown} and {more} more of {total}" if more > 0 else shown


def _losers(better: Sequence[Rejection]) -> Iterator[str]:
    """Say of each better-looking release why its files lost, the newest first."""
    by_rule: defaultdict[tuple[str, str, str], list[str]] = defaultdict(list)
    for lost in better:
        by_rule[lost.version or "", lost.code.value, lost.text].append(lost.filename)
    ordered = sorted(by_rule.items(), key=lambda each: _newest_first(each[0][0]), reverse=True)
    for (version, code, text), files in ordered[:_SHOWN_LOSERS]:
        what = files[0] if len(files) == 1 else f"{len(files)} files of {version}"
        yield f"    not {what}: {text} ({code})"
    more = len(ordered) - _SHOWN_LOSERS
    if more > 0:
        yield f"    and {more} more reasons for other files"


def _newest_first(version: str) -> tuple[bool, object]:
    parsed = parse_version(version)
    return (parsed is not None, parsed if parsed is not None else version)
