"""One place seen from several vantages: do they see the same?

Only what has an address is compared. A path means another machine's disk at each vantage.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from auditor.model import Location, Observation, Outcome, Page, PageOutcome, Yank
from auditor.model.file_table import listed_with
from auditor.verdict.line import ReleaseLine

__all__ = ["Sight", "disagreement", "sights_of"]

# Kinds of answers to one view: how it ended, and which files of the incident it lists how.
_Listed = frozenset[tuple[str, str]]
_Answer = tuple[str, _Listed]
_SHOWN_DIGEST_CHARS = 12


@dataclass(frozen=True, slots=True, kw_only=True)
class Sight:
    """What one vantage saw at one place, as far as the incident goes.

    Attributes:
        vantage: from where.
        outcome: how looking ended.
        answers: by view, every answer that any sample gave.
        digests: SHA-256 of each file of the incident, where the page states any.
    """

    vantage: str
    outcome: Outcome
    answers: Mapping[str, frozenset[_Answer]]
    digests: Mapping[str, frozenset[str]]

    @property
    def told(self) -> str:
        """What was seen, in words."""
        if self.outcome is not Outcome.OBSERVED:
            return self.outcome.value
        each = {_tell(answer) for answers in self.answers.values() for answer in answers}
        return " or ".join(sorted(each)) or self.outcome.value


def sights_of(
    locations: Iterable[Location], observations: Sequence[Observation], line: ReleaseLine
) -> Mapping[str, tuple[Sight, ...]]:
    """Return what was seen of each place with an address, from every vantage that looked."""
    addressed = {location.name for location in locations if location.url is not None}
    found: dict[str, list[Sight]] = {}
    if len({observation.vantage for observation in observations}) < 2:
        return {}
    for observation in observations:
        if observation.location in addressed and observation.outcome is not Outcome.SKIPPED:
            found.setdefault(observation.location, []).append(_sight(observation, line))
    return {
        name: tuple(sorted(sights, key=lambda sight: sight.vantage))
        for name, sights in found.items()
        if len(sights) > 1
    }


def disagreement(sights: Sequence[Sight]) -> str:
    """Tell what each vantage saw; "" if all saw the same."""
    first, *others = sights
    if all(_agree(first, other) for other in others):
        return ""
    told = "; ".join(f"{sight.vantage}: {sight.told}" for sight in sights)
    return "; ".join([told, *_other_bytes(sights)])


def _sight(observation: Observation, line: ReleaseLine) -> Sight:
    answers: dict[str, set[_Answer]] = {}
    digests: dict[str, set[str]] = {}
    for page in observation.pages:
        answers.setdefault(page.view.value, set()).add(_answer(page, line, digests))
    return Sight(
        vantage=observation.vantage,
        outcome=observation.outcome,
        answers={view: frozenset(each) for view, each in answers.items()},
        digests={name: frozenset(each) for name, each in digests.items()},
    )


def _answer(page: Page, line: ReleaseLine, digests: dict[str, set[str]]) -> _Answer:
    listed: set[tuple[str, str]] = set()
    for mark, wanted in (("", line.is_broken), ("fix", line.is_fix)):
        for candidate in listed_with(page.candidates, wanted):
            listed.add((candidate.filename, mark or candidate.yanked.value))
            if digest := candidate.hashes.get("sha256"):
                digests.setdefault(candidate.filename, set()).add(digest)
    return page.outcome.value, frozenset(listed)


def _agree(one: Sight, other: Sight) -> bool:
    both = one.answers.keys() & other.answers.keys()
    return (
        one.outcome is other.outcome
        and all(one.answers[view] == other.answers[view] for view in both)
        and not list(_other_bytes([one, other]))
    )


def _other_bytes(sights: Sequence[Sight]) -> Iterator[str]:
    """Name each file for which all that stated a digest did not state the same ones."""
    for name in sorted({name for sight in sights for name in sight.digests}):
        stated = [(s.vantage, s.digests[name]) for s in sights if name in s.digests]
        if len({digests for _, digests in stated}) > 1:
            shown = "; ".join(
                f"{vantage}: {', '.join(d[:_SHOWN_DIGEST_CHARS] + '…' for d in sorted(digests))}"
                for vantage, digests in stated
            )
            yield f"the bytes of {name} ({shown})"


def _tell(answer: _Answer) -> str:
    outcome, listed = answer
    if outcome != PageOutcome.OBSERVED.value:
        return outcome
    marks = {mark for _, mark in listed}
    broken = marks - {"fix"}
    mark = ", yanked" if broken == {Yank.YES.value} else ""
    text = f"broken listed{mark}" if broken else "broken not listed"
    return f"{text}, fix {'listed' if 'fix' in marks else 'not listed'}"
