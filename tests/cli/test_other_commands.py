from __future__ import annotations

import json
import os
import pty
import re
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jsonschema
import pytest

from auditor.cli.doctor import Mark, checks
from auditor.cli.messages import one_line
from auditor.cli.progress import Progress
from auditor.engine import Event
from auditor.model import LagState, Observation, Outcome, Status
from auditor.registry import format_names, load_kinds
from tests.cli.conftest import Run

pytestmark = pytest.mark.slow


def test_the_demo_writes_and_names_its_reports_and_succeeds(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    result = run("demo")
    assert result.code == 0
    assert {"auditor-demo.html", "auditor-demo.json"} == {p.name for p in tmp_path.iterdir()}
    assert "wrote auditor-demo.html" in result.err
    stored = json.loads((tmp_path / "auditor-demo.json").read_text())
    assert stored["summary"]["exit_code"] == 1
    assert "late-mirror" in result.out


def test_the_demo_goes_where_it_is_told(run: Run, tmp_path: Path) -> None:
    run("demo", "-o", tmp_path / "x.html", "-q")
    assert {"x.html", "x.json"} == {each.name for each in tmp_path.iterdir()}


def test_what_config_init_writes_passes_config_check(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    assert run("config", "init", file).code == 0
    checked = run("config", "check", file, "-q")
    assert checked.code == 0
    assert checked.out.startswith(f"{file}: ok: incidents 1, locations ")


def test_config_init_replaces_a_file_only_if_forced(run: Run, tmp_path: Path) -> None:
    file = tmp_path / "a.toml"
    file.write_text("mine")
    assert run("config", "init", file).code == 2
    assert file.read_text() == "mine"
    assert run("config", "init", file, "--force").code == 0
    assert file.read_text() != "mine"


def test_config_show_works_without_any_question(run: Run) -> None:
    result = run("config", "show")
    assert result.code == 0
    assert result.out.startswith("[audit]\n")
    assert 'name = "' in result.out


def test_config_check_says_what_this_version_cannot_do(
    run: Run, config: Callable[..., Path]
) -> None:
    more = '[[locations]]\nname = "locks"\nkind = "pdm-cache"\npath = "x"\n'
    result = run("config", "check", config("source", more=more))
    assert result.code == 0
    assert ("no probe of kind pdm-cache" in result.err) is ("pdm-cache" not in load_kinds())


@pytest.mark.parametrize("code", [*Status, *LagState])
def test_every_status_and_lag_is_explained(run: Run, code: str) -> None:
    result = run("explain", str(code))
    assert result.code == 0
    assert result.out.startswith(f"{code} (")


def test_explain_lists_every_code(run: Run) -> None:
    listed = set(re.findall(r"^  (\S+)  ", run("explain").out, re.MULTILINE))
    assert {status.value for status in Status} <= listed
    assert {"split-view", "yank-lost", "waived"} <= listed


def test_explain_says_cause_and_remedy(run: Run) -> None:
    text = run("explain", "behind").out
    assert "cause: " in text
    assert "remedy: " in text


def test_plugins_lists_every_kind_and_format(run: Run) -> None:
    result = run("plugins")
    assert result.code == 0
    for name in (*load_kinds(), *format_names()):
        assert f"\n  {name} (" in result.out


def test_plugins_says_what_no_test_has_seen_on_the_real_thing(run: Run) -> None:
    claims = [claim for kind in load_kinds().values() for claim in kind.unverified]
    assert claims
    result = run("plugins")
    assert all(f"\n    unverified: {claim}\n" in result.out for claim in claims)


def test_the_schema_is_one_and_fits_a_run(run: Run, config: Callable[..., Path]) -> None:
    schema = json.loads(run("schema").out)
    jsonschema.Draft202012Validator.check_schema(schema)
    stored = run("audit", "--config", config("source"), "--format", "json").out
    jsonschema.Draft202012Validator(schema).validate(json.loads(stored))


def test_a_healthy_installation_passes_the_doctor(run: Run) -> None:
    result = run("doctor")
    assert (result.code, result.err) == (0, "")
    marks = {line.split()[0] for line in result.out.splitlines()}
    assert marks <= {"ok", "warn"}


def test_the_doctor_hides_a_proxys_password() -> None:
    found = checks({"HTTPS_PROXY": "http://u:hush@proxy.example:3128"})
    proxies = [check for check in found if check.subject == "proxy"]
    assert [check.text for check in proxies] == ["HTTPS_PROXY=http://…@proxy.example:3128"]


def test_the_doctor_shows_pips_index_without_its_password(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://u:hush@127.0.0.1:9/simple")
    [index] = [check for check in checks({}) if check.subject == "pip's index"]
    assert index.text == "http://127.0.0.1:9/simple (from pip's configuration)"


def test_the_doctor_asks_the_index_only_online(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    asked = [check for check in checks({}, online=True) if check.subject.endswith("answers")]
    assert [check.mark for check in asked] == [Mark.FAIL]
    assert not [check for check in checks({}) if check.subject.endswith("answers")]


def test_progress_shows_on_a_terminal(config: Callable[..., Path]) -> None:
    ours, theirs = pty.openpty()
    file = config("source", "fresh-mirror")
    command = [sys.executable, "-m", "auditor.cli.main", "audit", "--config", str(file)]
    subprocess.run(command, stdout=subprocess.DEVNULL, stderr=theirs, check=True)
    shown = os.read(ours, 65536).decode()
    assert "[1/2] source: observed" in shown
    assert "slowest: " in shown
    subprocess.run(
        [*command, "--no-progress"], stdout=subprocess.DEVNULL, stderr=theirs, check=True
    )
    os.write(theirs, b"end")
    assert os.read(ours, 65536) == b"end"
    os.close(theirs)
    os.close(ours)


def test_progress_names_the_slowest_and_the_incident(capsys: pytest.CaptureFixture[str]) -> None:
    progress = Progress(several=True)
    start = datetime(2026, 1, 1, tzinfo=UTC)
    for done, (name, seconds) in enumerate([("a", 2.0), ("b\x1b[2J", 3.0), ("c", 1.0)], start=1):
        observation = Observation(
            location=name,
            vantage="v",
            incident="i",
            outcome=Outcome.UNREACHABLE,
            detail="nobody there",
            started_at=start,
            finished_at=start + timedelta(seconds=seconds),
        )
        progress(
            Event(
                location=name,
                incident="i",
                phase="finished",
                observation=observation,
                done=done,
                total=3,
            )
        )
    progress.finish()
    lines = capsys.readouterr().err.splitlines()
    assert lines[0] == "[1/3] i: a: unreachable, 2.00 s; nobody there"
    assert lines[-1] == "slowest: i: b\\x1b[2J, 3.00 s"


@pytest.mark.parametrize(
    ("safe", "hostile"),
    [
        ("a b", "a\nb"),
        ("\\x1b[31mred", "\x1b[31mred"),
        ("\\u202egpj.exe", "\u202egpj.exe"),
        ("Grüße ✔", "Grüße ✔"),
        ("x" * 2000 + "…", "x" * 3000),
    ],
)
def test_nothing_in_a_message_moves_the_cursor(safe: str, hostile: str) -> None:
    assert one_line(hostile) == safe
