"""The index page of a static folder: incidents and their runs, the newest first."""

from __future__ import annotations

import base64
import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from html import escape
from urllib.parse import quote

from auditor.cli.messages import one_line
from auditor.model import Run
from auditor.model.conclusion import Conclusion, conclusion_of

__all__ = ["Entry", "index_page"]

# A status is a sign and a word, never a colour alone.
_SIGNS = {
    Conclusion.GOOD: ("✔", "good"),
    Conclusion.TOLERATED: ("∥", "unknown"),
    Conclusion.BAD: ("✖", "bad"),
    Conclusion.UNKNOWN: ("?", "unknown"),
    Conclusion.FAILED: ("!", "bad"),
}
# What the entries said before they had a conclusion of their own.
_BY_EXIT_CODE = {0: Conclusion.GOOD, 1: Conclusion.BAD, 3: Conclusion.UNKNOWN}
_MOST_CHARS = 600

_STYLE = """
:root { color-scheme: light dark; --page: #f6f6f3; --surface: #fff; --ink: #1a1d21;
  --muted: #555c66; --line: #dcded9; --accent: #1d5bb8; --bad: #a3161d; --good: #12643d;
  --unknown: #474a94; }
@media (prefers-color-scheme: dark) {
  :root { --page: #0e1115; --surface: #161a20; --ink: #e9ebee; --muted: #a7afba;
    --line: #2d343e; --accent: #8db6ff; --bad: #ff9d9a; --good: #80dba5; --unknown: #bcbfff; }
}
* { box-sizing: border-box; }
body { margin: 0; background: var(--page); color: var(--ink);
  font: 16px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif;
  overflow-wrap: anywhere; }
main { max-width: 60rem; margin: 0 auto; padding: 2rem 1rem 4rem; }
h1 { font-size: 1.8rem; line-height: 1.2; margin: 0 0 .4rem; }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 0; }
p { margin: .35rem 0 0; }
section { background: var(--surface); border: 1px solid var(--line); border-radius: 12px;
  padding: 1.1rem 1.2rem; margin-top: 1.2rem; }
.muted { color: var(--muted); font-size: .9rem; }
.bad { color: var(--bad); } .good { color: var(--good); } .unknown { color: var(--unknown); }
a { color: var(--accent); text-underline-offset: .18em; }
:focus-visible { outline: 3px solid var(--accent); outline-offset: 2px; border-radius: 4px; }
ol { list-style: none; margin: .8rem 0 0; padding: 0; }
li { display: grid; grid-template-columns: 11.5rem 12.5rem 1fr auto; gap: .2rem 1rem;
  padding: .55rem 0; border-top: 1px solid var(--line); font-size: .92rem; }
time { font-variant-numeric: tabular-nums; }
@media (max-width: 700px) {
  li { grid-template-columns: 1fr auto; }
  .counts { grid-column: 1 / -1; }
}
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What the index says of a run.

    Attributes:
        link: relative address of its files, without their endings.
        incident, project, broken, fixed: the question.
        exit_code, conclusion, sentence, counts: the answer; `counts` such as
            `5 exposed, 2 unknown`.
        finished_at: UTC.
    """

    link: str
    incident: str
    project: str
    broken: str
    fixed: str
    exit_code: int
    conclusion: Conclusion
    sentence: str
    counts: str
    finished_at: datetime

    @classmethod
    def of(cls, run: Run, link: str) -> Entry:
        """Sum up a run."""
        summary = run.summary
        counts = ((status, summary.by_status.get(status, 0)) for status in type(summary.status))
        return cls(
            link=link,
            incident=_short(run.incident.id),
            project=_short(run.incident.project),
            broken=_short(", ".join(run.incident.broken)),
            fixed=_short(", ".join(run.incident.fixed)),
            exit_code=summary.exit_code,
            conclusion=conclusion_of(run),
            sentence=_short(summary.sentence),
            counts=", ".join(f"{number} {status}" for status, number in counts if number),
            finished_at=run.finished_at.astimezone(UTC),
        )

    def document(self) -> dict[str, object]:
        """As it is stored; the link follows from where that is."""
        stored = asdict(self)
        del stored["link"]
        return {**stored, "finished_at": self.finished_at.isoformat()}

    @classmethod
    def from_document(cls, stored: object, link: str) -> Entry:
        """Read what was stored. Raises ValueError for anything else."""
        if not isinstance(stored, dict):
            raise ValueError("no entry")
        code = stored.get("exit_code")
        if not isinstance(code, int):
            raise ValueError("no exit code")
        finished_at = datetime.fromisoformat(str(stored.get("finished_at")))
        if finished_at.tzinfo is None:
            raise ValueError("no time zone")
        names = ("incident", "project", "broken", "fixed", "sentence", "counts")
        texts = {name: _short(str(stored.get(name, ""))) for name in names}
        word = stored.get("conclusion", _BY_EXIT_CODE.get(code, Conclusion.FAILED))
        return cls(
            link=link,
            exit_code=code,
            conclusion=Conclusion(word),
            finished_at=finished_at.astimezone(UTC),
            **texts,
        )

    @property
    def outcome(self) -> tuple[str, str, str]:
        """Sign, word and tone."""
        sign, tone = _SIGNS[self.conclusion]
        return sign, self.conclusion.value, tone


