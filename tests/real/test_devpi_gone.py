"""A release deleted at the source with its file gone: does a real devpi-server still hold it?

Asking is safe then, because nothing is left to fetch; the disks show who is right.
"""

from __future__ import annotations

import itertools
from collections.abc import AsyncIterator, Iterable
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest
import pytest_asyncio

from auditor.config import parse_document, resolve
from auditor.engine import Audit
from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.drive.upstream import Upstream, serving
from auditor.lab.index import EmbeddedIndex
from auditor.model import Fingerprint, HeldState, Location, Observation, Plan
from auditor.registry import load_kinds
from auditor.verdict import judge
from tests.real.devpi_servers import Devpi, devpi_server, in_sync, replica_of

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("devpi-server"),
    pytest.mark.xdist_group("devpi-gone"),
    pytest.mark.asyncio(loop_scope="module"),
]

USERS = itertools.count(1)


@dataclass(frozen=True)
class Pair:
    primary: Devpi
    replica: Devpi


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pair(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Pair]:
    home = tmp_path_factory.mktemp("devpi")
    async with (
        devpi_server(home, "--role=primary") as primary,
        replica_of(primary, home) as replica,
    ):
        yield Pair(primary, replica)


@dataclass
class Stage:
    """A mirror and a stage over it, of one user; 1.2.3 is broken, 1.2.4 fixes it."""

    upstream: Upstream
    pair: Pair
    user: str
    broken: tuple[Artifact, Artifact]

    @property
    def wheel(self) -> Artifact:
        return self.broken[0]

    @property
    def sdist(self) -> Artifact:
        return self.broken[1]

    @property
    def known(self) -> tuple[Fingerprint, ...]:
        return tuple(
            replace(a.fingerprint(), url=self.upstream.url_of(a), crc32=None) for a in self.broken
        )

    async def settle(self) -> None:
        await in_sync(self.pair.primary, self.pair.replica, self.user)

    def tables(self, replica_copies: str = "primary", **keys: str) -> str:
        primary, replica = self.pair.primary, self.pair.replica
        tables = [
            ("source", "pypi", self.upstream.simple_url, {}),
            ("primary", "devpi", primary.simple(f"{self.user}/mir"), {"upstream": "source"}),
            ("stage", "devpi", primary.simple(f"{self.user}/open"), {"upstream": "source"}),
            ("undeclared", "devpi", primary.simple(f"{self.user}/open"), {}),
            (
                "replica",
                "devpi",
                replica.simple(f"{self.user}/mir"),
                {"upstream": replica_copies, **keys},
            ),
        ]
        return "\n".join(
            f'[[locations]]\nname = "{name}"\nkind = "{kind}"\nurl = "{url}"\n'
            + "".join(f'{key} = "{value}"\n' for key, value in more.items())
            for name, kind, url, more in tables
        )

    async def audit(self, *, builtin: bool = True, **how: str) -> dict[str, Observation]:
        """Audit as if the source stood at pip's built-in address, where HEAD is inert."""
        incident = '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
        document = parse_document(
            incident + self.tables(**how), name="gone.toml", directory=Path.cwd()
        )
        kinds = load_kinds()
        plan = resolve(document, kinds, environ={}).plan
        plan = replace(
            plan,
            incidents=tuple(replace(i, fingerprints=self.known) for i in plan.incidents),
            locations=tuple(map(_as_builtin, plan.locations)) if builtin else plan.locations,
        )
        observations = await Audit(plan, {}, kinds).run()
        _judged(plan, observations)
        return {o.location: o for o in observations}


def _as_builtin(location: Location) -> Location:
    return (
        replace(location, settings={"pip_builtin": True}) if location.kind == "pypi" else location
    )


def _judged(plan: Plan, observations: Iterable[Observation]) -> None:
    (run,) = judge(plan, tuple(observations))
    for verdict in run.verdicts:
        assert verdict.status != "tampered", verdict.reasons


