"""An example read by its service's reader, and a world for its commands to look at."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from auditor.lab.story import incident_toml
from auditor.lab.world import World
from tests.cli.conftest import world
from tests.examples.services import EXAMPLES, Shell

__all__ = ["ReadYaml", "read_yaml", "shell", "world"]

# Whatever stands in a file of YAML.
ReadYaml = Callable[[str], dict[str, Any]]


@pytest.fixture
def read_yaml(real_program: Callable[[str], Path]) -> ReadYaml:
    """Read an example as the services do: their readers take no `on` for a truth value."""

    def read(name: str) -> dict[str, Any]:
        code = (
            "import json, sys, yaml\n"
            "found = yaml.safe_load(sys.stdin)\n"
            "if True in found: found['on'] = found.pop(True)\n"
            "json.dump(found, sys.stdout, default=str)"
        )
        done = subprocess.run(
            [str(real_program("yaml")), "-c", code],
            input=(EXAMPLES / name).read_text(encoding="utf-8"),
            capture_output=True,
            text=True,
            check=True,
        )
        found: dict[str, Any] = json.loads(done.stdout)
        return found

    return read


@pytest.fixture
def shell(world: World, tmp_path: Path) -> Shell:
    """A directory with a configuration of two places that have the fix."""
    places = [each.toml() for each in world.placements if each.name in ("source", "fresh-mirror")]
    (tmp_path / "audit.toml").write_text("\n".join([incident_toml(), *places]))
    return Shell(tmp_path)
