"""PyPI in small, with everything in front of it: delivery network, gateway, attestations, files.

The plain `IndexSite` is what mirrors and caches need of an upstream. This one plays what only an
audit of PyPI itself meets: surfaces that are purged apart, ages that nobody is shown, and networks
whose gateway takes away what would tell them.
"""

from __future__ import annotations

import gzip
import hashlib
import json
from collections.abc import Sequence
from contextlib import AsyncExitStack
from datetime import UTC, datetime
from types import TracebackType

from aiohttp import web

from auditor.lab.artifacts import Artifact
from auditor.lab.catalogue import ProjectState
from auditor.lab.delivery import DeliveryNetwork, Gateway, Variant, without_comment
from auditor.lab.files import FileSite
from auditor.lab.index import EmbeddedIndex
from auditor.lab.negotiation import PYPI_FORMATS, PageFormat, negotiate
from auditor.lab.pages import legacy_page, project_page
from auditor.lab.server import LoopbackServer
from auditor.lab.site import LEGACY_CACHE_CONTROL, SIMPLE_CACHE_CONTROL
from auditor.model import normalise_project

__all__ = ["PUBLISHER", "SmallPypi"]

INTEGRITY_TYPE = "application/vnd.pypi.integrity.v1+json"
PUBLISHER = {"kind": "GitHub", "repository": "brokenpkg/brokenpkg", "workflow": "release.yml"}


class SmallPypi:
    """Two servers on loopback: the index, and the file host.

    Attributes:
        index: the state, to be changed while it serves.
        network: what stands in front; its `stale` objects missed their purge.
        gateway: what a gateway in front leaves.
        attested: whether its files have attestations (PEP 740).
        pages, files: the servers, with their logs.
    """

    def __init__(self, index: EmbeddedIndex | None = None, *, now: datetime | None = None) -> None:
        """Make it without starting it.

        Args:
            index: None: one without any project.
            now: what the clocks of its nodes say, UTC; None: the system's clock, now.
        """
        self.index = index or EmbeddedIndex()
        self.network = DeliveryNetwork(now=now or datetime.now(UTC))
        self.gateway = Gateway.NONE
        self.attested = False
        self.pages = LoopbackServer("pypi", self)
        self.files = LoopbackServer("pypi-files", FileSite(self.index.files))
        self._stack = AsyncExitStack()

    async def __aenter__(self) -> SmallPypi:
        await self._stack.enter_async_context(self.files)
        await self._stack.enter_async_context(self.pages)
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self._stack.aclose()

    def url_of(self, artifact: Artifact) -> str:
        """Return where a file is offered: as with PyPI, not on the host of its pages."""
        return f"{self.files.url}{artifact.path}"

    def routes(self) -> Sequence[web.RouteDef]:
        """Answer GET and HEAD of what an audit asks for."""
        return [
            web.get("/simple/{name}/", self._simple),
            web.get("/simple/", self._root),
            web.get("/pypi/{name}/json", self._legacy),
            web.get("/pypi/{name}/{version}/json", self._legacy),
            web.get("/integrity/{name}/{version}/{file}/provenance", self._provenance),
        ]

    async def _root(self, request: web.Request) -> web.StreamResponse:
        text = json.dumps({"meta": {"api-version": "1.4"}, "projects": []})
        return self._answer(request, text, PageFormat.V1_JSON.content_type, None, None)

    async def _simple(self, request: web.Request) -> web.StreamResponse:
        form = negotiate(request.headers.get("Accept"), PYPI_FORMATS) or PageFormat.HTML
        coded = "gzip" in request.headers.get("Accept-Encoding", "")
        variant = Variant.of(is_json=form.is_json, gzip=coded)
        state = self._state(request, variant)
        text = project_page(state, form, self.url_of)
        if form.is_json and self.attested:
            text = _attested(text, self.pages.url, state)
        return self._answer(request, text, form.content_type, variant, state.serial)

    async def _legacy(self, request: web.Request) -> web.StreamResponse:
        state = self._state(request, Variant.LEGACY)
        text = legacy_page(state, request.match_info.get("version"), self.url_of)
        if text is None:
            raise web.HTTPNotFound(text="404 Not Found")
        return self._answer(request, text, "application/json", Variant.LEGACY, state.serial)

    async def _provenance(self, request: web.Request) -> web.StreamResponse:
        bundle = {"attestations": [], "publisher": PUBLISHER}
        text = json.dumps({"version": 1, "attestation_bundles": [bundle]})
        return self._answer(request, text, INTEGRITY_TYPE, None, None)

    def _state(self, request: web.Request, variant: Variant) -> ProjectState:
        name = normalise_project(request.match_info["name"])
        state = self.network.shown(variant, self.index.project(name))
        if state is None:
            raise web.HTTPNotFound(text="404 Not Found")
        return state

    def _answer(
        self,
        request: web.Request,
        text: str,
        content_type: str,
        variant: Variant | None,
        serial: int | None,
    ) -> web.StreamResponse:
        if self.gateway is not Gateway.NONE:
            body = _stripped(text, content_type, self.gateway).encode()
            return web.Response(body=body, headers={"Content-Type": content_type})
        body = text.encode()
        legacy = variant is Variant.LEGACY
        headers = {
            "Cache-Control": LEGACY_CACHE_CONTROL if legacy else SIMPLE_CACHE_CONTROL,
            "Content-Type": content_type,
            "ETag": f'"{hashlib.blake2b(body, digest_size=16).hexdigest()}"',
            "Vary": "Accept, Accept-Encoding",
        }
        if serial is not None:
            headers["X-PyPI-Last-Serial"] = str(serial)
        if variant is not None:
            debug = request.headers.get("Fastly-Debug") == "1"
            headers |= self.network.headers(variant, debug=debug)
        if "gzip" in request.headers.get("Accept-Encoding", ""):
            body = gzip.compress(body, mtime=0)
            headers["Content-Encoding"] = "gzip"
        return web.Response(body=body, headers=headers)


def _attested(text: str, root: str, state: ProjectState) -> str:
    """Return a JSON page that announces attestations for every file."""
    page = json.loads(text)
    versions = {file.artifact.filename: file.artifact.version for file in state.files}
    for entry in page["files"]:
        name = entry["filename"]
        entry["provenance"] = f"{root}/integrity/{state.name}/{versions[name]}/{name}/provenance"
    return json.dumps(page)


def _stripped(text: str, content_type: str, gateway: Gateway) -> str:
    if "json" not in content_type:
        return without_comment(text)
    if gateway is Gateway.STRIPS_HEADERS:
        return text
    page = json.loads(text)
    page.pop("last_serial", None)
    page.get("meta", {}).pop("_last-serial", None)
    return json.dumps(page)
