"""Reads the README as data: sections, tables and code blocks."""

from __future__ import annotations

import re
from pathlib import Path

README = Path(__file__).parents[2] / "README.md"


def section(heading: str, text: str | None = None) -> str:
    """Return what stands under a heading, up to the next one of its level or above."""
    whole = text if text is not None else README.read_text(encoding="utf-8")
    found = re.search(rf"^(#+) {re.escape(heading)}\n", whole, re.MULTILINE)
    assert found, f"the README has no heading {heading!r}"
    rest = whole[found.end() :]
    level = len(found.group(1))
    # A `#` inside a code block is a comment, no heading.
    end = None
    fenced = False
    for line in re.finditer(r"^.*$", rest, re.MULTILINE):
        if line.group().startswith("```"):
            fenced = not fenced
        elif not fenced and re.match(rf"#{{1,{level}}} ", line.group()):
            end = line.start()
            break
    return rest[:end]


def rows(heading: str) -> list[list[str]]:
    """Return the cells of the first table under a heading, without its head."""
    lines = [line for line in section(heading).splitlines() if line.startswith("|")]
    cells = [[cell.strip() for cell in line.strip("|").split("|")] for line in lines]
    return cells[2:]


def names(heading: str) -> list[str]:
    """Return every name in backticks in the first column of a table."""
    return [name for row in rows(heading) for name in re.findall(r"`([^`]+)`", row[0])]


def blocks(language: str, heading: str) -> list[str]:
    """Return the code blocks of a language under a heading."""
    return re.findall(rf"^```{language}\n(.*?)^```", section(heading), re.MULTILINE | re.DOTALL)


def commands() -> list[str]:
    """Return every `auditor …` line of every shell block, continuation lines joined."""
    text = README.read_text(encoding="utf-8")
    shell = re.findall(r"^```(?:sh|console)\n(.*?)^```", text, re.MULTILINE | re.DOTALL)
    lines = "\n".join(shell).replace("\\\n", " ").splitlines()
    stripped = (re.sub(r"^\$ ", "", line.strip()) for line in lines)
    return [line for line in stripped if line.startswith("auditor ")]