@pytest_asyncio.fixture(loop_scope="module")
async def stage(pair: Pair) -> AsyncIterator[Stage]:
    """The wheel of 1.2.3 is stored on both servers, its sdist only linked; then it is deleted."""
    index = EmbeddedIndex("brokenpkg")
    releases = {v: build_release("brokenpkg", v) for v in ("1.2.2", "1.2.3", "1.2.4")}
    for release in releases.values():
        index.publish(*release)
    user = f"gone{next(USERS)}"
    primary = pair.primary
    async with serving(index) as upstream:
        stage = Stage(upstream, pair, user, releases["1.2.3"])
        await primary.add_user(user)
        await primary.mirror(f"{user}/mir", upstream.simple_url)
        await primary.make(
            f"{user}/open", type="stage", bases=[f"{user}/mir"], mirror_whitelist=["*"]
        )
        await primary.page(f"{user}/mir")
        await primary.store(f"{user}/mir", stage.wheel)
        await stage.settle()
        index.delete_release("1.2.3", keep_files=False)
        await primary.refresh(f"{user}/mir")
        await stage.settle()
        yield stage


def states(observation: Observation) -> dict[str, HeldState]:
    return {h.filename: h.state for h in observation.holdings}


def lose(server: Devpi, stage: Stage) -> None:
    """Lose the bytes from the disk, as deleting a version does; the entry stays."""
    (found,) = (server.serverdir / "+files" / stage.user).rglob(stage.wheel.filename)
    found.unlink()


async def test_a_primary_is_asked_and_says_what_its_disk_shows(stage: Stage) -> None:
    primary = stage.pair.primary
    before = primary.inventory(stage.user), await primary.serial()

    seen = await stage.audit()

    expected = {stage.wheel.filename: HeldState.HELD, stage.sdist.filename: HeldState.NOT_HELD}
    assert states(seen["primary"]) == states(seen["stage"]) == expected
    (held,) = [h for h in seen["primary"].holdings if h.state is HeldState.HELD]
    assert (held.sha256, held.size) == (stage.wheel.sha256, len(stage.wheel.content))
    assert before == (primary.inventory(stage.user), await primary.serial())
    assert set(before[0]) == {stage.wheel.filename}


async def test_bytes_that_were_lost_are_not_held(stage: Stage) -> None:
    lose(stage.pair.primary, stage)

    seen = await stage.audit()

    assert set(states(seen["primary"]).values()) == {HeldState.NOT_HELD}
    assert stage.pair.primary.inventory(stage.user) == {}


async def test_a_replica_is_asked_only_when_its_primary_has_nothing_to_give(stage: Stage) -> None:
    """While the primary holds the file, asking could make the replica copy it from there."""
    both = await stage.audit()
    # The sdist is on neither, and was never: nobody could give it.
    assert states(both["replica"]) == {
        stage.wheel.filename: HeldState.UNKNOWN,
        stage.sdist.filename: HeldState.NOT_HELD,
    }

    lose(stage.pair.primary, stage)
    alone = await stage.audit()

    assert states(alone["replica"])[stage.wheel.filename] is HeldState.HELD
    assert stage.pair.primary.inventory(stage.user) == {}
    assert set(stage.pair.replica.inventory(stage.user)) == {stage.wheel.filename}


async def test_a_replica_that_lost_its_bytes_does_not_hold_them(stage: Stage) -> None:
    lose(stage.pair.primary, stage)
    lose(stage.pair.replica, stage)

    seen = await stage.audit()

    assert set(states(seen["replica"]).values()) == {HeldState.NOT_HELD}
    assert stage.pair.replica.inventory(stage.user) == {}


async def test_a_replica_whose_primary_is_not_declared_is_not_asked(stage: Stage) -> None:
    seen = await stage.audit(replica_copies="source")

    assert set(states(seen["replica"]).values()) == {HeldState.UNKNOWN}
    assert not any("view=json" not in r.url and "/+f/" in r.url for r in seen["replica"].requests)


@pytest.mark.parametrize("builtin", [True, False])
async def test_without_a_chain_of_404s_nothing_but_the_entry_is_asked_for(
    builtin: bool, stage: Stage
) -> None:
    """Neither where no upstream is declared, nor where the source itself could not be asked."""
    seen = await stage.audit(builtin=builtin)

    for name in ("undeclared",) if builtin else ("undeclared", "primary", "stage"):
        assert states(seen[name])[stage.wheel.filename] is HeldState.STORED_ONCE
        assert all("view=json" in r.url for r in seen[name].requests if "/+f/" in r.url)


async def test_a_file_that_is_still_served_at_the_source_makes_nothing_safe(stage: Stage) -> None:
    stage.upstream.index.files.put(stage.wheel, datetime.now(UTC))

    seen = await stage.audit()

    assert states(seen["source"])[stage.wheel.filename] is HeldState.HELD
    assert states(seen["primary"])[stage.wheel.filename] is HeldState.STORED_ONCE
