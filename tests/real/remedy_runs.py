"""Runs the commands that a verdict prints, as whoever reads them would paste them."""

from __future__ import annotations

import os
import sys
from collections.abc import Mapping
from pathlib import Path

from auditor.lab.drive.process import run
from auditor.model import Status, Verdict

# What every remedy must leave behind it.
ROLLED_FORWARD = (Status.ROLLED_FORWARD, Status.CLEAN)
_SBIN = "/usr/local/sbin:/usr/sbin:/usr/bin:/bin"


def printed(verdict: Verdict, part: str) -> str:
    """The one printed command that contains this."""
    (command,) = {r.command for r in verdict.remedies if part in r.command}
    return command


async def paste(
    command: str,
    home: Path,
    *,
    instead: Mapping[str, str] | None = None,
    path: Path | None = None,
    **environment: str,
) -> str:
    """Run a printed command in a shell; return what it wrote.

    Args:
        command: as printed.
        home: where it is pasted.
        instead: names of the reader's own that stand where the command has those of Debian.
        path: a directory of commands that is looked in first.
        environment: more variables.
    """
    for ours, theirs in (instead or {}).items():
        assert ours in command
        command = command.replace(ours, theirs)
    found = [str(path)] if path else []
    found += [str(Path(sys.executable).parent), os.environ.get("PATH", os.defpath), _SBIN]
    variables = {**environment, "PATH": os.pathsep.join(found)}
    done = await run(["sh", "-c", command], home=home, environment=variables)
    assert done.returncode == 0, f"{command}\n{done.stdout}{done.stderr}"
    return done.stdout + done.stderr


__all__ = ["ROLLED_FORWARD", "paste", "printed"]
