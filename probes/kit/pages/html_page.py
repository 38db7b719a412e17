"""Index pages in HTML (PEP 503), with the attributes of PEP 592, 629, 658, 708, 740 and 792."""

from __future__ import annotations

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import unquote, urljoin, urlsplit

from selectolax.lexbor import LexborHTMLParser

from auditor.errors import Malformed
from auditor.model import Candidate, Yank, normalise_project
from auditor.model.filename import version_in
from probes.kit.pages import fields
from probes.kit.pages.anchors import AnchorColumns, Attributes, plain_anchors
from probes.kit.pages.html_block import find_block
from probes.kit.pages.html_tags import check_attributes, is_usual, only_index_markup
from probes.kit.pages.html_text import check_ending, check_hidden_anchors, to_utf8
from probes.kit.pages.json_entry import note_odd_egg
from probes.kit.pages.links import BadLink, FileLink, LinkReader
from probes.kit.pages.parsed import (
    CHUNK_ENTRIES,
    MAX_ENTRIES,
    PIP_STOPS,
    FaultLog,
    ParsedPage,
    excerpt,
)

__all__ = ["parse_html"]

# What distributions were ever called. pip installs fewer; the others are listed and lose.
_INSTALLABLE = (".whl", ".tar.gz", ".zip", ".tgz", ".tar", ".tar.bz2", ".tbz", ".tar.xz", ".txz")
_LEGACY = (".egg", ".exe", ".msi", ".rpm", ".deb", ".dmg", ".tar.z", ".tar.lzma", ".tar.lz", ".tlz")
_FILE_ENDINGS = _INSTALLABLE + _LEGACY
_YANKED = "data-yanked"
_FILE_ATTRIBUTES = frozenset({"data-requires-python", _YANKED, "data-core-metadata"})

_INDEX_HEADING = re.compile(r"\b(?:links for|simple (?:package )?index)\b", re.IGNORECASE)
_H1 = re.compile(rb"<h1(?:\s[^<>]*)?>([^<>]{1,300})", re.IGNORECASE)
_HEADING_NAME = re.compile(r"\blinks for\s+(\S+)", re.IGNORECASE)
# nginx, Apache, lighttpd and caddy write the former, Python's http.server the latter.
_DIRECTORY_HEADING = re.compile(
    r"\s*(?:index of|directory listing for)\s+(/?\S+)\s*", re.IGNORECASE
)
# Whole documents in which nothing stands: no login form, no notice of a proxy.
_EMPTY_PAGE = re.compile(
    rb"\s*+(?:<!doctype[^<>]*+>\s*+)?+<html[^<>]*+>\s*+(?:<head>\s*+</head>\s*+)?+"
    rb"<body>\s*+</body>\s*+</html>\s*+",
    re.IGNORECASE,
)
# Written by PyPI and bandersnatch behind the end of the page.
_SERIAL = re.compile(rb"<!--\s*SERIAL\s+([0-9]{1,30})\s*-->")
_SERIAL_TAIL_BYTES = 512


def parse_html(
    body: bytes, *, url: str, project: str, charset: str | None, faults: FaultLog
) -> ParsedPage:
    """Read a page in HTML.

    Args:
        charset: as the Content-Type names it; None if it names none.

    Raises:
        Malformed: it is a web page that is no index, or of another major API version.
    """
    page = to_utf8(body, charset, faults)
    check_ending(page, faults)
    block = find_block(page)
    around = page if block is None else block.rest
    usual = is_usual(around)
    markup = only_index_markup(around, usual=usual)
    tree = LexborHTMLParser(markup)
    meta = _meta(tree)
    api_version = fields.check_api_version(_first(meta, "repository-version"), faults)
    anchors = [node.attributes for node in tree.css("a")]
    check_hidden_anchors(around, len(anchors), faults)
    others = sum(len(node.attributes) for node in tree.css(":not(a):not(br)"))
    check_attributes(markup, anchors, others, faults, usual=usual)
    links = _links(tree, url, len(page), faults)
    if block is None:
        candidates = _candidates(anchors, links, project, faults)
    else:
        candidates = _candidates_of_block(block.anchors, links, project, faults)
    _check_base(links, faults)
    headings = _headings(tree, around)
    seen = markup if block is None else page
    if "repository-version" not in meta and not _is_index(candidates, headings, seen, project):
        raise Malformed(
            "this URL answers a web page that is no index"
            f" ({excerpt(' / '.join(headings)) or 'no title'}): "
            "look at it in a browser; it may be a login page or a proxy's notice"
        )
    status, reason = _status(meta, faults)
    serial = _serial(page, faults)
    name = fields.check_name(_name(headings), project, faults)
    tracks = fields.read_texts(meta.get("tracks"), "tracks", faults)
    alternates = fields.read_texts(meta.get("alternate-locations"), "alternate-locations", faults)
    return ParsedPage(
        candidates=tuple(candidates),
        faults=faults.faults(),
        complete=not faults.loses_entry,
        project_status=status,
        project_status_reason=reason,
        versions=None,
        api_version=api_version,
        serial=serial,
        name=name,
        tracks=tracks or (),
        alternate_locations=alternates or (),
        depends_on_url=links.used_base or tree.css_first("base[href]") is not None,
    )


