"""The command before servers that misbehave: an exit code, a report, words, and bounded memory."""

from __future__ import annotations

import asyncio
import json
import sys
from collections.abc import Callable
from contextlib import AsyncExitStack

import pytest

from tests.hostile.bodies import HTML_TYPE, JSON_TYPE, gzip_bomb, zstd_bomb
from tests.hostile.playing import healthy_source
from tests.hostile.server import Play, Server
from tests.hostile.table import encoded, endless_body, reset_mid_body

pytestmark = pytest.mark.slow

# After import it is some 60 MiB; a page may take 64 MiB on the wire and as much when decoded.
MOST_MIB = 512
MEASURED = r"""
import re, sys
from pathlib import Path
from auditor.cli.main import main
code = main(sys.argv[1:])
# Not getrusage's: that one counts what the process was forked from as well.
peak = re.search(r"VmHWM:\s+(\d+)", Path("/proc/self/status").read_text())
print(int(peak[1]) // 1024, file=sys.stderr)
sys.exit(code)
"""

# The first ones are played in CI, the others beside them where there is time.
SHORT: dict[str, Callable[[], Play]] = {
    "zeros": lambda: encoded("zstd", zstd_bomb(100)),
    "tags": lambda: encoded("gzip", gzip_bomb(60, b"<a>"), HTML_TYPE),
}
LONG: dict[str, Callable[[], Play]] = {
    "an endless body": lambda: endless_body,
    "spaces": lambda: encoded("gzip", gzip_bomb(100)),
    "lists": lambda: encoded("gzip", gzip_bomb(60, b"[],")),
    "entries": lambda: encoded("gzip", gzip_bomb(60, b'{"url": "."},'), JSON_TYPE),
    "a reset": lambda: reset_mid_body,
}
PLAYS = SHORT | LONG


@pytest.mark.parametrize(
    "name", [*SHORT, *(pytest.param(name, marks=pytest.mark.heavy) for name in LONG)]
)
async def test_the_command_survives_with_bounded_memory(name: str) -> None:
    async with AsyncExitStack() as stack:
        source = await stack.enter_async_context(Server(healthy_source))
        bad = await stack.enter_async_context(Server(PLAYS[name]()))
        process = await asyncio.create_subprocess_exec(
            *(sys.executable, "-c", MEASURED),
            *("audit", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4", "--format", "json"),
            *("--location", f"source:simple={source.url}/simple/"),
            *("--location", f"bad:simple={bad.url}/simple/"),
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        told, errors = await process.communicate()
    assert b"Traceback" not in errors
    row = next(row for row in json.loads(told)["locations"] if row["name"] == "bad")
    assert process.returncode == 3, errors
    assert row["status"] == "unknown"
    reasons = {reason["code"] for reason in row["reasons"]}
    assert reasons & {"malformed", "unreachable"}
    assert int(errors.split()[-1]) < MOST_MIB
