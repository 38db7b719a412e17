"""The library: one way through, inside any event loop, cancelled cleanly, cheap to import."""

from __future__ import annotations

import asyncio
import json
import logging
import subprocess
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
from aiohttp import web

import auditor
from auditor.lab.server import LoopbackServer
from auditor.lab.story import incident_toml
from auditor.lab.world import World, lay_wheelhouse
from auditor.model import Status
from tests.docs import readme

pytestmark = pytest.mark.slow

CANARY = "library-canary-77"


@pytest.fixture
async def world(tmp_path: Path) -> AsyncIterator[World]:
    async with World(tmp_path / "world", stores=(lay_wheelhouse,)) as started:
        yield started


def place(world: World, name: str) -> str:
    found = next(each for each in world.placements if each.name == name)
    return f"{name}:{found.kind}={found.url or found.path}"


async def ask(*locations: str | dict[str, object], **more: object) -> auditor.Run:
    return await auditor.audit(
        "brokenpkg",
        broken="1.2.3",
        fixed=["1.2.4"],
        locations=locations,
        environ={},
        **more,
    )


async def test_locations_are_texts_or_tables_and_each_gets_its_verdict(world: World) -> None:
    source = next(each for each in world.placements if each.name == "source")
    run = await ask(
        {"name": "source", "kind": "pypi", "url": source.url},
        place(world, "behind-mirror"),
        {"name": "wheels", "kind": "wheelhouse", "path": world.directory / "wheelhouse"},
    )
    assert isinstance(run, auditor.Run)
    found = {verdict.location.name: verdict.status for verdict in run.verdicts}
    assert found == {
        "source": Status.ROLLED_FORWARD,
        "behind-mirror": Status.BEHIND,
        "wheels": Status.EXPOSED,
    }
    assert run.summary.exit_code == 1


async def test_it_says_what_the_command_says(world: World, tmp_path: Path) -> None:
    chosen = [each for each in world.placements if each.name in ("source", "split-mirror")]
    file = tmp_path / "audit.toml"
    file.write_text("\n".join([incident_toml(), *(each.toml() for each in chosen)]))
    (run,) = await auditor.audit_config(file, environ={})
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "auditor.cli.main", "audit"),
        *("--config", str(file), "--format", "json"),
        stdout=asyncio.subprocess.PIPE,
    )
    told, _ = await process.communicate()
    ours, theirs = json.loads(auditor.render(run, "json")), json.loads(told)
    for document in (ours, theirs):
        assert document["locations"]
    keys = ("name", "status", "broken", "fix", "if_deleted", "remedies")
    assert [{key: row[key] for key in keys} for row in ours["locations"]] == [
        {key: row[key] for key in keys} for row in theirs["locations"]
    ]


async def test_a_run_is_rendered_in_every_format(world: World) -> None:
    run = await ask(place(world, "source"))
    assert auditor.render(run, "html").startswith("<!doctype html>")
    assert "rolled-forward" in auditor.render(run, "terminal", width=60)
    assert json.loads(auditor.render(run, "json"))["schema_version"] == 1
    with pytest.raises(auditor.RegistryError, match="did you mean 'html'"):
        auditor.render(run, "htlm")


async def test_several_audits_share_one_loop(world: World) -> None:
    runs = await asyncio.gather(*(ask(place(world, "fresh-mirror")) for _ in range(3)))
    assert [run.verdicts[0].status for run in runs] == [Status.ROLLED_FORWARD] * 3


async def test_every_event_is_told_and_what_a_listener_raises_comes_out(world: World) -> None:
    events: list[auditor.Event] = []
    await ask(place(world, "source"), place(world, "down"), on_event=events.append)
    told = [(event.location, event.phase) for event in events]
    assert sorted(told) == [
        *(("down", "finished"), ("down", "started")),
        *(("source", "finished"), ("source", "started")),
    ]
    assert told[0] == ("source", "started")
    assert (events[-1].done, events[-1].total) == (2, 2)

    def refuse(event: auditor.Event) -> None:
        raise LookupError("no such listener")

    with pytest.raises(LookupError):
        await ask(place(world, "source"), on_event=refuse)


async def test_cancelling_ends_every_probe_and_leaves_nothing_running() -> None:
    asked = asyncio.Event()
    over = asyncio.Event()

    async def hang(request: web.Request) -> web.StreamResponse:
        asked.set()
        await over.wait()
        return web.Response()

    server = LoopbackServer("silent")
    server.intercept = hang
    async with server:
        before = asyncio.all_tasks()
        auditing = asyncio.create_task(
            ask(*(f"m{number}:simple={server.simple_url}" for number in range(5)))
        )
        await asyncio.wait_for(asked.wait(), 20)
        ours = {task for task in asyncio.all_tasks() - before if not is_of_server(task)}
        assert len(ours) > 5
        auditing.cancel()
        with pytest.raises(asyncio.CancelledError):
            await auditing
        left = {task for task in ours if not task.done()}
        assert left == set()
        over.set()
        while len(asyncio.all_tasks() - before) > 0:
            await asyncio.wait(asyncio.all_tasks() - before, timeout=5)


def is_of_server(task: asyncio.Task[object]) -> bool:
    return "RequestHandler" in repr(task.get_coro())


