"""The container recipe: what its steps leave behind, and who runs what in it.

No container is built here: its steps are run by the shell that would run them. Where root runs the
tests they work on a copy of this system's root that is thrown away, else on nothing but a venv.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import tomllib
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from packaging.specifiers import SpecifierSet

from auditor.lab.world import World
from tests.examples.services import EXAMPLES, Instruction, Shell, instructions

STEPS = instructions((EXAMPLES / "Containerfile").read_text(encoding="utf-8"))
WORDS = [step.word for step in STEPS]
PROJECT = tomllib.loads((EXAMPLES.parent / "pyproject.toml").read_text(encoding="utf-8"))["project"]


def rest_of(word: str) -> str:
    (step,) = [each for each in STEPS if each.word == word]
    return step.rest


def test_lines_are_joined_and_comments_are_none() -> None:
    text = '# a\nFROM b\nRUN one \\\n && two\nCMD ["c"]\n'

    assert instructions(text) == [
        Instruction("FROM", "b"),
        Instruction("RUN", "one && two"),
        Instruction("CMD", '["c"]'),
    ]


def test_it_takes_nothing_from_where_it_is_built_and_needs_no_root_to_run() -> None:
    # No COPY and no ADD: the comment on top builds it without any file beside it.
    assert WORDS == ["FROM", "RUN", "USER", "VOLUME", "ENTRYPOINT", "CMD"]
    assert f"useradd --create-home {rest_of('USER')}" in rest_of("RUN")
    # What a volume holds before it is declared is what a new one begins with, owner included.
    assert f"install -d -o {rest_of('USER')} {rest_of('VOLUME')}" in rest_of("RUN")


def test_its_base_has_a_python_that_we_support() -> None:
    image, _, tag = rest_of("FROM").partition(":")

    assert image == "docker.io/library/python"
    assert tag.removesuffix("-slim") in SpecifierSet(PROJECT["requires-python"])


def test_it_installs_what_we_publish_and_starts_what_that_brings() -> None:
    first = shlex.split(rest_of("RUN").split(" && ")[0])

    assert [*first[:4], first[-1]] == ["python", "-m", "pip", "install", PROJECT["name"]]
    assert json.loads(rest_of("ENTRYPOINT"))[0] in PROJECT["scripts"]


@pytest.mark.slow
def test_its_command_keeps_its_history_in_the_volume_and_is_silent_the_second_time(
    shell: Shell,
) -> None:
    words = [*json.loads(rest_of("ENTRYPOINT")), *json.loads(rest_of("CMD"))]
    volume = rest_of("VOLUME")
    (shell.directory / "state").mkdir()
    assert any(word.startswith(f"{volume}/") for word in words)
    # The mount of the comment on top, and the volume.
    here = [
        word.replace("/audit.toml", f"{shell.directory}/audit.toml").replace(
            f"{volume}/", f"{shell.directory}/state/"
        )
        for word in words
    ]
    first, second = (shell.run(shlex.join(here)) for _ in range(2))

    assert (first.returncode, second.returncode) == (0, 0), first.stderr
    assert "brokenpkg is rolled forward" in first.stdout
    assert (second.stdout, second.stderr) == ("", "")
    assert (shell.directory / "state" / "history.sqlite3").stat().st_size > 0


@pytest.fixture
def root(tmp_path: Path) -> Iterator[Path]:
    """A root that looks like this system's, and forgets what is written to it."""
    if os.getuid() != 0 or shutil.which("mount") is None:
        pytest.skip("only root may lay a file system over its own")
    merged = tmp_path / "merged"
    with ExitStack() as stack:
        for name, *options in (
            (tmp_path / "over", "-t", "tmpfs", "tmpfs"),
            (merged, "-t", "overlay", "overlay", "-o", _over(tmp_path / "over")),
        ):
            name.mkdir()
            done = subprocess.run(["mount", *options, str(name)], capture_output=True, check=False)
            if done.returncode:
                pytest.skip("no file system can be laid over another one here")
            stack.callback(subprocess.run, ["umount", "--lazy", str(name)], check=True)
            for below in ("upper", "work"):
                if name.name == "over":
                    (name / below).mkdir()
        yield merged


def _over(directory: Path) -> str:
    return f"lowerdir=/,upperdir={directory}/upper,workdir={directory}/work"


@pytest.mark.slow
def test_its_steps_make_a_user_and_a_directory_that_only_this_user_writes(
    root: Path, world: World
) -> None:
    user, volume = rest_of("USER"), rest_of("VOLUME")
    python = root / "usr" / "local" / "sbin" / "python"
    python.parent.mkdir(parents=True, exist_ok=True)
    python.write_text('#!/bin/sh\n[ "$1 $2 $3" = "-m pip install" ]\n')
    python.chmod(0o755)
    build = ["chroot", str(root), "env", "-i", "PATH=/usr/local/sbin:/usr/sbin:/usr/bin:/sbin:/bin"]
    built = subprocess.run(
        [*build, "sh", "-ec", rest_of("RUN")], capture_output=True, text=True, check=False
    )
    assert built.returncode == 0, built.stderr

    script = f"id -un && touch {volume}/h && echo $HOME && ! touch /etc/h 2>/dev/null"
    done = subprocess.run(
        ["chroot", str(root), "su", "-", user, "-c", script],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout.split()) == (0, [user, f"/home/{user}"]), done.stderr
