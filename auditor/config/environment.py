"""Values of `[audit]` that stand in environment variables: `AUDITOR_TIMEOUT_S` and its like."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.config.checking import keys_of
from auditor.config.document import Document
from auditor.config.schema import AuditTable

__all__ = ["VARIABLE_PREFIX", "apply_environment", "from_text"]

VARIABLE_PREFIX = "AUDITOR_"

# Keys whose text stays text, whatever it looks like.
_TEXT_KEYS = frozenset({"contact", "history", "public_mirrors_file"})


def apply_environment(document: Document, environ: Mapping[str, str]) -> Document:
    """Return a copy in which the variables win over the file."""
    for key in keys_of(AuditTable):
        name = f"{VARIABLE_PREFIX}{key.upper()}"
        if value := environ.get(name):
            document = document.with_value("audit", key, from_text(key, value), name)
    return document


def from_text(key: str, text: str) -> object:
    """Give a text the type that TOML would have given it; the schema judges the result."""
    if key in _TEXT_KEYS:
        return text
    if key == "fail_on":
        return [word.strip() for word in text.split(",") if word.strip()]
    try:
        return int(text)
    except ValueError:
        return text
