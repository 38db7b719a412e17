from __future__ import annotations

import json
import os
import stat
import threading
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.lab.world import World
from tests.cli.conftest import Run

pytestmark = pytest.mark.slow

Config = Callable[..., Path]

SECOND = (
    '[[incidents]]\nproject = "brokenpkg"\nid = "again"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
)


def statuses(text: str) -> dict[str, str]:
    return {row["name"]: row["status"] for row in json.loads(text)["locations"]}


def test_the_whole_world_gets_the_statuses_that_it_must(
    run: Run, config: Config, world: World
) -> None:
    result = run("audit", "--config", config(), "--format", "json")
    assert result.code == 1
    expected = {name: each.status.value for name, each in world.expected.items()}
    assert statuses(result.out) == expected


def test_the_command_line_alone_asks_the_same_question(run: Run, world: World) -> None:
    place = f"the source:pypi={world.servers['source'].simple_url}"
    result = run(
        *("audit", "BrokenPkg", "--broken", "1.2.3", "--fixed", "1.2.4", "--location", place),
        *("--format", "json", "--vantage", "here"),
    )
    assert (result.code, result.err) == (0, "")
    assert statuses(result.out) == {"the source": "rolled-forward"}
    assert json.loads(result.out)["locations"][0]["vantage"] == "here"


@pytest.mark.parametrize(
    ("code", "names", "options"),
    [
        (0, ("source", "fresh-mirror"), ()),
        (1, ("source", "late-mirror"), ()),
        (3, ("source", "down"), ()),
        (1, ("source", "down", "behind-mirror"), ()),
        (0, ("source", "behind-mirror"), ("--fail-on", "tampered,exposed")),
        (1, ("source", "fresh-mirror"), ("--fail-on", "exposed", "--fail-on", "rolled-forward")),
        (0, ("source", "late-mirror"), ("--grace",)),
        (1, ("source", "stuck-mirror"), ("--grace",)),
        (0, ("source", "stuck-mirror"), ("--exit-zero",)),
        (0, ("source", "down"), ("--exit-zero",)),
    ],
)
def test_the_exit_code_tells_the_worst(
    run: Run, config: Config, code: int, names: tuple[str, ...], options: tuple[str, ...]
) -> None:
    assert run("audit", "--config", config(*names), *options).code == code


@pytest.mark.parametrize(
    ("code", "word", "numbers", "names", "options"),
    [
        (0, "OK", "locations=2 failing=0 unknown=0", ("source", "fresh-mirror"), ()),
        (1, "WARNING", "locations=2 failing=1 unknown=0", ("source", "late-mirror"), ()),
        (
            2,
            "CRITICAL",
            "locations=3 failing=2 unknown=0",
            ("source", "late-mirror", "stuck-mirror"),
            (),
        ),
        (3, "UNKNOWN", "locations=2 failing=0 unknown=1", ("source", "down"), ()),
        (
            0,
            "CRITICAL",
            "locations=2 failing=1 unknown=0",
            ("source", "stuck-mirror"),
            ("--exit-zero",),
        ),
    ],
)
def test_a_monitoring_system_gets_one_line(
    run: Run,
    config: Config,
    code: int,
    word: str,
    numbers: str,
    names: tuple[str, ...],
    options: tuple[str, ...],
) -> None:
    file = config(*names)
    result = run("audit", "--config", file, "--exit-style", "nagios", *options)
    assert result.code == code
    [line] = result.out.splitlines()
    text, bar, data = line.partition(" | ")
    assert text.startswith(f"PROPAGATION {word} - ")
    assert (bar, data) == (" | ", numbers)


def test_reports_go_to_files_whole_and_are_named_on_stderr(
    run: Run, config: Config, tmp_path: Path
) -> None:
    html, data = tmp_path / "r.html", tmp_path / "r.json"
    result = run(
        *("audit", "--config", config("source")),
        *("--report", f"html={html}", "--report", f"json={data}"),
    )
    assert result.code == 0
    assert result.err == f"wrote {html}\nwrote {data}\n"
    assert statuses(data.read_text()) == {"source": "rolled-forward"}
    assert html.read_text().rstrip().endswith("</html>")
    assert {"r.html", "r.json", "audit.toml"} == {each.name for each in tmp_path.iterdir()}


def test_the_terminal_report_is_the_default_and_has_no_colour_in_a_pipe(
    run: Run, config: Config
) -> None:
    result = run("audit", "--config", config("source"))
    assert "source" in result.out
    assert "\x1b" not in result.out


