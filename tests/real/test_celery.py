"""Probes as tasks: a real Redis, real workers, and one of them killed in the middle of a look."""

from __future__ import annotations

import asyncio
import gc
import json
import os
import pickle
import re
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
import redis
from aiohttp import web

from auditor.config import Options, read_document, resolve
from auditor.lab.drive.process import clean_environment
from auditor.lab.story import incident_toml
from auditor.lab.world import World
from auditor.registry import load_kinds
from auditor.vantages.asking import Asking
from auditor.vantages.broker import open_application
from auditor.vantages.looking import ASKED_AGAIN
from tests.cli.conftest import world_in_a_thread
from tests.real.celery_workers import PASSWORD, Worker, redis_server, wait_until, worker
from tests.real_programs import require

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("redis", "celery"),
    pytest.mark.xdist_group("celery"),
]

PLACES = ("source", "fresh-mirror", "stuck-mirror", "split-mirror", "wheelhouse", "down")
TIME = re.compile(r"\d{4}-\d\d-\d\dT[\d:.]+Z|\w{3}, \d\d \w{3} \d{4} [\d:]+ GMT")


@dataclass
class Office:
    """A world, a broker, and what is asked of them."""

    world: World
    broker: str
    home: Path

    def config(self, name: str, *places: str, more: str = "") -> Path:
        chosen = [each for each in self.world.placements if each.name in places]
        file = self.home / name
        text = "\n".join([incident_toml(), *(each.toml() for each in chosen)])
        file.write_text(text + more, encoding="utf-8")
        return file

    def ask(self, *words: object, **environ: str) -> subprocess.CompletedProcess[str]:
        """Run a command with the broker in its environment."""
        return subprocess.run(
            [sys.executable, "-m", "auditor.cli.main", *map(str, words)],
            cwd=self.home,
            env=clean_environment(self.home, **{"AUDITOR_BROKER_URL": self.broker, **environ}),
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Office]:
    home = tmp_path_factory.mktemp("office")
    with (
        world_in_a_thread(home / "world") as world,
        redis_server(require("redis"), home / "redis") as broker,
    ):
        yield Office(world, broker, home)


@pytest.fixture(scope="module")
def config(office: Office) -> Path:
    text = '\n[[locations]]\nname = "inside"\nkind = "simple"\nupstream = "source"\n'
    inside = office.world.servers["clean-mirror"].simple_url
    more = f'{text}url = "{inside}"\nvantages = ["tokyo"]\n'
    return office.config("audit.toml", *PLACES, more=more)


@pytest.fixture(scope="module")
def workers(office: Office, config: Path) -> Iterator[dict[str, Worker]]:
    with ExitStack() as stack, ThreadPoolExecutor(2) as pool:
        started = {
            vantage: pool.submit(
                stack.enter_context, worker(vantage, vantage, config, office.broker, office.home)
            )
            for vantage in ("paris", "tokyo")
        }
        yield {vantage: each.result() for vantage, each in started.items()}


def comparable(text: str) -> Any:
    """A run without its times; evidence by what was asked: who of four answers first is chance."""
    run = json.loads(TIME.sub("TIME", text))
    run["requests"].sort(key=json.dumps)
    for notice in run["notices"]:  # they quote the evidence that came first
        lines = notice["text"].splitlines()
        notice["text"] = [line for line in lines if not line.startswith("    curl ")]
    for row in run["locations"]:
        asked = {each.pop("id"): each["request"] for each in row["evidence"]}
        row["evidence"].sort(key=json.dumps)
        for reason in row["reasons"]:
            reason["evidence"] = sorted(asked[name] for name in reason["evidence"])
    return run


def differences(far: Any, near: Any, path: str = "") -> Iterator[str]:
    """Say where two documents differ."""
    if isinstance(far, dict) and isinstance(near, dict):
        for key in sorted({*far, *near}):
            yield from differences(far.get(key), near.get(key), f"{path}.{key}")
    elif isinstance(far, list) and isinstance(near, list) and len(far) == len(near):
        for number, pair in enumerate(zip(far, near, strict=True)):
            yield from differences(*pair, f"{path}[{number}]")
    elif far != near:
        yield f"{path}: {far!r} and {near!r}"


def test_what_a_worker_sees_is_judged_to_the_same_run_as_what_this_machine_sees(
    office: Office, config: Path, workers: dict[str, Worker]
) -> None:
    words = ("audit", "--config", config, "--format", "json")
    far = office.ask(*words, "--celery", "paris", "--celery-wait", "60s")
    near = office.ask(*words, "--vantage", "paris")

    assert (far.returncode, far.stderr) == (near.returncode, near.stderr)
    assert list(differences(comparable(far.stdout), comparable(near.stdout))) == []
    assert len(json.loads(far.stdout)["locations"]) == len(PLACES)


