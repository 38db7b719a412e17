"""One request for all incidents of a project that need its answer: asked once, shown to each.

Several incidents about one project read the same pages. Whoever needs an answer first asks for it;
the others take what came back, with the requests that were made for it and whose they are. Nothing
is shared between locations: each has secrets, connections and caches of its own.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, replace
from typing import TypeAlias

from auditor.contracts import Ledger
from auditor.errors import ProbeError, Unreachable
from auditor.model import RequestRecord
from probes.kit.answer import Answer
from probes.kit.request import Request

__all__ = ["AnsweredOnce", "Key"]

# The location, what is asked, and the how-manieth time it is asked for one incident: asking again
# asks the server again.
Key: TypeAlias = tuple[str, Request, int]
Ask: TypeAlias = Callable[[Ledger], Awaitable[Answer]]


@dataclass(frozen=True, slots=True)
class _Came:
    """What came back, or why nothing did, and what was sent for it."""

    answer: Answer | None
    fault: ProbeError | None
    incident: str
    records: tuple[RequestRecord, ...]


class AnsweredOnce:
    """The answers to requests about one project, while any of its incidents is looked at."""

    def __init__(self) -> None:
        self._known: dict[Key, asyncio.Future[_Came | None]] = {}

    async def answer(
        self, key: Key, ask: Ask, ledger: Ledger, *, incident: str, timeout_s: float
    ) -> Answer:
        """Return the answer to a request, sending it only if nobody has.

        A failure is shared with those who waited while it happened; whoever comes later asks again.

        Args:
            key: of the request.
            ask: sends the request, writing what was sent into the ledger that it is given.
            ledger: of the incident that wants the answer.
            incident: its id.
            timeout_s: how long it may wait for another one's answer.

        Raises:
            ProbeError: as `ask`, or no answer came in time.
        """
        try:
            async with asyncio.timeout(timeout_s) as limit:
                while (known := self._known.get(key)) is not None:
                    # Whoever asked may give up, and is no reason for the others to do so.
                    came = await asyncio.shield(known)
                    if came is not None:
                        return _taken(came, ledger, incident)
                limit.reschedule(None)  # a request of its own has its own limits
                return await self._ask(key, ask, ledger, incident)
        except TimeoutError as error:
            text = "another incident's request for the same page was not answered in time"
            raise Unreachable(text, connected=False) from error

    async def _ask(self, key: Key, ask: Ask, ledger: Ledger, incident: str) -> Answer:
        coming = self._known[key] = asyncio.get_running_loop().create_future()
        own = Ledger()
        came: _Came | None = None
        try:
            answer = await ask(own)
            came = _Came(answer, None, incident, own.records())
            return answer
        except ProbeError as error:
            came = _Came(None, error, incident, own.records())
            raise
        finally:
            for record in own.records():
                ledger.write(record)
            if came is None or came.answer is None:
                del self._known[key]
            coming.set_result(came)


def _taken(came: _Came, ledger: Ledger, incident: str) -> Answer:
    """Write down whose requests they were, and hand out what came of them."""
    made_for = None if came.incident == incident else came.incident
    if made_for is not None:
        for record in came.records:
            ledger.write(replace(record, made_for=made_for))
    if came.answer is None:
        raise came.fault or Unreachable("no answer", connected=False)
    return replace(came.answer, made_for=made_for)
