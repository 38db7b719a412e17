"""The incident on real nginx, squid, Varnish and Apache in front of the embedded PyPI.

Every cache is started once, in front of one upstream, and audited as its operator sees it and as
anybody else does. Pages live for 600 s, as PyPI's do; the operator purges them where the story says
that a place catches up, by the commands that the audit prints.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import AsyncExitStack, asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive.caches.apache import ApacheCache
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import serving_together
from auditor.lab.drive.caches.squid import SquidCache
from auditor.lab.drive.caches.varnish import VarnishCache
from auditor.lab.drive.driver import play_story
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import GOOD, PROJECT
from auditor.model import HeldState, LagState, Run, Status, Verdict, View
from probes.kit.views import page_headers

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("nginx", "squid", "varnish", "apache", "pip"),
]

CLIENTS = tuple(dict(page_headers(view, "operator")) for view in View)

# Every step but those that differ from others in what the upstream's page says alone.
STEPS = (Step.BROKEN, Step.FIX_PUBLISHED, Step.REFRESHED, Step.DELETED, Step.UPSTREAM_DOWN)


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-caches-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@dataclass
class Caches:
    """All of them in front of one upstream, as one subject of the story."""

    fronts: Sequence[CachingFront]
    name: str = field(default="caches", init=False)
    _log: list[AccessLine] = field(default_factory=list, init=False)
    _lines: dict[str, int] = field(default_factory=dict, init=False)

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        async with AsyncExitStack() as stack:
            for front in self.fronts:
                await stack.enter_async_context(front.running(upstream, directory))
            await self._hold_the_good_release()
            yield

    async def _hold_the_good_release(self) -> None:
        """Let a client get one: a directory without any file proves nothing about files."""
        wheel, _ = build_release(PROJECT, GOOD)
        async with aiohttp.ClientSession() as session:
            for front in self.fronts:
                if isinstance(front, NginxCache):
                    await (await session.get(f"{front.url}{wheel.path}")).read()

    def places(self) -> Sequence[Place]:
        # Of two clients that fetch one variant at the same time, Apache may keep the header of one
        # and the body of the other, and then uses neither: two places would do that here.
        every = [place for front in self.fronts for place in front.places()]
        return [place for place in every if place.name != "apache from afar"]

    async def refresh(self) -> None:
        for front in self.fronts:
            await front.refresh()

    def inventory(self) -> Inventory:
        """All of them together: what matters here is that no audit changes any of it."""
        found: dict[str, frozenset[str]] = {}
        for front in self.fronts:
            for name, digests in front.inventory().items():
                found[name] = found.get(name, frozenset()) | digests
        return found

    def access_log(self) -> Sequence[AccessLine]:
        """What all of them wrote, the new lines always at the end."""
        for front in self.fronts:
            lines = front.access_log()
            self._log += lines[self._lines.get(front.name, 0) :]
            self._lines[front.name] = len(lines)
        return list(self._log)


def row(run: Run, name: str) -> Verdict:
    return next(v for v in run.verdicts if v.location.name == name)


async def test_every_statement_agrees_with_pip_and_disk_and_nothing_is_harmed(
    real_program: Callable[[str], Path], public_directory: Path
) -> None:
    fronts = [
        NginxCache(command=real_program("nginx")),
        SquidCache(command=real_program("squid"), clients=CLIENTS),
        VarnishCache(command=real_program("varnish"), peek=True),
        ApacheCache(command=real_program("apache")),
    ]
    played = await play_story(Caches(fronts), public_directory, steps=STEPS, serve=serving_together)

    assert played.disagreements == ()
    assert played.harm == ()
    expected = {
        Step.BROKEN: (Status.EXPOSED, HeldState.NOT_HELD),  # nobody has asked for its files yet
        Step.FIX_PUBLISHED: (Status.EXPOSED, HeldState.HELD),
        Step.REFRESHED: (Status.ROLLED_FORWARD, HeldState.HELD),
        Step.DELETED: (Status.ROLLED_FORWARD, HeldState.HELD),  # and listed no more
        Step.UPSTREAM_DOWN: (Status.ROLLED_FORWARD, HeldState.HELD),
    }
    knowing = ("nginx", "squid", "squid from afar", "varnish", "apache")
    for step, run in played.runs.items():
        told = {name: (row(run, name).status, row(run, name).broken.held) for name in knowing}
        assert told == dict.fromkeys(knowing, expected[step]), step
        for name in ("nginx from afar", "varnish from afar"):
            assert row(run, name).broken.held is HeldState.UNKNOWN
            assert "no-safe-probe" in {reason.code for reason in row(run, name).reasons}
    late = row(played.runs[Step.FIX_PUBLISHED], "apache").lag
    assert late is not None
    assert (late.state, "600 s" in late.basis) == (LagState.WITHIN_LAG, True)