def test_each_vantage_sees_what_it_can_see_once(
    office: Office, config: Path, workers: dict[str, Worker]
) -> None:
    vantages = ("--celery", "paris", "--celery", "tokyo", "--celery-wait", "60s")
    done = office.ask("audit", "--config", config, *vantages, "--format", "json")
    run = json.loads(done.stdout)
    rows = [(row["name"], row["vantage"]) for row in run["locations"]]

    both = [(name, vantage) for name in PLACES for vantage in ("paris", "tokyo")]
    assert sorted([*both, ("inside", "tokyo")]) == rows
    assert run["vantages"] == [{"id": "paris", "labels": {}}, {"id": "tokyo", "labels": {}}]
    assert all(row["outcome"] != "skipped" for row in run["locations"])


def test_the_password_of_the_broker_is_shown_by_nobody(
    office: Office, config: Path, workers: dict[str, Worker]
) -> None:
    wrong = office.broker.replace(PASSWORD, "battery-staple")
    words = ("audit", "--config", config, "--celery", "paris", "--celery-wait", "5s", "-vv")
    refused = office.ask(*words, "--traceback", AUDITOR_BROKER_URL=wrong)

    assert refused.returncode == 2
    assert "the broker that AUDITOR_BROKER_URL names cannot be used" in refused.stderr
    assert "battery-staple" not in refused.stderr + refused.stdout
    assert all(not each.said(PASSWORD) for each in workers.values())


class Trap:
    """What runs where it is unpickled."""

    def __init__(self, file: Path) -> None:
        self.file = file

    def __reduce__(self) -> tuple[Callable[[Path], None], tuple[Path]]:
        return Path.touch, (self.file,)


def test_a_worker_unpickles_nothing_and_goes_on(
    office: Office, config: Path, workers: dict[str, Worker], tmp_path: Path
) -> None:
    application = open_application({"AUDITOR_BROKER_URL": office.broker})
    file = tmp_path / "sprung"
    with application.connection_for_write() as connection:
        connection.default_channel.queue_declare("propagation-audit.paris")
        producer = application.amqp.Producer(connection)
        producer.publish(
            pickle.dumps(([Trap(file)], {}, {})),
            routing_key="propagation-audit.paris",
            content_type="application/x-python-serialize",
            content_encoding="binary",
            headers={"task": "propagation_auditor.look", "id": "trap"},
        )
    words = ("audit", "--config", config, "--celery", "paris", "--celery-wait", "60s")
    done = office.ask(*words, "--format", "json")

    assert not file.exists()
    assert workers["paris"].said("Refusing to deserialize") or workers["paris"].said("Unrecov")
    assert "skipped" not in {row["outcome"] for row in json.loads(done.stdout)["locations"]}


def test_a_vantage_without_a_worker_is_unknown_and_says_what_to_see_to(
    office: Office, config: Path
) -> None:
    words = ("audit", "--config", config, "--celery", "nowhere", "--celery-wait", "0.3s")
    done = office.ask(*words, "--format", "json")
    rows = json.loads(done.stdout)["locations"]

    assert done.returncode == 3
    assert {"skipped"} == {row["outcome"] for row in rows}
    assert {"unknown"} == {row["status"] for row in rows}
    assert "propagation-audit.nowhere" in done.stdout


def test_a_broker_that_dies_leaves_what_was_not_seen_unknown(office: Office, config: Path) -> None:
    home = office.home / "mortal"
    with ThreadPoolExecutor(1) as pool, ExitStack() as stack:
        broker = stack.enter_context(redis_server(require("redis"), home))
        words = ("audit", "--config", config, "--celery", "paris", "--format", "json")
        run = pool.submit(office.ask, *words, AUDITOR_BROKER_URL=broker)
        with redis.Redis.from_url(broker) as client:
            wait_until(lambda: client.llen("propagation-audit.paris") > 0, "it was asked")
        stack.close()
        done = run.result()

    assert done.returncode == 3
    assert {"skipped"} == {row["outcome"] for row in json.loads(done.stdout)["locations"]}
    assert "the broker that AUDITOR_BROKER_URL names cannot be used" in done.stdout
    assert PASSWORD not in done.stdout + done.stderr


def test_a_run_that_is_stopped_takes_its_questions_back_and_tells_what_it_has(
    office: Office, config: Path
) -> None:
    words = ("probe", "--config", config, "--celery", "nobody", "-o", office.home / "o.jsonl")
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor.cli.main", *map(str, words)],
        env=clean_environment(office.home, AUDITOR_BROKER_URL=office.broker),
        stderr=subprocess.PIPE,
        text=True,
    )
    with redis.Redis.from_url(office.broker) as client:
        wait_until(lambda: client.llen("propagation-audit.nobody") > 0, "it was asked")
    process.terminate()
    _, err = process.communicate(timeout=60)

    assert (process.returncode, "stopping; reporting what was seen so far" in err) == (3, True)
    lines = (office.home / "o.jsonl").read_text(encoding="utf-8").splitlines()
    assert len(lines) == 1 + len(PLACES)


