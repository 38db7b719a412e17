"""Several incidents in one command: one request per page, bounded memory, a line for each."""

from __future__ import annotations

import asyncio
import gc
import json
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor import lanes, limits
from auditor.cli import fleet
from auditor.model import Observation
from auditor.model import Run as AuditRun
from tests.bench.fleet_server import BROKEN, FIXED, Asked, Index, answers_of
from tests.bench.latency_server import project
from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

VIEWS = 4
RATE = 2000


@contextmanager
def serving(projects: int, delay_s: float = 0.0) -> Iterator[tuple[str, Asked]]:
    """Serve every project below any prefix, from a thread of its own."""
    loop, asked = asyncio.new_event_loop(), Asked()
    answers = answers_of(projects)
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    begun = loop.create_server(lambda: Index(answers, asked, delay_s), "127.0.0.1", 0)
    server = asyncio.run_coroutine_threadsafe(begun, loop).result(30)
    try:
        yield f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}", asked
    finally:
        loop.call_soon_threadsafe(server.close)
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.run_until_complete(server.wait_closed())
        loop.close()


@pytest.fixture(scope="module")
def host() -> Iterator[str]:
    """An index of a few projects that nobody counts anything at."""
    with serving(3) as (url, _):
        yield url


@pytest.fixture
def configured(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration; incidents as (id, project, broken, fixed)."""

    def write(url: str, places: int, incidents: list[tuple[str, str, str, str]]) -> Path:
        tables = [
            f'[[incidents]]\nid = "{name}"\nproject = "{about}"\nbroken = ["{broken}"]\n'
            f'fixed = ["{fixed}"]\n'
            for name, about, broken, fixed in incidents
        ]
        for number in range(places):
            upstream = 'upstream = "m0"\n' if number else ""
            tables.append(
                f'[[locations]]\nname = "m{number}"\nkind = "simple"\n'
                f'url = "{url}/m{number}/simple/"\n{upstream}'
            )
        file = tmp_path / "fleet.toml"
        file.write_text("\n".join(tables))
        return file

    return write


def of_projects(count: int) -> list[tuple[str, str, str, str]]:
    return [(f"i{n}", project(n), BROKEN, FIXED) for n in range(count)]


def test_each_page_is_asked_for_once_in_each_view_within_the_limits_and_memory_stays(
    run: Run, configured: Callable[..., Path], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(lanes, "MAX_INCIDENTS", 4)
    monkeypatch.setattr(limits, "HOST_RATE_PER_S", RATE)
    alive: list[int] = []

    def counted(told: AuditRun) -> AuditRun:
        alive.append(sum(isinstance(each, Observation) for each in gc.get_objects()))
        return slim(told)

    slim = fleet.slim
    monkeypatch.setattr(fleet, "slim", counted)
    projects, places = 40, 5
    gc.collect()
    before = sum(isinstance(each, Observation) for each in gc.get_objects())
    with serving(projects, delay_s=0.002) as (url, asked):
        file = configured(url, places, of_projects(projects))
        result = run("audit", "--config", file, "--no-progress")
    assert result.code == 0, result.err
    assert len(result.out.splitlines()) == projects + 1
    assert set(asked.pages.values()) == {1}
    assert len(asked.pages) == projects * places * VIEWS
    assert asked.most_open <= 4
    # The one that is told is let go only after the next one was asked for; garbage waits a while.
    assert max(alive) - before <= 3 * 4 * places
    assert max(alive[20:]) <= max(alive[:20]) + places


def test_incidents_about_one_project_share_their_requests_and_say_so(
    run: Run, configured: Callable[..., Path], tmp_path: Path
) -> None:
    incidents = [("first", project(0), BROKEN, FIXED), ("second", project(0), "1.0.1", "1.0.2")]
    with serving(1) as (url, asked):
        file = configured(url, 3, incidents)
        result = run("audit", "--config", file, "--report", f"json={tmp_path}/{{id}}.json")
    assert result.code in (0, 1), result.err
    assert set(asked.pages.values()) == {1}
    runs = {name: json.loads((tmp_path / f"{name}.json").read_text()) for name, *_ in incidents}
    requests = [(name, r) for name, found in runs.items() for r in found["requests"]]
    made = [r for _, r in requests if "made_for" not in r]
    shared = [(name, r["made_for"]) for name, r in requests if "made_for" in r]
    assert len(made) == asked.pages.total() == 3 * VIEWS
    assert len(shared) == 3 * VIEWS
    assert all({name, made_for} == {"first", "second"} for name, made_for in shared)
    for name, made_for in shared:
        facts = [
            each["response"].get("asked-once-for", "")
            for row in runs[name]["locations"]
            for each in row["evidence"]
        ]
        assert any(fact.startswith(f"incident {made_for}, ") for fact in facts)


def test_several_incidents_get_a_line_each_and_one_for_all(
    run: Run, configured: Callable[..., Path], host: str
) -> None:
    file = configured(host, 2, [*of_projects(2), ("bad", project(2), FIXED, "1.0.5")])
    result = run("audit", "--config", file)
    lines = result.out.splitlines()
    assert len(lines) == 4
    assert [line.split()[2] for line in lines[:2]] == ["i0", "i1"]
    assert "(2 rolled-forward)" in lines[0]
    assert lines[-1].startswith("3 incidents: ")
    assert "--incident ID" in lines[-1]


def test_judging_several_incidents_says_the_same_as_auditing_them(
    host: str, run: Run, configured: Callable[..., Path], tmp_path: Path
) -> None:
    file = configured(host, 2, of_projects(3))
    seen = tmp_path / "seen.jsonl"
    assert run("probe", "--config", file, "-o", seen).code == 0
    judged = run("judge", seen)
    assert judged.out == run("audit", "--config", file).out
    assert judged.out.splitlines()[-1].startswith("3 incidents: 3 all good")
    assert run("judge", seen, "--format", "nagios", "--incident", "i1").out.count("\n") == 1


def test_the_full_report_of_each_is_had_by_asking_for_it(
    run: Run, configured: Callable[..., Path], host: str
) -> None:
    file = configured(host, 1, of_projects(2))
    full = run("audit", "--config", file, "--format", "terminal")
    assert full.out.count("m0") >= 2
    assert len(full.out.splitlines()) > 10


def test_json_lines_hold_any_number_of_runs(
    run: Run, configured: Callable[..., Path], host: str
) -> None:
    file = configured(host, 2, of_projects(3))
    out = run("audit", "--config", file, "--format", "jsonl").out
    lines = [json.loads(line) for line in out.splitlines()]
    assert [each["incident_id"] for each in lines if each["type"] == "run"] == ["i0", "i1", "i2"]
    assert len(lines) == 3 * (1 + 2)


def test_a_name_that_nobody_knows_costs_the_other_incidents_nothing(
    run: Run, configured: Callable[..., Path], host: str, tmp_path: Path
) -> None:
    incidents = [*of_projects(1), ("typo", "projcet", BROKEN, FIXED), *of_projects(3)[1:]]
    file = configured(host, 2, incidents)
    report = ("--report", f"json={tmp_path}/{{id}}.json")
    result = run("audit", "--config", file, "--exit-zero", *report)
    assert result.code == 2
    assert "incident typo: no location knows a project called 'projcet'" in result.err
    assert {each.stem for each in tmp_path.glob("*.json")} == {"i0", "i1", "i2"}


def test_a_site_gets_every_run_and_one_index(
    run: Run, configured: Callable[..., Path], host: str, tmp_path: Path
) -> None:
    site = tmp_path / "site"
    assert run("audit", "--config", configured(host, 1, of_projects(3)), "--site", site).code == 0
    index = (site / "index.html").read_text()
    assert all(f"runs/i{number}/" in index for number in range(3))


def test_a_history_keeps_every_incident_and_silence_is_for_each(
    run: Run, configured: Callable[..., Path], host: str, tmp_path: Path
) -> None:
    file = configured(host, 2, of_projects(3))
    words = ("audit", "--config", file, "--history", tmp_path / "h.sqlite3", "--only-changes")
    first = run(*words)
    again = run(*words)
    assert (first.code, again.code) == (0, 0)
    assert len(first.out.splitlines()) == 4
    assert again.out == ""


def test_a_monitoring_system_gets_one_line_for_all(
    run: Run, configured: Callable[..., Path], host: str
) -> None:
    file = configured(host, 2, of_projects(3))
    result = run("audit", "--config", file, "--exit-style", "nagios")
    assert result.code == 0
    (line,) = result.out.splitlines()
    assert line.startswith("PROPAGATION OK - ")
    assert "locations=6" in line


def test_the_exit_code_is_the_worst_of_all(
    run: Run, configured: Callable[..., Path], host: str
) -> None:
    # The fix of the second one is below what every place still offers as its newest, broken file.
    incidents = [*of_projects(1), ("bad", project(1), "1.0.5", "1.0.6")]
    assert run("audit", "--config", configured(host, 1, incidents)).code == 1
