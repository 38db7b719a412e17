"""The index pages of one server: simple pages in every form, and PyPI's legacy JSON."""

from __future__ import annotations

import gzip
import hashlib
from collections.abc import Callable, Sequence

from aiohttp import web

from auditor.lab.artifacts import Artifact
from auditor.lab.catalogue import ProjectState
from auditor.lab.index import PageSource
from auditor.lab.negotiation import PYPI_FORMATS, Formats, PageFormat, negotiate
from auditor.lab.pages import UrlOf, legacy_page, project_page, root_page
from auditor.model import normalise_project

__all__ = ["IndexSite", "Spoil", "relative_url"]

# PyPI's lifetimes for clients, in seconds.
SIMPLE_CACHE_CONTROL = "max-age=600, public"
LEGACY_CACHE_CONTROL = "max-age=900, public"

Spoil = Callable[[str, PageFormat], str]


def relative_url(artifact: Artifact) -> str:
    """Where a file is, seen from the simple page of a project on the same host."""
    return f"../..{artifact.path}"


class IndexSite:
    """Serves `/simple/` and, if told to, `/pypi/`."""

    def __init__(
        self,
        source: PageSource,
        *,
        url_of: UrlOf = relative_url,
        formats: Formats = PYPI_FORMATS,
        legacy: bool = False,
        spoil: Spoil | None = None,
    ) -> None:
        """Make it.

        Args:
            source: what is shown to whom.
            url_of: where a file is offered.
            formats: the forms of its simple pages.
            legacy: whether it has PyPI's legacy JSON.
            spoil: last hand on the text of a project's page; None: leave it whole.
        """
        self._source = source
        self._url_of = url_of
        self._formats = formats
        self._legacy = legacy
        self._spoil = spoil

    def routes(self) -> Sequence[web.RouteDef]:
        """Answer GET and HEAD of the pages, with and without the slash at the end."""
        simple = [
            web.get("/simple", _add_slash),
            web.get("/simple/", self._root),
            web.get("/simple/{name}", _add_slash),
            web.get("/simple/{name}/", self._project),
        ]
        legacy = [
            web.get("/pypi/{name}/json", self._legacy_page),
            web.get("/pypi/{name}/{version}/json", self._legacy_page),
        ]
        return [*simple, *legacy] if self._legacy else simple

    def _form(self, request: web.Request) -> PageFormat:
        # A plus sign in a query means a space, but nobody who writes `format=…+json` means that.
        wanted = request.query.get("format", "").replace(" ", "+")
        form = negotiate(request.headers.get("Accept"), self._formats, wanted=wanted)
        if form is None:
            raise web.HTTPNotAcceptable(text="This index answers in another form only (PEP 691).")
        return form

    async def _root(self, request: web.Request) -> web.StreamResponse:
        form = self._form(request)
        text = root_page(self._source.projects(), self._source.serial, form)
        return _page(request, text, form.content_type, self._source.serial)

    async def _project(self, request: web.Request) -> web.StreamResponse:
        name = request.match_info["name"]
        form = self._form(request)
        state = self._state(request, form)
        if name != state.name:
            raise web.HTTPMovedPermanently(f"/simple/{state.name}/{_query(request)}")
        text = project_page(state, form, self._url_of)
        text = self._spoil(text, form) if self._spoil else text
        return _page(request, text, form.content_type, state.serial)

    async def _legacy_page(self, request: web.Request) -> web.StreamResponse:
        state = self._state(request, PageFormat.V1_JSON)
        version = request.match_info.get("version")
        name = request.match_info["name"]
        if name != state.name:
            tail = f"{version}/json" if version else "json"
            raise web.HTTPMovedPermanently(f"/pypi/{state.name}/{tail}")
        text = legacy_page(state, version, self._url_of)
        if text is None:
            raise _not_found()
        return _page(request, text, "application/json", state.serial, legacy=True)

    def _state(self, request: web.Request, form: PageFormat) -> ProjectState:
        name = normalise_project(request.match_info["name"])
        state = self._source.project(name, form, request.headers.get("Accept", ""))
        if state is None:
            raise _not_found()
        return state


async def _add_slash(request: web.Request) -> web.StreamResponse:
    raise web.HTTPMovedPermanently(f"{request.path}/{_query(request)}")


def _query(request: web.Request) -> str:
    return f"?{request.query_string}" if request.query_string else ""


def _not_found() -> web.HTTPException:
    return web.HTTPNotFound(text="404 Not Found")


def _page(
    request: web.Request,
    text: str,
    content_type: str,
    serial: int | None,
    *,
    legacy: bool = False,
) -> web.StreamResponse:
    """Answer with a page: compressed if the client can, 304 if it has this very one."""
    body = text.encode()
    headers = {
        "Cache-Control": LEGACY_CACHE_CONTROL if legacy else SIMPLE_CACHE_CONTROL,
        "Content-Type": content_type,
        "Vary": "Accept-Encoding" if legacy else "Accept, Accept-Encoding",
    }
    if serial is not None:
        headers["X-PyPI-Last-Serial"] = str(serial)
    if _accepts_gzip(request.headers.get("Accept-Encoding", "")):
        body = gzip.compress(body, mtime=0)
        headers["Content-Encoding"] = "gzip"
    # A strong validator: each encoding is a representation of its own (RFC 9110, section 8.8.3).
    headers["ETag"] = etag = f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"'
    if _matches(request.headers.get("If-None-Match", ""), etag):
        headers.pop("Content-Encoding", None)
        return web.Response(status=304, headers=headers)
    return web.Response(body=body, headers=headers)


def _accepts_gzip(accept_encoding: str) -> bool:
    for entry in accept_encoding.lower().split(","):
        coding, _, weight = entry.partition(";")
        if coding.strip() == "gzip":
            return weight.replace(" ", "") not in ("q=0", "q=0.0", "q=0.00", "q=0.000")
    return False


def _matches(if_none_match: str, etag: str) -> bool:
    """Compare weakly, as If-None-Match wants it (RFC 9110, section 13.1.2)."""
    given = {entry.strip().removeprefix("W/") for entry in if_none_match.split(",")}
    return "*" in given or etag in given