def _meta(tree: LexborHTMLParser) -> dict[str, list[str]]:
    """Collect `<meta name="pypi:KEY" content="…">`."""
    found: dict[str, list[str]] = {}
    for node in tree.css("meta[name]"):
        name = node.attributes.get("name") or ""
        content = node.attributes.get("content")
        if name.startswith("pypi:") and content is not None:
            found.setdefault(name.removeprefix("pypi:"), []).append(content)
    return found


def _first(meta: dict[str, list[str]], key: str) -> str | None:
    return meta.get(key, [None])[0]


def _headings(tree: LexborHTMLParser, page: bytes) -> list[str]:
    """Return title and first heading. (`only_index_markup` may have removed the latter's tags.)"""
    title, heading = tree.css_first("title"), _H1.search(page)
    texts = [title.text(strip=True)[:300]] if title is not None else []
    return texts + ([unescape(heading[1].decode("utf-8", "replace"))] if heading else [])


def _links(tree: LexborHTMLParser, url: str, page_bytes: int, faults: FaultLog) -> LinkReader:
    """Return the reader of this page's addresses, which `<base>` may change."""
    bases = (node.attributes.get("href") for node in tree.css("base[href]"))
    href = next((href for href in bases if href is not None), None)
    if not href:
        return LinkReader(url, page_bytes=page_bytes)
    try:
        base, relative = urljoin(url, href), _scheme(href) == ""
        return LinkReader(base, relative_base=relative, page_bytes=page_bytes)
    except ValueError:
        faults.lost("page", f"{PIP_STOPS}: its <base> is no URL", href)
        return LinkReader(url, page_bytes=page_bytes)


def _scheme(url: str) -> str:
    return urlsplit(url).scheme


def _check_base(links: LinkReader, faults: FaultLog) -> None:
    """Note files that pip cannot fetch, because it does not resolve a relative `<base>`."""
    if links.relative_base:
        note = faults.lost if links.used_base else faults.detail
        note("page", "its <base> is relative; pip does not resolve it")


def _candidates(
    anchors: list[Attributes], links: LinkReader, project: str, faults: FaultLog
) -> list[Candidate]:
    candidates: list[Candidate] = []
    for start, stop in _chunks(len(anchors), faults):
        chunk = anchors[start:stop]
        is_plain = not any(_YANKED in anchor and anchor[_YANKED] is None for anchor in chunk)
        plain = plain_anchors(AnchorColumns.of(chunk), links, project) if is_plain else None
        candidates += plain or _read_anchors(chunk, start, links, project, faults)
    return candidates


def _candidates_of_block(
    anchors: AnchorColumns, links: LinkReader, project: str, faults: FaultLog
) -> list[Candidate]:
    candidates: list[Candidate] = []
    for start, stop in _chunks(len(anchors.href), faults):
        chunk = anchors.part(start, stop)
        plain = plain_anchors(chunk, links, project)
        candidates += plain or _read_anchors(chunk.attributes(), start, links, project, faults)
    return candidates


def _chunks(anchors: int, faults: FaultLog) -> Iterator[tuple[int, int]]:
    """Yield where each chunk of so many anchors starts and stops."""
    if anchors > MAX_ENTRIES:
        faults.lost("anchors", f"{anchors} anchors; only the first {MAX_ENTRIES} were read")
    for start in range(0, min(anchors, MAX_ENTRIES), CHUNK_ENTRIES):
        yield start, min(start + CHUNK_ENTRIES, anchors, MAX_ENTRIES)


def _read_anchors(
    anchors: list[Attributes], start: int, links: LinkReader, project: str, faults: FaultLog
) -> list[Candidate]:
    """Read anchors one by one; `start` is the position of the first one on the page."""
    read = (
        _read_anchor(attributes, index, links, project, faults)
        for index, attributes in enumerate(anchors, start)
    )
    return [candidate for candidate in read if candidate is not None]


