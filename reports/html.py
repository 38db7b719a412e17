"""The run as one self-contained page: no request to anywhere, readable without its script.

The page's own style and script are allowed by their digests; everything else is forbidden by its
Content-Security-Policy. Every value that a template prints passes `safe_text.visible` and then
jinja2's escaping.
"""

from __future__ import annotations

import base64
import hashlib
import json
import zlib
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from auditor.contracts import ReportFormat
from auditor.model import Evidence, Run, Verdict
from auditor.model.document import run_to_document
from reports.safe_text import json_text, visible
from reports.view import RunView, view_of

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["EMBEDDED_WITHOUT", "FORMAT", "content_security_policy", "render"]

# Nine tenths of a run's JSON are cells, which the page shows in its own words.
EMBEDDED_WITHOUT = ("rejected", "rejected_others", "selection")
# Characters of evidence that are written out, the worst places first; the rest stands in the
# embedded JSON only, and the script shows it. 500 places shall fit into a megabyte.
EVIDENCE_CHARS = 150_000


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the page. It needs no options: it fits every width and both colour schemes."""
    del options
    from markupsafe import Markup

    style, script = _static("report.css"), _static("report.js")
    # These three are our own files, and Base64; S704 guards other uses.
    view = view_of(run)
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view,
            inline=_inline(view),
            policy=content_security_policy(style, script),
            style=Markup(style),  # noqa: S704 (our own file)
            script=Markup(script),  # noqa: S704 (our own file)
            document=Markup(_embedded(run)),  # noqa: S704 (Base64 ends no element)
            embedded_without=EMBEDDED_WITHOUT,
        )
    )


def content_security_policy(style: str, script: str) -> str:
    """Allow this style and this script, and nothing else (CSP level 3, hash sources)."""
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src '{_digest(style)}'",
            f"script-src '{_digest(script)}'",
            "img-src data:",
            "base-uri 'none'",
            "form-action 'none'",
        )
    )


def _digest(text: str) -> str:
    return f"sha256-{base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()}"


def _inline(view: RunView) -> frozenset[str]:
    """Anchors of the rows whose evidence is written out: one of each group, the worst first."""
    found: set[str] = set()
    room = EVIDENCE_CHARS
    for group in view.places:
        row = group.rows[0]
        room -= sum(map(_evidence_chars, row.evidence))
        if room < 0:
            break
        found.add(row.anchor)
    return frozenset(found)


def _evidence_chars(evidence: Evidence) -> int:
    facts = sum(len(name) + len(value) for name, value in evidence.response.items())
    return len(evidence.excerpt) + len(evidence.request) + len(evidence.reproduce) + facts


def _embedded(run: Run) -> str:
    """The run as JSON, deflated (RFC 1950) and in Base64, which can end no element."""
    document = run_to_document(replace(run, verdicts=tuple(map(_slim, run.verdicts))))
    rows = document["locations"]
    for row in rows if isinstance(rows, list) else ():
        if isinstance(row, dict):
            for key in EMBEDDED_WITHOUT:
                del row[key]
    document["without"] = list(EMBEDDED_WITHOUT)
    text = json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    return base64.b64encode(zlib.compress(json_text(text).encode(), 9)).decode()


def _slim(verdict: Verdict) -> Verdict:
    return replace(verdict, selections=(), other_rejections={})


@lru_cache(maxsize=1)
def _environment() -> Environment:
    from jinja2 import Environment, PackageLoader, StrictUndefined

    return Environment(
        loader=PackageLoader("reports"),
        autoescape=True,
        finalize=_shown,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        undefined=StrictUndefined,
    )


def _shown(value: object) -> object:
    """Make hidden characters visible in every text, except in markup that a template made."""
    if isinstance(value, str) and not hasattr(value, "__html__"):
        return visible(value, keep="\n\t")
    return value


@lru_cache(maxsize=2)
def _static(name: str) -> str:
    return (resources.files("reports") / "static" / name).read_text("utf-8")


FORMAT = ReportFormat(
    name="html",
    summary="one self-contained page that convinces a sceptical colleague",
    suffix=".html",
    render=render,
)
