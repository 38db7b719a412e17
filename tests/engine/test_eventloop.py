"""The event loop that the commands run on."""

from __future__ import annotations

import asyncio
import gc
from collections.abc import Iterator

import pytest

from auditor import eventloop


@pytest.fixture(autouse=True)
def collector() -> Iterator[None]:
    """Leave the collector as it was."""
    before = gc.get_threshold()
    yield
    gc.unfreeze()
    gc.set_threshold(*before)


async def loop_module() -> str:
    await asyncio.sleep(0)
    return type(asyncio.get_running_loop()).__module__


def test_it_is_that_of_uvloop_where_that_exists() -> None:
    pytest.importorskip("uvloop")
    assert eventloop.run(loop_module()).startswith("uvloop")


def test_it_is_that_of_python_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(name: str) -> None:
        raise ImportError(name)

    monkeypatch.setattr("auditor.eventloop.importlib.import_module", missing)
    assert eventloop.run(loop_module()).startswith("asyncio")


def test_what_is_loaded_before_it_runs_is_no_garbage_to_be_looked_for() -> None:
    async def frozen() -> int:
        return gc.get_freeze_count()

    assert eventloop.run(frozen()) > 1000
    assert gc.get_threshold()[0] == eventloop.GARBAGE_OBJECTS


def test_an_error_comes_out() -> None:
    async def fail() -> None:
        raise KeyError("gone")

    with pytest.raises(KeyError, match="gone"):
        eventloop.run(fail())


def test_what_it_returns_is_never_written_out() -> None:
    written: list[str] = []

    class Audited:
        def __repr__(self) -> str:
            written.append("whole")
            return "an audit of a thousand pages"

    async def audit() -> Audited:
        return Audited()

    assert isinstance(eventloop.run(audit()), Audited)
    assert written == []
