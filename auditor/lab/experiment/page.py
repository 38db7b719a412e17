"""The experiment as one self-contained page that tells the story step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from html import escape

from auditor.lab.experiment.outcome import Cell, Mark
from auditor.lab.experiment.playing import Result
from auditor.lab.experiment.scenarios import SCENARIOS
from auditor.lab.experiment.table import Experiment

__all__ = ["to_html"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;
color:#1c1c1c;background:#fff}
table{border-collapse:collapse;width:100%;margin:.5rem 0 2rem}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}
caption{text-align:left}.wrong{font-weight:bold;color:#a00000}.unknown{color:#595959}
@media(prefers-color-scheme:dark){body{color:#eee;background:#161616}th,td{border-color:#444}
.wrong{color:#ff9c9c}.unknown{color:#b0b0b0}}
"""
_SIGNS = {Mark.RIGHT: "✓", Mark.WRONG: "✗", Mark.UNKNOWN: "?"}
_COLUMNS = {
    "unpinned": "unpinned",
    "pinned": "pinned",
    "by-hash": "by hash",
    "by-url": "by URL",
    "offline": "offline",
    "bytes": "bytes",
}


def to_html(experiment: Experiment) -> str:
    """Write the page."""
    return "".join(_parts(experiment))


def _parts(experiment: Experiment) -> Iterator[str]:
    count, day = experiment.count(), experiment.began_at.date()
    yield '<!doctype html><html lang="en"><meta charset="utf-8">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield f"<title>What deleting a release does, measured on {day}</title>"
    yield f"<style>{_STYLE}</style><main>"
    yield f"<h1>What deleting a release does, measured on {day}</h1>"
    yield (
        "<p>A small index had a good release, 1.2.2, and a broken one, 1.2.3. Real programs copied "
        "both, and clients installed the broken one through them. Then something was done at the "
        "source. Before each deed the auditor wrote down what would follow; afterwards pip asked "
        "every place, unpinned, pinned, with a hash, and by the URL of the file.</p>"
    )
    yield (
        f"<p><strong>{count[Mark.RIGHT]} predictions were right, {count[Mark.WRONG]} wrong; of "
        f"{count[Mark.UNKNOWN]} nothing was predicted.</strong></p>"
    )
    yield _list("Programs", (f"{name} {v}" for name, v in experiment.versions.items()))
    yield _list("Not installed", experiment.missing)
    for name, (_, text) in SCENARIOS.items():
        results = [r for r in experiment.results if r.scenario == name]
        if results:
            yield f'<h2 id="{escape(name)}">{escape(text[0].upper() + text[1:])}</h2>'
            yield _table(results)
    yield _list(
        "Could not be played",
        (f"{f.program} ({f.settings}), {f.scenario}: {f.text}" for f in experiment.failures),
    )
    yield "</main></html>\n"


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<h2>{escape(title)}</h2><ul>{lines}</ul>" if lines else ""


def _table(results: Sequence[Result]) -> str:
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in _COLUMNS.values())
    rows = "".join(map(_row, results))
    return (
        "<table><caption>What clients got afterwards. ✓ as predicted, ✗ not as predicted, ? not "
        'predicted.</caption><thead><tr><th scope="col">place</th><th scope="col">settings</th>'
        f"{head}</tr></thead><tbody>{rows}</tbody></table>"
    )


def _row(result: Result) -> str:
    cells = {cell.subject: cell for cell in result.cells}
    data = "".join(_cell(cells.get(column)) for column in _COLUMNS)
    asked = "later" if result.variant.waits else "at once"
    settings = f"{result.variant.settings}; asked {asked}"
    return (
        f'<tr><th scope="row">{escape(result.variant.program)}: {escape(result.place)}</th>'
        f"<td>{escape(settings)}</td>{data}</tr>"
    )


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td>–</td>"
    said = f"; predicted: {cell.predicted}" if cell.mark is Mark.WRONG else ""
    text = escape(f"{_SIGNS[cell.mark]} {cell.seen}{said}")
    return f'<td class="{cell.mark.value}">{text}</td>'
