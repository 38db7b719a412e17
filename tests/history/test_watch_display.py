"""What a watch shows: a table in a terminal, lines in a log, nothing where it was told so."""

from __future__ import annotations

import argparse
import fcntl
import io
import os
import pty
import struct
import subprocess
import sys
import termios
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from rich.console import Console

from auditor.cli.watch_display import Lines, LiveTable, display_of
from auditor.model import Lag, LagState
from auditor.verdict import judge
from auditor.watching import Pass, outcome_of
from tests.history.small import Small, config, file, small
from tests.verdict import stage

__all__ = ["config", "file", "small"]  # the world of the commands' tests

DEADLINE = datetime.now(UTC) + timedelta(minutes=30)


def a_pass(**shown: tuple[object, ...]) -> Pass:
    places = [stage.location(name) for name in shown]
    asked = stage.plan(*places)
    seen = [stage.source(), *(stage.observe(n, stage.page(files)) for n, files in shown.items())]
    runs = judge(asked, seen)
    return Pass(
        number=3,
        runs=runs,
        observations=tuple(seen),
        plan=asked,
        outcome=outcome_of(runs),
        agreeing=1,
        is_last=False,
        is_confirmed=False,
        wait_s=90.0,
        interrupted=False,
    )


def drawn(seen: Pass | None, *, height: int = 30, colour: bool = True) -> str:
    stream = io.StringIO()
    console = Console(
        file=stream, force_terminal=True, width=100, height=height, no_color=not colour
    )
    table = LiveTable(DEADLINE, console=console)
    with table:
        table.looking()
        if seen is not None:
            table.tell(seen)
    return stream.getvalue()


def test_the_table_names_every_place_with_its_status_the_urgent_ones_first() -> None:
    shown = drawn(a_pass(fine=stage.CURRENT, late=stage.OLD))

    assert "look 3: stuck: 2 of 3 places have the fix, 1 waited for next look in 1 min" in (
        " ".join(shown.split())
    )
    assert "✖ exposed" in shown
    assert "✔ rolled-forward" in shown
    assert shown.index("late") < shown.index("fine")


def test_what_is_told_fits_a_terminal_of_eighty_columns() -> None:
    head = drawn(a_pass(late=stage.OLD, fine=stage.CURRENT)).splitlines()[:2]

    assert [line for line in head if len(line.removeprefix("\x1b[?25l")) > 80] == []
    assert "look 3: " in head[0]
    assert "next look in 1 min 30 s" in head[1]


def test_a_place_that_several_look_at_is_shown_with_who_saw_it() -> None:
    one = a_pass(edge=stage.OLD)
    (run,) = one.runs
    far = (replace(v, vantage="tokyo") for v in run.verdicts)
    both = replace(one, runs=(replace(run, verdicts=(*run.verdicts, *far)),))

    assert "from" not in drawn(one)
    lines = drawn(both).split("place")[-1].splitlines()
    assert sum("edge" in line and "tokyo" in line for line in lines) == 1
    assert sum("edge" in line and "here" in line for line in lines) == 1


def test_a_place_that_is_due_on_another_day_says_on_which() -> None:
    one = a_pass(edge=stage.OLD)
    (run,) = one.runs
    now = datetime.now(UTC)
    shown = {}
    for days in (0, 2):
        due = now.replace(hour=23, minute=59) + timedelta(days=days)
        lag = Lag(state=LagState.WITHIN_LAG, latest_by=due)
        late = tuple(replace(v, lag=lag) for v in run.verdicts)
        text = drawn(replace(one, runs=(replace(run, verdicts=late),)))
        shown[days] = f"due by {due:%Y-%m-%d} 23:59 UTC" in text, "due by 23:59 UTC" in text

    assert shown == {0: (False, True), 2: (True, False)}


def test_before_the_first_look_is_done_that_is_said() -> None:
    assert "the first look is under way" in drawn(None)


def test_names_move_no_cursor_and_are_no_markup() -> None:
    shown = drawn(a_pass(**{"a\x1b[2J[red]b": stage.OLD}))
    assert "\x1b[2J" not in shown
    assert "a\\x1b[2J[red]b" in shown


def test_what_does_not_fit_is_counted() -> None:
    many = {f"place-{number}": stage.CURRENT for number in range(30)}
    shown = drawn(a_pass(**many), height=12)
    assert "and 26 more, none of them more urgent" in shown


def test_without_colour_there_is_none() -> None:
    assert "\x1b[31m" in drawn(a_pass(late=stage.OLD))
    assert "\x1b[31m" not in drawn(a_pass(late=stage.OLD), colour=False)


def test_lines_are_written_when_something_is_news(capsys: pytest.CaptureFixture[str]) -> None:
    late, fine = a_pass(mirror=stage.OLD), a_pass(mirror=stage.CURRENT)
    with Lines(is_quiet=False) as lines:
        for seen in (late, replace(late, number=4), replace(fine, number=5)):
            lines.looking()
            lines.tell(seen)
    first, second = capsys.readouterr().err.splitlines()
    assert "look 3: stuck: 1 of 2" in first
    assert "look 5: everywhere: 2 of 2" in second


def test_a_quiet_watch_writes_nothing(capsys: pytest.CaptureFixture[str]) -> None:
    with Lines(is_quiet=True) as lines:
        lines.tell(a_pass(mirror=stage.OLD))
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize(
    ("terminal", "term", "options", "kind"),
    [
        (True, "xterm", {}, LiveTable),
        (True, "dumb", {}, Lines),
        (False, "xterm", {}, Lines),
        (True, "xterm", {"quiet": True}, Lines),
        (True, "xterm", {"no_progress": True}, Lines),
    ],
)
def test_only_a_terminal_that_can_be_drawn_on_gets_the_table(
    monkeypatch: pytest.MonkeyPatch,
    terminal: bool,
    term: str,
    options: dict[str, bool],
    kind: type,
) -> None:
    monkeypatch.setattr(sys.stderr, "isatty", lambda: terminal)
    monkeypatch.setenv("TERM", term)
    known = {"quiet": False, "no_progress": False, "color": "auto"}
    assert type(display_of(argparse.Namespace(**{**known, **options}), DEADLINE)) is kind


@pytest.mark.slow
def test_in_a_terminal_the_table_is_drawn_and_the_report_follows_it(
    small: Small, config: Callable[..., Path]
) -> None:
    small.show(small.source, fixed=True)
    small.show(small.mirror, fixed=True)
    leader, follower = pty.openpty()
    fcntl.ioctl(follower, termios.TIOCSWINSZ, struct.pack("HHHH", 30, 160, 0, 0))
    words = ["watch", "--config", str(config("")), "--interval", "0.1s", "--passes", "2"]
    process = subprocess.Popen(
        [sys.executable, "-m", "auditor.cli.main", *words],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=follower,
        env={**os.environ, "TERM": "xterm", "COLUMNS": "160", "LINES": "30"},
    )
    os.close(follower)
    shown = b""
    try:
        while chunk := os.read(leader, 65536):
            shown += chunk
    except OSError:
        pass  # Linux says so when the other side is closed
    finally:
        os.close(leader)
    out, _ = process.communicate(timeout=30)
    text = shown.decode()

    assert process.returncode == 0, text
    assert "looking" in text or "next look" in text
    assert "✔ rolled-forward" in text
    assert "this was the last one" in text, text[-1500:]
    assert text.index("this was the last one") < text.index("watch: everywhere, 2 looks agree")
    assert text.endswith("after 2 looks\r\n")
    assert "\x1b[?25h" in text  # the cursor is back
    assert b"rolled-forward" in out
