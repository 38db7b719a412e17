"""The incident on real nginx, squid, Varnish and Apache in front of the embedded PyPI.

Every cache stands alone in front of an upstream, and is audited as its operator sees it and as
anybody else does. Pages live for 600 s, as PyPI's do; the operator purges them where the story says
that a place catches up, by the commands that the audit prints.
"""

from __future__ import annotations

import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import aiohttp
import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive.caches.apache import ApacheCache
from auditor.lab.drive.caches.front import CachingFront
from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import serving_together
from auditor.lab.drive.caches.squid import ForwardSquid, SquidCache
from auditor.lab.drive.caches.varnish import VarnishCache
from auditor.lab.drive.driver import play_story
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import GOOD, PROJECT
from auditor.model import HeldState, LagState, Run, Status, Verdict, View, YankState
from probes.kit.views import page_headers

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("pip"),
]

CLIENTS = tuple(dict(page_headers(view, "operator")) for view in View)
PAGE_LIFETIME = "600 s"  # as PyPI's pages say of themselves

# What is known at each step of a place that can be asked what it holds.
HELD = HeldState.HELD
EXPECTED = {
    Step.BROKEN: (Status.EXPOSED, HeldState.NOT_HELD),  # nobody has asked for its files yet
    Step.FIX_PUBLISHED: (Status.EXPOSED, HELD),
    Step.REFRESHED: (Status.ROLLED_FORWARD, HELD),
    Step.YANKED: (Status.ROLLED_FORWARD, HELD),
    Step.DELETED: (Status.ROLLED_FORWARD, HELD),  # and listed no more
    Step.BYTES_REPLACED: (Status.TAMPERED, HELD),
    Step.UPSTREAM_DOWN: (Status.TAMPERED, HELD),
}


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-caches-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@dataclass
class Watched:
    """One cache, looked at from some of its places, as a subject of the story.

    Attributes:
        front: the cache.
        seen_from: names of its places; of two clients that fetch one variant at the same time,
            Apache may keep the header of one and the body of the other, and then uses neither:
            two places would do that there.
    """

    front: CachingFront
    seen_from: Sequence[str]

    @property
    def name(self) -> str:
        return self.front.name

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        async with self.front.running(upstream, directory):
            await self._hold_the_good_release()
            yield

    async def _hold_the_good_release(self) -> None:
        """Let a client get one: a directory without any file proves nothing about files."""
        wheel, _ = build_release(PROJECT, GOOD)
        url = f"{self.front.url}{wheel.path}"
        async with (
            aiohttp.ClientSession() as session,
            session.get(url, proxy=self.front.proxy) as answer,
        ):
            assert await answer.read() == wheel.content

    def places(self) -> Sequence[Place]:
        # Varnish has no disk, and tells of its files by what it was given.
        every = {place.name: replace(place, checks_held=True) for place in self.front.places()}
        return [every[name] for name in self.seen_from]

    async def refresh(self) -> None:
        await self.front.refresh()

    def inventory(self) -> Inventory:
        return self.front.inventory()

    def access_log(self) -> Sequence[AccessLine]:
        return self.front.access_log()


def front_of(name: str, command: Path) -> CachingFront:
    match name:
        case "nginx":
            return NginxCache(command=command)
        case "squid":
            return SquidCache(command=command, clients=CLIENTS)
        case "squid-forward":
            return ForwardSquid(command=command, clients=CLIENTS)
        case "varnish":
            return VarnishCache(command=command, peek=True)
    return ApacheCache(command=command)


def row(run: Run, name: str) -> Verdict:
    return next(v for v in run.verdicts if v.location.name == name)


def codes(verdict: Verdict) -> set[str]:
    return {reason.code for reason in verdict.reasons}


@pytest.mark.parametrize(
    ("program", "knowing", "guessing"),
    [
        ("nginx", ["nginx"], ["nginx from afar"]),
        ("squid", ["squid", "squid from afar"], []),
        ("varnish", ["varnish"], ["varnish from afar"]),
        ("apache", ["apache"], []),
        pytest.param("apache", ["apache from afar"], [], marks=pytest.mark.heavy),
        pytest.param(
            *("squid-forward", ["squid-forward", "squid-forward from afar"], []),
            marks=pytest.mark.heavy,
        ),
    ],
    ids=["nginx", "squid", "varnish", "apache", "apache-from-afar", "squid-forward"],
)
async def test_every_statement_agrees_with_pip_and_disk_and_nothing_is_harmed(
    program: str,
    knowing: Sequence[str],
    guessing: Sequence[str],
    real_program: Callable[[str], Path],
    public_directory: Path,
) -> None:
    front = front_of(program, real_program(program.partition("-")[0]))
    subject = Watched(front, [*knowing, *guessing])

    played = await play_story(subject, public_directory, serve=serving_together)

    assert played.disagreements == ()
    assert played.harm == ()
    warm = played.runs[Step.WARM]
    for name in subject.seen_from:
        # Before a broken file has a name, only a directory tells that none is kept.
        held = HeldState.NOT_HELD if name in ("nginx", "apache") else HeldState.UNKNOWN
        assert (row(warm, name).status, row(warm, name).broken.held) == (Status.BEHIND, held)
    for step, expected in EXPECTED.items():
        run = played.runs[step]
        told = {name: (row(run, name).status, row(run, name).broken.held) for name in knowing}
        assert told == dict.fromkeys(knowing, expected), step
        for name in guessing:
            assert row(run, name).status is expected[0], step
            assert row(run, name).broken.held is HeldState.UNKNOWN
            assert "no-safe-probe" in codes(row(run, name))
    for name in subject.seen_from:
        late = row(played.runs[Step.FIX_PUBLISHED], name).lag
        assert late is not None
        assert (late.state, PAGE_LIFETIME in late.basis) == (LagState.WITHIN_LAG, True)
        assert row(played.runs[Step.YANKED], name).broken.yanked is YankState.REASON
        assert row(played.runs[Step.DELETED], name).broken.listed is False
