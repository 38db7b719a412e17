"""The scripts behind `make` say plainly what they cannot do, and hide nothing in CI."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SH = shutil.which("sh") or "/bin/sh"
IMAGE_TOOLS = ("umoci", "skopeo")
SERVERS = ("nginx", "squid", "varnishd", "apache2", "redis-server")
ALL = "chromium curl openssl tinyproxy umoci skopeo nginx-light squid varnish apache2 redis-server"
SERVICES = (
    *("nginx", "tinyproxy", "squid", "varnish", "varnishncsa"),
    *("apache2", "apache-htcacheclean", "redis-server"),
)


@pytest.fixture
def commands(tmp_path: Path) -> Path:
    """Make a directory to be the whole PATH; its apt-get only writes down what it is told."""
    directory = tmp_path / "bin"
    directory.mkdir()
    add(directory, "apt-get", f'echo "$@" >> "{tmp_path}/apt.log"')
    add(directory, "id", "echo 0")
    return directory


def add(directory: Path, name: str, body: str) -> None:
    script = directory / name
    script.write_text(f"#!{SH}\n{body}\n", encoding="utf-8")
    script.chmod(0o755)


def debian_packages(commands: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [SH, str(ROOT / "tools" / "debian_packages.sh")],
        env={
            "PATH": str(commands),
            "POLICY_RC_D": str(commands / "policy-rc.d"),
            "SBIN": "",
            **environ,
        },
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )


def test_nothing_is_installed_where_nothing_is_missing(commands: Path, tmp_path: Path) -> None:
    for name in ("chromium", "curl", "openssl", "tinyproxy", *IMAGE_TOOLS, *SERVERS):
        add(commands, name, "true")

    done = debian_packages(commands)

    assert (done.returncode, done.stdout) == (0, "")
    assert not (tmp_path / "apt.log").exists()


def test_root_gets_a_missing_package_after_the_lists_were_updated(
    commands: Path, tmp_path: Path
) -> None:
    done = debian_packages(commands, CI="true")

    update, install = (tmp_path / "apt.log").read_text(encoding="utf-8").splitlines()
    assert done.returncode == 0, done.stderr
    assert update.startswith("update")
    assert install.startswith("install")
    assert install.endswith(ALL)


def test_no_installed_server_starts_by_itself(commands: Path, tmp_path: Path) -> None:
    policy = commands / "policy-rc.d"
    add(commands, "apt-get", f'"{policy}"; echo "$1 $?" >> "{tmp_path}/apt.log"')
    add(commands, "update-rc.d", f'echo "update-rc.d $@" >> "{tmp_path}/apt.log"')

    assert debian_packages(commands).returncode == 0

    told = (tmp_path / "apt.log").read_text(encoding="utf-8").splitlines()
    disabled = [f"update-rc.d {service} disable" for service in SERVICES]
    assert told == ["update 101", "install 101", *disabled]
    assert not policy.exists()


def test_only_what_is_missing_is_installed(commands: Path, tmp_path: Path) -> None:
    for name in ("chromium-browser", "tinyproxy", *IMAGE_TOOLS, *SERVERS):
        add(commands, name, "true")

    assert debian_packages(commands).returncode == 0
    assert (tmp_path / "apt.log").read_text(encoding="utf-8").endswith(" curl openssl\n")
    assert "chromium" not in (tmp_path / "apt.log").read_text(encoding="utf-8")


@pytest.mark.parametrize(("ci", "code"), [("", 0), ("true", 1)])
def test_anybody_else_is_told_what_is_skipped_and_in_ci_that_fails(
    ci: str, code: int, commands: Path, tmp_path: Path
) -> None:
    add(commands, "id", "echo 1000")

    done = debian_packages(commands, CI=ci)

    assert code == done.returncode
    assert "SKIPPED" in done.stdout
    assert f"apt-get install {ALL}" in done.stdout
    assert not (tmp_path / "apt.log").exists()


def test_without_a_recent_python_the_bootstrap_names_the_cause_and_the_next_step(
    tmp_path: Path,
) -> None:
    tools = tmp_path / "tools"
    tools.mkdir()
    script = shutil.copy(ROOT / "tools" / "bootstrap.sh", tools)
    old = tmp_path / "old-python"
    add(tmp_path, "old-python", "exit 1")

    done = subprocess.run(
        [SH, script, "runtime"],
        env={**os.environ, "PYTHON": str(old)},
        capture_output=True,
        text=True,
        check=False,
        timeout=30,
    )

    assert done.returncode == 1
    assert "no Python 3.11 or newer" in done.stderr
    assert "make PYTHON=" in done.stderr
    assert not (tmp_path / ".venv").exists()


@pytest.mark.parametrize("script", [".ci/run", "tools/bootstrap.sh", "tools/lock.sh"])
def test_scripts_can_be_run(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
