"""The one place where text from elsewhere is made safe for each output.

File names, yank reasons, header values and URLs are chosen by whoever runs the server. They may
hold terminal escape sequences, direction overrides that turn a name around on screen
("Trojan Source", CVE-2021-42574), markup, or a million characters. For people such characters are
made visible; for JSON only what is no valid text is replaced.
"""

from __future__ import annotations

import re
import unicodedata

__all__ = ["MAX_CHARS", "json_in_html", "json_text", "one_line", "visible"]

# Long enough for every real file name, URL and reason; PyPI's own cap on a file name is 255.
MAX_CHARS = 2_000

# Categories (UAX #44) that show nothing or change how their neighbours are shown: controls,
# format characters (all direction marks are Cf), surrogates, private use, line separators.
_INVISIBLE = frozenset({"Cc", "Cf", "Cs", "Co", "Cn", "Zl", "Zp"})
_SURROGATE = re.compile("[\ud800-\udfff]")
# What could end or alter a script element, or end a line of JavaScript source (HTML 13.2.5.17).
_HTML_IN_JSON = str.maketrans(
    {
        "<": "\\u003c",
        ">": "\\u003e",
        "&": "\\u0026",
        "\u2028": "\\u2028",
        "\u2029": "\\u2029",
    }
)


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
    """Return the text safe for a terminal and without line breaks, which become spaces."""
    return visible(text.replace("\n", " "), limit)


def json_text(text: str) -> str:
    """Return JSON text that can be encoded: lone surrogates are written out as their escape."""
    return _SURROGATE.sub(lambda found: f"\\\\u{ord(found.group()):04x}", text)


def json_in_html(text: str) -> str:
    """Return JSON text that cannot end the script element it is put into."""
    return json_text(text).translate(_HTML_IN_JSON)


def _shown(char: str, keep: str) -> str:
    if char in keep or unicodedata.category(char) not in _INVISIBLE:
        return char
    return f"\\u{{{ord(char):x}}}"
