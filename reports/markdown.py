"""The run as Markdown, for an issue comment or a GitHub step summary: the answer, then the worst.

The text is bounded: a comment may have 65,536 characters, a step summary 1 MiB.
https://docs.github.com/en/actions/reference/workflow-commands-for-github-actions
What does not fit is counted. Text from elsewhere never becomes markup, a mention or a link.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence

from auditor.contracts import ReportFormat
from auditor.model import Remedy, Run
from reports.safe_text import markdown, markdown_code, markdown_fence
from reports.view import RowView, RunView, view_of
from reports.words import Fact, plural

__all__ = ["FORMAT", "MAX_CHARS", "render"]

# Below GitHub's limit on a comment, which counts characters, and far below that on a summary,
# which counts bytes: 60,000 characters are at most 240,000 bytes.
MAX_CHARS = 60_000
MOST_FINDINGS = 10
MOST_NOTES = 10
MAX_TEXT_CHARS = 500
MAX_COMMAND_CHARS = 1_000
_HEAD = ("| status | place | broken | bytes | fix chosen | delay |", "|---|---|---|---|---|---|")


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the comment, in at most `MAX_CHARS` characters."""
    del options
    view = view_of(run)
    answer = "\n".join(_answer(view))
    end = "\n".join(_end(view))
    page = _Page(MAX_CHARS - len(answer) - len(end) - 2)
    # Half of the room for the table, so that it never costs what there is to do.
    table = page.listed(_HEAD, [_row(row, view) for row in view.rows], "row", share=2)
    steps = page.folded("What to do now", list(_steps(view)), "place")
    reasons = page.folded("Why, place by place", [_reasons(row, view) for row in view.rows], "row")
    return "\n".join((answer, table, *steps, *reasons, end))


class _Page:
    """Keeps count of the room that is left."""

    def __init__(self, room: int) -> None:
        self._room = room

    def listed(self, head: Sequence[str], lines: Sequence[str], noun: str, share: int = 1) -> str:
        """The lines that fit into a share of the room, then how many did not."""
        most = self._room // share - sum(len(line) + 1 for line in head) - len(noun) - 40
        kept: list[str] = []
        used = 0
        for line in lines:
            used += len(line) + 1
            if used > most:
                break
            kept.append(line)
        more = len(lines) - len(kept)
        rest = [f"\nand {plural(more, f'more {noun}')}"] if more else []
        text = "\n".join((*head, *kept, *rest, ""))
        self._room -= len(text) + 1
        return text

    def folded(self, title: str, blocks: Sequence[str], noun: str) -> Iterable[str]:
        """The same inside a fold, which is closed on GitHub until somebody opens it."""
        if not blocks:
            return
        head = (f"<details><summary>{title}</summary>", "")
        self._room -= len("</details>\n\n")
        yield self.listed(head, blocks, noun, share=2)
        yield "</details>\n"


def _answer(view: RunView) -> Iterator[str]:
    incident = view.run.incident
    yield f"## {view.verdict.sign} {markdown(incident.project, 100)}: {view.verdict.word}"
    yield ""
    yield f"**{_text(view.sentence)}**"
    yield ""
    if view.whose:
        yield f"{_text(view.whose)}\n"
    broken, fixed = markdown_code(view.broken, 200), markdown_code(view.fixed, 200)
    yield f"Broken: {broken}. Fixed by: {fixed}. {view.finished}."
    yield ""
    for finding in view.findings[:MOST_FINDINGS]:
        said = f"Expected {_text(finding.expected)}; observed {_text(finding.observed)}."
        code = markdown_code(finding.code, 100)
        yield f"> **{finding.about.capitalize()}:** {_text(finding.text)} {code} {said}\n"


def _row(row: RowView, view: RunView) -> str:
    name = markdown_code(row.name, 100)
    place = f"{name} from {markdown_code(row.verdict.vantage, 60)}" if _several(view) else name
    waived = " (waived)" if row.verdict.waived is not None else ""
    facts = (row.listed, row.held, row.fix_chosen, row.lag)
    words = " | ".join(_fact(fact) for fact in facts)
    return f"| {_fact(row.status)}{waived} | {place} | {words} |"


def _several(view: RunView) -> bool:
    return view.several_vantages


def _fact(fact: Fact) -> str:
    return f"{fact.sign} {markdown(fact.word, 60)}"


def _steps(view: RunView) -> Iterator[str]:
    """Equal commands once, with the places that they are for."""
    places: dict[Remedy, list[str]] = {}
    for row in view.failing:
        if row.remedies:
            places.setdefault(row.remedies[0], []).append(row.name)
    for remedy, names in places.items():
        listed = ", ".join(markdown_code(name, 100) for name in names[:10])
        more = f" and {plural(len(names) - 10, 'more place')}" if len(names) > 10 else ""
        caution = f" **Caution:** {_text(remedy.caution)}" if remedy.caution else ""
        yield f"{listed}{more}\n\n{_command(remedy.command)}\n\n{_text(remedy.effect)}{caution}\n"


def _command(command: str) -> str:
    if command.startswith("# "):
        return f"→ {markdown(command[2:], MAX_COMMAND_CHARS)}"
    return markdown_fence(command, "sh", MAX_COMMAND_CHARS)


def _reasons(row: RowView, view: RunView) -> str:
    vantage = f" from {markdown_code(row.verdict.vantage, 60)}" if _several(view) else ""
    head = f"{_fact(row.status)} {markdown_code(row.name, 100)}{vantage}: "
    lines = [head + _text(row.why)]
    if row.verdict.waived is not None:
        lines.append(f"  * Waived: {_text(row.verdict.waived)}")
    lines += [f"  * {markdown_code(p.where, 200)} {markdown(p.said, 200)}" for p in row.pins[:5]]
    for reason in row.reasons[:10]:
        said = f"expected {_text(reason.expected or '–')}; observed {_text(reason.observed or '–')}"
        lines.append(f"  * {markdown_code(reason.code, 100)}: {said}")
    return "* " + "\n".join(lines)


def _end(view: RunView) -> Iterator[str]:
    asked = view.deletion.asked
    yield f"**{asked} deleting {markdown(view.broken, 200)} help?** {_text(view.deletion.answer)}"
    yield ""
    yield from (f"* {_text(note)}" for note in view.notes[:MOST_NOTES])
    more = len(view.notes) - MOST_NOTES
    if more > 0:
        yield f"* and {plural(more, 'more note')}"
    version = markdown(view.run.tool_version, 60)
    yield f"\n{plural(len(view.rows), 'row')}, by propagation-auditor {version}\n"


def _text(text: str) -> str:
    return markdown(text, MAX_TEXT_CHARS)


FORMAT = ReportFormat(
    name="markdown",
    summary="an issue comment or step summary, within GitHub's limits",
    suffix=".md",
    render=render,
)
