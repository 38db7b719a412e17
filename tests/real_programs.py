"""Which real programs the tests exercised: a mark, a fixture, and the table that ends `make test`.

A test names its programs with `@pytest.mark.real_program("chromium")`, or asks the fixture for the
path of one: `real_program("uv")`. A missing program skips the test and says so; in CI it fails it.
"""

from __future__ import annotations

import json
import os
import platform
import re
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, replace
from importlib.metadata import version
from pathlib import Path

import pytest

from tests.real.programs import NotInstallable, installed, python_program

PROPERTY = "real-program"
# Names under which Debian and others install it.
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome")
# Debian keeps servers where only root looks for commands.
_WITH_SBIN = os.pathsep.join([os.environ.get("PATH", os.defpath), "/usr/local/sbin", "/usr/sbin"])

# They agree with each other, so that one environment, which takes a while to make, has them all.
_LOCKERS = ("pipenv", "pip-tools", "twine")


@dataclass(frozen=True)
class Program:
    """A program that the tests run for real.

    Attributes:
        find: its path; None if it is not installed.
        ask_version: its version, given the path.
        cure: how to get it.
        install: gets it where it is missing; None: that is not for a test to do.
    """

    find: Callable[[], str | None]
    ask_version: Callable[[str], str]
    cure: str
    install: Callable[[], Path] | None = None


def _beside_python(name: str) -> str | None:
    return shutil.which(name, path=str(Path(sys.executable).parent))


def _first_on_path(names: tuple[str, ...]) -> str | None:
    return next((path for name in names if (path := shutil.which(name))), None)


def _say_version(path: str, option: str = "--version") -> str:
    run = subprocess.run([path, option], capture_output=True, text=True, timeout=60, check=False)
    found = re.search(r"\d+(\.\d+)+", run.stdout or run.stderr)
    return found.group() if found else "unknown"


def _server(command: str, *distributions: str, option: str = "--version") -> Program:
    """Describe a server that the tests install themselves, in an environment of its own."""
    name, *_ = distributions

    def find() -> str | None:
        directory = installed(name, *distributions)
        return str(directory / command) if directory else None

    return Program(
        find=find,
        ask_version=lambda path: _say_version(path, option),
        cure=f"a registry that has the {name} of requirements/real.txt",
        install=lambda: python_program(name, *distributions) / command,
    )


PROGRAMS = {
    "python": Program(
        find=lambda: sys.executable,
        ask_version=lambda _: platform.python_version(),
        cure="it runs the tests",
    ),
    "pip": Program(
        find=lambda: sys.executable, ask_version=lambda _: version("pip"), cure="make test"
    ),
    "pip-command": Program(
        find=lambda: _beside_python("pip"),
        ask_version=lambda path: _say_version(path),
        cure="make test",
    ),
    "uv": Program(
        find=lambda: _beside_python("uv"),
        ask_version=lambda path: _say_version(path),
        cure="make test",
    ),
    "curl": Program(
        find=lambda: shutil.which("curl"),
        ask_version=lambda path: _say_version(path),
        cure="apt-get install curl",
    ),
    "openssl": Program(
        find=lambda: shutil.which("openssl"),
        ask_version=lambda path: _say_version(path, "version"),
        cure="apt-get install openssl",
    ),
    "chromium": Program(
        find=lambda: _first_on_path(_CHROMIUM),
        ask_version=lambda path: _say_version(path),
        cure="apt-get install chromium",
    ),
    "tinyproxy": Program(
        find=lambda: shutil.which("tinyproxy", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path, "-v"),
        cure="apt-get install tinyproxy",
    ),
    "nginx": Program(
        find=lambda: shutil.which("nginx", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path, "-v"),
        cure="apt-get install nginx-light",
    ),
    "squid": Program(
        find=lambda: shutil.which("squid", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path, "-v"),
        cure="apt-get install squid",
    ),
    "varnish": Program(
        find=lambda: shutil.which("varnishd", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path, "-V"),
        cure="apt-get install varnish",
    ),
    "apache": Program(
        find=lambda: shutil.which("apache2", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path, "-v"),
        cure="apt-get install apache2",
    ),
    "bandersnatch": _server("bandersnatch", "bandersnatch"),
    "umoci": Program(
        find=lambda: shutil.which("umoci"),
        ask_version=lambda path: _say_version(path),
        cure="apt-get install umoci",
    ),
    "skopeo": Program(
        find=lambda: shutil.which("skopeo"),
        ask_version=lambda path: _say_version(path),
        cure="apt-get install skopeo",
    ),
    "poetry": _server("poetry", "poetry"),
    "pdm": _server("pdm", "pdm[locked]"),
    "pypiserver": _server("pypi-server", "pypiserver", "passlib"),
    # Reads the examples of CI jobs.
    "yaml": replace(
        _server("python", "pyyaml"),
        ask_version=lambda path: _say_version(path, "-cimport yaml; print(yaml.__version__)"),
    ),
    # proxpi has no command of its own: gunicorn runs it, and Python knows its version.
    "proxpi": replace(
        _server("gunicorn", "proxpi", "gunicorn"),
        ask_version=lambda path: _say_version(
            str(Path(path).with_name("python")),
            "-cfrom importlib.metadata import version as v; print(v('proxpi'))",
        ),
    ),
    # Its command takes long to load all that it imitates, only to say its version.
    "moto": replace(
        _server("moto_server", "moto[server]"),
        ask_version=lambda path: _say_version(
            str(Path(path).with_name("python")),
            "-cfrom importlib.metadata import version as v; print(v('moto'))",
        ),
    ),
    "redis": Program(
        find=lambda: shutil.which("redis-server", path=_WITH_SBIN),
        ask_version=lambda path: _say_version(path),
        cure="apt-get install redis-server",
    ),
    "celery": Program(
        find=lambda: _beside_python("celery"),
        ask_version=lambda _: version("celery"),
        cure="make test",
    ),
    "devpi-server": _server("devpi-server", "devpi-server", "devpi-client", "devpi-web"),
    "pipenv": _server("pipenv", *_LOCKERS),
    "pip-tools": _server("pip-compile", *_LOCKERS),
    "twine": _server("twine", *_LOCKERS),
}


