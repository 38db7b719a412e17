"""A Redis of our own and workers of any vantage: started, waited for, always stopped."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path

import redis

from auditor.lab.drive.ports import free_port
from auditor.lab.drive.process import clean_environment

__all__ = ["COMMAND_OF_A_WORKER", "PASSWORD", "Worker", "redis_server", "wait_until", "worker"]

PASSWORD = "correct-horse"
WITHIN_S = 60.0
COMMAND_OF_A_WORKER = ("-A", "auditor.vantages.worker", "worker")


@dataclass(frozen=True)
class Worker:
    """A worker that is up.

    Attributes:
        process: its first process, which leads a group of its own.
        log: what it wrote.
    """

    process: subprocess.Popen[bytes]
    log: Path

    def said(self, text: str) -> int:
        """How often the log says this."""
        return self.log.read_text(encoding="utf-8").count(text)

    def is_busy(self) -> bool:
        """Whether it has taken a question that it has not answered."""
        return self.said("] received") > self.said("] succeeded in")

    def children(self) -> list[int]:
        """The processes that look."""
        pid = self.process.pid
        return list(
            map(int, Path(f"/proc/{pid}/task/{pid}/children").read_text(encoding="ascii").split())
        )

    def kill(self) -> None:
        """End it as the kernel does that has no memory left: with all that it started."""
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()


def wait_until(true: Callable[[], bool], what: str) -> None:
    """Wait until something is true, for a minute at most."""
    end = time.monotonic() + WITHIN_S
    while not true():
        if time.monotonic() > end:
            raise AssertionError(f"not within {WITHIN_S:g} s: {what}")
        time.sleep(0.02)


@contextmanager
def redis_server(program: Path, home: Path) -> Iterator[str]:
    """Start a server on loopback that keeps nothing; yield its address, password included."""
    home.mkdir(parents=True, exist_ok=True)
    port = free_port()
    words = ("--port", str(port), "--bind", "127.0.0.1", "--protected-mode", "yes")
    kept = ("--save", "", "--appendonly", "no", "--dir", str(home))
    process = subprocess.Popen(
        [program, *words, "--requirepass", PASSWORD, *kept],
        env=clean_environment(home),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    url = f"redis://:{PASSWORD}@127.0.0.1:{port}/0"
    try:
        with redis.Redis.from_url(url) as client:
            wait_until(lambda: _answers(client), "Redis answers")
        yield url
    finally:
        process.kill()
        process.wait()


def _answers(client: redis.Redis) -> bool:
    try:
        return bool(client.ping())
    except redis.ConnectionError:
        return False


@contextmanager
def worker(
    name: str, vantage: str, config: Path, broker: str, home: Path, **environ: str
) -> Iterator[Worker]:
    """Start a worker that makes one look at a time."""
    home.mkdir(parents=True, exist_ok=True)
    log = home / f"{name}.log"
    command = (sys.executable, "-m", "celery", *COMMAND_OF_A_WORKER)
    options = ("--concurrency", "1", "--loglevel", "INFO", "--hostname", f"{name}@test")
    with log.open("wb") as output:
        process = subprocess.Popen(
            [*command, *options, "--without-gossip", "--without-mingle"],
            cwd=home,
            env=clean_environment(
                home,
                AUDITOR_BROKER_URL=broker,
                AUDITOR_WORKER_VANTAGE=vantage,
                AUDITOR_WORKER_CONFIG=str(config),
                **environ,
            ),
            stdout=output,
            stderr=output,
            start_new_session=True,
        )
    started = Worker(process, log)
    try:
        wait_until(
            lambda: started.said(" ready.") > 0 or process.poll() is not None, f"{name} is up"
        )
        assert process.poll() is None, log.read_text(encoding="utf-8")
        yield started
    finally:
        started.kill()
