"""Secrets never leave: URLs and texts are made safe before they are stored or shown."""

from __future__ import annotations

import base64
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields, is_dataclass, replace
from enum import Enum
from functools import lru_cache
from operator import is_
from typing import Any, TypeVar, cast
from urllib.parse import quote, quote_plus, urlsplit, urlunsplit

import msgspec

from auditor.model.file_table import FileTable

__all__ = ["REDACTED", "Redactor", "redact_text", "redact_url"]

REDACTED = "REDACTED"

T = TypeVar("T")

# Query parameters that grant access: AWS, Google, Azure and CloudFront signed URLs, and the names
# that private indexes use. A parameter with such a word in its name is hidden, known or not.
_TELLTALES = (
    *("token", "sig", "secret", "pass", "pwd", "key", "auth", "cred", "policy", "session"),
    *("jwt", "sas"),
)
# An address of a megabyte has room for 200,000 parameters: those that are hidden already, and those
# that tell nothing, are passed over by the pattern itself.
_GRANTING = re.compile(
    rf"([?&;#]|^)(?=[^=&;#?\s]{{0,200}}?(?:{'|'.join(_TELLTALES)}))([^=&;#?\s]{{1,200}}+)="
    rf"(?!{REDACTED.lower()}(?:[&;#\s\"'<>]|\Z))[^&;#\s\"'<>]*+"
)
# Those beyond ASCII that are the same as these but for their case, or were taken for them.
_LETTERS_LIKE_ASCII = {
    "\N{LATIN SMALL LETTER LONG S}": "s",
    "\N{KELVIN SIGN}": "k",
    "\N{LATIN SMALL LETTER DOTLESS I}": "i",
    "\N{LATIN CAPITAL LETTER I WITH DOT ABOVE}": "i",  # the only one whose lower case is longer
}
_URL_IN_TEXT = re.compile(r"\b[a-zA-Z][a-zA-Z0-9+.-]{0,20}://[^\s\"'<>\\]+")
_AUTHORIZATION = re.compile(
    r"((?:proxy-)?authorization\s*[:=]\s*|\b(?:basic|bearer)\s+)(?:(?:basic|bearer)\s+)?"
    r"[A-Za-z0-9+/=._~-]{6,}",
    re.IGNORECASE,
)
_LOGIN_WORDS = ("authorization", "basic", "bearer")  # one of which that pattern begins with
# What is hidden may let the next secret be seen for what it is.
_PASSES = 8
# A hash in a fragment is what pages carry (`#sha256=…`), not a secret.
_HASH_FRAGMENT = re.compile(r"^(sha\d+|sha3_\d+|md5|blake2[bs])=[0-9a-fA-F]+$")
# Replacing a shorter text would garble everything and hide nothing.
_MIN_SECRET_CHARS = 4
# Longer texts are not remembered once they were made safe.
_MAX_KEPT_CHARS = 1000
_ESCAPE_SIGNS = ("%", "&", "\\")
_CUT = "…"  # how a shortened text ends
# The five that `html.escape` and its like write.
_NAMED = {"&": ("amp",), "<": ("lt",), ">": ("gt",), '"': ("quot",), "'": ("apos",)}


@lru_cache(maxsize=4096)
def redact_url(url: str) -> str:
    """Return a URL without user info and without the values of parameters that grant access."""
    for _ in range(_PASSES):
        before, (url, is_whole) = url, _redacted_once(url)
        if is_whole or url == before:
            break
    return url


