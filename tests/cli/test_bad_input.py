"""Whatever a user gets wrong: one line with cause and next step, the right code, no traceback."""

from __future__ import annotations

import socket
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from auditor.lab.world import World
from tests.cli.conftest import Run

QUESTION = ("brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4")
PLACE = ("--location", "simple=http://127.0.0.1:9/simple/")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("nothing to look for; say PROJECT --broken VERSION", ()),
        ("--broken is missing; say --broken VERSION", ("brokenpkg", "--fixed", "1.2.4")),
        (
            "--fixed is missing; say --fixed VERSION, such as --fixed 1.2.4",
            ("brokenpkg", "--broken", "1.2.3"),
        ),
        ("PROJECT is missing; name", ("--broken", "1.2.3", "--fixed", "1.2.4")),
        (
            "--fixed: 1.2.2 is not above the broken release 1.2.3",
            ("brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.2", *PLACE),
        ),
        (
            "--broken: 'one' is neither a version nor a specifier; write",
            ("brokenpkg", "--broken", "one", "--fixed", "1.2.4", *PLACE),
        ),
        ("PROJECT: 'broken pkg' is no project name; use", ("broken pkg", *QUESTION[1:], *PLACE)),
        (
            "PROJECT: 'brokenpkg==1.2.3' names a version as well; write 'brokenpkg' alone",
            ("brokenpkg==1.2.3", *QUESTION[1:], *PLACE),
        ),
        ("PROJECT: audit.toml is a file; name it with --config", ("audit.toml",)),
        ("--location foo=: says nowhere where it is; write", (*QUESTION, "--location", "foo=")),
        ("--location foo: has no '='; write", (*QUESTION, "--location", "foo")),
        (
            "--location simpel=http://127.0.0.1/: kind: unknown kind 'simpel'; did you mean",
            (*QUESTION, "--location", "simpel=http://127.0.0.1/"),
        ),
        ("none.toml: cannot be read: No such file or directory; `", ("--config", "none.toml")),
        (".: cannot be read: Is a directory; `", ("--config", ".")),
        ("broken.toml:1: no valid TOML: ", ("--config", "broken.toml")),
        ("latin.toml:2: is not UTF-8; save it as UTF-8", ("--config", "latin.toml")),
        ("unknown option --borken; did you mean --broken?", (*QUESTION, "--borken", "1")),
        ("unknown option --zzz; see `auditor audit --help`", (*QUESTION, "--zzz")),
        ("one argument too many: otherpkg; see", (*QUESTION, "otherpkg")),
        ("argument --broken: expected one argument; see", ("brokenpkg", "--broken")),
        ("argument --color: invalid choice: 'blue'", (*QUESTION, "--color", "blue")),
        ("--timeout: 'soon' is no duration; write", (*QUESTION, *PLACE, "--timeout", "soon")),
        ("--timeout: 0 leaves no time", (*QUESTION, *PLACE, "--timeout", "0")),
        ("--concurrency: must be a whole number", (*QUESTION, *PLACE, "--concurrency", "many")),
        (
            "--fail-on: 'exposd' is no status; did you mean 'exposed'?",
            (*QUESTION, *PLACE, "--fail-on", "exposd"),
        ),
        (
            "--report htm=x.html: no report format is called 'htm'; did you mean 'html'?",
            (*QUESTION, *PLACE, "--report", "htm=x.html"),
        ),
        (
            "--report html: must be FORMAT=FILE; write html=report.html",
            (*QUESTION, *PLACE, "--report", "html"),
        ),
        (
            "--report html=none/x.html: there is no directory none; create it first",
            (*QUESTION, *PLACE, "--report", "html=none/x.html"),
        ),
        (
            "--report html=.: . is a directory; name a file in it",
            (*QUESTION, *PLACE, "--report", "html=."),
        ),
        (
            "two reports go to x; name another",
            (*QUESTION, *PLACE, "--report", "html=x", "--report", "json=x"),
        ),
        (
            "--format: no report format is called 'yaml'; ",
            (*QUESTION, *PLACE, "--format", "yaml"),
        ),
        ("-o: there is no directory none; create", (*QUESTION, *PLACE, "-o", "none/x")),
        (
            "--incident: there is no incident 'x'; known: brokenpkg-1.2.3",
            (*QUESTION, *PLACE, "--incident", "x"),
        ),
    ],
)
def test_a_wrong_question_is_refused_before_anybody_is_asked(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "broken.toml").write_text("[audit\n")
    (tmp_path / "latin.toml").write_bytes(b"[audit]\ncontact = '\xe9'\n")
    monkeypatch.setattr("auditor.engine.Audit.run", _never)
    result = run("audit", *words)
    assert result.code == 2
    assert result.out == ""
    [line] = result.err.splitlines()
    assert line.startswith(f"auditor: error: {problem}")
    assert "Traceback" not in result.err


