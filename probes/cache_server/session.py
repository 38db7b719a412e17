"""A session that keeps the pages' answers, and that knows the cache it talks to or through."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from auditor.contracts import Assignment
from auditor.errors import GuardRefused
from auditor.model import Touch, View
from probes.kit.answer import Answer
from probes.kit.origins import origin_of
from probes.kit.session import GuardedSession, Request

__all__ = ["CacheSession"]


# Of the location's time, how long a page waits for the one before it: a view that hangs must not
# cost the others.
_PATIENCE_SHARE = 0.2


class CacheSession(GuardedSession):
    """Asks for one page after the other, as clients come, and keeps what was answered.

    Asked at once, all of them would miss together where a list of variants is gone, and be given
    new pages, each in the place of the other; after that every client finds the old ones again.

    Attributes:
        answers: of pages, with the view that each was asked in.
    """

    def __init__(self, assignment: Assignment) -> None:
        super().__init__(assignment)
        self.answers: list[tuple[View, Answer]] = []
        self._turn = asyncio.Lock()
        self._patience_s = assignment.location.timeout_s * _PATIENCE_SHARE
        self._named_via = assignment.location.settings.get("via") is not None

    async def get_page(
        self,
        url: str,
        view: View,
        *,
        prefix_bytes: int | None = None,
        address: str | None = None,
    ) -> Answer:
        """Ask for an index page exactly as one client class does.

        Raises:
            ProbeError: as `send`.
        """
        async with self._in_turn():
            answer = await super().get_page(url, view, prefix_bytes=prefix_bytes, address=address)
        self.answers.append((view, answer))
        return answer

    @asynccontextmanager
    async def _in_turn(self) -> AsyncIterator[None]:
        try:
            async with asyncio.timeout(self._patience_s):
                await self._turn.acquire()
        except TimeoutError:
            yield
            return
        try:
            yield
        finally:
            self._turn.release()

    async def _check_file(self, request: Request) -> None:
        """Let safe questions through the proxy that the location names: it is what is asked."""
        if not self._named_via or not request.artifact or request.touch is not Touch.INERT:
            await super()._check_file(request)
            return
        if origin_of(request.url).scheme == "https":
            raise GuardRefused("through a proxy, https is a tunnel: nobody could answer for it")
        await self.refuse_private(request.url)
