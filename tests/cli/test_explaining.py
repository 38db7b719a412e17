"""`--explain NAME` tells why each client gets what it gets, from a stored run as well."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from msgspec import structs

from auditor.cli.explaining import explain_place
from auditor.cli.main import main
from auditor.errors import UsageError
from auditor.model import Pin, PinState, View
from auditor.model.document import run_to_document
from tests.verdict.stage import (
    BROKEN,
    FIX,
    GOOD,
    location,
    observe,
    page,
    plan,
    run,
)

NEEDS_312 = structs.replace(FIX, requires_python=">=3.12")
FILES = (GOOD, BROKEN, NEEDS_312)
RUN = run(
    plan(location("office")),
    observe("office", *(page(FILES, view) for view in (View.PIP, View.UV))),
)


def test_each_client_is_told_with_the_files_that_lost() -> None:
    text = explain_place(RUN, "office")

    assert "brokenpkg at office: exposed" in text
    for client in ("pip", "uv"):
        assert f"  {client} gets brokenpkg-1.2.4-py3-none-any.whl (the fix)" in text
        assert f"  {client} gets brokenpkg-1.2.3-py3-none-any.whl (broken)" in text
    assert "where: cp39-manylinux_2_17_x86_64; page of pip" in text
    assert "requires Python >=3.12, and this is 3.9.25 (requires-python)" in text


def test_a_place_that_is_not_there_is_named_with_those_that_are() -> None:
    with pytest.raises(UsageError, match="office"):
        explain_place(RUN, "ofice")


def test_a_hostile_file_name_moves_no_cursor() -> None:
    evil = structs.replace(GOOD, filename="brokenpkg-9.9\x1b[2J-py3-none-any.whl", version=None)
    found = run(plan(location("office")), observe("office", page((evil, *FILES))))

    assert "\x1b" not in explain_place(found, "office")


def test_a_stored_run_is_explained_instead_of_reported(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    stored = tmp_path / "run.json"
    stored.write_text(json.dumps(run_to_document(RUN)), encoding="utf-8")

    assert main(["report", str(stored), "--explain", "office"]) == 0
    told = capsys.readouterr().out
    assert told.startswith("brokenpkg at office: exposed\n")
    assert "(broken)" in told


def test_a_lock_is_told_line_by_line() -> None:
    pin = Pin(where="req.txt:3", state=PinState.FORCED, version="1.2.3", how="a version")
    found = run(
        plan(location("lock", "lock", url=None, path="req.txt")),
        observe("lock", pins=(pin,), holdings_complete=True),
    )
    text = explain_place(found, "lock")

    assert "req.txt:3: forced 1.2.3 (a version)" in text
    assert "nothing is chosen" not in text