def _read_anchor(
    attributes: Attributes, index: int, links: LinkReader, project: str, faults: FaultLog
) -> Candidate | None:
    """Read one anchor; None if it is a way to somewhere else, as on every web page."""
    href = attributes.get("href")
    if not href:
        if _claims_to_be_a_file(attributes):
            faults.lost(f"anchors[{index}]", "it has no href", str(attributes))
        return None
    try:
        link = links.read(href)
    except BadLink as error:
        # `mailto:` and the like are no files; an address that ends like one may be.
        if (
            error.stops_pip
            or _claims_to_be_a_file(attributes)
            or _looks_like_a_file(href.partition("?")[0])
        ):
            faults.lost(f"anchors[{index}]", str(error), href)
        return None
    version = version_in(link.filename, project)
    if not (
        version is not None
        or link.hashes
        or link.bad_hash
        or link.egg
        or _looks_like_a_file(link.filename)
        or _claims_to_be_a_file(attributes)
    ):
        return None
    note_odd_egg(link, project, faults)
    return _candidate(attributes, link, version, faults)


def _claims_to_be_a_file(attributes: Attributes) -> bool:
    return not _FILE_ATTRIBUTES.isdisjoint(attributes)


def _looks_like_a_file(text: str) -> bool:
    return text.partition("#")[0].lower().endswith(_FILE_ENDINGS)


def _candidate(
    attributes: Attributes, link: FileLink, version: str | None, faults: FaultLog
) -> Candidate:
    def note(problem: str, seen: object) -> None:
        faults.detail(link.filename, problem, seen)

    if link.bad_hash:
        note("the hash in its URL is no digest", link.bad_hash)
    yanked, reason = _yank(attributes, note)
    return Candidate(
        filename=link.filename,
        version=version,
        url=link.url,
        hashes=link.hashes,
        yanked=yanked,
        yank_reason=reason,
        requires_python=fields.read_requires_python(
            attributes.get("data-requires-python"), note, stops=note
        ),
        has_metadata=_has_metadata(attributes),
        provenance=fields.read_provenance(attributes.get("data-provenance"), note),
    )


def _yank(attributes: Attributes, note: fields.Note) -> tuple[Yank, str | None]:
    """Read `data-yanked` (PEP 592): that it is there is what counts, its text is the reason."""
    if "data-yanked" not in attributes:
        return Yank.NO, None
    text = attributes["data-yanked"]
    if text is None:
        # To PEP 592 this file is yanked; pip 26.3 overlooks an attribute without `=`.
        note("its data-yanked has no value; pip reads that as not yanked, others may not", "")
        return Yank.NO, None
    return Yank.YES, fields.read_reason(text, note)


def _has_metadata(attributes: Attributes) -> bool:
    """Read `data-core-metadata`, else its older name (PEP 714): `true` or `algorithm=digest`.

    As in pip, every value but none announces the sidecar.
    """
    older = attributes.get("data-dist-info-metadata")
    return older is not None or attributes.get("data-core-metadata") is not None


def _is_index(
    candidates: list[Candidate], headings: list[str], markup: bytes, project: str
) -> bool:
    """Say whether this is an index page, perhaps of a project without files.

    A login page or a captive portal must not be taken for "the project has no files", so that one
    of these is demanded: the meta element of PEP 629, the heading that index servers write, a file
    of this project, a link with a hash, the heading of a directory listing of this project (what
    Apache and nginx show after a deletion), or no content whatever.
    """
    return (
        any(_INDEX_HEADING.search(heading) for heading in headings)
        or any(candidate.version is not None or candidate.hashes for candidate in candidates)
        or any(_lists_directory(heading, project) for heading in headings)
        or _EMPTY_PAGE.fullmatch(markup) is not None
    )


def _lists_directory(heading: str, project: str) -> bool:
    match = _DIRECTORY_HEADING.match(heading)
    directory = unquote(match[1]).rstrip("/").rpartition("/")[2] if match else ""
    return normalise_project(directory) == normalise_project(project)


def _name(headings: list[str]) -> str | None:
    for heading in headings:
        if match := _HEADING_NAME.search(heading):
            return match[1]
    return None


def _status(meta: dict[str, list[str]], faults: FaultLog) -> tuple[str | None, str | None]:
    def note(problem: str, seen: object) -> None:
        faults.detail("page", problem, seen)

    reason = _first(meta, "project-status-reason")
    return (
        fields.read_status(_first(meta, "project-status"), faults),
        fields.read_reason(reason, note) if reason else None,
    )


def _serial(page: bytes, faults: FaultLog) -> int | None:
    found = _SERIAL.findall(page[-_SERIAL_TAIL_BYTES:])
    return fields.read_serial(found[-1].decode("ascii"), faults) if found else None
