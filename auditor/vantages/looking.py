"""What a worker does with a question: look, with its own configuration and its own secrets."""

from __future__ import annotations

import gc
from collections.abc import Mapping
from dataclasses import dataclass, replace

from auditor.config import Resolved
from auditor.contracts import Assignment, ProbeKind
from auditor.engine import Audit
from auditor.errors import AuditorError
from auditor.eventloop import run
from auditor.model import Location, Observation, Plan, Vantage
from auditor.vantages.messages import Answer, Question, describe, unpack_question

__all__ = ["ASKED_AGAIN", "Outlook"]

ASKED_AGAIN = (
    "An earlier worker was lost while it looked: this place was asked again, and what the earlier "
    "one had asked is not listed."
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Outlook:
    """What a worker can see from where it is.

    Attributes:
        vantage: where it is.
        resolved: its configuration. Only the places of this are looked at, with the secrets of
            this: who reaches the broker can ask for a look at them, and for nothing else.
        kinds: the installed ones.
    """

    vantage: str
    resolved: Resolved
    kinds: Mapping[str, ProbeKind]

    @property
    def longest_s(self) -> float:
        """Seconds that one look may take at most."""
        return max((place.timeout_s for place in self.resolved.plan.locations), default=30.0)

    def answer(self, packed: object, *, again: bool = False) -> Answer:
        """Look as a question asks; whatever is wrong with it is an answer as well.

        Args:
            packed: the question.
            again: whether it was given to another worker before.
        """
        try:
            question = unpack_question(packed)
        except AuditorError as error:
            return Answer(refused=str(error))
        place = next((p for p in self.resolved.plan.locations if p.name == question.location), None)
        if refused := self._refusal(question, place):
            return Answer(refused=refused)
        assert place is not None  # noqa: S101 - `_refusal` names it
        observation = self._look(question, place)
        if again:
            observation = replace(observation, notes=(*observation.notes, ASKED_AGAIN))
        return Answer(observation=observation)

    def _refusal(self, question: Question, place: Location | None) -> str:
        if question.vantage != self.vantage:
            return f"this worker is at {self.vantage}, not at {question.vantage}; mend its queue"
        if place is None:
            return (
                f"the configuration of the worker at {self.vantage} has no place called "
                f"{question.location}; add it there"
            )
        if (place.kind, describe(place)) != (question.kind, question.locator):
            return (
                f"the configuration of the worker at {self.vantage} means another place by "
                f"{question.location}; give both the same kind and address"
            )
        return ""

    def _look(self, question: Question, place: Location) -> Observation:
        """Run an audit of one place that is told of the places above it."""
        kind = self.kinds.get(place.kind)
        kinds = {place.kind: _told(kind, question)} if kind else {}
        timeout_s = min(question.timeout_s, place.timeout_s)
        plan = replace(
            self.resolved.plan,
            incidents=(question.incident,),
            locations=(replace(place, timeout_s=timeout_s),),
            vantage=Vantage(id=self.vantage),
            inert=question.policy.inert or self.resolved.plan.inert,
            allow_store=question.policy.allow_store,
        )
        return _run(plan, self.resolved, kinds)


def _told(kind: ProbeKind, question: Question) -> ProbeKind:
    """The kind, told what the coordinator knows of the places above."""

    async def observe(assignment: Assignment) -> Observation:
        return await kind.observe(
            replace(
                assignment,
                source=question.source,
                upstreams=question.upstreams,
                user_agent_suffix=question.user_agent_suffix,
            )
        )

    return replace(kind, observe=observe)


def _run(plan: Plan, resolved: Resolved, kinds: Mapping[str, ProbeKind]) -> Observation:
    # Each look freezes what is alive (see `eventloop.run`); the last one's is not any more.
    gc.unfreeze()
    (observation,) = run(Audit(plan, resolved.credentials, kinds).run())
    return observation