def test_colour_can_be_forced(run: Run, config: Config, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("NO_COLOR", "1")
    file = config("source")
    assert "\x1b[" in run("audit", "--config", file, "--color", "always").out
    assert "\x1b" not in run("audit", "--config", file, "--color", "never").out


def test_output_goes_to_a_file_instead_of_stdout(run: Run, config: Config, tmp_path: Path) -> None:
    file = tmp_path / "out.json"
    result = run("audit", "--config", config("source"), "--format", "json", "-o", file)
    assert result.out == ""
    assert statuses(file.read_text()) == {"source": "rolled-forward"}


def test_several_incidents_need_several_files(run: Run, config: Config, tmp_path: Path) -> None:
    file = config("source", more=SECOND)
    refused = run("audit", "--config", file, "--report", f"json={tmp_path}/r.json")
    assert refused.code == 2
    assert "there are several incidents; put {id} into the file's name" in refused.err
    result = run("audit", "--config", file, "--report", f"json={tmp_path}/{{id}}.json")
    assert result.code == 0
    written = {each.stem for each in tmp_path.glob("*.json")}
    assert len(written) == 2
    assert "again" in written


def test_several_incidents_do_not_share_one_json_document(run: Run, config: Config) -> None:
    file = config("source", more=SECOND)
    refused = run("audit", "--config", file, "--format", "json")
    assert refused.code == 2
    assert "--format json: holds one run" in refused.err


def test_one_of_several_incidents_can_be_chosen(run: Run, config: Config, tmp_path: Path) -> None:
    file = config("source", more=SECOND)
    words = ("--incident", "again", "--report", f"json={tmp_path}/r.json")
    assert run("audit", "--config", file, *words).code == 0
    assert json.loads((tmp_path / "r.json").read_text())["incident"]["id"] == "again"


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
def test_a_directory_that_is_not_writable_is_refused_first(
    run: Run, config: Config, tmp_path: Path
) -> None:
    locked = tmp_path / "locked"
    locked.mkdir()
    locked.chmod(stat.S_IRUSR | stat.S_IXUSR)
    result = run("audit", "--config", config("source"), "-o", locked / "x")
    assert "is not writable" in result.err


@pytest.mark.skipif(os.name == "nt", reason="there are no named pipes in its directories")
def test_a_report_goes_through_a_pipe_and_does_not_replace_it(
    run: Run, config: Config, tmp_path: Path
) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    read: list[str] = []
    reader = threading.Thread(target=lambda: read.append(pipe.read_text()))
    reader.start()
    result = run("audit", "--config", config("source"), "--report", f"json={pipe}")
    reader.join(30)

    assert result.code == 0
    assert pipe.is_fifo()
    assert statuses(read[0]) == {"source": "rolled-forward"}


def test_a_report_that_cannot_be_written_in_the_end_costs_no_other(
    run: Run, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail_for_html(path: Path, text: str) -> None:
        if path.suffix == ".html":
            raise OSError(28, "No space left on device")
        path.write_text(text)

    monkeypatch.setattr("auditor.cli.outputs.write_text", fail_for_html)
    html, data = tmp_path / "r.html", tmp_path / "r.json"
    result = run(
        *("audit", "--config", config("source")),
        *("--report", f"html={html}", "--report", f"json={data}"),
    )
    assert result.code == 2
    assert f"{html} cannot be written: No space left on device" in result.err
    assert data.exists()
    assert "source" in result.out


def test_warnings_of_the_configuration_go_to_stderr_unless_quiet(
    run: Run, config: Config, world: World
) -> None:
    url = world.servers["source"].simple_url.replace("//", "//u:hush@")
    more = f'[[locations]]\nname = "x"\nkind = "simple"\nurl = "{url}"\n'
    file = config("source", more=more)
    result = run("audit", "--config", file, "--format", "json")
    assert "url carries a password in clear" in result.err
    assert "hush" not in result.err + result.out
    assert run("audit", "--config", file, "-q").err == ""


def test_verbose_says_what_each_place_answered(run: Run, config: Config) -> None:
    lines = run("audit", "--config", config("source", "fresh-mirror"), "-v").err.splitlines()
    assert lines[0].startswith("[1/2] source: observed, ")
    assert lines[1].startswith("[2/2] fresh-mirror: observed, ")
    assert "requests" in lines[1]
    assert lines[2].startswith("slowest: ")


def test_what_was_probed_can_be_judged_and_rendered_later(
    run: Run, config: Config, tmp_path: Path
) -> None:
    seen, stored = tmp_path / "seen.jsonl", tmp_path / "run.json"
    file = config("source", "late-mirror", "behind-mirror")
    assert run("probe", "--config", file, "-o", seen).code == 0
    judged = run("judge", seen, "--format", "json", "--report", f"json={stored}")
    assert judged.code == 1
    assert statuses(judged.out)["late-mirror"] == "exposed"
    rendered = run("report", stored, "--format", "json")
    assert (rendered.code, rendered.out) == (0, judged.out)
    html = tmp_path / "run.html"
    assert run("report", stored, "-o", html, "--format", "html").code == 0
    assert "late-mirror" in html.read_text()


def test_probe_writes_to_stdout_without_a_file(run: Run, config: Config, tmp_path: Path) -> None:
    result = run("probe", "--config", config("source"))
    (tmp_path / "s.jsonl").write_text(result.out)
    judged = run("judge", tmp_path / "s.jsonl", "--format", "json")
    assert statuses(judged.out) == {"source": "rolled-forward"}


@pytest.mark.parametrize(
    ("code", "options"),
    [
        (1, ()),
        (0, ("--grace",)),
        (0, ("--fail-on", "behind")),
        (2, ("--fail-on", "behnd")),
        (2, ("--incident", "x")),
    ],
)
def test_judging_again_can_be_stricter_or_milder(
    run: Run, config: Config, tmp_path: Path, code: int, options: tuple[str, ...]
) -> None:
    seen = tmp_path / "seen.jsonl"
    run("probe", "--config", config("source", "late-mirror"), "-o", seen)
    assert run("judge", seen, *options).code == code


def test_no_secret_is_in_anything_that_is_written(
    run: Run, config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, world: World
) -> None:
    monkeypatch.setenv("HUSH", "hush-hush")
    url = world.servers["fresh-mirror"].simple_url
    more = (
        f'[[locations]]\nname = "x"\nkind = "simple"\nurl = "{url}"\n'
        'username = "u"\npassword = {env = "HUSH"}\n'
    )
    file = config("source", more=more)
    seen = tmp_path / "seen.jsonl"
    assert run("probe", "--config", file, "-o", seen).code == 0
    judged = run("judge", seen, "--report", f"html={tmp_path}/r.html", "--format", "json")
    shown = run("config", "show", "--config", file)
    written = [seen.read_text(), (tmp_path / "r.html").read_text(), judged.out, shown.out]
    assert not [text for text in written if "hush-hush" in text]
    assert '{env = "HUSH"}' in shown.out
