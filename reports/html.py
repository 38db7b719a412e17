"""The run as one self-contained page: no request to anywhere, readable without its script.

The page's own style and script are allowed by their digests; everything else is forbidden by its
Content-Security-Policy. Every value that a template prints passes `safe_text.visible` and then
jinja2's escaping.
"""

from __future__ import annotations

import base64
import hashlib
import json
from collections.abc import Mapping
from functools import lru_cache
from importlib import resources
from typing import TYPE_CHECKING

from auditor.contracts import ReportFormat
from auditor.model import Run
from auditor.model.document import Document, run_to_document
from reports.safe_text import json_in_html, visible
from reports.view import view_of

if TYPE_CHECKING:
    from jinja2 import Environment

__all__ = ["EMBEDDED_WITHOUT", "FORMAT", "content_security_policy", "render"]

# Nine tenths of a run's JSON are cells and evidence, which the page shows in its own words.
EMBEDDED_WITHOUT = ("evidence", "rejected", "rejected_others", "selection")


def render(run: Run, options: Mapping[str, str | int | bool]) -> str:
    """Write the page. It needs no options: it fits every width and both colour schemes."""
    del options
    from markupsafe import Markup

    style, script = _static("report.css"), _static("report.js")
    # These three are our own files and JSON that cannot end its element; S704 guards other uses.
    return (
        _environment()
        .get_template("report.html.j2")
        .render(
            view=view_of(run),
            policy=content_security_policy(style, script),
            style=Markup(style),  # noqa: S704
            script=Markup(script),  # noqa: S704
            document=Markup(_embedded(run)),  # noqa: S704
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


def _embedded(run: Run) -> str:
    document = run_to_document(run)
    rows = document["locations"]
    document["locations"] = (
        [_slim(row) for row in rows if isinstance(row, dict)] if isinstance(rows, list) else []
    )
    document["without"] = list(EMBEDDED_WITHOUT)
    return json_in_html(
        json.dumps(document, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
    )


def _slim(row: Document) -> Document:
    return {key: value for key, value in row.items() if key not in EMBEDDED_WITHOUT}


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
