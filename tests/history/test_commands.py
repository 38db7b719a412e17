"""The commands beside their history, on the embedded world."""

from __future__ import annotations

import json
import signal
import sqlite3
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import pytest

from auditor.history.lock import only_run
from auditor.lab.story import BROKEN, FIXED
from tests.cli.conftest import Run, run
from tests.history.small import Small, config, file, receiver, small
from tests.notify.receivers import Hook

__all__ = ["config", "file", "receiver", "run", "small"]  # fixtures


def runs_in(file: Path) -> int:
    with closing(sqlite3.connect(file)) as connection:
        (number,) = connection.execute("SELECT count(*) FROM runs").fetchone()
        return int(number)


def test_only_changes_is_silent_until_something_changes(
    small: Small, config: Callable[..., Path], run: Run, tmp_path: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    words = ("audit", "--config", config(), "--only-changes")

    first = run(*words)
    report = tmp_path / "r.json"
    second = run(*words, "--report", f"json={report}")
    small.show(small.mirror, fixed=True)
    third, fourth = run(*words), run(*words)

    assert (first.code, second.code, third.code, fourth.code) == (1, 1, 0, 0)
    assert "mirror" in first.out
    assert (second.out, second.err) == ("", "")
    assert report.exists()
    assert "mirror" in third.out
    assert (fourth.out, fourth.err) == ("", "")


def test_only_changes_without_a_history_names_what_to_set(
    config: Callable[..., Path], run: Run
) -> None:
    result = run("audit", "--config", config(""), "--only-changes")

    assert result.code == 2
    assert "say --history FILE, or set history in [audit]" in result.err


def test_a_run_that_meets_another_one_leaves_and_is_never_green(
    small: Small, config: Callable[..., Path], run: Run, file: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=True)
    words = ("audit", "--config", config(), "--only-changes")
    with only_run(file):
        met = run(*words)

    assert (met.code, met.out) == (3, "")
    assert "another run is working with" in met.err
    assert run(*words).code == 0


@pytest.mark.parametrize("fixed", [True, False])
def test_reports_are_written_even_if_the_history_is_damaged(
    small: Small, config: Callable[..., Path], run: Run, file: Path, tmp_path: Path, fixed: bool
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=fixed)
    file.write_bytes(b"this is no database\n" * 100)
    report = tmp_path / "r.json"
    result = run("audit", "--config", config(), "--report", f"json={report}")

    assert result.code == 4
    assert json.loads(report.read_text())["summary"]["exit_code"] == (0 if fixed else 1)
    assert "move it away, and the next run begins a new one" in result.err
    assert result.err.count("auditor: error:") == 1
    assert "mirror" in result.out


def test_notifications_need_a_history_and_say_which_key(
    config: Callable[..., Path], run: Run
) -> None:
    notify = '[[notify]]\nkind = "webhook"\nurl = {env = "HOOK_URL"}\n'
    result = run("audit", "--config", config(notify))

    assert result.code == 2
    assert "notify: needs a history, which knows what was told already; set history in" in (
        result.err
    )


def test_a_change_is_told_once_and_its_end_too(
    small: Small,
    config: Callable[..., Path],
    run: Run,
    receiver: Hook,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("HOOK_URL", receiver.url)
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    notify = '[[notify]]\nkind = "webhook"\nurl = {env = "HOOK_URL"}\non = ["change"]\n'
    path = config(f'[audit]\nhistory = "h.sqlite3"\n{notify}')

    codes = [run("audit", "--config", path).code for _ in range(2)]
    small.show(small.mirror, fixed=True)
    codes += [run("audit", "--config", path).code for _ in range(2)]

    assert codes == [1, 1, 0, 0]
    told = [json.loads(got.body)["events"] for got in receiver.got]
    assert [
        [(e["kind"], e["location"], e["before"], e["after"]) for e in each] for each in told
    ] == [
        [("failing", "mirror", None, "behind")],
        [("resolved", "mirror", "behind", "rolled-forward")],
    ]


def test_what_nobody_could_be_told_is_no_success(
    small: Small, config: Callable[..., Path], run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", "http://127.0.0.1:1/T0KEN")
    monkeypatch.setattr("auditor.notify.post.WAITS_S", ())
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    notify = '[[notify]]\nkind = "webhook"\nurl = {env = "HOOK_URL"}\n'
    path = config(f'[audit]\nhistory = "h.sqlite3"\n{notify}')
    run("audit", "--config", path)
    small.show(small.mirror, fixed=True)
    result = run("audit", "--config", path)

    assert result.code == 4
    assert "notify 'webhook': not delivered: nobody answered" in result.err
    assert "T0KEN" not in result.err


def test_judging_stored_observations_uses_and_keeps_a_history(
    small: Small, config: Callable[..., Path], run: Run, file: Path, tmp_path: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=True)
    seen = tmp_path / "o.jsonl"
    run("probe", "--config", config(""), "-o", seen)

    assert run("judge", seen, "--history", file).code == 0
    assert run("judge", seen, "--history", file).code == 0
    assert runs_in(file) == 1


def test_a_probe_looks_for_what_past_runs_saw_and_keeps_nothing(
    small: Small, config: Callable[..., Path], run: Run, file: Path, tmp_path: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=True)
    run("audit", "--config", config())
    seen = tmp_path / "o.jsonl"
    assert run("probe", "--config", config(""), "--history", file, "-o", seen).code == 0

    (incident,) = json.loads(seen.read_text().splitlines()[0])["plan"]["incidents"]
    assert {BROKEN} == {each["version"] for each in incident["fingerprints"]}
    assert runs_in(file) == 1


def test_a_probe_beside_a_damaged_history_still_writes_what_it_saw(
    config: Callable[..., Path], run: Run, file: Path, tmp_path: Path
) -> None:
    file.write_bytes(b"no database" * 100)
    seen = tmp_path / "o.jsonl"
    result = run("probe", "--config", config(), "-o", seen)

    assert result.code == 4
    assert "h.sqlite3" in result.err
    assert seen.exists()


def test_the_history_is_listed_shown_compared_summed_up_and_pruned(
    small: Small, config: Callable[..., Path], run: Run, file: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    path = config()
    run("audit", "--config", path)
    small.show(small.mirror, fixed=True)
    run("audit", "--config", path)

    listed = run("history", "--history", file)
    shown = run("history", "show", "--config", path, "--incident", "brokenpkg-1.2.3")
    compared = run("history", "compare", "--history", file, "--format", "json")
    trends = run("history", "trends", "--history", file)
    assert {0} == {listed.code, shown.code, compared.code, trends.code}
    assert "brokenpkg-1.2.3: 2 runs from" in listed.out
    assert "mirror: behind → rolled-forward" in shown.out
    (change,) = json.loads(compared.out)[0]["changes"]
    assert (change["before"]["status"], change["after"]["status"]) == ("behind", "rolled-forward")
    assert "all of the places had the fix: after 3 h" in trends.out
    assert run("history", "prune", "--history", file, "--older-than", "0s").code == 0
    assert runs_in(file) == 0
    assert "no runs are left" in run("history", "--history", file).out


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--history", "nowhere"), "there is no such file"),
        (("prune", "--history", "nowhere"), "nothing to forget"),
        (("compare", "--history", "h", "--from", "soon"), "is no time; write such as"),
        (("show", "--history", "h", "--incident", "x"), "knows no incident 'x'"),
        ((), "one of the arguments --history --config is required"),
    ],
)
def test_what_the_history_cannot_answer_is_said_with_the_next_step(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, words: tuple[str, ...], said: str
) -> None:
    from auditor.history import History
    from tests.history.made import made

    monkeypatch.chdir(tmp_path)
    the_run, plan, observations = made(0)
    with History(Path("h")) as history:
        history.record(the_run, observations, plan)
    result = run("history", *words)

    assert result.code == 2
    assert said in result.err


def test_a_watch_ends_when_the_mirror_has_followed(
    small: Small, config: Callable[..., Path], run: Run, file: Path
) -> None:
    small.show(small.source, fixed=False)
    small.show(small.mirror, fixed=False)
    begun = len(small.servers[1].log)
    path = config()

    def later() -> None:
        # Published, then mirrored, each once the watch has seen how it was before.
        _until(lambda: file.exists() and runs_in(file) >= 1)
        assert small.servers[1].log[begun:] == []
        small.show(small.source, fixed=True)
        _until(lambda: len(small.servers[1].log) > begun)
        small.show(small.mirror, fixed=True)

    thread = threading.Thread(target=later)
    thread.start()
    words = ("--budget", "60s", "--interval", "0.1s", "--passes", "2")
    result = run("watch", "--config", path, *words)
    thread.join()

    assert result.code == 0
    assert "watch: everywhere, 2 looks agree" in result.err
    assert "unpublished: " in result.err
    assert "rolled-forward" in result.out


def _until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            if holds():
                return
        except sqlite3.Error:
            pass
        time.sleep(0.01)
    raise AssertionError("it never came to that")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("fixed", "listens", "code", "outcome"),
    [(False, True, 1, "within-lag"), (True, False, 3, "unreachable")],
)
def test_a_watch_out_of_budget_says_what_it_waited_for(
    small: Small,
    config: Callable[..., Path],
    run: Run,
    fixed: bool,
    listens: bool,
    code: int,
    outcome: str,
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=fixed)
    path = config("")
    if not listens:
        text = path.read_text().replace(small.servers[1].simple_url, "http://127.0.0.1:1/simple/")
        path.write_text(text)
    result = run("watch", "--config", path, "--budget", "1s", "--interval", "0.3s")

    assert code == result.code
    assert f"watch: {outcome}; out of budget after" in result.err


@pytest.mark.slow
def test_a_watch_that_was_killed_goes_on_with_its_budget_and_its_looks(
    small: Small, config: Callable[..., Path], run: Run, file: Path
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    path = config()
    words = ["watch", "--config", str(path), "--budget", "600s", "--interval", "0.2s"]
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor.cli.main", *words],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )
    try:
        _until(lambda: file.exists() and runs_in(file) >= 2)
    finally:
        process.send_signal(signal.SIGKILL)
        process.wait()
    small.show(small.mirror, fixed=True)
    result = run(*words, "--passes", "3")

    assert result.code == 0
    assert "watch: goes on from" in result.err
    assert int(result.err.split("watch: everywhere, ")[1].split()[0]) == 3


@pytest.mark.slow
@pytest.mark.parametrize("how", [signal.SIGTERM, signal.SIGINT])
def test_a_watch_that_is_stopped_writes_its_reports(
    small: Small, config: Callable[..., Path], tmp_path: Path, how: signal.Signals
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    report = tmp_path / "r.json"
    words = ["watch", "--config", str(config()), "--interval", "60s"]
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor.cli.main", *words, "--report", f"json={report}"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    assert process.stderr is not None
    first = process.stderr.readline()
    process.send_signal(how)
    out, err = process.communicate(timeout=60)

    assert "within-lag: 1 of 2 places have the fix, 1 waited for" in first
    assert process.returncode == 1
    assert "stopped; the same command goes on from here" in err
    assert "mirror" in out
    assert BROKEN in report.read_text()
    assert FIXED in report.read_text()


def test_a_watch_that_is_told_to_excuse_what_is_late_says_that_it_does_not(
    small: Small, config: Callable[..., Path], run: Run
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=False)
    result = run("watch", "--config", config(""), "--grace", "--budget", "0.1s")

    assert result.code == 1
    assert "--grace excuses nothing here" in result.err


@pytest.mark.parametrize(
    ("option", "value", "said"),
    [
        ("--budget", "soon", "is no duration"),
        ("--passes", "0", "is no number of looks"),
        ("--interval", "0", "nobody may be asked without a pause"),
        ("--celery-wait", "soon", "is no duration"),
    ],
)
def test_a_watch_refuses_what_makes_no_sense(
    run: Run, config: Callable[..., Path], option: str, value: str, said: str
) -> None:
    result = run("watch", "--config", config(""), option, value)

    assert result.code == 2
    assert said in result.err
