"""Index pages of every sort, the JSON beside them, and how they are packed on the way."""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator
from contextlib import suppress
from functools import lru_cache
from unittest.mock import patch

import msgspec
import zstandard
from pip._internal.index.collector import IndexContent, parse_links
from pip._internal.models.link import Link

from auditor.errors import Malformed
from auditor.lab.artifacts import Artifact
from auditor.lab.catalogue import ProjectState
from auditor.lab.index import EmbeddedIndex
from auditor.lab.negotiation import PageFormat
from auditor.lab.pages import legacy_page, project_page, root_page
from auditor.lab.story import play
from auditor.model import Yank
from auditor.model.filename import version_in
from probes.devpi_server.client import _token_in
from probes.devpi_server.topology import _read_index, read_status
from probes.kit.answer import Answer, Headers
from probes.kit.decoding import Undecodable, decode
from probes.kit.evidence import EvidenceRecorder
from probes.kit.pages import ParsedPage, html_page, parse_page
from probes.kit.pages.json_page import parse_leniently, parse_typed
from probes.kit.pages.parsed import FaultLog, excerpt
from probes.kit.rootpage import recognise_root
from probes.pypi_surfaces.reading import page_facts, read_legacy, read_provenance
from tests.fuzz.changes import changed_json, changed_lines
from tests.fuzz.target import INCIDENT, NOW, PROJECT, Target

__all__ = ["TARGETS", "pages_of"]

URL = "https://index.example/simple/brokenpkg/"
JSON, HTML = "application/vnd.pypi.simple.v1+json", "text/html"
_DECODED_LIMIT = 64 * 2**20
# pip takes time quadratic in the size of an odd page.
_SMALL_BYTES = 2**14


@lru_cache(maxsize=1)
def _states() -> tuple[ProjectState, ...]:
    index = EmbeddedIndex(clock=lambda: NOW)
    story = play(index, NOW)
    return story.before_yank, story.before_fix, story.fixed


def _url_of(artifact: Artifact) -> str:
    return f"https://files.example/packages/{artifact.filename}#sha256={artifact.sha256}"


def pages_of(form: PageFormat) -> Iterator[bytes]:
    for state in _states():
        yield project_page(state, form, _url_of).encode()
    yield root_page(_states(), 7, form).encode()


def plain_pages() -> Iterator[bytes]:
    """Pages of which every address is plain, so that the quick way goes to its end."""
    name = "brokenpkg-1.2.4-py3-none-any.whl"
    entry = {"filename": name, "hashes": {"sha256": "0" * 64}, "requires-python": ">=3.8"}
    whole = {**entry, "url": f"https://files.example/p/{name}"}
    for files in (
        [{**entry, "url": f"../../packages/{name}"}],
        [{**entry, "url": name}, whole],
        [{**entry, "url": f"{name}#sha256={'0' * 64}"}],
        [{**whole, "provenance": "https://index.example/provenance", "size": 9, "yanked": "why"}],
    ):
        page = {"files": files, "meta": {"api-version": "1.1"}, "name": PROJECT}
        yield json.dumps(page).encode()


def _storable(page: ParsedPage) -> None:
    """Whatever was read can be written down, and faults stay short."""
    msgspec.json.encode([*page.candidates, *page.faults])
    assert len(page.faults) <= 1000
    if page.complete:
        assert not any(fault.loses_entry for fault in page.faults)


def read_json(data: bytes) -> None:
    """The quick way and the slow way read the same."""

    def outcome(parse: Callable[..., ParsedPage | None]) -> object:
        try:
            return parse(data, url=URL, project=PROJECT, faults=FaultLog())
        except Malformed as error:
            return str(error)

    fast, slow = outcome(parse_typed), outcome(parse_leniently)
    assert fast is None or fast == slow
    _storable(parse_page(data, url=URL, content_type=JSON, project=PROJECT))


_COMPARED_BYTES = 2**19


def read_html(data: bytes) -> None:
    """A list read as such is what the tree of the same page says."""
    quick = _html(data)
    if len(data) <= _COMPARED_BYTES:  # a second is for one reading
        assert quick == _html_as_tree(data)
    if isinstance(quick, str):
        raise Malformed(quick)
    _storable(quick)


