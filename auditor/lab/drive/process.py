"""Real programs on free loopback ports: started, waited for, and always stopped."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.lab.drive.ports import free_port
from auditor.lab.server import LOOPBACK

__all__ = [
    "CompletedRun",
    "ProgramFailed",
    "RunningProgram",
    "clean_environment",
    "interpreter_of",
    "run",
    "running",
]

_READY_WITHIN_S = 60.0
_POLL_EVERY_S = 0.02
_STOP_WITHIN_S = 5.0
# Somebody else may take the port between our asking for a free one and the program's listening.
_PORTS_TO_TRY = 3
_LOG_TAIL_CHARS = 3000

Command = Sequence[str | Path]


class ProgramFailed(Exception):
    """A program did not start, or did not do its work; the text ends with what it wrote."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RunningProgram:
    """A program that answers.

    Attributes:
        name: of the program.
        port: on which it listens.
        pid: of its first process, which is also the id of its process group.
        log: what it wrote to stdout and stderr.
    """

    name: str
    port: int
    pid: int
    log: Path

    @property
    def url(self) -> str:
        """Its root, without a slash at the end."""
        return f"http://{LOOPBACK}:{self.port}"


@dataclass(frozen=True, slots=True, kw_only=True)
class CompletedRun:
    """What a program that ended by itself left."""

    returncode: int
    stdout: str
    stderr: str


def clean_environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which no setting of this user reaches a program."""
    kept = {name: os.environ[name] for name in ("PATH", "LANG", "TMPDIR") if name in os.environ}
    return {**kept, "HOME": str(home), "XDG_CACHE_HOME": str(home / ".cache"), **more}


def interpreter_of(script: Path) -> str:
    """Return the interpreter that a script names in its first line."""
    with script.open(encoding="utf-8") as lines:
        return lines.readline().removeprefix("#!").strip()


async def run(
    command: Command,
    *,
    home: Path,
    environment: Mapping[str, str] | None = None,
    timeout_s: float = 120.0,
) -> CompletedRun:
    """Run a program to its end.

    Args:
        command: the program and its arguments.
        home: its HOME and working directory.
        environment: variables beside the clean ones; None: no more.
        timeout_s: after which it is killed.

    Raises:
        ProgramFailed: it did not end in time.
    """
    process = await asyncio.create_subprocess_exec(
        *(str(word) for word in command),
        cwd=home,
        env=clean_environment(home, **(environment or {})),
        stdin=asyncio.subprocess.DEVNULL,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        start_new_session=True,
    )
    try:
        async with asyncio.timeout(timeout_s):
            stdout, stderr = await process.communicate()
    except TimeoutError as error:
        raise ProgramFailed(f"{command[0]} did not end within {timeout_s:g} s") from error
    finally:
        await _stop(process)
    return CompletedRun(
        returncode=process.returncode or 0,
        stdout=stdout.decode(errors="replace"),
        stderr=stderr.decode(errors="replace"),
    )


@asynccontextmanager
async def running(
    name: str,
    command: Callable[[int], Command],
    *,
    home: Path,
    ready: str = "/",
    environment: Mapping[str, str] | None = None,
    port: int | None = None,
) -> AsyncIterator[RunningProgram]:
    """Start a server, wait until it answers HTTP, and stop it in the end whatever happens.

    Args:
        name: of the program, and of its log.
        command: makes the command line from the port to listen on.
        home: its HOME and working directory; the log is `NAME.log` in there.
        ready: path that is asked until it answers with less than 500.
        environment: variables beside the clean ones; None: no more.
        port: to listen on, such as that of an earlier start; None: a free one.

    Raises:
        ProgramFailed: it ended, or did not answer in time.
    """
    await asyncio.to_thread(home.mkdir, parents=True, exist_ok=True)
    log = home / f"{name}.log"
    process, chosen = await _started(name, command, home, log, ready, environment, port)
    try:
        yield RunningProgram(name=name, port=chosen, pid=process.pid, log=log)
    finally:
        await _stop(process)


async def _started(
    name: str,
    command: Callable[[int], Command],
    home: Path,
    log: Path,
    ready: str,
    environment: Mapping[str, str] | None,
    port: int | None,
) -> tuple[asyncio.subprocess.Process, int]:
    for _ in range(_PORTS_TO_TRY):
        chosen = port or free_port()
        with log.open("ab") as output:
            process = await asyncio.create_subprocess_exec(
                *(str(word) for word in command(chosen)),
                cwd=home,
                env=clean_environment(home, **(environment or {})),
                stdin=asyncio.subprocess.DEVNULL,
                stdout=output,
                stderr=output,
                start_new_session=True,
            )
        try:
            if await _answers(process, chosen, ready):
                return process, chosen
        except BaseException:
            await _stop(process)
            raise
        await _stop(process)
    text = await asyncio.to_thread(log.read_text, encoding="utf-8", errors="replace")
    tail = text[-_LOG_TAIL_CHARS:]
    raise ProgramFailed(f"{name} did not answer on {LOOPBACK}; it wrote:\n{tail}")


async def _answers(process: asyncio.subprocess.Process, port: int, ready: str) -> bool:
    try:
        async with asyncio.timeout(_READY_WITHIN_S):
            while process.returncode is None:
                if await _asked(port, ready):
                    return True
                await asyncio.sleep(_POLL_EVERY_S)
    except TimeoutError:
        return False
    return False


async def _asked(port: int, path: str) -> bool:
    """Ask once; whether there was an answer below 500."""
    try:
        reader, writer = await asyncio.open_connection(LOOPBACK, port)
    except OSError:
        return False
    try:
        writer.write(f"GET {path} HTTP/1.0\r\nHost: {LOOPBACK}:{port}\r\n\r\n".encode())
        await writer.drain()
        words = (await reader.readline()).split()
    except OSError:
        return False
    finally:
        writer.close()
    return len(words) > 1 and words[0].startswith(b"HTTP/") and words[1] < b"500"


async def _stop(process: asyncio.subprocess.Process) -> None:
    """End a program and everything that it started: it leads a process group of its own."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        if process.returncode is not None:
            break
        _signal_group(process.pid, number)
        try:
            async with asyncio.timeout(_STOP_WITHIN_S):
                await process.wait()
        except TimeoutError:
            continue
    _signal_group(process.pid, signal.SIGKILL)


def _signal_group(leader: int, number: signal.Signals) -> None:
    try:
        os.killpg(leader, number)
    except (ProcessLookupError, PermissionError):
        return  # nobody is left in that group
