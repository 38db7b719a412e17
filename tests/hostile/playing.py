"""One audit of many hostile places at once, through the same door that everybody takes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass

import auditor
from auditor.model import Run, Verdict
from tests.hostile.bodies import JSON_TYPE, entry, json_page
from tests.hostile.server import Request, Server, Wire, head
from tests.hostile.table import Row

__all__ = ["Played", "healthy_source", "play"]

SOURCE = json_page([entry("1.2.2"), entry("1.2.3", yanked="broken"), entry("1.2.4")])


@dataclass(frozen=True, slots=True)
class Played:
    """What became of one row.

    Attributes:
        server: what it saw.
        verdict: the row of the run.
        told: everything that the row says in words.
    """

    server: Server
    verdict: Verdict

    @property
    def told(self) -> str:
        reasons = "\n".join(f"{r.text} {r.expected} {r.observed}" for r in self.verdict.reasons)
        return f"{self.verdict.detail}\n{reasons}"


async def healthy_source(_: Request, wire: Wire) -> None:
    """List all three releases, the broken one yanked."""
    await wire.send(head(Content_Type=JSON_TYPE, Content_Length=len(SOURCE)) + SOURCE)


async def play(rows: Sequence[Row], kind: str = "simple") -> tuple[Run, dict[str, Played]]:
    """Start a server for each row, audit all of them with a healthy source, and stop them."""
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(Server(healthy_source))
        servers = [await stack.enter_async_context(Server(row.play)) for row in rows]
        places = [
            {
                "name": f"row {number}",
                "kind": kind,
                "url": f"{server.url}/simple/",
                "upstream": "source",
                "timeout_s": row.timeout_s,
            }
            for number, (row, server) in enumerate(zip(rows, servers, strict=True))
        ]
        run = await auditor.audit(
            "brokenpkg",
            broken="1.2.3",
            fixed="1.2.4",
            locations=[
                {"name": "source", "kind": "simple", "url": f"{source.url}/simple/"},
                *places,
            ],
            options={"concurrency": 200},
            environ={},
        )
    by_name = {verdict.location.name: verdict for verdict in run.verdicts}
    return run, {
        row.name: Played(server, by_name[f"row {number}"])
        for number, (row, server) in enumerate(zip(rows, servers, strict=True))
    }