def _html(data: bytes) -> ParsedPage | str:
    try:
        return parse_page(data, url=URL, content_type=HTML, project=PROJECT)
    except Malformed as error:
        return str(error)


def _html_as_tree(data: bytes) -> ParsedPage | str:
    with patch.object(html_page, "find_block", return_value=None):
        return _html(data)


def _by_pip(data: bytes, content_type: str) -> list[Link] | None:
    """What pip reads; None where it ends with an error."""
    content = IndexContent(data, content_type, None, URL, cache_link_parsing=False)
    try:
        return list(parse_links(content))
    except Exception:  # noqa: BLE001  # what pip raises on an odd page is no closed set
        return None


def like_pip(data: bytes) -> None:
    """Every release that pip sees on a page that we call complete is one that we see."""
    for content_type in (JSON, HTML) if len(data) < _SMALL_BYTES else ():
        try:
            page = parse_page(data, url=URL, content_type=content_type, project=PROJECT)
        except Malformed:
            continue
        links = _by_pip(data, content_type) if page.complete else None
        if links is None:
            continue
        ours = {(c.version, c.yanked is not Yank.NO) for c in page.candidates}
        theirs = {(version_in(link.filename, PROJECT), link.is_yanked) for link in links}
        missing = {each for each in theirs - ours if each[0] is not None}
        assert not missing, missing


def listings() -> Iterator[bytes]:
    """Directory listings as web servers write them, odd anchors, and what is no index."""
    wheel = "brokenpkg-1.2.3-py3-none-any.whl"
    yield (
        f"<html><head><title>Index of /p/{PROJECT}/</title></head><body><h1>Index of /p/"
        f'{PROJECT}/</h1><hr><pre><a href="../">../</a>\n<a href="{wheel}">{wheel}</a>'
        "    23-Nov-2026 10:00    1234\n</pre><hr></body></html>"
    ).encode()
    yield f"<h1>Directory listing for /</h1><ul><li><a href='{wheel}'>x</a></ul>".encode()
    yield b"<!DOCTYPE html><html><body><form>Log in</form></body></html>"
    yield (
        f'<html><head><base href="https://b.example/x/"><meta charset="latin-1"></head><body>'
        f'<a href="{wheel}#sha256={"0" * 64}" data-yanked="" data-requires-python="&gt;=3">w</a>'
        "<!--SERIAL 12--></body></html>"
    ).encode()


def read_other(data: bytes) -> None:
    """Legacy JSON, provenance and the root page: surfaces of PyPI beside the simple page."""
    for kind in ("application/json", JSON, HTML):
        answer = _answer(data, kind)
        page_facts(answer)
        recognise_root(200, kind, data)
    for subject in ("", "1.2.3"):
        surface, files = read_legacy(subject, _answer(data, "application/json"), INCIDENT)
        msgspec.json.encode([surface, *files])
    msgspec.json.encode(read_provenance("x.whl", _answer(data, "application/json")))
    assert len(excerpt(data.decode("utf-8", "replace"))) <= 200


def _answer(body: bytes, content_type: str) -> Answer:
    return Answer(
        method="GET",
        sent_headers=(),
        asked_url=URL,
        url=URL,
        status=200,
        headers=Headers((("Content-Type", content_type),)),
        body=body,
        fetched_at=NOW,
    )


def _other_seeds() -> Iterator[bytes]:
    for version in (None, "1.2.3"):
        page = legacy_page(_states()[-1], version, _url_of)
        assert page is not None
        yield page.encode()
    bundle = {"publisher": {"kind": "GitHub", "repository": "x/y"}, "attestations": []}
    yield json.dumps({"version": 1, "attestation_bundles": [bundle]}).encode()
    yield from pages_of(PageFormat.V1_JSON)


def read_devpi(data: bytes) -> None:
    """What devpi says of itself, of an index, and of a login."""
    answer, recorder = _answer(data, "application/json"), EvidenceRecorder()
    refused = 0
    for read in (
        lambda: read_status(answer, recorder),
        lambda: _read_index(answer, "root/pypi", recorder),
        lambda: _token_in(answer),
    ):
        try:
            read()
        except Malformed:
            refused += 1
    msgspec.json.encode(recorder.all())
    if refused == 3:
        raise Malformed("it is nothing of devpi's")


