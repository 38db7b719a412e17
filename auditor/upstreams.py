"""What is gone from every place that a place copies from: known only after those were asked.

After a deletion at the source this is what makes it safe to ask a cache whether it still holds a
broken file (design section 10). Nobody waits for anybody unless something is gone at the source.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable

from auditor.contracts import Hop, SourceFacts
from auditor.model import HeldState, Incident, Location, Observation, PageOutcome
from auditor.model.file_table import lists_version

__all__ = ["Upstreams", "gone_from", "source_facts"]

_GONE = (404, 410)


def gone_from(observation: Observation) -> frozenset[str]:
    """Name the files that a place was asked for, safely, and answered 404 or 410 for.

    A name counts only if that is the answer for each file of that name which is known: what was
    replaced has two, and views that disagree can link different ones.
    """
    asked = {h.filename for h in observation.holdings if h.answered in _GONE}
    doubtful = {
        h.filename
        for h in observation.holdings
        if h.answered not in _GONE or h.state is not HeldState.NOT_HELD
    }
    urls: dict[str, set[str | None]] = {}
    for page in observation.pages if asked else ():
        for candidate in page.candidates:
            if candidate.filename in asked:
                urls.setdefault(candidate.filename, set()).add(candidate.url)
    doubtful.update(name for name, found in urls.items() if len(found) > 1)
    return frozenset(asked - doubtful)


def source_facts(observation: Observation, incident: Incident) -> SourceFacts:
    """Say what the others are told of the source, once it was looked at."""
    read = [p for p in observation.pages if p.outcome is PageOutcome.OBSERVED]
    lists_fix = any(lists_version(page.candidates, incident.is_named_fixed) for page in read)
    return SourceFacts(
        name=observation.location,
        lists_fix=lists_fix if read else None,
        gone=gone_from(observation),
    )


class Upstreams:
    """Remembers, for one audit, what is gone from where, and lets a place wait for those above it.

    Args:
        locations: of the plan.
        source: the root of the copies; None if there is none.
    """

    def __init__(self, locations: Iterable[Location], source: Location | None) -> None:
        self._by_name = {location.name: location for location in locations}
        self._source = source
        self._above = {location.upstream for location in self._by_name.values()}
        self._hops: dict[tuple[str, str], asyncio.Future[Hop]] = {}

    def saw(self, location: Location, incident: Incident, observation: Observation | None) -> None:
        """Take what was found at a place; None: nothing was."""
        if location.name not in self._above:
            return
        gone = frozenset[str]() if observation is None else gone_from(observation)
        found = self._hop(location.name, incident.id)
        if not found.done():
            found.set_result(Hop(name=location.name, kind=location.kind, gone=gone))

    async def above(self, location: Location, incident: Incident) -> tuple[Hop, ...]:
        """Wait for every place above this one; nearest first, the source last.

        Returns:
            Nothing at once if the chain is not declared up to the source, or if nothing of this
            incident is gone from the source.
        """
        names = self._chain(location)
        if not names or not (await asyncio.shield(self._hop(names[-1], incident.id))).gone:
            return ()
        return tuple([await asyncio.shield(self._hop(name, incident.id)) for name in names])

    def forget(self, incident: Incident) -> None:
        """Drop what is known of an incident that nobody is looked at for any more."""
        for name in self._above:
            self._hops.pop((name or "", incident.id), None)

    def give_up(self) -> None:
        """Let nobody wait any longer, because somebody has failed."""
        for found in self._hops.values():
            found.cancel()

    def _hop(self, name: str, incident_id: str) -> asyncio.Future[Hop]:
        key = name, incident_id
        if key not in self._hops:
            self._hops[key] = asyncio.get_running_loop().create_future()
        return self._hops[key]

    def _chain(self, location: Location) -> tuple[str, ...]:
        """Name the places above, up to the source; nothing if they do not lead there."""
        names: list[str] = []
        above = self._by_name.get(location.upstream or "")
        while above is not None and above.name not in names:
            names.append(above.name)
            above = self._by_name.get(above.upstream or "")
        is_whole = self._source is not None and names[-1:] == [self._source.name]
        return tuple(names) if is_whole else ()
