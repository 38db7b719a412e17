"""The pip of this environment, loaded once for many runs: what takes a second takes a quarter."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import sys
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from pathlib import Path

from auditor.lab.drive.process import ProgramFailed, clean_environment, run

__all__ = ["PIP_LOG", "preloaded_pip", "run_pip"]

PIP_LOG = "pip.log"
"""The file below its home that a run of pip writes all its output to."""
_SCRIPT = Path(__file__).with_name("forking_pip.py")
_WITHIN_S = 120.0


@dataclass(slots=True)
class _Pip:
    process: asyncio.subprocess.Process
    waiting: dict[int, asyncio.Future[int]] = field(default_factory=dict)
    numbers: itertools.count[int] = field(default_factory=itertools.count)

    async def call(
        self, arguments: Sequence[str | Path], home: Path, environment: Mapping[str, str]
    ) -> int:
        number = next(self.numbers)
        request = {
            "id": number,
            "arguments": [str(a) for a in arguments],
            "environment": clean_environment(home, **environment),
            "directory": str(home),
        }
        answered: asyncio.Future[int] = asyncio.get_running_loop().create_future()
        self.waiting[number] = answered
        _input_of(self.process).write(json.dumps(request).encode() + b"\n")
        try:
            async with asyncio.timeout(_WITHIN_S):
                return await answered
        except TimeoutError as error:
            raise ProgramFailed(f"pip did not end within {_WITHIN_S:g} s") from error
        finally:
            del self.waiting[number]

    async def read(self) -> None:
        stdout = self.process.stdout
        while stdout is not None and (line := await stdout.readline()):
            number, code = map(int, line.split())
            answered = self.waiting.get(number)
            if answered is not None and not answered.done():
                answered.set_result(code)
        for answered in self.waiting.values():
            if not answered.done():
                answered.set_exception(ProgramFailed("the process that runs pip ended"))


_PIP: ContextVar[_Pip | None] = ContextVar("preloaded_pip", default=None)


@asynccontextmanager
async def preloaded_pip() -> AsyncIterator[None]:
    """Have every `run_pip` of this context share one process; where none can fork, do nothing."""
    if not hasattr(os, "fork"):
        yield
        return
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-I", _SCRIPT),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    pip = _Pip(process)
    reading = asyncio.create_task(pip.read())
    token = _PIP.set(pip)
    try:
        yield
    finally:
        _PIP.reset(token)
        _input_of(process).close()
        await asyncio.gather(process.wait(), reading)


async def run_pip(
    *arguments: str | Path, home: Path, environment: Mapping[str, str] | None = None
) -> int:
    """Run pip to its end; return its exit code. What it wrote is in `PIP_LOG` below its home.

    Args:
        arguments: of pip.
        home: its HOME and working directory.
        environment: variables beside the clean ones; None: no more.

    Raises:
        ProgramFailed: it did not end in time.
    """
    more = {"PIP_CONFIG_FILE": os.devnull, **(environment or {})}
    pip = _PIP.get()
    if pip is not None:
        return await pip.call(arguments, home, more)
    command = [sys.executable, "-m", "pip", *arguments]
    done = await run(command, home=home, environment=more)
    await asyncio.to_thread((home / PIP_LOG).write_text, done.stdout + done.stderr, "utf-8")
    return done.returncode


def _input_of(process: asyncio.subprocess.Process) -> asyncio.StreamWriter:
    if process.stdin is None:
        raise RuntimeError("it was started without an input")
    return process.stdin