def index_page(entries: Iterable[Entry]) -> str:
    """Write the page: one section for each incident, the one with the newest run first."""
    newest_first = sorted(entries, key=lambda e: (e.finished_at, e.link), reverse=True)
    incidents: dict[str, list[Entry]] = defaultdict(list)
    for entry in newest_first:
        incidents[entry.incident].append(entry)
    sections = "\n".join(_section(runs) for runs in incidents.values())
    return "\n".join((*_head(len(newest_first), len(incidents)), sections, "</main>\n</html>\n"))


def _head(runs: int, incidents: int) -> Iterator[str]:
    digest = base64.b64encode(hashlib.sha256(_STYLE.encode()).digest()).decode()
    policy = f"default-src 'none'; style-src 'sha256-{digest}'; img-src data:; base-uri 'none'"
    yield "<!doctype html>"
    yield '<html lang="en">'
    yield '<meta charset="utf-8">'
    yield f'<meta http-equiv="Content-Security-Policy" content="{policy}">'
    yield '<meta name="viewport" content="width=device-width, initial-scale=1">'
    yield '<meta name="referrer" content="no-referrer">'
    yield "<title>Propagation audits</title>"
    yield '<link rel="icon" href="data:,">'
    yield f"<style>{_STYLE}</style>"
    yield "<main>"
    yield "<h1>Propagation audits</h1>"
    yield f'<p class="muted">Incidents: {incidents}. Runs: {runs}. The newest first.</p>'


def _section(runs: Sequence[Entry]) -> str:
    latest = runs[0]
    sign, word, tone = latest.outcome
    listed = "\n".join(map(_item, runs))
    about = f"{latest.project}: broken {latest.broken}, fixed by {latest.fixed}"
    return (
        f'<section><h2><span class="{tone}">{sign} {word}</span> · {escape(latest.incident)}</h2>\n'
        f'<p>{escape(latest.sentence)}</p>\n<p class="muted">{escape(about)}</p>\n'
        f"<ol>\n{listed}\n</ol></section>"
    )


def _item(entry: Entry) -> str:
    sign, word, tone = entry.outcome
    link = quote(entry.link)
    shown = f"{entry.finished_at:%Y-%m-%d %H:%M} UTC"
    return (
        f'<li><a href="{link}.html"><time datetime="{entry.finished_at.isoformat()}">{shown}</time>'
        f'</a><span class="{tone}">{sign} {word}</span>'
        f'<span class="counts muted">{escape(entry.counts)}</span>'
        f'<a href="{link}.json" aria-label="JSON of {shown}">JSON</a></li>'
    )


def _short(text: str) -> str:
    shown = one_line(text)
    return shown if len(shown) <= _MOST_CHARS else f"{shown[:_MOST_CHARS]}…"
