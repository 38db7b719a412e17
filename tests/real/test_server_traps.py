"""The traps that index servers lay, as numbered in section 10 of the account of them.

Each has a test on the real program that lays it. Here is the one that our own test servers could
fall into, and the proof that none of the eighteen was forgotten.
"""

from __future__ import annotations

import re
from pathlib import Path

import aiohttp
import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.drive.upstream import serving
from auditor.lab.index import EmbeddedIndex
from tests.real.devpi_servers import devpi_server

HERE = Path(__file__).parent
# Other files number the traps of caches, which are others.
FILES = (
    *("test_devpi_story.py", "test_devpi_traps.py", "test_bandersnatch.py", "test_proxpi.py"),
    *("test_pypiserver.py", "test_server_traps.py"),
)
TRAPS = range(1, 19)
NAMED = re.compile(r'"""Traps? ([\d, and]+):')
JSON = "application/vnd.pypi.simple.v1+json"


def named_in(text: str) -> set[int]:
    return {int(n) for numbers in NAMED.findall(text) for n in re.findall(r"\d+", numbers)}


def test_each_trap_of_the_servers_has_a_test_that_names_it() -> None:
    texts = [(HERE / name).read_text(encoding="utf-8") for name in FILES]
    assert named_in('"""Traps 3, 5 and 9: so."""') == {3, 5, 9}
    assert set(TRAPS) - set().union(*map(named_in, texts)) == set()


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.real_program("devpi-server")
async def test_our_index_answers_as_mirrors_need_it(tmp_path: Path) -> None:
    """Trap 18: no charset beside the JSON type, a serial and an ETag; else devpi lists nothing."""
    index = EmbeddedIndex("brokenpkg")
    index.publish(*build_release("brokenpkg", "1.2.2"))
    async with serving(index) as upstream, devpi_server(tmp_path, "--role=standalone") as devpi:
        async with (
            aiohttp.ClientSession(headers={"Accept": JSON}) as session,
            session.get(f"{upstream.simple_url}brokenpkg/") as answer,
        ):
            headers = answer.headers
        await devpi.add_user("team")
        await devpi.mirror("team/mir", upstream.simple_url)
        page = await devpi.page("team/mir")

    assert headers["Content-Type"] == JSON
    assert headers["X-PyPI-Last-Serial"] == str(index.serial)
    assert headers["ETag"].startswith('"')
    assert b"brokenpkg-1.2.2" in page
