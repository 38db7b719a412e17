"""The one place where text from elsewhere is made safe for each output.

File names, yank reasons, header values and URLs are chosen by whoever runs the server. They may
hold terminal escape sequences, direction overrides that turn a name around on screen
("Trojan Source", CVE-2021-42574), markup, or a million characters. For people such characters are
made visible; for JSON only what is no valid text is replaced.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = [
    "MAX_CHARS",
    "csv_cell",
    "json_text",
    "label_value",
    "markdown",
    "markdown_code",
    "markdown_fence",
    "one_line",
    "visible",
    "workflow_message",
    "workflow_property",
]

# Long enough for every real file name, URL and reason; PyPI's own cap on a file name is 255.
MAX_CHARS = 2_000

# Categories (UAX #44) that show nothing or change how their neighbours are shown: controls,
# format characters (all direction marks are Cf), surrogates, private use, line separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SURROGATE = re.compile("[\ud800-\udfff]")
# As the runner reads them: https://github.com/actions/runner, `ActionCommand.TryParseV2` and
# `TryParse`.
_LOG_COMMAND = re.compile(r"::(?=[A-Za-z][\w-]*(?:\s[^:]*)?::)|##\[")
# What spreadsheets take for a formula at the start of a cell, the full-width forms included
# (https://owasp.org/www-community/attacks/CSV_Injection).
_FORMULA = frozenset("=+-@\t\r＝＋－＠")
_MARKDOWN = re.compile(r"([\\`*_\[\]<>&~|$]|:(?=[a-z+_-][\w+-]*:))")
# What opens a heading, a list or an underline, if a text begins with it.
_MARKDOWN_START = re.compile(r"^(?=[#+=>-])|^(\d{1,9})(?=[.)](?:\s|$))")
# Words that GitHub turns into a mention, a reference or a link; inside a code span it leaves them.
_LINKED = re.compile(r"@|#\d|://|www\.|\bGH-\d|mailto:|xmpp:", re.IGNORECASE)


def visible(text: str, limit: int = MAX_CHARS, keep: str = "") -> str:
    """Return the text with every character that hides or moves others written as `\\u{202e}`.

    Args:
        text: from anywhere.
        limit: characters kept; what is cut is counted at the end.
        keep: characters to leave as they are, such as a newline in an excerpt.
    """
    kept = text if len(text) <= limit else text[:limit]
    if not kept.isascii() or not kept.isprintable():
        kept = "".join(_shown(char, keep) for char in kept)
    dropped = len(text) - limit
    return f"{kept}… ({dropped:,} more characters)" if dropped > 0 else kept


def one_line(text: str, limit: int = MAX_CHARS) -> str:
    """Return the text safe for a terminal or a log, without line breaks, which become spaces.

    A log may be that of a GitHub workflow, which takes `::error::…` at the start of any line and
    `##[error]…` anywhere for a command: these are broken by a space.
    """
    shown = visible(text.replace("\n", " "), limit)
    return _LOG_COMMAND.sub(lambda found: f"{found.group()[0]} {found.group()[1:]}", shown)


def json_text(text: str) -> str:
    """Return JSON text that can be encoded: lone surrogates are written out as their escape."""
    return _SURROGATE.sub(lambda found: f"\\\\u{ord(found.group()):04x}", text)


def _shown(char: str, keep: str) -> str:
    if char in keep or unicodedata.category(char) not in _INVISIBLE:
        return char
    return f"\\u{{{ord(char):x}}}"


def csv_cell(text: str, limit: int = MAX_CHARS) -> str:
    """Return one line that no spreadsheet takes for a formula: such a text gets a quote in front.

    A leading tab or carriage return is judged before it is made visible: then it is no danger.
    """
    risky = text[:1] in _FORMULA
    shown = one_line(text, limit)
    return f"'{shown}" if risky or shown[:1] in _FORMULA else shown


def label_value(text: str, limit: int = MAX_CHARS) -> str:
    """Return the value of a Prometheus label, escaped as its text format demands (0.0.4)."""
    shown = one_line(text, limit)
    return shown.replace("\\", "\\\\").replace('"', '\\"')


def markdown(text: str, limit: int = MAX_CHARS) -> str:
    """Return the text as Markdown that shows it: nothing in it is markup, mention or link."""
    shown = " ".join(_markdown_word(word) for word in one_line(text, limit).split())
    return _MARKDOWN_START.sub(r"\1\\", shown)


def _markdown_word(word: str) -> str:
    if not _LINKED.search(word):
        return _MARKDOWN.sub(r"\\\1", word)
    bare = word.rstrip(".,;:)") or word
    return markdown_code(bare) + _MARKDOWN.sub(r"\\\1", word[len(bare) :])


def markdown_code(text: str, limit: int = MAX_CHARS) -> str:
    """Return a code span (CommonMark 0.31 section 6.1), also fit for the cell of a table."""
    shown = one_line(text, limit).replace("|", "¦").strip()
    if not shown:
        return ""
    fence = "`" * (_longest_run(shown) + 1)
    pad = " " if shown.startswith("`") or shown.endswith("`") else ""
    return f"{fence}{pad}{shown}{pad}{fence}"


def markdown_fence(text: str, language: str = "", limit: int = MAX_CHARS) -> str:
    """Return a fenced code block (section 4.5) that nothing inside can end."""
    shown = visible(text, limit, keep="\n")
    fence = "`" * max(3, _longest_run(shown) + 1)
    return f"{fence}{language}\n{shown}\n{fence}"


def workflow_message(text: str, limit: int = MAX_CHARS) -> str:
    """Return the message of a GitHub workflow command: on one line, `%` escaped."""
    return one_line(text, limit).replace("%", "%25")


def workflow_property(text: str, limit: int = MAX_CHARS) -> str:
    """Return the value of a workflow command's property: `:` and `,` would end it."""
    return workflow_message(text, limit).replace(":", "%3A").replace(",", "%2C")


def _longest_run(text: str) -> int:
    return max((len(run) for run in re.findall("`+", text)), default=0)
