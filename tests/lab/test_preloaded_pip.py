"""A pip that is loaded once answers as one that is started anew does, several at a time."""

from __future__ import annotations

import asyncio
from pathlib import Path

import pytest

from auditor.lab.drive.preloaded_pip import preloaded_pip, run_pip

pytestmark = pytest.mark.slow


async def test_it_gives_the_exit_codes_and_does_the_work_of_a_pip_that_is_started(
    tmp_path: Path,
) -> None:
    wheels = ("--no-index", "--find-links", tmp_path, "--no-cache-dir")
    asked = {"good": ("--version",), "bad": ("download", "--isolated", *wheels, "absent")}
    for name in asked:
        (tmp_path / name).mkdir()

    async def ask() -> list[int]:
        calls = (run_pip(*words, home=tmp_path / name) for name, words in asked.items())
        return await asyncio.gather(*calls)

    async with preloaded_pip():
        shared = await ask()
        log = (tmp_path / "good" / "pip.log").read_text(encoding="utf-8")
    assert shared == await ask() == [0, 1]
    assert log.startswith("pip ")
