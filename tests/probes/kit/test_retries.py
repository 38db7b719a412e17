"""How often something is asked again, and what that costs whoever never has to."""

from __future__ import annotations

import subprocess
import sys

import pytest

from probes.kit.retries import ATTEMPTS, retried


class Ask:
    """Fails as often as it is told."""

    def __init__(self, failures: int) -> None:
        self.calls = 0
        self._failures = failures

    async def __call__(self) -> str:
        self.calls += 1
        if self.calls <= self._failures:
            raise OSError(f"attempt {self.calls}")
        return "an answer"


@pytest.mark.parametrize("failures", range(ATTEMPTS))
async def test_it_is_asked_again_until_there_is_an_answer(failures: int) -> None:
    ask = Ask(failures)
    assert await retried(ask, lambda _: True, 10, 0.001) == "an answer"
    assert ask.calls == failures + 1


async def test_the_last_failure_is_told() -> None:
    ask = Ask(99)
    with pytest.raises(OSError, match=f"attempt {ATTEMPTS}"):
        await retried(ask, lambda _: True, 10, 0.001)
    assert ask.calls == ATTEMPTS


async def test_what_is_not_worth_it_is_not_asked_again() -> None:
    ask = Ask(99)
    with pytest.raises(OSError, match="attempt 1"):
        await retried(ask, lambda _: False, 10, 0.001)
    assert ask.calls == 1


async def test_the_second_failure_may_not_be_worth_it() -> None:
    ask = Ask(99)
    with pytest.raises(OSError, match="attempt 2"):
        await retried(ask, lambda error: "1" in str(error), 10, 0.001)


def test_what_waits_between_attempts_is_not_imported_before_one_fails() -> None:
    code = (
        "import asyncio, sys\n"
        "from probes.kit.retries import retried\n"
        "async def ask(): return 1\n"
        "asyncio.run(retried(ask, lambda _: True, 1, 1))\n"
        "print('stamina' in sys.modules)\n"
    )
    told = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert told.stdout.strip() == "False"
