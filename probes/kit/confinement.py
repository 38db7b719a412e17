"""Where the answers of one location may lead: never nearer than the location is itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from auditor.errors import GuardRefused
from probes.kit.answer import Answer
from probes.kit.origins import origin_of
from probes.kit.proxies import Proxies
from probes.kit.reach import Reach, farthest_of, reach_of

if TYPE_CHECKING:
    from probes.kit.transport import Transports

__all__ = ["Confinement"]


class Confinement:
    """Decides for each URL that a server names; names are decided when they are connected to.

    A name can be given another address whenever it is looked up. Therefore no lookup decides here:
    the connections are told how near the host may be, and go by the address that they are made to.

    Args:
        url: of the location; None: it has none.
        proxies: which its requests go through.
    """

    def __init__(self, url: str | None, proxies: Proxies) -> None:
        self._own = origin_of(url).host if url else ""
        self._proxies = proxies
        self._own_reach: Reach | None = None

    def noted(self, answer: Answer) -> Answer:
        """Remember how far the location was once: its name may stand for what is nearer later."""
        reach = reach_of(answer.peer) if answer.peer else None
        if reach is not None and origin_of(answer.url).host == self._own:
            self._own_reach = max(reach, self._own_reach or reach)
        return answer

    async def apply(self, target: str, answer: Answer | None, transports: Transports) -> None:
        """Confine the host of a URL to what is no nearer than whoever names it.

        Args:
            target: the URL.
            answer: which names it; None: one of the location.
            transports: that would connect to it.

        Raises:
            GuardRefused: the host is an address, and too near.
        """
        host = origin_of(target).host
        direct = self._proxies.to(target) is None  # else the proxy resolves the name
        if host == self._own:
            if direct and self._own_reach is not None:
                transports.confine(target, self._own_reach)
            return
        named = reach_of(host)
        if named is None and not direct:
            return
        nearest = await self._reach_of_whoever_names_it(answer)
        if named is not None and named < nearest:
            raise GuardRefused(
                f"what is {nearest.words} leads to the private host {host[:100]}, which is "
                f"{named.words}: it was not asked"
            )
        transports.confine(target, nearest)

    async def _reach_of_whoever_names_it(self, answer: Answer | None) -> Reach:
        seen = reach_of(answer.peer) if answer is not None and answer.peer else self._own_reach
        return await farthest_of(self._own) if seen is None else seen