async def _never(audit: object) -> None:
    raise AssertionError("somebody was asked")


@pytest.mark.parametrize(
    ("problem", "words"),
    [
        ("none.jsonl cannot be read: No such file", ("judge", "none.jsonl")),
        ("empty.jsonl is empty; write it with `auditor probe", ("judge", "empty.jsonl")),
        ("text.jsonl:1", ("judge", "text.jsonl")),
        ("none.json: ", ("report", "none.json")),
        ("text.jsonl: not JSON", ("report", "text.jsonl")),
        ("no code is called 'exposd'; did you mean 'exposed'?", ("explain", "exposd")),
        ("no report format is called 'jsn'; did you mean 'json'?", ("schema", "jsn")),
        ("format 'html' has no schema; try", ("schema", "html")),
        ("empty.jsonl is there already; name another file", ("config", "init", "empty.jsonl")),
        ("there is no directory none; create it first", ("config", "init", "none/a.toml")),
        ("nothing to check; say `auditor config check FILE`", ("config", "check")),
        (
            "unknown option -o; see `auditor config init --help`",
            ("config", "init", "-o", "x.toml"),
        ),
        ("argument init|check|show: invalid choice: 'sow'", ("config", "sow")),
        ("-o: there is no directory none; create", ("demo", "-o", "none/x.html")),
        ("-o: x.json is the name of the JSON; name", ("demo", "-o", "x.json")),
        ("-o: there is no directory none; create", ("probe", *QUESTION, *PLACE, "-o", "none/x")),
    ],
)
def test_other_commands_refuse_in_the_same_way(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    problem: str,
    words: tuple[str, ...],
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "empty.jsonl").touch()
    (tmp_path / "text.jsonl").write_text("hello\n")
    monkeypatch.setattr("auditor.engine.Audit.run", _never)
    result = run(*words)
    assert (result.code, result.out) == (2, "")
    [line] = result.err.splitlines()
    assert line.startswith(f"auditor: error: {problem}")


@pytest.fixture
def dead_port() -> Iterator[int]:
    """A port that is taken, so that nobody else listens there, but refuses connections."""
    with socket.socket() as held:
        held.bind(("127.0.0.1", 0))
        yield held.getsockname()[1]


def test_a_host_that_nobody_answers_at_is_inconclusive(
    run: Run, config: Callable[..., Path], dead_port: int
) -> None:
    more = f'[[locations]]\nname = "dead"\nkind = "simple"\nurl = "http://127.0.0.1:{dead_port}/"\n'
    result = run("audit", "--config", config("source", more=more), "--format", "json")
    assert result.code == 3
    assert '"unreachable"' in result.out
    assert "Traceback" not in result.err


def test_an_address_that_is_no_index_is_told_apart(
    run: Run, config: Callable[..., Path], world: World
) -> None:
    url = f"{world.servers['source'].url}/no/index/here/"
    more = f'[[locations]]\nname = "wrong"\nkind = "simple"\nurl = "{url}"\n'
    result = run("audit", "--config", config("source", more=more), "--format", "json", "-q")
    assert result.code in (1, 3)
    assert result.err == ""


def test_a_project_that_nobody_knows_is_a_wrong_question(run: Run, world: World) -> None:
    place = f"simple={world.servers['source'].simple_url}"
    result = run("audit", "nobodyhasit", "--broken", "1", "--fixed", "2", "--location", place)
    assert result.code == 2
    assert "Traceback" not in result.err
    assert result.err.splitlines()[-1].startswith("auditor: error: ")
