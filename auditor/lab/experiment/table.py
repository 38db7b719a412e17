"""The dated table of an experiment: program, version, settings, scenario, outcome."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime

from auditor.lab.experiment.outcome import Cell, Mark
from auditor.lab.experiment.playing import Result
from auditor.lab.experiment.scenarios import SCENARIOS
from auditor.model import Counterfactual

__all__ = ["Experiment", "Failure", "to_json"]

TABLE_VERSION = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Failure:
    """A scenario that could not be played.

    Attributes:
        program, settings, scenario: which.
        text: what the program wrote, shortened.
    """

    program: str
    settings: str
    scenario: str
    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Experiment:
    """All that was played.

    Attributes:
        began_at, ended_at: UTC.
        tool_version: of the auditor.
        versions: of the programs.
        missing: programs that are not installed.
        results, failures: what was played, and what could not be.
    """

    began_at: datetime
    ended_at: datetime
    tool_version: str
    versions: Mapping[str, str]
    missing: Sequence[str]
    results: Sequence[Result]
    failures: Sequence[Failure]

    def count(self) -> Counter[Mark]:
        """Count the cells by how they turned out."""
        return Counter(cell.mark for result in self.results for cell in result.cells)

    def wrong(self) -> tuple[tuple[Result, Cell], ...]:
        """Return every wrong cell."""
        return tuple((r, c) for r in self.results for c in r.cells if c.mark is Mark.WRONG)

    def contradicted(self) -> tuple[tuple[Result, Cell], ...]:
        """Return where the audit after a deed said something else than what was seen."""
        return tuple((r, c) for r in self.results for c in r.contradicted)

    @property
    def succeeded(self) -> bool:
        """Whether everything was played, and no prediction and no audit was wrong."""
        return not (self.wrong() or self.contradicted() or self.failures)


def to_json(experiment: Experiment) -> str:
    """Write it as JSON, rows and keys sorted."""
    count = experiment.count()
    document = {
        "table_version": TABLE_VERSION,
        "tool": {"name": "propagation-auditor", "version": experiment.tool_version},
        "began_at": _time(experiment.began_at),
        "ended_at": _time(experiment.ended_at),
        "programs": dict(experiment.versions),
        "missing": list(experiment.missing),
        "cells": {mark.value: count[mark] for mark in Mark},
        "scenarios": {name: text for name, (_, text) in SCENARIOS.items()},
        "rows": [_row(r, experiment.versions) for r in sorted(experiment.results, key=_key)],
        "failures": [
            {"program": f.program, "settings": f.settings, "scenario": f.scenario, "text": f.text}
            for f in experiment.failures
        ],
    }
    return json.dumps(document, indent=2, sort_keys=True) + "\n"


def _key(result: Result) -> tuple[str, str, str, str]:
    return result.variant.program, result.variant.settings, result.scenario, result.place


def _row(result: Result, versions: Mapping[str, str]) -> dict[str, object]:
    variant, prediction = result.variant, result.prediction
    return {
        "program": variant.program,
        "version": versions.get(variant.program, ""),
        "settings": variant.settings,
        "scenario": result.scenario,
        "place": result.place,
        "kind": result.kind,
        "asked": "after the time that was predicted" if variant.waits else "at once",
        "had_it_before": prediction.now.held.value,
        "predicted": _foreseen(prediction.after),
        "measured_by": result.measured_by,
        "seen": {**{how: gets.value for how, gets in result.seen.gets.items()}, **_bytes(result)},
        "cells": {
            c.subject: {"predicted": c.predicted, "seen": c.seen, "mark": c.mark.value}
            for c in result.cells
        },
        "seen_at": _time(result.seen.ended_at),
        "status_afterwards": result.status.value,
        "audit_contradicted": {
            c.subject: {"said": c.predicted, "seen": c.seen} for c in result.contradicted
        },
    }


def _bytes(result: Result) -> dict[str, object]:
    held = result.seen.held
    return {} if held is None else {"bytes": "held" if held else "not-held"}


def _foreseen(foreseen: Counterfactual) -> dict[str, object]:
    when = foreseen.when
    return {
        "listed": foreseen.listed,
        "held": foreseen.held.value,
        "unpinned_gets": foreseen.unpinned_gets.value,
        "pinned_gets": foreseen.pinned_gets.value,
        "hash_locked_gets": foreseen.hash_locked_gets.value,
        "offline_gets": foreseen.offline_gets.value,
        "when": _time(when) if isinstance(when, datetime) else when.value,
        "because": foreseen.because,
    }


def _time(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")
