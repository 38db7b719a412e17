"""Lays what the command line says over a document, so that one way leads to the plan."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.config.addresses import absolute_path
from auditor.config.document import Document
from auditor.config.environment import from_text
from auditor.config.kinds import RESERVED_KINDS
from auditor.config.lines import KeyPath
from auditor.config.values import split_userinfo
from auditor.errors import ConfigError, UsageError
from auditor.model import Role

__all__ = ["Question", "apply_question", "location_element"]

_LOCATION_SYNTAX = "write [NAME:]KIND=LOCATOR, such as simple=https://pypi.example/simple/"

# Index kinds that are found on disk as well as over HTTP.
_KINDS_WITH_PATH = frozenset({"bandersnatch", "wheelhouse"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """The part of the command line that a configuration file could say as well.

    Attributes:
        project: its name; None: the file's incidents are meant.
        broken, fixed: versions or specifiers.
        locations: `[NAME:]KIND=LOCATOR`, as typed.
        audit: keys of `[audit]` to the option that sets them and its text.
    """

    project: str | None = None
    broken: Sequence[str] = ()
    fixed: Sequence[str] = ()
    locations: Sequence[str] = ()
    audit: Mapping[str, tuple[str, str]]


def apply_question(document: Document, question: Question) -> Document:
    """Return a copy with the question's incident instead of the file's, and its locations added.

    Raises:
        UsageError: something is missing; ConfigError with every `--location` that is malformed.
    """
    for key, (option, text) in question.audit.items():
        document = document.with_value("audit", key, from_text(key, text), option)
    if question.project is not None or question.broken or question.fixed:
        document = _with_incident(document.without("incidents"), question)
    return _with_locations(document, question.locations)


def _with_incident(document: Document, question: Question) -> Document:
    if question.project is None:
        raise UsageError("PROJECT is missing; name the project whose release is broken")
    for option, values in (("--broken", question.broken), ("--fixed", question.fixed)):
        if not values and question.project.endswith(".toml"):
            raise UsageError(f"PROJECT: {question.project} is a file; name it with --config")
        if not values:
            sample = "1.2.3" if option == "--broken" else "1.2.4"
            raise UsageError(
                f"{option} is missing; say {option} VERSION, such as {option} {sample}"
            )
    origins: dict[KeyPath, str] = {("project",): "PROJECT"}
    for key, values in (("broken", question.broken), ("fixed", question.fixed)):
        origins[(key,)] = f"--{key}"
        origins.update({(key, index): f"--{key}" for index in range(len(values))})
    element = {
        "project": question.project,
        "broken": list(question.broken),
        "fixed": list(question.fixed),
    }
    return document.with_element("incidents", element, "the command line", origins)


def _with_locations(document: Document, texts: Sequence[str]) -> Document:
    problems: list[str] = []
    for text in texts:
        try:
            element = location_element(text)
        except ValueError as error:
            problems.append(f"--location {_without_secret(text)}: {error}")
            continue
        document = document.with_element(
            "locations", element, f"--location {_without_secret(text)}"
        )
    if problems:
        raise ConfigError(problems)
    return document


def location_element(text: str) -> Mapping[str, object]:
    """Split at the first `=`, then at the last `:` before it. Raises ValueError."""
    label, separator, locator = text.partition("=")
    if not separator:
        raise ValueError(f"has no '='; {_LOCATION_SYNTAX}")
    name, colon, kind = label.rpartition(":")
    if not kind.strip():
        raise ValueError(f"names no kind; {_LOCATION_SYNTAX}")
    if colon and not name.strip():
        raise ValueError(f"has an empty name; {_LOCATION_SYNTAX}")
    if not locator.strip():
        raise ValueError(f"says nowhere where it is; {_LOCATION_SYNTAX}")
    element: dict[str, object] = {"kind": kind.strip(), **_place(kind.strip(), locator.strip())}
    return {"name": name.strip(), **element} if colon else element


def _place(kind: str, locator: str) -> Mapping[str, object]:
    if kind == "s3" and not locator.lower().startswith("s3://"):
        raise ValueError(
            "names no bucket; write s3=s3://BUCKET/PREFIX, and a server that is not Amazon's as "
            "endpoint_url in a configuration file"
        )
    if "://" in locator or locator.startswith("file:") or _must_be_url(kind, locator):
        return {"url": locator}
    return {"path": absolute_path(locator, None)}


def _must_be_url(kind: str, locator: str) -> bool:
    """A server's address without a scheme would pass for a path; the message should say so."""
    is_server = RESERVED_KINDS.get(kind) is Role.INDEX and kind not in _KINDS_WITH_PATH
    return is_server and not locator.startswith(("/", ".", "~")) and not Path(locator).exists()


def _without_secret(text: str) -> str:
    """Return an option as it may be shown: no login, and nothing that could be a token."""
    label, separator, locator = text.partition("=")
    if "://" in label or "@" in label:  # the kind was forgotten, and the "=" is one of its query
        label, separator, locator = "", "", text
    try:
        clean = split_userinfo(locator if "://" in locator else f"//{locator}")[0]
    except ValueError:
        return label
    shown = clean if "://" in locator else clean.removeprefix("//")
    return f"{label}{separator}{re.split(r'[?#]', shown, maxsplit=1)[0]}"
