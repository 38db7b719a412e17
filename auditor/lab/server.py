"""An HTTP server on an ephemeral loopback port that writes down every request it answers."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Protocol

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

__all__ = ["Intercept", "LoggedRequest", "LoopbackServer", "Site"]

LOOPBACK = "127.0.0.1"

# The headers that decide which page a client gets, or that tell which client it was.
LOGGED_HEADERS = (
    "accept",
    "accept-encoding",
    "authorization",
    "cache-control",
    "if-none-match",
    "range",
    "user-agent",
)

# Handlers still running when the server stops get this long before they are cancelled.
SHUTDOWN_TIMEOUT_S = 0.1

Intercept = Callable[[web.Request], Awaitable[web.StreamResponse | None]]


class Site(Protocol):
    """Something that answers requests: a set of index pages, a file host."""

    def routes(self) -> Sequence[web.RouteDef]:
        """Return what it answers."""
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class LoggedRequest:
    """One line of an access log.

    Attributes:
        method: such as `GET`.
        path: as sent, with the query.
        status: of the answer; None if the client went away before there was one.
        headers: those of `LOGGED_HEADERS` that were sent; names in lower case.
    """

    method: str
    path: str
    status: int | None
    headers: Mapping[str, str]

    @property
    def is_artifact(self) -> bool:
        """Whether it asked for an artifact, by any method. A metadata sidecar is none."""
        path = self.path.partition("?")[0]
        return path.startswith("/packages/") and not path.endswith(".metadata")


class LoopbackServer:
    """One server with its own port, and so its own host as far as clients can tell.

    Attributes:
        name: of the location it plays.
        log: every request answered so far, in order of the answers.
        intercept: asked before the sites; what it returns is the answer, unless it is None. For
            faults: 401, slow answers, bytes that are no page.
    """

    def __init__(self, name: str, *sites: Site) -> None:
        self.name = name
        self.log: list[LoggedRequest] = []
        self.intercept: Intercept | None = None
        self._sites = sites
        self._runner: web.AppRunner | None = None
        self._port = 0

    @property
    def url(self) -> str:
        """Its root, without a slash at the end. Known once it is started."""
        return f"http://{LOOPBACK}:{self._port}"

    @property
    def simple_url(self) -> str:
        """What one would give to `pip --index-url`."""
        return f"{self.url}/simple/"

    def file_requests(self) -> list[LoggedRequest]:
        """Every request for an artifact, by whatever method."""
        return [entry for entry in self.log if entry.is_artifact]

    async def start(self) -> None:
        """Listen on a free port."""
        app = web.Application(middlewares=[self._middleware()])
        for site in self._sites:
            app.add_routes(site.routes())
        self._runner = web.AppRunner(app, access_log=None, shutdown_timeout=SHUTDOWN_TIMEOUT_S)
        await self._runner.setup()
        await web.TCPSite(self._runner, LOOPBACK, 0).start()
        self._port = int(self._runner.addresses[0][1])

    async def stop(self) -> None:
        """Close the port and every connection. Stopping twice is harmless."""
        if self._runner is not None:
            await self._runner.cleanup()
            self._runner = None

    async def __aenter__(self) -> LoopbackServer:
        await self.start()
        return self

    async def __aexit__(
        self,
        exc_type: type[BaseException] | None,
        exc: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        await self.stop()

    def _middleware(self) -> Middleware:
        @web.middleware
        async def recording(request: web.Request, handler: Handler) -> web.StreamResponse:
            status: int | None = None
            try:
                answer = await self.intercept(request) if self.intercept else None
                answer = answer or await handler(request)
                status = answer.status
            except web.HTTPException as refusal:
                status = refusal.status
                raise
            finally:
                self.log.append(_logged(request, status))
            return answer

        return recording


def _logged(request: web.Request, status: int | None) -> LoggedRequest:
    headers = {name: request.headers[name] for name in LOGGED_HEADERS if name in request.headers}
    return LoggedRequest(
        method=request.method, path=request.raw_path, status=status, headers=headers
    )
