"""What a scheduler and a monitoring system get: one line that agrees with the code, in any case."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.errors import HistoryError
from auditor.history import History
from auditor.history.database import open_readable
from auditor.history.lock import only_run
from tests.cli.conftest import Run, run
from tests.history.small import Config, Small, config, file, receiver, small
from tests.notify.receivers import Hook

__all__ = ["config", "file", "receiver", "run", "small"]  # fixtures

FULL = Path("/dev/full")
NAGIOS = ("--exit-style", "nagios")
NOTIFY = '[audit]\nhistory = "h.sqlite3"\n[[notify]]\nkind = "webhook"\nurl = {env = "HOOK_URL"}\n'


def shown(small: Small, *, fixed: bool) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=fixed)


def test_a_check_prints_its_line_even_where_nothing_changed(
    small: Small, config: Config, run: Run
) -> None:
    shown(small, fixed=True)
    words = ("audit", "--config", config(), "--only-changes", *NAGIOS)
    first, second = run(*words), run(*words)

    assert (first.code, second.code) == (0, 0)
    assert first.out.startswith("PROPAGATION OK - ")
    assert first.out == second.out


def test_a_check_that_meets_another_run_says_so_in_its_line(
    small: Small, config: Config, run: Run, file: Path
) -> None:
    words = ("audit", "--config", config(), "--only-changes", *NAGIOS)
    with only_run(file):
        met = run(*words)

    assert met.code == 3
    assert met.out.startswith("PROPAGATION UNKNOWN - another run is working with ")
    assert met.out.count("\n") == 1


@pytest.mark.parametrize(("fixed", "code", "word"), [(True, 3, "UNKNOWN"), (False, 1, "WARNING")])
def test_a_history_that_cannot_be_kept_is_in_the_line_and_the_line_agrees_with_the_code(
    small: Small, config: Config, run: Run, tmp_path: Path, fixed: bool, code: int, word: str
) -> None:
    shown(small, fixed=fixed)
    nowhere = tmp_path / "nowhere" / "h.sqlite3"
    result = run("audit", "--config", config(""), "--history", nowhere, *NAGIOS)

    assert code == result.code
    assert result.out.startswith(f"PROPAGATION {word} - history {nowhere}: it cannot be opened; ")
    assert result.out.count("\n") == 1


def test_a_line_for_the_public_shows_no_path_of_ours(
    small: Small, config: Config, run: Run, tmp_path: Path
) -> None:
    shown(small, fixed=True)
    nowhere = tmp_path / "nowhere" / "h.sqlite3"
    words = ("audit", "--config", config(""), "--history", nowhere, *NAGIOS, "--redact")
    result = run(*words)

    assert result.code == 3
    assert "nowhere" in result.err
    assert "nowhere" not in result.out


def test_what_cannot_be_kept_is_said_once(
    small: Small, config: Config, run: Run, tmp_path: Path
) -> None:
    shown(small, fixed=True)
    result = run("audit", "--config", config(""), "--history", tmp_path / "nowhere" / "h.sqlite3")

    assert result.code == 4
    assert result.err.count("auditor: error:") == 1


def test_what_cannot_be_kept_goes_before_what_fails(
    small: Small, config: Config, run: Run, tmp_path: Path
) -> None:
    shown(small, fixed=False)
    path = config("")
    kept = run("audit", "--config", path, "--history", tmp_path / "h")
    unkept = run("audit", "--config", path, "--history", tmp_path / "no" / "h", "--exit-zero")

    assert (kept.code, unkept.code) == (1, 4)


def test_a_watch_that_could_not_confirm_does_not_call_itself_ok(
    small: Small, config: Config, run: Run
) -> None:
    shown(small, fixed=True)
    words = ("--budget", "0.2s", "--interval", "0.1s", "--passes", "9", *NAGIOS)
    result = run("watch", "--config", config(""), *words)

    assert result.code == 1
    assert result.out.startswith("PROPAGATION WARNING - ")


def test_a_name_that_nobody_knows_among_several_is_no_failing_place_to_a_check(
    small: Small, config: Config, run: Run
) -> None:
    shown(small, fixed=True)
    other = '[[incidents]]\nid = "o"\nproject = "nobody-has-this"\nbroken = ["1"]\nfixed = ["2"]\n'
    words = ("audit", "--config", config(other))
    plain, check = run(*words), run(*words, *NAGIOS)

    assert (plain.code, check.code) == (2, 3)
    assert check.out.startswith("PROPAGATION UNKNOWN - incident o: ")


@pytest.mark.skipif(not FULL.is_char_device(), reason="this system has no /dev/full")
def test_a_report_that_cannot_be_written_costs_no_message(
    small: Small, config: Config, run: Run, receiver: Hook, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", receiver.url)
    shown(small, fixed=False)
    result = run("audit", "--config", config(NOTIFY), "--report", "json=/dev/full")

    assert result.code == 2
    assert "/dev/full cannot be written: No space left on device" in result.err
    (told,) = [json.loads(got.body) for got in receiver.got]
    assert [event["location"] for event in told["events"]] == ["mirror"]


def test_a_message_that_cannot_be_sent_makes_a_silent_run_no_louder_than_its_error(
    small: Small, config: Config, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOOK_URL", "http://127.0.0.1:1/")
    monkeypatch.setattr("auditor.notify.post.WAITS_S", ())
    shown(small, fixed=False)
    words = ("audit", "--config", config(NOTIFY), "--only-changes")
    first, second = run(*words), run(*words)

    assert (first.code, second.code) == (4, 4)
    assert "mirror" in first.out
    assert second.out == ""
    assert "not delivered" in second.err


def test_a_directory_in_place_of_a_history_is_called_one(tmp_path: Path) -> None:
    with pytest.raises(HistoryError, match="it is a directory; name a file in it"):
        History(tmp_path)
    with pytest.raises(HistoryError, match="it is a directory; name a file in it"):
        open_readable(tmp_path)
