"""What the auditor itself reads back: its configuration, observations and stored runs."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from dataclasses import replace
from functools import lru_cache
from pathlib import Path

import msgspec

from auditor import observations
from auditor.config import parse_document, resolve
from auditor.contracts import ProbeKind
from auditor.errors import AuditorError, ConfigError, ObservationsError, UsageError
from auditor.model import Location, Outcome, Plan, Role, Vantage
from auditor.model.document import run_to_document
from auditor.model.stored_run import document_to_run
from auditor.registry import load_kinds
from auditor.runs import load_run
from auditor.verdict import judge
from probes.wheelhouse import KIND as WHEELHOUSE
from tests.config.conftest import GOOD
from tests.config.test_example import VARIABLES
from tests.fuzz.changes import changed_json, changed_lines
from tests.fuzz.target import BROKEN, INCIDENT, NOW, Target, emptied, observed, scratch
from tests.reports.small_run import small_run

__all__ = ["TARGETS"]

_ROOT = Path(__file__).parents[2]
_BAD = _ROOT / "tests" / "config_bad"


@lru_cache(maxsize=1)
def _kinds() -> dict[str, ProbeKind]:
    os.environ["PIP_CONFIG_FILE"] = os.devnull
    return dict(load_kinds())


def read_config(data: bytes) -> None:
    """A file is resolved, or refused with problems that name the file; nothing else happens."""
    try:
        text = data.decode("utf-8", "replace")
        document = parse_document(text, name="audit.toml", directory=_ROOT)
        resolved = resolve(document, _kinds(), environ=VARIABLES, now=NOW)
    except ConfigError as error:
        _check(error.problems)
        raise
    msgspec.json.encode(resolved.plan)


def _check(problems: tuple[str, ...]) -> None:
    assert problems
    for problem in problems:
        assert problem.isprintable(), problem
        problem.encode()


def read_lines(data: bytes) -> None:
    """Where TOML is read, every key has its line."""
    text = data.decode("utf-8", "replace")
    document = parse_document(text, name="audit.toml")
    lines = text.count("\n") + text.count("\r") + 1
    for origin in document.origins.values():
        assert 1 <= int(origin.rpartition(":")[2]) <= lines


def _configs() -> Iterator[bytes]:
    yield (_ROOT / "config.example.toml").read_bytes()
    yield GOOD.encode()
    for name in ("many_at_once", "secret_of_two_kinds", "published_is_a_day", "upstream_unknown"):
        yield (_BAD / f"{name}.toml").read_bytes()


def read_observations(data: bytes) -> None:
    """A file of observations reads, writes and reads the same, and can be judged."""
    path = scratch("observations") / "o.jsonl"
    path.write_bytes(data)
    plan, found, _ = observations.read([path])
    again = scratch("observations") / "again.jsonl"
    observations.write(again, plan, found)
    plan_again, found_again, _ = observations.read([again])
    assert (plan_again, set(map(observations.encode, found_again))) == (
        plan,
        set(map(observations.encode, found)),
    )
    for run in judge(plan, found):
        run_to_document(run)


def _observations() -> Iterator[bytes]:
    home = emptied("observed")
    (home / BROKEN.filename).write_bytes(BROKEN.content)
    seen = observed(WHEELHOUSE, home, Role.INDEX)
    plan = Plan(
        incidents=(INCIDENT,),
        locations=(Location(name="here", kind="wheelhouse", role=Role.INDEX, path="/srv"),),
        vantage=Vantage(id="fuzz"),
        tool_version="0.1.0",
        created_at=NOW,
    )
    path = scratch("observations") / "seed.jsonl"
    observations.write(path, plan, [seen])
    yield path.read_bytes()
    unseen = replace(seen, outcome=Outcome.UNREACHABLE, detail="gone", holdings=(), pages=())
    observations.write(path, plan, [unseen], interrupted=True)
    yield path.read_bytes()


def read_stored_run(data: bytes) -> None:
    """A run reads as what it is written as."""
    path = scratch("runs") / "run.json"
    path.write_bytes(data)
    run = load_run(path)
    document = run_to_document(run)
    assert run_to_document(document_to_run(document)) == document


def _runs() -> Iterator[bytes]:
    run = small_run()
    yield json.dumps(run_to_document(replace(run, verdicts=run.verdicts[:2]))).encode()


TARGETS = (
    Target(
        name="stored.config",
        change=changed_lines,
        run=read_config,
        seeds=_configs,
        refusals=(ConfigError, UsageError),
        tokens=(b"[[locations]]", b"kind = ", b"{env = ", b"url = ", b"1979-05-27", b"inf", b"0x"),
    ),
    Target(
        name="stored.lines",
        change=changed_lines,
        run=read_lines,
        seeds=_configs,
        refusals=(ConfigError,),
        tokens=(b'"""', b"'''", b"[[a]]", b"[a.b]", b'"a"."b" = 1', b"= {a=1, b=[", b"\\u", b"#"),
    ),
    Target(
        name="stored.observations",
        change=changed_json,
        run=read_observations,
        seeds=_observations,
        refusals=(ObservationsError, AuditorError),
        tokens=(b"null", b"true", b'"held"', b"1e400", b"-1", b"\\ud800", b'"2026-11-23T00:00Z"'),
    ),
    Target(
        name="stored.run",
        change=changed_json,
        run=read_stored_run,
        seeds=_runs,
        refusals=(ObservationsError,),
        tokens=(b"null", b"true", b"1e400", b"-1", b"\\ud800", b'""', b"[]", b"{}"),
    ),
)
