"""Environments of real servers are made once, at locked versions, whoever asks at the same time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.real import programs


@pytest.fixture
def cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(programs, "CACHE", tmp_path / "cache")
    return tmp_path / "cache"


def test_several_workers_make_one_environment(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[Sequence[str]] = []

    def make(home: Path, pins: Sequence[str]) -> None:
        made.append(pins)
        (home / "bin").mkdir(parents=True)
        time.sleep(0.05)  # so that the others surely come while it is being made

    monkeypatch.setattr(programs, "_make", make)
    assert programs.installed("bandersnatch") is None
    with ThreadPoolExecutor(4) as workers:
        found = set(workers.map(programs.python_program, ["bandersnatch"] * 4))

    assert made == [["bandersnatch==6.8.0"]]
    assert found == {programs.installed("bandersnatch")}


def test_one_that_failed_is_made_anew(cache: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(home: Path, pins: Sequence[str]) -> None:
        (home / "half").mkdir(parents=True)
        raise programs.NotInstallable("no registry")

    monkeypatch.setattr(programs, "_make", fail)
    with pytest.raises(programs.NotInstallable):
        programs.python_program("bandersnatch")
    assert programs.installed("bandersnatch") is None

    monkeypatch.setattr(programs, "_make", lambda home, pins: (home / "bin").mkdir(parents=True))
    directory = programs.python_program("bandersnatch")

    assert programs.installed("bandersnatch") == directory
    assert not (directory.parent / "half").exists()


def test_what_is_not_locked_is_not_installed(cache: Path) -> None:
    with pytest.raises(LookupError, match=r"requirements/real\.in"):
        programs.python_program("never-locked")


def test_extras_are_installed_at_the_locked_version_of_their_distribution(
    cache: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    made: list[Sequence[str]] = []

    def make(home: Path, pins: Sequence[str]) -> None:
        made.append(pins)
        (home / "bin").mkdir(parents=True)

    monkeypatch.setattr(programs, "_make", make)
    programs.python_program("pdm", "pdm[locked]", "pdm")
    (pins,) = made
    assert pins[0] == pins[1].replace("pdm", "pdm[locked]", 1)