def _redacted_once(url: str) -> tuple[str, bool]:
    """Return what is left of a URL, and whether nothing in it can be seen for a secret by now."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return _redact_what_is_no_url(url), False
    netloc = parts.netloc.rpartition("@")[2]
    # Without a host, what looks like its path would take the place of it.
    if not netloc and (parts.netloc or parts.path.startswith("//")):
        return _redact_what_is_no_url(url), False
    fragment = parts.fragment
    if fragment and not _HASH_FRAGMENT.match(fragment):
        fragment = _redact_parameters(fragment)
    query = _redact_parameters(parts.query) if parts.query else ""
    if (netloc, query, fragment) == (parts.netloc, parts.query, parts.fragment):
        return url, True
    safe = urlunsplit((parts.scheme, netloc, parts.path, query, fragment))
    return safe, netloc == parts.netloc


def redact_text(text: str, secrets: Iterable[str] = ()) -> str:
    """Return a text without these secrets, in any usual encoding, and with its URLs redacted."""
    return Redactor(secrets).text(text)


class Redactor:
    """Makes texts safe for one location: knows its secrets in every form that could show up."""

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        # Longest first: a secret that contains another one must not be cut in two.
        known = sorted({s for s in secrets if len(s) >= _MIN_SECRET_CHARS}, key=lambda s: -len(s))
        forms = {form for secret in known for form in _forms(secret)}
        self._forms = tuple(sorted(forms, key=lambda form: (-len(form), form)))
        self._secrets = re.compile("|".join(map(re.escape, self._forms))) if known else None
        self._known = known
        self._escaped: re.Pattern[str] | None = None

    @property
    def knows_secrets(self) -> bool:
        """Whether there is anything to hide that does not show by its form."""
        return self._secrets is not None

    def text(self, text: str) -> str:
        """Make a text safe."""
        often = len(text) <= _MAX_KEPT_CHARS
        return self._hide(_known_telltales(text) if often else _without_telltales(text))

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
        if isinstance(value, FileTable):
            return self._scrub_files(value, known)
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

    def _scrub_files(self, files: FileTable, known: dict[int, object]) -> object:
        """As `_scrub`; views that share their files share what becomes of them."""
        if id(files) not in known:
            whole = files.whole()
            scrubbed = tuple(self._scrub(file, known) for file in whole)
            known[id(files)] = files if all(map(is_, scrubbed, whole)) else scrubbed
        return known[id(files)]

    def _changes(
        self, record: object, names: tuple[str, ...], known: dict[int, object]
    ) -> dict[str, Any]:
        old = {name: getattr(record, name) for name in names}
        new = {name: self._scrub(value, known) for name, value in old.items()}
        return {name: value for name, value in new.items() if value != old[name]}

    def _hide(self, text: str) -> str:
        if self._secrets is None:
            return text
        text = self._secrets.sub(REDACTED, text)
        if any(sign in text for sign in _ESCAPE_SIGNS):
            # Slow to make and slow to use, and mostly not needed.
            if self._escaped is None:
                self._escaped = re.compile("|".join(map(_escaped_pattern, self._known)))
            text = self._escaped.sub(REDACTED, text)
        return self._without_cut_secret(text) if text.endswith(_CUT) else text

    def _without_cut_secret(self, text: str) -> str:
        """Hide what is left of a secret at the end of a text that was shortened before."""
        kept = text.removesuffix(_CUT)
        longest = max(
            (n for form in self._forms for n in _common_lengths(kept, form)),
            default=0,
        )
        return f"{kept[:-longest]}{REDACTED}{_CUT}" if longest else text


@lru_cache(maxsize=1024)
def _known_telltales(text: str) -> str:
    """Remember what is short: the same header values come from everywhere."""
    return _without_telltales(text)


def _without_telltales(text: str) -> str:
    """Hide what shows by its form that it grants access, whoever's it is."""
    if "://" in text:
        text = _URL_IN_TEXT.sub(lambda match: redact_url(match.group()), text)
    # The pattern is slow, and ignores case in more alphabets than ours.
    if text.isascii() and not any(word in text.lower() for word in _LOGIN_WORDS):
        return text
    return _AUTHORIZATION.sub(lambda match: match.group(1) + REDACTED, text)


def _common_lengths(text: str, form: str) -> Iterator[int]:
    """Yield how long the beginnings of a form are that a text ends with."""
    for length in range(_MIN_SECRET_CHARS, len(form)):
        if text.endswith(form[:length]):
            yield length


def _forms(secret: str) -> Iterator[str]:
    """Yield a secret as it is, and in each form that does not encode it sign by sign."""
    raw = secret.encode("utf-8", "surrogateescape")
    yield from (secret, quote(raw, safe=""), quote(raw), quote_plus(raw))
    yield from (raw.hex(), raw.hex().upper())
    # aiohttp sends the login of a proxy in Latin-1.
    for coded in {raw, secret.encode("latin-1", "ignore")}:
        for encode in (base64.b64encode, base64.urlsafe_b64encode):
            encoded = encode(coded).decode("ascii")
            yield from (f for f in (encoded, encoded.rstrip("=")) if len(f) >= _MIN_SECRET_CHARS)


def _escaped_pattern(secret: str) -> str:
    """Match a secret of which any sign may be escaped, in URLs (twice too), HTML or JSON."""
    return "".join(map(_escaped_sign, secret))


@lru_cache(maxsize=1024)
def _escaped_sign(sign: str) -> str:
    raw = sign.encode("utf-8", "surrogateescape")
    units = sign.encode("utf-16-be", "surrogatepass")
    code = ord(sign)
    ways = [
        re.escape(sign),
        "".join(f"%(?:25)*(?i:{byte:02x})" for byte in raw),
        f"&#0*{code};?",
        f"&#[xX]0*(?i:{code:x});?",
        "".join(
            rf"\\u(?i:{unit.hex()})" for unit in (units[i : i + 2] for i in range(0, len(units), 2))
        ),
        "".join(rf"\\x(?i:{byte:02x})" for byte in raw),
    ]
    ways += [f"&{name};?" for name in _NAMED.get(sign, ())]
    if sign in "/\"'\\":
        ways.append(re.escape(f"\\{sign}"))
    if sign == " ":
        ways.append(r"\+")
    return f"(?:{'|'.join(ways)})"


def _redact_what_is_no_url(url: str) -> str:
    # Blanks are part of it: all of this was taken for one address.
    bare = re.sub(r"((?:^|:)/{2,})(?:[^/@]*@/*)+", r"\1", url)
    if bare != url:
        return bare  # which may be one now, and is looked at again
    path, sign, query = bare.partition("?")
    return _redact_parameters(path) + sign + _redact_parameters(query)


def _redact_parameters(query: str) -> str:
    lowered = query
    if not query.isascii():
        for letter, plain in _LETTERS_LIKE_ASCII.items():
            lowered = lowered.replace(letter, plain)
    lowered = lowered.lower()  # which has as many characters now
    # Most have no such word at all, and looking for each takes a tenth of the pattern's time.
    if not any(word in lowered for word in _TELLTALES):
        return query
    parts, done = list[str](), 0
    for parameter in _GRANTING.finditer(lowered):
        parts += (query[done : parameter.end(2)], f"={REDACTED}")
        done = parameter.end()
    return "".join((*parts, query[done:]))
