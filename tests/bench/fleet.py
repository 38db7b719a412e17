"""A fleet in one process: many projects at many places, at the shipped limits on politeness.

Places are repositories below one prefix each, several of them on one host, as gateways have them. A
page is asked for in four views, so that a host's limit of requests in a second is what bounds the
audit: the time is compared with that bound, and the servers' own records with the limits.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from auditor.limits import HOST_RATE_PER_S
from tests.bench.fleet_server import BROKEN, FIXED
from tests.bench.latency_server import project
from tests.bench.measure import Goal

__all__ = ["fleet_goals"]

PROJECTS, PLACES, HOSTS = 1000, 50, 10
VIEWS = 4
PER_HOST = 4
# What a host may be asked at once after a pause, beside its rate (a leaky bucket).
BURST = HOST_RATE_PER_S
MAX_MB = 300


@dataclass(frozen=True)
class _Took:
    """One audit: its time, the CPU seconds and the peak of memory of its process, and the log."""

    wall_s: float
    cpu_s: float
    peak_mb: float
    lines: int
    asked: dict[str, list[int]]


def fleet_goals(*, quick: bool = False) -> Iterator[Goal]:
    """Audit the fleet once, and a tenth of it to see whether memory grows."""
    sizes = (8, 4, 2) if quick else (PROJECTS, PLACES, HOSTS)
    projects, places, hosts = sizes
    few = _audit(max(2, projects // 10), places, hosts)
    took = _audit(projects, places, hosts)
    requests = projects * places * VIEWS
    bound_s = max(requests / hosts / HOST_RATE_PER_S, 0.001)
    name = f"fleet: {projects:,} projects at {places} places on {hosts} hosts"
    yield Goal(
        name=f"{name}, time",
        ratio=took.wall_s / bound_s,
        gate=1.3,
        floor=f"the limit of {HOST_RATE_PER_S} requests in a second for each host",
        note=f"{took.wall_s:.0f} s, bound {bound_s:.0f} s; {took.cpu_s:.0f} s CPU, "
        f"{1e6 * took.cpu_s / requests:.0f} us for each request",
    )
    yield Goal(
        name=f"{name}, peak memory",
        ratio=took.peak_mb / MAX_MB,
        gate=1,
        floor=f"{MAX_MB} MB",
        note=f"{took.peak_mb:.0f} MB",
    )
    yield Goal(
        name=f"{name}, peak memory against a tenth of the projects",
        ratio=took.peak_mb / few.peak_mb,
        gate=1.5,
        floor="the same audit of a tenth of the projects",
        note=f"{took.peak_mb:.0f} MB, {few.peak_mb:.0f} MB",
    )
    yield Goal(
        name="fleet: requests for each page and view",
        ratio=sum(took.asked["requests"]) / max(1, sum(took.asked["different"])),
        gate=1,
        floor="one request for each (by the servers' own records)",
    )
    yield Goal(
        name="fleet: requests that a host had not answered at once",
        ratio=max(took.asked["most_open"]) / PER_HOST,
        gate=1,
        floor=f"concurrency_per_host = {PER_HOST}",
    )
    yield Goal(
        name="fleet: requests that a host got in any second",
        ratio=max(took.asked["most_in_a_second"]) / (HOST_RATE_PER_S + BURST),
        gate=1,
        floor=f"{HOST_RATE_PER_S} and what may come at once after a pause",
        note=f"{max(took.asked['most_in_a_second'])}",
    )


def _audit(projects: int, places: int, hosts: int) -> _Took:
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as directory:
        with _servers(hosts, projects) as (ports, told):
            file = Path(directory, "fleet.toml")
            file.write_text(_config(ports, projects, places))
            took = _run(file, Path(directory, "out"))
        lines, wall_s, cpu_s, peak_mb = took
        if lines != projects + 1:
            raise RuntimeError(f"{lines} lines for {projects} incidents")
        return _Took(wall_s, cpu_s, peak_mb, lines, told)


def _run(file: Path, out: Path) -> tuple[int, float, float, float]:
    program = str(Path(sys.executable).with_name("auditor"))
    command = [program, "audit", "--config", str(file), "--no-progress"]
    started = time.perf_counter()
    with out.open("wb") as stdout:
        process = subprocess.Popen(command, stdout=stdout)
        _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - started
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        raise RuntimeError(f"auditor audit exited {process.returncode}")
    lines = len(out.read_text(encoding="utf-8").splitlines())
    return lines, wall_s, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def _config(ports: list[int], projects: int, places: int) -> str:
    tables = [
        f'[[incidents]]\nid = "i{number}"\nproject = "{project(number)}"\n'
        f'broken = ["{BROKEN}"]\nfixed = ["{FIXED}"]\n'
        for number in range(projects)
    ]
    for number in range(places):
        upstream = 'upstream = "m0"\n' if number else ""
        url = f"http://127.0.0.1:{ports[number % len(ports)]}/m{number}/simple/"
        tables.append(
            f'[[locations]]\nname = "m{number}"\nkind = "simple"\nurl = "{url}"\n{upstream}'
        )
    return "\n".join(tables)


@contextmanager
def _servers(hosts: int, projects: int) -> Iterator[tuple[list[int], dict[str, list[int]]]]:
    """Serve; what was asked is in the second value once this is over."""
    command = [sys.executable, "-m", "tests.bench.fleet_server", str(hosts), str(projects)]
    told: dict[str, list[int]] = {}
    with subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    ) as server:
        try:
            if server.stdout is None:
                raise RuntimeError("the server has no output")
            yield json.loads(server.stdout.readline()), told
            told.update(json.loads(server.communicate("")[0]))
        finally:
            server.kill()