def _devpi_seeds() -> Iterator[bytes]:
    versions = {"devpi-server": "6.17.0"}
    status = {"role": "MASTER", "serial": 3, "versioninfo": versions, "replication-errors": {}}
    index = {
        "type": "mirror",
        "bases": ["root/pypi"],
        "mirror_url": "https://u:p@index.example/simple/",
        "mirror_cache_expiry": 1800,
        "mirror_whitelist": ["*"],
        "volatile": True,
    }
    for result in (status, index, {"password": "token", "expiration": 36000}):
        yield json.dumps({"type": "x", "result": result}).encode()


_CODINGS = ("gzip", "deflate", "zstd", "identity", "br")


def undo_coding(data: bytes) -> None:
    """What comes off the wire unpacks to what was packed, or is refused; never to more."""
    if not data:
        return
    name = _CODINGS[data[0] % len(_CODINGS)]
    body = decode(data[1:], name, limit=_DECODED_LIMIT)
    assert len(body) <= _DECODED_LIMIT
    if name == "gzip" and len(body) < 2**16:
        with suppress(OSError, EOFError, zlib.error):  # it minds what follows the last member
            assert gzip.decompress(data[1:]) == body


def _coding_seeds() -> Iterator[bytes]:
    page = next(pages_of(PageFormat.V1_JSON))
    yield b"\x00" + gzip.compress(page)
    yield b"\x00" + gzip.compress(page[:100]) + gzip.compress(page[100:])
    yield b"\x01" + zlib.compress(page)
    yield b"\x01" + zlib.compress(page)[2:-4]
    yield b"\x02" + zstandard.compress(page)
    yield b"\x03" + page


_JSON_TOKENS = (
    *(b'"files"', b'"filename"', b'"url"', b'"hashes"', b'"yanked"', b'"requires-python"'),
    *(b'"upload-time"', b'"size"', b'"core-metadata"', b'"meta"', b'"api-version"', b"\\ud800"),
    *(b"null", b"1e999", b"[[[[[[[[", b'{"a":{"a":', b"#sha256=", b"../", b"https://[", b"%2F"),
)
_HTML_TOKENS = (
    b"\n" * 40,
    *(b"<a href=", b"</a>", b"<!--", b"-->", b"<base href=", b"<meta name=", b"data-yanked"),
    *(b"data-requires-python", b"#sha256=", b"<script>", b"</title>", b"&#", b"&gt;", b"<h1>"),
    *(b"javascript:", b"data:", b"https://[", b"<!--SERIAL 1-->", b"charset=utf-7", b"\xff\xfe"),
)

TARGETS = (
    Target(
        name="pages.json",
        change=changed_json,
        run=read_json,
        seeds=lambda: [*pages_of(PageFormat.V1_JSON), *plain_pages()],
        refusals=(Malformed,),
        tokens=_JSON_TOKENS,
    ),
    Target(
        name="pages.html",
        change=changed_lines,
        run=read_html,
        seeds=lambda: [*pages_of(PageFormat.HTML), *listings()],
        refusals=(Malformed,),
        tokens=_HTML_TOKENS,
    ),
    Target(
        name="pages.like_pip",
        run=like_pip,
        seeds=lambda: [
            *pages_of(PageFormat.HTML),
            *pages_of(PageFormat.V1_JSON),
            *plain_pages(),
            *listings(),
        ],
        tokens=_HTML_TOKENS,
    ),
    Target(
        name="pages.surfaces",
        change=changed_json,
        run=read_other,
        seeds=_other_seeds,
        tokens=(b'"releases"', b'"urls"'),
    ),
    Target(
        name="pages.devpi",
        change=changed_json,
        run=read_devpi,
        seeds=_devpi_seeds,
        refusals=(Malformed,),
        tokens=_JSON_TOKENS,
    ),
    Target(
        name="pages.coding",
        run=undo_coding,
        seeds=_coding_seeds,
        refusals=(Malformed, Undecodable),
    ),
)
