"""The README's probe of a third party: built, installed, listed, tested and used as written."""

from __future__ import annotations

import json
import os
import re
import site
import subprocess
import sys
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

import pytest

from auditor import registry
from auditor.lab.artifacts import build_release
from tests.docs import readme
from tests.real_programs import require

HEADING = "Your own kind of location"

pytestmark = [
    pytest.mark.real,
    pytest.mark.real_program("python", "uv"),
    pytest.mark.xdist_group("third-party"),
]

Done = subprocess.CompletedProcess[str]


def run(*command: object, cwd: Path, **environ: str) -> Done:
    kept = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("COV", "PYTEST", "PYTHON", "VIRTUAL_ENV", "PIP_", "UV_"))
    }
    return subprocess.run(
        [str(word) for word in command],
        cwd=cwd,
        env={**kept, "HOME": str(cwd), "PIP_CONFIG_FILE": os.devnull, **environ},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )


@dataclass(frozen=True)
class Environment:
    """A virtual environment that sees our packages and has plugins of its own."""

    home: Path

    @property
    def python(self) -> Path:
        return self.home / "bin" / "python"

    def install(self, wheel: Path) -> None:
        done = run(
            *(require("uv"), "--quiet", "--offline", "--no-config", "--no-cache"),
            *("pip", "install", "--python", self.python, "--no-index", "--no-deps", wheel),
            cwd=self.home,
        )
        assert done.returncode == 0, done.stderr

    def auditor(self, *words: object) -> Done:
        return run(self.python, "-m", "auditor.cli.main", *words, cwd=self.home)

    def plugin(self, *, revision: int = 1, group: int = 1, name: str = "tape") -> None:
        """Lay a distribution as an installer would have."""
        packages = next((self.home / "lib").glob("python*/site-packages"))
        module = "other_probe"
        info = packages / f"{module}-2.0.dist-info"
        info.mkdir()
        (info / "METADATA").write_text("Metadata-Version: 2.1\nName: other-probe\nVersion: 2.0\n")
        (info / "entry_points.txt").write_text(
            f"[propagation_auditor.probes.v{group}]\n{name} = {module}:KIND\n"
        )
        (packages / f"{module}.py").write_text(
            "from auditor.contracts import ProbeKind\nfrom auditor.model import Role\n"
            f"KIND = ProbeKind(name={name!r}, summary='s', role=Role.STORE, observe=print, "
            f"revision={revision})\n"
        )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the distribution from the README's text, and nothing else."""
    project = tmp_path_factory.mktemp("tape")
    (pyproject,) = readme.blocks("toml", HEADING)
    (module,) = readme.blocks("python", HEADING)
    (project / "pyproject.toml").write_text(pyproject, encoding="utf-8")
    (project / "tape_probe.py").write_text(module, encoding="utf-8")
    done = run(
        *(sys.executable, "-m", "build", "--no-isolation", "--skip-dependency-check", "--wheel"),
        cwd=project,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return next((project / "dist").glob("*.whl"))


@pytest.fixture
def environment(tmp_path: Path) -> Environment:
    home = tmp_path / "venv"
    done = run(sys.executable, "-m", "venv", "--without-pip", home, cwd=tmp_path)
    assert done.returncode == 0, done.stderr
    packages = next((home / "lib").glob("python*/site-packages"))
    ours = [path for path in site.getsitepackages() if Path(path).is_dir()]
    # `addsitedir` also reads the .pth of an editable install there; a plain path would not.
    lines = [f"import site; site.addsitedir({path!r})" for path in ours]
    (packages / "ours.pth").write_text("\n".join(lines))
    return Environment(home)


@pytest.fixture
def tape(tmp_path: Path) -> Path:
    listing = tmp_path / "SHA256SUMS"
    digest = sha256(b"the broken bytes").hexdigest()
    listing.write_text(
        f"{digest}  brokenpkg-1.2.3-py3-none-any.whl\n{digest}  other-1.0.tar.gz\n",
        encoding="utf-8",
    )
    return listing


@pytest.fixture
def wheels(tmp_path: Path) -> Path:
    """Make a find-links directory that has the fix."""
    directory = tmp_path / "wheels"
    directory.mkdir()
    fix, _ = build_release("brokenpkg", "1.2.4")
    (directory / fix.filename).write_bytes(fix.content)
    return directory


def test_the_readme_names_the_entry_point_group_of_the_code() -> None:
    (pyproject,) = readme.blocks("toml", HEADING)
    assert f'[project.entry-points."{registry.PROBES}"]' in pyproject


def test_the_readmes_probe_is_short() -> None:
    (code,) = readme.blocks("python", HEADING)
    statements = re.sub(r"\(\n.*?\n\s*\)", "()", code, flags=re.DOTALL)
    assert len([line for line in statements.splitlines() if line.strip()]) <= 32


def test_the_wheel_of_the_readme_is_found_listed_and_used(
    wheel: Path, environment: Environment, tape: Path, wheels: Path, tmp_path: Path
) -> None:
    environment.install(wheel)

    plugins = environment.auditor("plugins")
    assert plugins.returncode == 0, plugins.stdout
    assert "  checksums (store; unverified; tape-probe 1.0)\n" in plugins.stdout

    report = tmp_path / "run.json"
    done = environment.auditor(
        *("audit", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4"),
        *("--location", f"wheelhouse={wheels}", "--location", f"tape:checksums={tape}"),
        *("--report", f"json={report}"),
    )
    assert done.returncode == 0, done.stderr
    rows = {row["name"]: row for row in json.loads(report.read_bytes())["locations"]}
    assert rows["tape"]["status"] == "latent"
    assert rows["tape"]["broken"]["held"] == "held"
    assert rows["tape"]["broken"]["files"] == ["brokenpkg-1.2.3-py3-none-any.whl"]


def test_the_readmes_test_of_its_probe_passes(
    wheel: Path, environment: Environment, tmp_path: Path
) -> None:
    environment.install(wheel)
    (code,) = readme.blocks("py", HEADING)
    (tmp_path / "test_tape_probe.py").write_text(code, encoding="utf-8")

    done = run(
        *(environment.python, "-m", "pytest", "-q", "-p", "no:randomly", "-p", "no:cacheprovider"),
        "test_tape_probe.py",
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stdout
    assert "1 passed" in done.stdout


AUDIT = ("audit", "brokenpkg", "--broken", "1", "--fixed", "2", "--location", "wheelhouse=.")


def test_two_plugins_of_one_name_stop_the_audit_and_are_named(environment: Environment) -> None:
    environment.plugin(name="simple")
    stopped = environment.auditor(*AUDIT)
    assert stopped.returncode == 2
    assert "two distributions claim 'simple'" in stopped.stderr
    assert "other-probe 2.0" in stopped.stderr
    assert "uninstall one of them" in stopped.stderr

    listed = environment.auditor("plugins")
    assert listed.returncode == 2
    assert "simple (other-probe 2.0) cannot be used: two distributions claim" in listed.stdout
    assert "  wheelhouse (index;" in listed.stdout

    doctor = environment.auditor("doctor")
    assert "fail  plugin simple: two distributions claim 'simple'" in doctor.stdout


def test_a_plugin_for_another_revision_stops_an_audit_that_needs_it_and_is_named(
    environment: Environment,
) -> None:
    environment.plugin(revision=2)
    assert "other-probe" not in environment.auditor(*AUDIT).stderr
    stopped = environment.auditor(*AUDIT, "--location", "tape=/somewhere")
    assert stopped.returncode == 2
    assert "other-probe 2.0 is written for revision 2, this auditor speaks 1" in stopped.stderr
    assert "tape (other-probe 2.0) cannot be used: " in environment.auditor("plugins").stdout
    assert "fail  plugin tape: " in environment.auditor("doctor").stdout


def test_a_plugin_registered_for_another_revision_only_is_listed_as_such(
    environment: Environment,
) -> None:
    environment.plugin(group=2)
    listed = environment.auditor("plugins")
    assert listed.returncode == 2
    assert "other-probe 2.0 registers it for revision 2" in listed.stdout
