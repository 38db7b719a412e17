"""`auditor config init`: what is found is written once, passes the check, and holds no secret."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from auditor.cli.main import main
from auditor.config import parse_document, resolve
from auditor.config.machine import Found, Machine, propose
from auditor.config.starter import STARTER, starter_for
from auditor.registry import load_kinds
from tests.config.machine_home import BUILTIN, CANARY, Home, home

__all__ = ["home"]  # the fixture


@pytest.fixture
def everything(home: Home) -> Home:
    """A home in which every program is configured, each with a secret."""
    home.write(
        "home/.config/pip/pip.conf",
        f"[global]\nindex-url = https://me:{CANARY}@pip.example/simple\n"
        f"extra-index-url = https://{CANARY}@token.example/simple\n"
        f"proxy = http://me:{CANARY}@proxy.example:3128\n",
    )
    home.write(
        "home/project/uv.toml",
        f'[[index]]\nname = "corp"\nurl = "https://me:{CANARY}@uv.example/simple"\n',
    )
    home.write(
        "home/project/pyproject.toml",
        '[[tool.poetry.source]]\nname = "office"\nurl = "https://poetry.example/simple"\n'
        f'[[tool.pdm.source]]\nname = "p"\nurl = "https://me:{CANARY}@pdm.example/simple"\n',
    )
    home.write(
        "home/.config/pypoetry/auth.toml",
        f'[http-basic.office]\nusername = "me"\npassword = "{CANARY}"\n',
    )
    home.write(
        "home/.config/pdm/config.toml",
        '[pypi]\nurl = "https://pdm-user.example/simple"\nusername = "me"\n'
        f'password = "{CANARY}"\n',
    )
    stored = {"auth": {"http://devpi.example/": [["me", CANARY]]}}
    home.write("home/.devpi/client/auth.json", json.dumps(stored))
    home.write(
        "home/.devpi/client/current.json", json.dumps({"index": "http://devpi.example/me/dev"})
    )
    netrc = home.write("home/.netrc", f"machine uv.example login me password {CANARY}\n")
    netrc.chmod(0o600)
    return home


def init(*words: str) -> int:
    return main(["config", "init", *words])


def references(text: str) -> list[str]:
    return [line for line in text.splitlines() if "{env = " in line and "MIRROR" not in line]


def test_what_is_written_passes_the_check_as_it_is(
    everything: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("auditor.toml") == 0
    assert main(["config", "check", "auditor.toml"]) == 0
    assert "auditor.toml: ok: incidents 1, locations 7" in capsys.readouterr().out


def test_no_secret_is_written_or_said_and_references_stand_in_its_place(
    everything: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("auditor.toml") == 0
    said = capsys.readouterr()
    text = Path("auditor.toml").read_text(encoding="utf-8")

    assert CANARY not in text + said.out + said.err
    assert '# password = {env = "INDEX_PIP_EXAMPLE_PASSWORD"}' in text
    assert len(references(text)) == 2 * 7 - 1  # a token has no password
    assert "Your netrc has a login for this host" in text
    assert "its proxy wants a login" in said.err


def test_what_was_found_where_is_said(everything: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("auditor.toml") == 0
    lines = capsys.readouterr().err.splitlines()

    assert "found https://pip.example/simple (simple): pip's configuration (index-url)" in lines
    assert "found https://uv.example/simple (simple): uv: ~/project/uv.toml (index)" in lines
    assert [line for line in lines if "devpi client: ~/.devpi/client/current.json" in line]
    assert lines[-1].startswith("wrote auditor.toml; edit it")


def test_quiet_says_only_what_was_written(
    everything: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("auditor.toml", "--quiet") == 0
    assert len(capsys.readouterr().err.splitlines()) == 1


def test_references_count_at_once_where_the_variables_are_set(
    everything: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    environ = {"INDEX_PIP_EXAMPLE_USERNAME": "me", "INDEX_PIP_EXAMPLE_PASSWORD": CANARY}
    for name, value in environ.items():
        monkeypatch.setenv(name, value)
    assert init("auditor.toml") == 0
    text = Path("auditor.toml").read_text(encoding="utf-8")
    resolved = resolve(parse_document(text, name="a.toml"), load_kinds(), environ=environ)

    assert 'password = {env = "INDEX_PIP_EXAMPLE_PASSWORD"}' in text.splitlines()
    assert resolved.credentials["pip.example"].secrets() == (CANARY,)


def test_a_file_that_is_there_is_kept_unless_forced(
    everything: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    Path("auditor.toml").write_text("mine", encoding="utf-8")
    assert init("auditor.toml") == 2
    assert "auditor.toml is there already" in capsys.readouterr().err
    assert Path("auditor.toml").read_text(encoding="utf-8") == "mine"

    assert init("auditor.toml", "--force") == 0
    assert "[[locations]]" in Path("auditor.toml").read_text(encoding="utf-8")
    assert [path.name for path in Path().iterdir() if "auditor.toml" in path.name] == [
        "auditor.toml"
    ]


def test_a_dash_means_stdout_and_no_file(
    everything: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("-") == 0
    assert tomllib.loads(capsys.readouterr().out)["locations"]
    assert not Path("-").exists()


def test_bare_looks_at_nothing(everything: Home, capsys: pytest.CaptureFixture[str]) -> None:
    assert init("-", "--bare") == 0
    said = capsys.readouterr()
    assert said.out == STARTER
    assert said.err == ""


def test_an_unconfigured_machine_asks_pypi_alone(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    assert init("auditor.toml") == 0
    [pypi] = tomllib.loads(Path("auditor.toml").read_text(encoding="utf-8"))["locations"]

    assert pypi == {"name": "PyPI", "kind": "pypi"}
    assert "found the index that pip asks here (pypi)" in capsys.readouterr().err


def test_devpi_and_bandersnatch_may_be_elsewhere(home: Home, tmp_path: Path) -> None:
    home.write("client/current.json", json.dumps({"index": "http://devpi.example/me/dev"}))
    home.write("my.conf", "[mirror]\ndirectory = /srv/pypi\n")
    words = ("--devpi-clientdir", str(tmp_path / "client"))
    assert init("a.toml", *words, "--bandersnatch-conf", str(tmp_path / "my.conf")) == 0
    written = tomllib.loads(Path("a.toml").read_text(encoding="utf-8"))["locations"]

    assert [each["kind"] for each in written] == ["pypi", "devpi", "bandersnatch"]
    assert main(["config", "check", "a.toml"]) == 0


def test_a_retired_mirror_that_pip_names_is_told_by_the_check(
    home: Home, capsys: pytest.CaptureFixture[str]
) -> None:
    home.write(
        "home/.config/pip/pip.conf", "[global]\nindex-url = https://pypi.hustunique.com/simple\n"
    )
    assert init("auditor.toml") == 0
    assert main(["config", "check", "auditor.toml"]) == 0
    told = [line for line in capsys.readouterr().err.splitlines() if "has ended" in line]
    assert len(told) == 1


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    name=st.text(max_size=40),
    origin=st.text(max_size=40),
    path=st.text(min_size=1, max_size=40),
    value=st.text(max_size=20),
)
def test_no_name_breaks_out_of_its_line(
    name: str, origin: str, path: str, value: str, tmp_path: Path
) -> None:
    found = Found(
        origin=origin,
        kind="simple",
        name=name if name.strip() and name.isprintable() else None,
        url="https://x.example/simple",
        settings={"ca_file": value},
    )
    held = Found(origin=origin, kind="wheelhouse", path=f"/{path}")
    machine = Machine(environ={}, home=tmp_path, directory=tmp_path, system=tmp_path)
    text = starter_for(propose([found, held], machine, BUILTIN), ())
    written = tomllib.loads(text)

    assert set(written) == {"incidents", "locations"}
    assert len(written["incidents"]) == 1
    assert written["locations"][0]["url"] == "https://x.example/simple"
    assert set(written["locations"][0]) <= {"name", "kind", "url", "ca_file"}
