"""What an audit of many large pages holds: the peak of a process of its own, and its beginning.

`python -m tests.bench.holding URL PROJECTS` is that process: it audits so many projects at one
place, four pages each, and prints what it held after its imports and at most, in bytes.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from contextlib import aclosing
from datetime import UTC, datetime
from pathlib import Path

from auditor.engine import Audit
from auditor.eventloop import loop_factory, run
from auditor.model import Incident, Location, Outcome, Plan, Role, Vantage
from auditor.registry import load_kinds
from auditor.selection import running_environment
from auditor.verdict import judge
from tests.bench.measure import Goal
from tests.bench.page_server import LARGE, named
from tests.bench.pages import make_page

__all__ = ["holding_goals"]

PROJECTS, VIEWS = 250, 4


def holding_goals(*, quick: bool = False) -> Iterator[Goal]:
    """Audit a thousand pages, and a fifth of them."""
    from tests.bench.fetching import page_server

    projects = 2 if quick else PROJECTS
    with page_server() as url:
        few_bytes, _ = _held(url, max(1, projects // 5))
        peak_bytes, first_bytes = _held(url, projects)
    pages = projects * VIEWS
    yield Goal(
        name=f"{pages:,} pages of 1.1 MB, peak memory",
        ratio=peak_bytes / first_bytes,
        gate=2.5,
        floor="the same process after its imports",
        note=f"{peak_bytes / 2**20:.0f} MB, {first_bytes / 2**20:.0f} MB",
    )
    yield Goal(
        name=f"{pages:,} pages of 1.1 MB, peak memory against a fifth of them",
        ratio=peak_bytes / few_bytes,
        gate=1.25,
        floor="the same audit of a fifth of the projects",
        note=f"{few_bytes / 2**20:.0f} MB",
    )


def _held(url: str, projects: int) -> tuple[int, int]:
    command = [sys.executable, "-m", "tests.bench.holding", url, str(projects)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    peak_bytes, first_bytes = json.loads(done.stdout)
    return peak_bytes, first_bytes


async def _audit(url: str, projects: int) -> None:
    page = make_page(LARGE)
    plan = Plan(
        incidents=tuple(
            Incident(id=name, project=name, broken=(page.broken,), fixed=(page.fixed,))
            for name in map(named, range(projects))
        ),
        locations=(Location(name="place", kind="simple", role=Role.INDEX, url=f"{url}/simple/"),),
        vantage=Vantage(id="bench"),
        environments=(running_environment(),),
        tool_version="0",
        created_at=datetime.now(UTC),
    )
    by_id = {incident.id: incident for incident in plan.incidents}
    async with aclosing(Audit(plan, {}, load_kinds()).stream()) as sights:
        async for sight in sights:
            (seen,) = sight.observations
            if seen.outcome is not Outcome.OBSERVED or len(seen.pages) != VIEWS:
                raise RuntimeError(f"{sight.incident}: {seen.outcome} {seen.detail}")
            one = Plan(
                incidents=(by_id[sight.incident],),
                locations=plan.locations,
                vantage=plan.vantage,
                environments=plan.environments,
                tool_version="0",
                created_at=plan.created_at,
            )
            judge(one, sight.observations)


def _memory_bytes(field: str) -> int:
    """Return a field of this process's status (Linux: proc_pid_status)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        name, _, value = line.partition(":")
        if name == field:
            return int(value.split()[0]) * 1024
    raise RuntimeError(f"no {field}")


def main(url: str, projects: int) -> None:
    import probes.kit.pages.html_page
    import probes.kit.reading
    import probes.kit.transport
    import probes.simple  # noqa: F401 - what an audit imports, some of it with its first answer

    loop_factory()
    first_bytes = _memory_bytes("VmRSS")
    run(_audit(url, projects))
    print(json.dumps([_memory_bytes("VmHWM"), first_bytes]))


if __name__ == "__main__":
    main(sys.argv[1], int(sys.argv[2]))
