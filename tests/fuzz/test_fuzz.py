"""The short form of `make fuzz`: what was found stays found, and the fuzzer can find."""

from __future__ import annotations

import importlib.util
from pathlib import Path
from random import Random

import pytest

from tests.fuzz import __main__ as command
from tests.fuzz.changes import changed_lines, grown
from tests.fuzz.kept import kept_inputs
from tests.fuzz.registry import find_target, load_targets
from tests.fuzz.seeded import SEEDED, SeededBug, find
from tests.fuzz.trial import attempt

pytestmark = pytest.mark.slow

# Coverage and a busy machine make everything slower; `make fuzz` measures the real bound.
_CPU_S = 8.0
_CHANGES_PER_SEED = 3
_NAMES = [target.name for target in load_targets()]
_KEPT = [pytest.param(*each, id=f"{each[0]}-{each[1]}") for each in kept_inputs()]


@pytest.mark.parametrize(("target", "name", "data"), _KEPT)
def test_what_was_once_not_survived_is_survived(target: str, name: str, data: bytes) -> None:
    found = attempt(find_target(target), data, max_cpu_s=_CPU_S)
    assert found is None, found.text


@pytest.mark.parametrize("name", _NAMES)
def test_seeds_and_what_becomes_of_them_are_survived(name: str) -> None:
    target, chance = find_target(name), Random(name)
    accepted = 0
    for seed in list(target.seeds())[:8]:
        accepted += target.accepts(seed)
        for _ in range(_CHANGES_PER_SEED):
            change = chance.choice((target.change or changed_lines, changed_lines, _cut))
            data = change(seed, chance)
            found = attempt(target, data, max_cpu_s=_CPU_S)
            assert found is None, (data[:500], found.text)
    assert accepted


def _cut(data: bytes, chance: Random) -> bytes:
    at = chance.randrange(len(data) + 1)
    return grown(data[:at], chance)[: 2**16] if chance.randrange(4) == 0 else data[:at]


def test_every_input_that_was_kept_belongs_to_a_target() -> None:
    assert {target for target, _, _ in kept_inputs()} <= set(_NAMES)


@pytest.mark.parametrize("bug", SEEDED, ids=lambda bug: bug.name)
def test_a_seeded_bug_still_fits_the_source(bug: SeededBug) -> None:
    assert bug.text() != (Path(bug.path)).read_text(encoding="utf-8")
    assert bug.target in _NAMES


@pytest.mark.skipif(
    importlib.util.find_spec("atheris") is None, reason="atheris has no wheel for this platform"
)
def test_a_seeded_bug_is_found(tmp_path: Path) -> None:
    bug = next(bug for bug in SEEDED if bug.target == "names.version")
    outcome = find(bug, tmp_path, limit_s=30)
    assert [found.finding.kind for found in outcome.found] == ["crash"], outcome.problem
    assert "order_versions" in outcome.found[0].finding.where


def test_without_the_fuzzer_it_says_so_and_fails(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("sys.argv", ["fuzz", "--seconds", "0"])
    monkeypatch.setattr(importlib.util, "find_spec", lambda _: None)
    assert command.main() == 2
    assert "atheris is not installed" in capsys.readouterr().out
