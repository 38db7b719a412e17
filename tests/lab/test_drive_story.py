"""The story driver finds every contradiction: with clients, with the disk, with the logs."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from aiohttp import web

from auditor.lab.drive.comparing import NOTHING, UNKNOWN, Said, Seen, compare
from auditor.lab.drive.driver import play_story
from auditor.lab.drive.steps import Step
from auditor.lab.drive.subject import AccessLine, Inventory, Place
from auditor.lab.drive.upstream import Upstream
from auditor.lab.files import FileSite
from auditor.lab.server import LoopbackServer
from auditor.lab.site import IndexSite
from auditor.model import HeldState, Outcome, Status, YankState

SAID = Said(
    status=Status.ROLLED_FORWARD,
    outcome=Outcome.OBSERVED,
    chosen=frozenset({"1.2.4"}),
    listed=True,
    yanked=YankState.REASON,
    held=HeldState.HELD,
)
SEEN = Seen(chosen="1.2.4", listed=True, yanked=True, held=frozenset({"brokenpkg-1.2.3.tar.gz"}))


def test_two_sides_that_agree_disagree_in_nothing() -> None:
    assert compare(SAID, SEEN, demands_held=True) == ()


@pytest.mark.parametrize(
    ("said", "seen", "expected"),
    [
        ({"chosen": frozenset({"1.2.3"})}, {}, "chosen: said 1.2.3, pip got 1.2.4"),
        ({"chosen": frozenset({UNKNOWN})}, {}, "chosen: said unknown, pip got 1.2.4"),
        ({"chosen": frozenset({UNKNOWN})}, {"chosen": NOTHING}, "chosen: said unknown"),
        ({}, {"chosen": NOTHING}, "chosen: said 1.2.4, pip got nothing"),
        ({"listed": False, "yanked": None}, {"yanked": None}, "listed: said False"),
        ({"listed": None}, {}, "listed: said None"),
        ({}, {"listed": False, "yanked": None}, "listed: said True, pip found it: False"),
        ({"yanked": YankState.NO}, {}, "yanked: said no, pip warned: True"),
        ({}, {"yanked": False}, "yanked: said reason, pip warned: False"),
        ({"held": HeldState.UNKNOWN}, {}, "held: said unknown, though"),
        ({"held": HeldState.NOT_HELD}, {}, "held: said not-held, on disk: brokenpkg-1.2.3.tar.gz"),
        ({}, {"held": frozenset()}, "held: said held, on disk: nothing"),
        ({"held": HeldState.SHADOWED}, {"held": frozenset()}, "held: said shadowed, on disk"),
    ],
)
def test_every_contradiction_is_named(
    said: dict[str, object], seen: dict[str, object], expected: str
) -> None:
    (found,) = compare(replace(SAID, **said), replace(SEEN, **seen), demands_held=True)
    assert found.startswith(expected)


def test_what_cannot_be_known_is_no_disagreement() -> None:
    unknown = replace(SAID, held=HeldState.UNKNOWN)
    assert compare(unknown, SEEN, demands_held=False) == ()
    once = replace(SAID, held=HeldState.STORED_ONCE)
    assert compare(once, replace(SEEN, held=frozenset()), demands_held=True) == ()
    assert (
        compare(SAID, replace(SEEN, listed=None, yanked=None, held=None), demands_held=True) == ()
    )


def test_a_dead_place_from_which_nobody_can_install_is_agreed_upon() -> None:
    dead = replace(SAID, outcome=Outcome.UNREACHABLE, chosen=frozenset({UNKNOWN}))
    nobody = Seen(chosen=NOTHING, listed=None, yanked=None, held=None)
    assert compare(dead, nobody, demands_held=True) == ()


class Relay:
    """A mirror that shows its upstream's pages live, and tells what a test wants it to tell."""

    name = "relay"

    def __init__(self, *, hides_from_pip: bool = False, grows: bool = False) -> None:
        self._hides, self._grows = hides_from_pip, grows
        self._looked = 0
        self._server: LoopbackServer | None = None

    @asynccontextmanager
    async def running(self, upstream: Upstream, directory: Path) -> AsyncIterator[None]:
        sites = IndexSite(upstream.index), FileSite(upstream.index.files)
        async with LoopbackServer("relay", *sites) as self._server:
            self._server.intercept = self._refuse_pip if self._hides else None
            yield

    async def _refuse_pip(self, request: web.Request) -> web.StreamResponse | None:
        ours = "propagation-auditor" in request.headers.get("User-Agent", "")
        return None if ours else web.Response(status=404)

    @property
    def server(self) -> LoopbackServer:
        assert self._server is not None
        return self._server

    def places(self) -> Sequence[Place]:
        url = self.server.simple_url
        table = {"kind": "simple", "url": url}
        return [Place(name="relay", table=table, index_url=url, held_known=False)]

    async def refresh(self) -> None:
        """It is always fresh."""

    def inventory(self) -> Inventory:
        self._looked += 1
        return {f"other-{self._looked}.whl": frozenset({"00"})} if self._grows else {}

    def access_log(self) -> Sequence[AccessLine]:
        return [
            AccessLine(
                method=entry.method,
                path=entry.path,
                status=entry.status or 0,
                user_agent=entry.headers.get("user-agent", ""),
            )
            for entry in self.server.log
        ]


@pytest.mark.real
@pytest.mark.real_program("pip")
async def test_a_place_that_shows_clients_something_else_is_found_out(tmp_path: Path) -> None:
    steps = (Step.WARM, Step.BROKEN)
    honest = await play_story(Relay(), tmp_path, steps=steps)
    lying = await play_story(Relay(hides_from_pip=True), tmp_path, steps=steps)

    assert (honest.disagreements, honest.harm) == ((), ())
    assert "broken: relay: chosen: said 1.2.3, pip got nothing" in lying.disagreements
    assert "broken: relay: listed: said True, pip found it: False" in lying.disagreements


@pytest.mark.real
@pytest.mark.real_program("pip")
async def test_whatever_an_audit_changes_or_hides_is_harm(tmp_path: Path) -> None:
    growing = await play_story(Relay(grows=True), tmp_path, steps=(Step.WARM,))
    assert growing.harm == ("warm: the audit changed what is held",)

    class Silent(Relay):
        def access_log(self) -> Sequence[AccessLine]:
            return [line for line in super().access_log() if "uv/" not in line.user_agent]

    hiding = await play_story(Silent(), tmp_path, steps=(Step.WARM,))
    (harm,) = hiding.harm
    assert "requests[] and the access log differ" in harm