def in_ci() -> bool:
    return os.environ.get("CI") == "true"


def require(name: str) -> Path:
    """Return the path of a program, or skip the test; in CI, fail it."""
    program = PROGRAMS[name]
    path = program.find()
    if path:
        return Path(path)
    message = f"{name} is not installed; get it with: {program.cure}"
    if program.install is not None:
        try:
            return program.install()
        except NotInstallable as error:
            message = f"{message} ({error})"
    if in_ci():
        pytest.fail(message, pytrace=False)
    pytest.skip(message)


def _named_by(item: pytest.Item) -> list[str]:
    names = [str(name) for mark in item.iter_markers("real_program") for name in mark.args]
    if item.get_closest_marker("browser"):
        names.append("chromium")
    return list(dict.fromkeys(names))


@pytest.fixture
def real_program(request: pytest.FixtureRequest) -> Callable[[str], Path]:
    """Return the path of a named program, and count this test among those that used it."""

    def find(name: str) -> Path:
        path = require(name)
        request.node.user_properties.append((PROPERTY, name))
        return path

    return find


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        unknown = set(_named_by(item)) - PROGRAMS.keys()
        if unknown:
            raise pytest.UsageError(f"{item.nodeid}: no such real program: {sorted(unknown)}")


def pytest_runtest_setup(item: pytest.Item) -> None:
    for name in _named_by(item):
        require(name)
        item.user_properties.append((PROPERTY, name))


def pytest_addoption(parser: pytest.Parser) -> None:
    parser.addoption("--real-programs", metavar="FILE", help="write which real programs were used")


def pytest_configure(config: pytest.Config) -> None:
    # Reports of xdist's workers arrive at the controller: only it counts and writes.
    target = config.getoption("--real-programs")
    if target and not hasattr(config, "workerinput"):
        config.pluginmanager.register(Tally(Path(target)), "real-programs-tally")


class Tally:
    """Counts the passed tests of each program and writes them down."""

    def __init__(self, target: Path) -> None:
        self.target = target
        self.used: Counter[str] = Counter()

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        if report.when == "call" and report.passed:
            named = {str(value) for key, value in report.user_properties if key == PROPERTY}
            self.used.update(named)

    def pytest_sessionfinish(self) -> None:
        self.target.parent.mkdir(parents=True, exist_ok=True)
        self.target.write_text(json.dumps(self.used, indent=2, sort_keys=True), encoding="utf-8")


def table(used: dict[str, int]) -> list[str]:
    """Return one line per program: its name, its version, how many tests used it."""
    rows = [("program", "version", "tests")]
    for name, program in PROGRAMS.items():
        path = program.find()
        count = used.get(name, 0)
        rows.append(
            (
                name,
                program.ask_version(path) if path else "NOT INSTALLED",
                str(count) if count else "NOT EXERCISED",
            )
        )
    widths = [max(len(row[column]) for row in rows) for column in range(3)]
    return [
        "  ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)).rstrip()
        for row in rows
    ]


def main(source: str) -> int:
    """Print the table; in CI, 1 if a program was not exercised."""
    used = json.loads(Path(source).read_text(encoding="utf-8"))
    print("\nReal programs exercised:")
    print("\n".join(f"  {line}" for line in table(used)))
    missing = [name for name in PROGRAMS if not used.get(name)]
    if missing and in_ci():
        print(f"In CI every one of them must be: {', '.join(missing)}", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1]))
