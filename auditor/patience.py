"""How often a place that gives no answer is asked again, when there are many incidents.

Each look at a place that hangs takes all of its time. For one incident that is the price; for a
thousand of them it would be hours, and a thousand requests to a server that is in trouble.
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass

from auditor.model import Observation, Outcome

__all__ = ["RETRY_S", "Patience"]

# Looks in a row that got no answer before the next ones are spared; twice as many as are under way
# at a host at once by default, so that one bad moment is not enough.
ENOUGH_LOOKS = 8
# Then the place is tried with one look, once in this time.
RETRY_S = 30.0


@dataclass(slots=True)
class _Silence:
    looks: int = 0
    last: Observation | None = None
    tried_at_s: float = 0.0


class Patience:
    """Remembers, for one audit, which places are silent.

    Args:
        clock: seconds, monotonic.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._silent: dict[str, _Silence] = {}

    def spared(self, location: str) -> Observation | None:
        """Return what the last look came to, if this one is to be spared; None: look."""
        silence = self._silent.get(location)
        if silence is None or silence.looks < ENOUGH_LOOKS:
            return None
        now_s = self._clock()
        if now_s - silence.tried_at_s >= RETRY_S:
            silence.tried_at_s = now_s  # this look is the trial
            return None
        return silence.last

    def saw(self, location: str, observation: Observation) -> None:
        """Take what a look came to; any answer makes the place one like the others again."""
        if observation.outcome is not Outcome.UNREACHABLE:
            self._silent.pop(location, None)
            return
        silence = self._silent.setdefault(location, _Silence())
        silence.looks += 1
        silence.last = observation
        silence.tried_at_s = self._clock()
