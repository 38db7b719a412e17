"""What it costs to start, against an interpreter that does nothing."""

from __future__ import annotations

import socket
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.bench.measure import (
    Goal,
    Measure,
    compile_product,
    cpu_of_command,
    interleaved,
    median_ratio,
)

__all__ = ["starting_goals"]

FLOOR = "python -c pass"
_NS = 1e-9


def starting_goals(rounds: int) -> Iterator[Goal]:
    """Measure `--help`, `--version`, and an audit up to its first request."""
    compile_product()
    program = [str(Path(sys.executable).with_name("auditor"))]
    audit = [*program, "audit", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4"]
    found = interleaved(
        {
            "floor": cpu_of_command([sys.executable, "-c", "pass"]),
            "help": cpu_of_command([*program, "--help"]),
            "version": cpu_of_command([*program, "--version"]),
            "aiohttp": cpu_of_command([sys.executable, "-c", "import aiohttp"]),
            "audit": _cpu_until_first_request(audit),
        },
        rounds,
    )
    floor = found["floor"]
    for option in ("help", "version"):
        ratio = median_ratio(found[option], floor)
        yield Goal(name=f"auditor --{option}, CPU", ratio=ratio, gate=2.5, floor=FLOOR)
    yield Goal(
        name="auditor audit, CPU up to its first request",
        ratio=median_ratio(found["audit"], floor),
        gate=24,
        floor=FLOOR,
        note=f"import aiohttp alone: {median_ratio(found['aiohttp'], floor):.1f}",
    )


def _cpu_until_first_request(command: Sequence[str]) -> Measure:
    """Return what measures CPU seconds of a process until it connects to the only location."""

    def measure() -> float:
        with socket.create_server(("127.0.0.1", 0)) as place:
            url = f"http://127.0.0.1:{place.getsockname()[1]}/simple/"
            process = subprocess.Popen(
                [*command, "--location", f"simple={url}"],
                stdout=subprocess.DEVNULL,
                stderr=subprocess.DEVNULL,
                stdin=subprocess.DEVNULL,
            )
            try:
                place.settimeout(60)
                connection, _ = place.accept()
                with connection:
                    return _cpu_s(process.pid)
            finally:
                process.kill()
                process.wait()

    return measure


def _cpu_s(pid: int) -> float:
    """Return the CPU seconds of every thread of a process so far (Linux: proc_pid_schedstat)."""
    stats = Path(f"/proc/{pid}/task").glob("*/schedstat")
    return sum(int(stat.read_text().split()[0]) for stat in stats) * _NS
