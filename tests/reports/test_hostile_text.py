"""One table of nasty strings through every format that is installed."""

from __future__ import annotations

import csv
import io
import json
import re
import unicodedata
from collections.abc import Callable
from html.parser import HTMLParser
from xml.etree import ElementTree

import jsonschema
import pytest
from markdown_it import MarkdownIt
from prometheus_client.openmetrics.parser import text_string_to_metric_families

from auditor.registry import format_names, load_format
from reports.csv_ import render as csv_text
from reports.prometheus import METRICS
from tests.reports.embedded import embedded
from tests.reports.hostile import HIDDEN, NASTY, hostile_run
from tests.reports.sarif_schema import SARIF

pytestmark = pytest.mark.slow

FORMULA = tuple("=+-@\t\r＝＋－＠")
WORKFLOW_LINE = re.compile(
    r"::(error|warning|notice)( ((file|line|title)=[^:,\r\n]*,?)+)?::[^\r\n]*", re.DOTALL
)


def safe_terminal(text: str) -> None:
    assert not [line for line in text.splitlines() if line.strip().startswith("::")]
    assert "##[" not in text


def safe_html(text: str) -> None:
    tags: list[str] = []
    links: list[str] = []

    class Elements(HTMLParser):
        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            tags.append(tag)
            assert not [name for name, _ in attrs if name.startswith("on") or name == "style"]
            links.extend(value or "" for name, value in attrs if name in ("href", "src"))

    Elements().feed(text)
    assert tags.count("script") == 2
    assert not {"img", "evil", "iframe", "form"} & set(tags) - {"form"}
    assert all(link.startswith("#") or link == "data:," for link in links)
    assert embedded(text)["schema_version"] == 1


def safe_json(text: str) -> None:
    assert json.loads(text)["schema_version"] == 1


def safe_jsonl(text: str) -> None:
    first, *rows = text.removesuffix("\n").split("\n")
    assert json.loads(first)["type"] == "run"
    assert [json.loads(row)["type"] for row in rows] == ["location"] * 2


def safe_csv(text: str) -> None:
    rows = list(csv.reader(io.StringIO(text), strict=True))
    assert len(rows) == 3
    assert len({len(row) for row in rows}) == 1
    assert not [cell for row in rows for cell in row if cell.startswith(FORMULA)]


def safe_markdown(text: str) -> None:
    """Only our own fold is HTML; no link, image, emphasis or heading but our own."""
    reader = MarkdownIt("commonmark").enable(["table", "strikethrough"])
    kinds: list[str] = []
    plain: list[str] = []
    for token in reader.parse(text):
        kinds.append(token.type)
        if token.type == "html_block":
            for line in token.content.splitlines():
                assert re.fullmatch(r"(<details><summary>[A-Z][\w, ]*</summary>|</details>)?", line)
        kinds += [child.type for child in token.children or ()]
        plain += [c.content for c in token.children or () if c.type == "text"]
    assert not {"link_open", "image", "html_inline", "s_open", "em_open", "hr"} & set(kinds)
    assert kinds.count("heading_open") == 1
    assert kinds.count("table_open") == 1
    shown = " ".join(plain)
    assert not re.search(r"@\w|#\d|://|www\.|GH-\d", shown)  # GitHub links these after parsing
    assert kinds.count("tr_open") == 3
    assert len(text) < 65_536


def safe_sarif(text: str) -> None:
    jsonschema.Draft202012Validator(SARIF).validate(json.loads(text))


def safe_junit(text: str) -> None:
    whole = ElementTree.fromstring(text)
    tags = {element.tag for element in whole.iter()}
    known = {"testsuites", "testsuite", "testcase", "failure", "error", "skipped", "system-out"}
    assert tags <= known
    assert len(whole.findall("./testsuite/testcase")) == 3


def safe_prometheus(text: str) -> None:
    families = list(text_string_to_metric_families(text))
    lines = [line for line in text.splitlines() if not line.startswith("#")]
    assert {family.name for family in families} <= set(METRICS)
    assert sum(len(family.samples) for family in families) == len(lines)


def safe_nagios(text: str) -> None:
    assert re.fullmatch(r"PROPAGATION [A-Z]+ - [^|\n]* \| locations=\d+ failing=\d+ unknown=\d+\n",
                        text)  # fmt: skip  # a line for each would be a page
    assert len(text) < 2_048


def safe_github(text: str) -> None:
    lines = text.removesuffix("\n").split("\n")
    assert all(WORKFLOW_LINE.fullmatch(line) for line in lines)
    assert len(lines) == 4  # the finding, two rows, the answer
    assert not [line for line in lines if re.search(r"%(?!25|3A|2C)", line)]


SAFE: dict[str, Callable[[str], None]] = {
    "terminal": safe_terminal,
    "html": safe_html,
    "json": safe_json,
    "jsonl": safe_jsonl,
    "csv": safe_csv,
    "markdown": safe_markdown,
    "sarif": safe_sarif,
    "junit": safe_junit,
    "prometheus": safe_prometheus,
    "nagios": safe_nagios,
    "github": safe_github,
}
# Programs read these: JSON keeps every character, escaped where a text may not hold it.
FOR_PROGRAMS = {"json", "jsonl"}


def test_every_installed_format_is_here() -> None:
    assert set(SAFE) == set(format_names())


@pytest.mark.parametrize("name", SAFE)
@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_hostile_text_stays_text(name: str, text: str) -> None:
    written = load_format(name).render(hostile_run(text), {"width": 80})

    written.encode("utf-8")
    if name not in FOR_PROGRAMS:
        allowed = {"\n", "\t"} if name == "html" else {"\n"}
        assert not {c for c in written if unicodedata.category(c) in HIDDEN} - allowed
    SAFE[name](written)


def test_a_number_stays_a_number_where_a_text_gets_its_quote() -> None:
    run = hostile_run("-2+3")
    rows = list(csv.DictReader(io.StringIO(csv_text(run, {}))))

    assert rows[0]["location"] == "'-2+3"
    assert rows[0]["serial"] == "1042"
