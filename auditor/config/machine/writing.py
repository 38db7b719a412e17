"""Writes proposed locations as tables of a configuration. Secrets become references."""

from __future__ import annotations

import json
import re
from collections.abc import Collection, Iterator

from auditor.config.machine.proposal import PYPI, Proposal, Proposed

__all__ = ["location_tables"]

_COPIES = frozenset({"simple", "devpi", "nexus", "artifactory", "bandersnatch"})


def location_tables(proposal: Proposal, variables: Collection[str]) -> str:
    """Return the tables, each under a comment that says where its place was found.

    Args:
        proposal: what to write.
        variables: those of the environment that have a value; a reference to another one is
            written as a comment, so that the file can be used as it is.
    """
    has_pypi = any(place.is_pypi for place in proposal.places)
    return "\n".join(
        "\n".join([*_table(place, variables, has_pypi=has_pypi), ""]) for place in proposal.places
    )


def _table(place: Proposed, variables: Collection[str], *, has_pypi: bool) -> Iterator[str]:
    yield "[[locations]]"
    for origin in place.origins:
        yield f"# from {_one_line(origin)}"
    yield f"name = {_text(place.name)}"
    yield f"kind = {_text(place.kind)}{_about_kind(place)}"
    if place.url is not None:
        yield f"url = {_text(place.url)}"
    if place.path is not None:
        yield f"path = {_text(place.path)}"
    if place.upstream is not None:
        yield f"upstream = {_text(place.upstream)}"
    elif has_pypi and not place.is_pypi and place.kind in _COPIES:
        yield f"# upstream = {_text(PYPI)}    # if it copies from there"
    if place.required is False:
        yield "required = false"
    for key, value in place.settings.items():
        yield f"{key} = {'true' if value is True else _text(str(value))}"
    yield from _login(place, variables)


def _about_kind(place: Proposed) -> str:
    if place.is_pypi and place.url is None:
        return "    # no url: the index that pip asks here"
    guessed = place.kind in ("devpi", "nexus", "artifactory") or (
        place.kind == "simple" and place.url is not None
    )
    return "    # guessed by its address; `auditor plugins` lists the kinds" if guessed else ""


def _login(place: Proposed, variables: Collection[str]) -> Iterator[str]:
    """A login that is configured elsewhere, as references to variables."""
    stem = f"INDEX_{re.sub('[^A-Z0-9]+', '_', place.name.upper()).strip('_')}"
    login = place.login
    wanted = [
        ("username", login.username_variable or f"{stem}_USERNAME", login.username),
        ("password", login.password_variable or f"{stem}_PASSWORD", login.password),
    ]
    missing = [name for _, name, is_used in wanted if is_used and name not in variables]
    if missing:
        yield (
            f"# A login is configured there. Export {' and '.join(missing)}, and remove the '#'"
            " below, or put it into your netrc:"
        )
    for key, name, is_used in wanted:
        if is_used:
            yield f"{'# ' if name in missing else ''}{key} = {{env = {_text(name)}}}"
    if place.in_netrc:
        yield "# Your netrc has a login for this host, which is used unless one is named here."


def _text(value: str) -> str:
    # A JSON string is a TOML basic string: https://toml.io/en/v1.0.0#string
    return json.dumps(value, ensure_ascii=False)


def _one_line(text: str) -> str:
    """Keep a comment a comment, whatever the name of a file."""
    return "".join(c if c.isprintable() else "\N{REPLACEMENT CHARACTER}" for c in text)