def test_a_watch_asks_workers_until_all_of_them_see_the_fix(
    office: Office, workers: dict[str, Worker], tmp_path: Path
) -> None:
    config = office.config("watched.toml", "source", "fresh-mirror")
    for each in workers.values():  # they look at what their own configuration names
        assert each.process.poll() is None
    history, vantages = tmp_path / "h.sqlite3", ("--celery", "paris", "--celery", "tokyo")
    limits = ("--budget", "90s", "--interval", "0.2s", "--passes", "3", "--celery-wait", "60s")
    words = ("watch", "--config", config, "--history", history, *vantages, *limits)
    done = office.ask(*words, "--format", "json")
    run = json.loads(done.stdout)

    assert (done.returncode, "watch: everywhere, 3 looks agree" in done.stderr) == (0, True)
    assert [(row["name"], row["vantage"]) for row in run["locations"]] == [
        (name, vantage) for name in ("fresh-mirror", "source") for vantage in ("paris", "tokyo")
    ]
    assert run["incident"]["id"] in office.ask("history", "--history", history).stdout


def test_a_watch_waits_for_no_worker_beyond_its_budget(office: Office, config: Path) -> None:
    begun = time.monotonic()
    words = ("watch", "--config", config, "--celery", "nowhere", "--budget", "2s")
    done = office.ask(*words, "--celery-wait", "10m", "--format", "json")

    assert done.returncode == 3
    assert "watch: unreachable; out of budget" in done.stderr
    assert time.monotonic() - begun < 60


def test_looking_again_and_again_leaves_no_connection_open(
    office: Office, config: Path, workers: dict[str, Worker]
) -> None:
    with redis.Redis.from_url(office.broker) as client:
        open_after: list[int] = []
        for _ in range(4):
            look_once(office, config)
            gc.collect()
            open_after.append(len(client.client_list()))
    # The worker may open one of its own when it first answers.
    assert open_after[-1] <= open_after[0] + 1


def look_once(office: Office, config: Path) -> None:
    """Ask within this process, as each look of a watch does."""
    kinds = load_kinds()
    document = read_document(config)
    resolved = resolve(document, kinds, Options(vantages=("paris",)), environ={})
    application = open_application({"AUDITOR_BROKER_URL": office.broker})
    asking = Asking(application, resolved.plan, kinds, ["paris"], wait_s=60.0)
    assert {o.outcome.value for o in asyncio.run(asking.run())} >= {"observed"}


@pytest.mark.parametrize(
    "killed",
    ["the whole worker", pytest.param("the process that looks", marks=pytest.mark.heavy)],
)
def test_a_worker_that_is_killed_loses_and_doubles_no_observation(
    office: Office, killed: str, tmp_path: Path
) -> None:
    places = PLACES[:4]
    config = office.config("killed.toml", *places)
    held = office.world.servers["fresh-mirror"]
    asked, released = threading.Event(), threading.Event()

    async def hold(request: web.Request) -> None:
        if "propagation-auditor" in request.headers.get("User-Agent", "") and not released.is_set():
            asked.set()
            await asyncio.sleep(60)

    held.intercept = hold
    output = tmp_path / "observations.jsonl"
    setup = (config, office.broker, tmp_path)
    # Longer than what is left of the look once the killed one's question is given out again.
    environ = {"AUDITOR_WORKER_VISIBILITY_S": "2"}
    try:
        with ExitStack() as stack, ThreadPoolExecutor(3) as pool:
            both = [
                each.result()
                for each in [
                    pool.submit(stack.enter_context, worker(f"lyon-{n}", "lyon", *setup, **environ))
                    for n in (1, 2)
                ]
            ]
            words = ("probe", "--config", config, "--celery", "lyon", "--celery-wait", "60s")
            run = pool.submit(office.ask, *words, "-o", output)
            wait_until(asked.is_set, "the held place is asked")
            (victim,) = [each for each in both if each.is_busy()][:1]
            released.set()
            if killed == "the whole worker":
                victim.kill()
            else:
                for pid in victim.children():
                    os.kill(pid, signal.SIGKILL)
            done = run.result()
    finally:
        held.intercept = None

    assert (done.returncode, done.stderr.strip()) == (0, "")
    lines = [json.loads(line) for line in output.read_text(encoding="utf-8").splitlines()[1:]]
    assert sorted(places) == sorted(line["location"] for line in lines)
    assert {"observed"} == {line["outcome"] for line in lines}
    # On a machine that is busy, others may have been given out again as well.
    assert "fresh-mirror" in [e["location"] for e in lines if ASKED_AGAIN in e["notes"]]
    for line in lines:
        views = [(page["view"], page["sample"]) for page in line["pages"]]
        assert len(views) == len(set(views))
