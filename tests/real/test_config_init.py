"""`auditor config init` on configuration that the programs themselves wrote."""

from __future__ import annotations

import subprocess
import tomllib
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.cli.main import main
from tests.config.machine_home import CANARY, Home, home
from tests.real.programs import clean_environment

__all__ = ["home"]  # the fixture

pytestmark = [pytest.mark.real, pytest.mark.slow]

Real = Callable[[str], Path]


def run(home: Home, *command: object, **variables: str) -> str:
    done = subprocess.run(
        [str(word) for word in command],
        cwd=home.project,
        env=clean_environment(home.home, **variables),
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


def proposed(home: Home) -> list[dict[str, object]]:
    """What is written, after it passed the check and showed no secret."""
    assert main(["config", "init", "auditor.toml", "--force", "--quiet"]) == 0
    assert main(["config", "check", "auditor.toml"]) == 0
    text = (home.project / "auditor.toml").read_text(encoding="utf-8")
    assert CANARY not in text
    return [*tomllib.loads(text)["locations"]]


def test_pip(home: Home, real_program: Real) -> None:
    pip = real_program("pip-command")
    url = f"https://me:{CANARY}@office.example/simple"
    run(home, pip, "config", "--user", "set", "global.index-url", url)
    [office] = proposed(home)

    assert office["url"] == "https://office.example/simple"


def test_uv(home: Home, real_program: Real) -> None:
    uv = real_program("uv")
    home.write("home/.config/uv/uv.toml", 'cache-dir = "held"\nindex-url = "http://127.0.0.1:9/"\n')
    cache = home.project / run(home, uv, "cache", "dir").strip()
    cache.mkdir(exist_ok=True)
    found = {str(each["kind"]): each for each in proposed(home)}

    assert cache == home.project / "held"
    assert found["uv-cache"]["path"] == str(cache)
    assert found["simple"]["url"] == "http://127.0.0.1:9/"


def test_poetry(home: Home, real_program: Real) -> None:
    poetry = real_program("poetry")
    home.write("home/project/pyproject.toml", '[project]\nname = "x"\nversion = "1"\n')
    quiet = {"PYTHON_KEYRING_BACKEND": "keyring.backends.null.Keyring"}
    add = ("source", "add", "office", "https://office.example/simple/", "--priority=primary")
    run(home, poetry, *add, **quiet)
    run(home, poetry, "config", "certificates.office.cert", "/etc/corp.pem", **quiet)
    with (home.home / ".config/pypoetry/auth.toml").open("a", encoding="utf-8") as file:
        file.write(f'[http-basic.office]\nusername = "me"\npassword = "{CANARY}"\n')
    cache = run(home, poetry, "config", "cache-dir", **quiet).strip()
    Path(cache).mkdir(parents=True, exist_ok=True)
    found = {str(each["kind"]): each for each in proposed(home)}

    assert found["simple"] | {"name": "office", "ca_file": "/etc/corp.pem"} == found["simple"]
    assert found["poetry-cache"]["path"] == cache


def test_pdm(home: Home, real_program: Real) -> None:
    pdm = real_program("pdm")
    offline = {"PDM_CHECK_UPDATE": "0"}
    for key, value in (
        ("pypi.url", "https://office.example/simple"),
        ("pypi.username", "me"),
        ("pypi.password", CANARY),
        ("pypi.more.url", "https://more.example/simple"),
        ("pypi.more.verify_ssl", "false"),
    ):
        run(home, pdm, "config", key, value, PYTHON_KEYRING_BACKEND="keyring.backends.null.Keyring",
            **offline)  # fmt: skip  # a line for each would be a page
    cache = run(home, pdm, "config", "cache_dir", **offline).strip()
    Path(cache).mkdir(parents=True, exist_ok=True)
    found = {str(each["name"]): each for each in proposed(home)}

    assert found["office.example"]["url"] == "https://office.example/simple"
    assert found["more"]["insecure"] is True
    assert found["pdm-cache"]["path"] == cache


def test_devpi_client(home: Home) -> None:
    from devpi.use import PersistentCurrent

    directory = home.home / ".devpi" / "client"
    directory.mkdir(parents=True)
    current = PersistentCurrent(directory / "auth.json", directory / "current.json")
    index = "http://127.0.0.1:9/me/dev/"
    current.reconfigure({"index": index, "simpleindex": f"{index}+simple/"})
    current.set_auth("me", CANARY)
    found = {str(each["kind"]): each for each in proposed(home)}

    assert found["devpi"]["url"] == f"{index}+simple/"
    assert CANARY in (directory / "auth.json").read_text(encoding="utf-8")
    assert "# password = {env" in (home.project / "auditor.toml").read_text(encoding="utf-8")
