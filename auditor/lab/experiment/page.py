"""The experiment as one self-contained page that tells the story step by step."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from html import escape

from auditor.lab.experiment.outcome import Cell, Mark
from auditor.lab.experiment.playing import Result
from auditor.lab.experiment.scenarios import SCENARIOS
from auditor.lab.experiment.table import Experiment
from auditor.model import Gets

__all__ = ["to_html"]

_STYLE = """
body{font:16px/1.5 system-ui,sans-serif;max-width:76rem;margin:2rem auto;padding:0 1rem;
color:#1c1c1c;background:#fff}
.wide{overflow-x:auto;margin:.5rem 0 2rem}
table{border-collapse:collapse;width:100%}
th,td{border-bottom:1px solid #ccc;padding:.3rem .5rem;text-align:left;vertical-align:top}
td,thead th{white-space:nowrap}td.settings{white-space:normal;min-width:14rem}
tbody th{min-width:9rem}caption{text-align:left;padding-bottom:.5rem}
nav li{margin:.2rem 0}small{display:block;font-weight:normal}
.wrong{font-weight:bold;color:#a00000}.unknown{color:#595959}
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
    played = {
        name: found
        for name in SCENARIOS
        if (found := [r for r in experiment.results if r.scenario == name])
    }
    yield '<h2 id="story">The story</h2><nav><ol>'
    for name, results in played.items():
        yield f'<li><a href="#{escape(name)}">{_told(name)}</a>: {_outcome(results)}</li>'
    yield "</ol></nav>"
    for name, results in played.items():
        yield f'<h2 id="{escape(name)}">{_told(name)}</h2><p>Afterwards {_outcome(results)}.</p>'
        yield _table(sorted(results, key=_order), experiment.versions)
    yield _list("Programs", (f"{name} {v}" for name, v in experiment.versions.items()))
    yield _list("Not installed", experiment.missing)
    yield _list(
        "Could not be played",
        (f"{f.program} ({f.settings}), {f.scenario}: {f.text}" for f in experiment.failures),
    )
    yield "</main></html>\n"


def _told(scenario: str) -> str:
    text = SCENARIOS[scenario][1]
    return escape(text[0].upper() + text[1:])


def _outcome(results: Sequence[Result]) -> str:
    """What it achieved, in one sentence without its end."""
    unpinned = sum(_gave(r, "unpinned") for r in results)
    any_way = sum(any(_gave(r, how) for how in _COLUMNS) for r in results)
    return (
        f"{any_way} of {len(results)} places still gave the broken release to somebody, "
        f"{unpinned} of them to those who named no version"
    )


def _gave(result: Result, how: str) -> bool:
    return result.seen.gets.get(how) is Gets.BROKEN


def _order(result: Result) -> tuple[str, str, str]:
    return result.variant.program, result.variant.settings, result.place


def _list(title: str, items: Iterable[str]) -> str:
    lines = "".join(f"<li>{escape(item)}</li>" for item in items)
    return f"<h2>{escape(title)}</h2><ul>{lines}</ul>" if lines else ""


def _table(results: Sequence[Result], versions: Mapping[str, str]) -> str:
    names = ("place", "settings", *_COLUMNS.values(), "the audit said")
    head = "".join(f'<th scope="col">{escape(name)}</th>' for name in names)
    rows = "".join(_row(result, versions) for result in results)
    return (
        '<div class="wide" tabindex="0"><table><caption>What clients got afterwards. ✓ as '
        "predicted, ✗ not as predicted, ? not predicted.</caption>"
        f"<thead><tr>{head}</tr></thead><tbody>{rows}</tbody></table></div>"
    )


def _row(result: Result, versions: Mapping[str, str]) -> str:
    cells = {cell.subject: cell for cell in result.cells}
    data = "".join(_cell(cells.get(column)) for column in _COLUMNS)
    program = f"{result.variant.program} {versions.get(result.variant.program, '')}".strip()
    settings = f"{result.variant.settings}; asked {_asked(result)}"
    return (
        f'<tr><th scope="row">{escape(program)}<small>{escape(result.place)}</small></th>'
        f'<td class="settings">{escape(settings)}</td>{data}{_audit(result)}</tr>'
    )


def _asked(result: Result) -> str:
    at = f"{result.seen.began_at:%H:%M:%S} UTC"
    return f"when it was to have arrived, at {at}" if result.variant.waits else f"at once, at {at}"


def _audit(result: Result) -> str:
    """The verdict of the audit after the deed, and what it had wrong."""
    wrong = "".join(
        f"; ✗ {cell.subject}: {cell.predicted}, but seen: {cell.seen}"
        for cell in result.contradicted
    )
    mark = "wrong" if wrong else "right"
    return f'<td class="{mark}">{escape(result.status.value + wrong)}</td>'


def _cell(cell: Cell | None) -> str:
    if cell is None:
        return "<td>–</td>"
    said = f"; predicted: {cell.predicted}" if cell.mark is Mark.WRONG else ""
    text = escape(f"{_SIGNS[cell.mark]} {cell.seen}{said}")
    return f'<td class="{cell.mark.value}">{text}</td>'
