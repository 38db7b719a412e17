"""A user's home without any configuration, in which tests write that of installers."""

from __future__ import annotations

import importlib
import os
from dataclasses import dataclass
from pathlib import Path

import pytest

from auditor.config.machine import Found, Machine, Note, Proposal, look_around, propose

BUILTIN = "https://index.example/simple"
CANARY = "c4nary-s3cret"

_PREFIXES = ("PIP_", "UV_", "POETRY_", "PDM_", "DEVPI_", "XDG_", "INDEX_")
_NAMES = ("NETRC", "VIRTUAL_ENV", "HTTP_PROXY", "HTTPS_PROXY")


@dataclass(frozen=True)
class Home:
    """Directories of one test."""

    home: Path
    project: Path
    system: Path

    def write(self, name: str, text: str) -> Path:
        """Write a file below the test's root, such as `home/.config/uv/uv.toml`."""
        path = self.home.parent / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text, encoding="utf-8")
        return path

    @property
    def machine(self) -> Machine:
        """What the readers are handed."""
        return Machine(
            environ=os.environ, home=self.home, directory=self.project, system=self.system
        )

    def seen(self, program: str) -> list[Found | Note]:
        """What the readers found of one program."""
        start = program.lower()
        return [
            each
            for each in look_around(self.machine)
            if (each.origin if isinstance(each, Found) else each.text).lower().startswith(start)
        ]

    def found(self, program: str) -> list[Found]:
        """The places that the readers found of one program."""
        return [each for each in self.seen(program) if isinstance(each, Found)]

    def proposal(self) -> Proposal:
        """All of it put together."""
        return propose(look_around(self.machine), self.machine, BUILTIN)


@pytest.fixture
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Home:
    """An empty home; whatever this machine itself is configured for is out of sight."""
    for name in list(os.environ):
        if name.startswith(_PREFIXES) or name in _NAMES:
            monkeypatch.delenv(name)
    made = Home(tmp_path / "home", tmp_path / "home" / "project", tmp_path / "etc")
    made.project.mkdir(parents=True)
    monkeypatch.setenv("HOME", str(made.home))
    monkeypatch.chdir(made.project)
    # The system's own pip.conf is none of the test's business.
    dirs = importlib.import_module("pip._internal.utils.appdirs")
    monkeypatch.setattr(dirs, "site_config_dirs", lambda _: [])
    return made
