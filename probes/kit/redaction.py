"""Secrets never leave: URLs and texts are made safe before they are stored or shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

import msgspec

__all__ = ["REDACTED", "Redactor", "redact_text", "redact_url"]

REDACTED = "REDACTED"

T = TypeVar("T")

# Query parameters that grant access: AWS, Google, Azure and CloudFront signed URLs, and the names
# that private indexes use. A parameter with such a word in its name is hidden, known or not.
_TELLTALE = re.compile(
    r"token|sig|secret|pass|pwd|key|auth|cred|policy|session|jwt|sas", re.IGNORECASE
)
_PARAMETER = re.compile(r"([?&;#]|^)([^=&;#?\s]{1,200})=([^&;#\s\"'<>]*)")
_URL_IN_TEXT = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s\"'<>\\]+")
_AUTHORIZATION = re.compile(
    r"((?:proxy-)?authorization\s*[:=]\s*|\b(?:basic|bearer)\s+)(?:(?:basic|bearer)\s+)?"
    r"[A-Za-z0-9+/=._~-]{6,}",
    re.IGNORECASE,
)
# A hash in a fragment is what pages carry (`#sha256=…`), not a secret.
_HASH_FRAGMENT = re.compile(r"^(sha\d+|sha3_\d+|md5|blake2[bs])=[0-9a-fA-F]+$")
# Replacing a shorter text would garble everything and hide nothing.
_MIN_SECRET_CHARS = 4


def redact_url(url: str) -> str:
    """Return a URL without user info and without the values of parameters that grant access."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _redact_userinfo(_redact_parameters(url))
    netloc = parts.netloc.rpartition("@")[2]
    fragment = parts.fragment
    if fragment and not _HASH_FRAGMENT.match(fragment):
        fragment = _redact_parameters(fragment)
    if (netloc, fragment) == (parts.netloc, parts.fragment) and not parts.query:
        return url
    query = _redact_parameters(parts.query)
    return urlunsplit((parts.scheme, netloc, parts.path, query, fragment))


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without these secrets, in any usual encoding, and with its URLs redacted."""
    return Redactor(secrets).text(text)


class Redactor:
    """Makes texts safe for one location: knows its secrets in every form that could show up."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        forms = {form for secret in secrets for form in _forms(secret)}
        # Longest first: a secret that contains another one must not be cut in two.
        ordered = sorted(forms, key=lambda form: (-len(form), form))
        self._secrets = re.compile("|".join(map(re.escape, ordered))) if ordered else None

    def text(self, text: str) -> str:
        """Make a text safe."""
        text = _URL_IN_TEXT.sub(lambda match: redact_url(match.group()), text)
        text = _AUTHORIZATION.sub(lambda match: match.group(1) + REDACTED, text)
        return self._hide(text)

    def url(self, url: str) -> str:
        """Make a URL safe."""
        return self._hide(redact_url(url))

    def scrub(self, record: T) -> T:
        """Return a record without the secrets, wherever in it a server may have echoed them."""
        if self._secrets is None:
            return record
        return cast(T, self._scrub(record, {}))

    def _scrub(self, value: object, known: dict[int, object]) -> object:
        if isinstance(value, Enum) or value is None:
            return value
        if isinstance(value, str):
            return self._hide(value)
        if isinstance(value, tuple):
            return tuple(self._scrub(item, known) for item in value)
        if isinstance(value, Mapping):
            return {self._scrub(k, known): self._scrub(v, known) for k, v in value.items()}
        if isinstance(value, msgspec.Struct):
            # Views of one location mostly share their candidates.
            if id(value) not in known:
                changes = self._changes(value, value.__struct_fields__, known)
                known[id(value)] = msgspec.structs.replace(value, **changes) if changes else value
            return known[id(value)]
        if is_dataclass(value) and not isinstance(value, type):
            names = tuple(field.name for field in fields(value))
            return replace(value, **self._changes(value, names, known))
        return value

    def _changes(
        self, record: object, names: tuple[str, ...], known: dict[int, object]
    ) -> dict[str, Any]:
        old = {name: getattr(record, name) for name in names}
        new = {name: self._scrub(value, known) for name, value in old.items()}
        return {name: value for name, value in new.items() if value != old[name]}

    def _hide(self, text: str) -> str:
        return self._secrets.sub(REDACTED, text) if self._secrets else text


def _forms(secret: str) -> Iterable[str]:
    if len(secret) < _MIN_SECRET_CHARS:
        return ()
    raw = secret.encode("utf-8", "surrogateescape")
    encoded = base64.b64encode(raw).decode("ascii")
    return (
        *(secret, quote(raw, safe=""), quote(raw), quote_plus(raw)),
        *(encoded, encoded.rstrip("="), base64.urlsafe_b64encode(raw).decode("ascii")),
    )


def _redact_userinfo(text: str) -> str:
    return re.sub(r"(://)[^/\s@]*@", r"\1", text)


def _redact_parameters(query: str) -> str:
    def hidden(match: re.Match[str]) -> str:
        lead, name, value = match.groups()
        return f"{lead}{name}={REDACTED if _TELLTALE.search(name) else value}"

    return _PARAMETER.sub(hidden, query)
