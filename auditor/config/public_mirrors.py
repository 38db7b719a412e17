"""The public mirrors of PyPI, for `--public-mirrors`, and the dead ones that nobody should name.

What is known of them is data with a date and a source, `public_mirrors.toml` beside this module; a
file of the same form replaces it (`[audit] public_mirrors_file`).
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Annotated, Literal, TypeVar
from urllib.parse import urlsplit

from auditor.config.addresses import check_http_url
from auditor.config.checking import (
    AfterValidator,
    Field,
    Table,
    TableError,
    check,
    keys_of,
)
from auditor.config.document import Document, parse_document, read_document
from auditor.config.lines import KeyPath
from auditor.config.problems import Problems
from auditor.config.schema import Duration, Name, Texts
from auditor.config.suggest import did_you_mean
from auditor.config.tables import raw_elements

__all__ = [
    "ORIGIN",
    "MirrorTable",
    "PublicMirrors",
    "RetiredTable",
    "add_public_mirrors",
    "read_public_mirrors",
    "retired_notes",
]

ORIGIN = "--public-mirrors"
_SHIPPED = "public_mirrors.toml"
_SUFFIX = "(public mirror)"
_TABLES = ("list", "mirrors", "retired")
_COUNTRY = re.compile("[A-Z]{2}")

T = TypeVar("T", bound=Table)


def _http_url(value: str) -> str:
    check_http_url(value)
    if "@" in value:
        raise ValueError("a public mirror needs no login; remove what stands before '@'")
    return value


def _country(value: str) -> str:
    if not _COUNTRY.fullmatch(value):
        raise ValueError(f"{value!r} is no country; write the two letters of ISO 3166, such as CN")
    return value


Country = Annotated[str, AfterValidator(_country)]
HttpUrl = Annotated[str, AfterValidator(_http_url)]


class ListTable(Table):
    """`[list]`.

    Attributes:
        reviewed: when the list as a whole was last gone through.
        valid_days: after which its users are told that it is old.
        expected_lag: seconds that a mirror may normally be behind, unless it says otherwise.
    """

    reviewed: date
    valid_days: Annotated[int, Field(ge=1)] = 365
    expected_lag: Duration = 86400.0


class MirrorTable(Table):
    """`[[mirrors]]`.

    Attributes:
        name, operator: who runs it.
        country: two letters (ISO 3166).
        url: what one would give to pip; None: no such address is published.
        page: what to read about it; None: nothing.
        aliases: other addresses of the same mirror.
        software: as far as known, "" if not.
        json: whether it has JSON pages; `project` if only a project's page.
        kind: of the location.
        expected_lag: seconds that it may normally be behind; None: as the list says.
        asked: whether it is a place to look at.
        why: why not.
        redirects_to: which mirror it sends its users to; None: to none.
        source: who says so.
        as_of: to which day the source speaks; None: it has no date.
    """

    name: Name
    operator: str
    country: Country
    url: HttpUrl | None = None
    page: HttpUrl | None = None
    aliases: tuple[HttpUrl, ...] = ()
    software: str = ""
    json: Literal["yes", "no", "project", "unknown"] = "unknown"
    kind: str = "simple"
    expected_lag: Duration | None = None
    asked: bool = True
    why: str = ""
    redirects_to: str | None = None
    source: str
    as_of: date | None = None


class RetiredTable(Table):
    """`[[retired]]`.

    Attributes:
        name: who ran it.
        addresses: hosts, each perhaps with the beginning of a path.
        since: when it ended; None if not known.
        source: who says so.
        as_of: to which day the source speaks; None: it has no date.
    """

    name: Name
    addresses: Texts
    since: date | None = None
    source: str
    as_of: date | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class PublicMirrors:
    """The list.

    Attributes:
        about: its age.
        mirrors, retired: what it names.
    """

    about: ListTable
    mirrors: tuple[MirrorTable, ...]
    retired: tuple[RetiredTable, ...]


def read_public_mirrors(path: Path | None = None) -> PublicMirrors:
    """Read the list that is shipped, or another one in its place.

    Raises:
        ConfigError: it cannot be read, with everything that is wrong.
    """
    if path is not None:
        return _checked(read_document(path))
    return _checked(parse_document(_shipped(), name=_SHIPPED))


def _shipped() -> str:
    return Path(__file__).with_name(_SHIPPED).read_text(encoding="utf-8")


def _checked(document: Document) -> PublicMirrors:
    problems = Problems(document)
    for name in document.data:
        if name not in _TABLES:
            hint = did_you_mean(name, _TABLES) or f"remove it; known: {', '.join(_TABLES)}"
            problems.add((name,), f"unknown table; {hint.rstrip()}")
    about = _table(("list",), ListTable, document.data.get("list", {}), problems)
    mirrors = tuple(_tables(document, "mirrors", MirrorTable, problems))
    retired = tuple(_tables(document, "retired", RetiredTable, problems))
    for index, mirror in enumerate(mirrors):
        if mirror.asked and mirror.url is None:
            problems.add(("mirrors", index), "is to be asked, but has no url; add url or asked")
    for name, count in Counter(mirror.name for mirror in mirrors).items():
        if count > 1:
            problems.add(("mirrors",), f"{name!r} is named twice; count each mirror once")
    problems.raise_all()
    if about is None:  # pragma: no cover  # for mypy: that would have been a problem
        raise AssertionError
    return PublicMirrors(about=about, mirrors=mirrors, retired=retired)


def _tables(document: Document, name: str, model: type[T], problems: Problems) -> Iterator[T]:
    for index, value in enumerate(raw_elements(document, name)):
        if table := _table((name, index), model, value, problems):
            yield table


def _table(path: KeyPath, model: type[T], value: object, problems: Problems) -> T | None:
    try:
        return check(model, value)
    except TableError as error:
        problems.add_invalid(path, error, {str(path[0]): keys_of(model)})
        return None


def add_public_mirrors(
    document: Document, public: PublicMirrors, today: date
) -> tuple[Document, tuple[str, ...]]:
    """Return the document with the mirrors as locations, and notes on what was left out and why."""
    source = _source_name(document)
    taken = set(_hosts(document))
    notes = [*_age(public, today)]
    if source is None:
        notes.append(
            "public mirrors: no location is their source, so that nothing says what they should "
            'have; add one of kind "pypi"'
        )
    notes += _left_out(public)
    for mirror in public.mirrors:
        if not mirror.asked or mirror.url is None:
            continue
        hosts = {_host(url) for url in (mirror.url, *mirror.aliases)}
        if hosts & taken:
            notes.append(f"not added: {mirror.name}: a location names it already")
            continue
        taken |= hosts
        element = _element(mirror, public.about, source)
        document = document.with_element("locations", element, ORIGIN)
    return document, tuple(notes)


def _left_out(public: PublicMirrors) -> Iterator[str]:
    """Say which mirrors are no places to look at, those with the same reason together."""
    reasons: dict[str, list[str]] = {}
    for mirror in public.mirrors:
        if not mirror.asked:
            reasons.setdefault(mirror.why or "the list says so", []).append(mirror.name)
    for why, names in reasons.items():
        yield f"public mirrors not looked at: {', '.join(names)}: {why}"


def _element(mirror: MirrorTable, about: ListTable, source: str | None) -> Mapping[str, object]:
    lag = about.expected_lag if mirror.expected_lag is None else mirror.expected_lag
    element: dict[str, object] = {
        "name": f"{mirror.name} {_SUFFIX}",
        "kind": mirror.kind,
        "url": mirror.url,
        "expected_lag": lag,
        "required": False,
    }
    return element if source is None else {**element, "upstream": source}


def _age(public: PublicMirrors, today: date) -> Iterator[str]:
    about = public.about
    if today > about.reviewed + timedelta(days=about.valid_days):
        yield (
            f"the list of public mirrors is of {about.reviewed}, and may be wrong by now; name a "
            "newer one with public_mirrors_file"
        )


def retired_notes(path: Path | None, places: Iterable[tuple[str, str | None]]) -> tuple[str, ...]:
    """Say of which locations the address is that of a mirror that has ended.

    Args:
        path: of the list; None: the shipped one.
        places: name and URL of each location.

    Raises:
        ConfigError: the list cannot be read, with everything that is wrong.
    """
    places = [(name, url) for name, url in places if url]
    named = [(name, url) for name, url in places if url]
    if path is None:
        # Parsing the list takes longer than all else that a small configuration needs.
        text = _shipped()
        named = [(name, url) for name, url in named if _host(url) in text]
        if not named:
            return ()
    public = read_public_mirrors(path)
    ended = [(address, each) for each in public.retired for address in each.addresses]
    return tuple(
        f"{name}: {address} was the mirror of {each.name}, which has ended"
        f"{f' on {each.since}' if each.since else ''} ({each.source}); remove it, also from the "
        "configuration of your installers"
        for name, url in named
        for address, each in ended
        if _is_at(url, address)
    )


def _is_at(url: str, address: str) -> bool:
    host, _, path = address.partition("/")
    rest = urlsplit(url).path.strip("/")
    return _host(url) == host and f"{rest}/".startswith(f"{path}/" if path else "")


def _source_name(document: Document) -> str | None:
    """Name the place that the mirrors copy: what other locations copy, else that of kind `pypi`.

    As `auditor.verdict.context.find_source` will, so that adding mirrors changes no source.
    """
    tables = [each for each in raw_elements(document, "locations") if isinstance(each, dict)]
    links = {_name(each): str(each["upstream"]) for each in tables if "upstream" in each}
    roots = Counter(_root(name, links) for name in links)
    if roots:
        order = [*map(_name, tables), *roots]
        return min(roots, key=lambda name: (-roots[name], order.index(name)))
    return next((_name(each) for each in tables if each.get("kind") == "pypi"), None)


def _root(name: str, links: Mapping[str, str]) -> str:
    seen = {name}
    while name in links and links[name] not in seen:
        name = links[name]
        seen.add(name)
    return name


def _name(table: Mapping[str, object]) -> str:
    return str(table.get("name", table.get("kind")))


def _hosts(document: Document) -> Iterator[str]:
    for each in raw_elements(document, "locations"):
        if isinstance(each, dict) and isinstance(each.get("url"), str):
            yield _host(each["url"])


def _host(url: str) -> str:
    try:
        return (urlsplit(url).hostname or "").rstrip(".")
    except ValueError:
        return ""