async def test_a_deadline_of_the_caller_is_kept() -> None:
    async def hang(request: web.Request) -> web.StreamResponse:
        await over.wait()
        return web.Response()

    over = asyncio.Event()
    server = LoopbackServer("silent")
    server.intercept = hang
    async with server:
        await asyncio.gather(ask("wheelhouse=."), return_exceptions=True)  # imports take their time
        with pytest.raises(TimeoutError):  # long before the place's own time is up
            async with asyncio.timeout(1):
                await ask(f"simple={server.simple_url}")
        over.set()


# --- what it refuses


@pytest.mark.parametrize(
    ("locations", "more", "problem"),
    [
        (("simple",), {}, "locations[0]: has no '='"),
        (("a:simpel=http://127.0.0.1:1/",), {}, "locations[0]: kind: unknown kind"),
        (({"kind": "simple", "ulr": "x"},), {}, "unknown key"),
        (("simple=http://127.0.0.1:1/",), {"options": {"timeot_s": 3}}, "timeout_s"),
        (("simple=http://127.0.0.1:1/",), {"incident": {"published_at": "now"}}, "published_at"),
        (
            ("simple=http://127.0.0.1:1/",),
            {"credentials": {"simpel": {"token": "x"}}},
            "there is no location 'simpel'; did you mean 'simple'?",
        ),
        (
            ("simple=http://127.0.0.1:1/",),
            {"credentials": {"simple": {"pasword": CANARY}}},
            "credentials['simple']: unknown key 'pasword'",
        ),
    ],
)
async def test_a_wrong_argument_is_a_config_error_that_names_it(
    locations: tuple[str, ...], more: dict[str, object], problem: str
) -> None:
    with pytest.raises(auditor.ConfigError) as caught:
        await ask(*locations, **more)
    assert problem in "\n".join(caught.value.problems)
    assert CANARY not in str(caught.value)


async def test_all_problems_come_at_once() -> None:
    with pytest.raises(auditor.ConfigError) as caught:
        await auditor.audit(
            "no name!",
            broken="1.2.3",
            fixed=["not a version"],
            locations=["pinguin=http://127.0.0.1:1/"],
            environ={},
        )
    assert len(caught.value.problems) >= 3


async def test_a_project_that_nobody_knows_is_a_usage_error(world: World) -> None:
    with pytest.raises(auditor.UsageError, match="no location knows a project called 'no-such'"):
        await auditor.audit(
            "no-such", broken="1", fixed="2", locations=[place(world, "source")], environ={}
        )


async def test_a_text_instead_of_a_list_of_locations_is_refused() -> None:
    with pytest.raises(auditor.ConfigError, match="must be a list"):
        await auditor.audit("p", broken="1", fixed="2", locations="simple=http://x.example/")


async def test_a_missing_file_is_a_config_error(tmp_path: Path) -> None:
    with pytest.raises(auditor.ConfigError, match="cannot be read"):
        await auditor.audit_config(tmp_path / "none.toml")


# --- credentials


async def test_credentials_reach_their_own_place_and_no_report(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    server = world.servers["fresh-mirror"]
    run = await ask(
        place(world, "fresh-mirror"),
        place(world, "source"),
        credentials={"fresh-mirror": {"username": "me", "password": CANARY}},
    )
    assert "authorization" in server.log[-1].headers
    assert all("authorization" not in each.headers for each in world.servers["source"].log)
    for report_format in ("html", "json", "terminal"):
        assert CANARY not in auditor.render(run, report_format)
    assert CANARY not in caplog.text
    assert CANARY not in repr(auditor.Credentials(password=CANARY))


async def test_warnings_go_to_the_logger_of_the_package(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    server = world.servers["fresh-mirror"]
    with caplog.at_level(logging.WARNING, logger="auditor"):
        await ask({"kind": "simple", "url": server.simple_url, "token": CANARY})
    assert [record.name for record in caplog.records] == ["auditor"]
    assert "token stands there in clear" in caplog.text
    assert CANARY not in caplog.text


# --- the package itself


def test_importing_the_package_imports_nothing_heavy() -> None:
    code = (
        "import sys; bare = set(sys.modules); import auditor; auditor.__version__;"
        "print(sorted(set(sys.modules) - bare))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.strip() == "['auditor']"


def test_every_public_name_is_there_and_documented() -> None:
    for name in auditor.__all__:
        assert getattr(auditor, name) is not None
        assert name in dir(auditor)
    with pytest.raises(AttributeError, match="no attribute 'nothing'"):
        _ = auditor.nothing  # type: ignore[attr-defined]  # that is the point
    listed = {name.removeprefix("auditor.") for name in readme.names("As a library")}
    documented = {*listed, "UsageError", "ConfigError", "RegistryError", "__version__"}
    assert documented == set(auditor.__all__)


@pytest.mark.slow
def test_the_readmes_example_is_valid_and_uses_the_api_as_it_is(tmp_path: Path) -> None:
    (code,) = readme.blocks("python", "As a library")
    example = tmp_path / "example.py"
    example.write_text(code)
    done = subprocess.run(
        [sys.executable, "-m", "mypy", "--strict", "--no-incremental", str(example)],
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
        cwd=Path(__file__).parents[2],
    )
    assert done.returncode == 0, done.stdout


@pytest.mark.parametrize("package", ["auditor", "probes", "reports"])
def test_the_packages_say_that_they_are_typed(package: str) -> None:
    assert (Path(__file__).parents[2] / package / "py.typed").is_file()
