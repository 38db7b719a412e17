"""The little of each service that our examples need: enough to play them, and to refuse mistakes.

GitHub: https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax
GitLab: https://docs.gitlab.com/ci/yaml/
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

__all__ = ["EXAMPLES", "Instruction", "Shell", "instructions", "play_workflow"]

EXAMPLES = Path(__file__).parents[2] / "examples"
# Whatever stands in a file of YAML.
Document = Mapping[str, Any]


@dataclass
class Shell:
    """Runs commands as a service would, with our program and nothing else of this test run.

    Attributes:
        directory: where.
        environ: beside PATH and HOME.
        installed: what `pip install` was asked for. Nothing is installed.
    """

    directory: Path
    environ: Mapping[str, str] = field(default_factory=dict)
    path: str = ""

    def __post_init__(self) -> None:
        tools = self.directory / ".tools"
        tools.mkdir(parents=True, exist_ok=True)
        log = shlex.quote(str(tools / "pip.log"))
        python = tools / "python"
        python.write_text(f'#!/bin/sh\n[ "$1 $2" = "-m pip" ] || exit 64\necho "$@" >> {log}\n')
        python.chmod(0o755)
        ours = Path(sys.executable).parent
        self.path = self.path or f"{tools}:{ours}:{os.environ['PATH']}"

    @property
    def installed(self) -> list[list[str]]:
        log = self.directory / ".tools" / "pip.log"
        lines = log.read_text().splitlines() if log.exists() else []
        return [line.split() for line in lines]

    def run(
        self, script: str, *, shell: Sequence[str] = ("sh", "-ec"), **environ: str
    ) -> subprocess.CompletedProcess[str]:
        """Run a script."""
        known = {"PATH": self.path, "HOME": str(self.directory)}
        return subprocess.run(
            [*shell, script],
            cwd=self.directory,
            env={**known, **self.environ, **environ},
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )


@dataclass(frozen=True)
class Instruction:
    """One of a Containerfile; a JSON array is its exec form."""

    word: str
    rest: str


def instructions(text: str) -> list[Instruction]:
    """Read a Containerfile: comments go, lines that end in a backslash are joined."""
    kept = "\n".join(line for line in text.splitlines() if not line.startswith("#"))
    joined = re.sub(r"\s*\\\n\s*", " ", kept)
    return [Instruction(*line.split(maxsplit=1)) for line in joined.splitlines() if line.strip()]


WORKFLOW_KEYS = {"name", "on", "permissions", "jobs", "env", "defaults", "concurrency", "run-name"}
JOB_KEYS = {
    *("name", "needs", "if", "runs-on", "strategy", "steps", "timeout-minutes", "permissions"),
    *("env", "outputs", "defaults", "continue-on-error", "container", "services", "concurrency"),
}
STEP_KEYS = {
    *("id", "if", "name", "uses", "run", "with", "env", "shell", "working-directory"),
    *("continue-on-error", "timeout-minutes"),
}


def mistakes(workflow: Document) -> Iterator[str]:
    """Say what GitHub would refuse, or what would fail when the workflow runs."""
    yield from (f"unknown key {key}" for key in sorted(set(workflow) - WORKFLOW_KEYS))
    for each in workflow["on"].get("schedule", ()):
        if len(each["cron"].split()) != 5:
            yield f"no five times: {each['cron']}"
    for name, job in workflow["jobs"].items():
        yield from (f"{name}: unknown key {key}" for key in sorted(set(job) - JOB_KEYS))
        for other in [job["needs"]] if isinstance(job.get("needs"), str) else job.get("needs", ()):
            if other not in workflow["jobs"]:
                yield f"{name}: needs {other}, which is no job"
        for step in job["steps"]:
            yield from (f"{name}: {each}" for each in _mistakes_of(step, _matrix(job)))


def _mistakes_of(step: Document, matrix: Document) -> Iterator[str]:
    yield from (f"unknown key {key}" for key in sorted(set(step) - STEP_KEYS))
    if ("uses" in step) == ("run" in step):
        yield "a step has either uses or run"
    if "uses" in step and not re.fullmatch(r"[\w-]+/[\w-]+@[\w.]+", step["uses"]):
        yield f"{step['uses']} names no version"
    if "with" in step and "uses" not in step:
        yield "with is for uses"
    for expression in re.findall(r"\$\{\{\s*(.*?)\s*\}\}", str(step)):
        context, _, name = expression.partition(".")
        known = {"matrix": name in matrix, "secrets": True, "!cancelled()": True}
        if not known.get(context):
            yield f"unknown expression {expression}"


def _matrix(job: Document) -> Document:
    found: Document = job.get("strategy", {}).get("matrix", {})
    return found


def play_workflow(workflow: Document, shell: Shell) -> dict[str, list[int]]:
    """Run every job, a matrix one by one; return the exit code of each `run`, by job.

    Artifacts go to a directory; downloaded without a name, each has a directory of its own:
    https://github.com/actions/download-artifact#inputs
    """
    artifacts = shell.directory / ".artifacts"
    codes: dict[str, list[int]] = {}
    for name, job in workflow["jobs"].items():
        ((variable, values),) = _matrix(job).items() or (("", [""]),)
        for value in values:
            home = shell.directory / f"{name}-{value}"
            home.mkdir()
            if any(step.get("uses", "").startswith("actions/checkout@") for step in job["steps"]):
                shutil.copy(shell.directory / "audit.toml", home)
            for step in job["steps"]:
                filled = _filled(step, f"${{{{ matrix.{variable} }}}}", value)
                codes.setdefault(name, []).extend(_play_step(filled, home, artifacts, shell))
    return codes


def _filled(step: Document, old: str, new: str) -> Document:
    def fill(value: Any) -> Any:
        if isinstance(value, dict):
            return {key: fill(each) for key, each in value.items()}
        return value.replace(old, new) if isinstance(value, str) else value

    filled: Document = fill(step)
    return filled


def _play_step(step: Document, home: Path, artifacts: Path, shell: Shell) -> Iterator[int]:
    given = step.get("with", {})
    if "run" in step:
        # https://docs.github.com/en/actions/reference/workflows-and-actions/workflow-syntax#exit-codes-and-error-action-preference
        inner = Shell(home, shell.environ, shell.path)
        summary = str(home / "step-summary.md")
        done = inner.run(step["run"], shell=("bash", "-ec"), GITHUB_STEP_SUMMARY=summary)
        yield done.returncode
    elif "upload-artifact" in step["uses"]:
        target = artifacts / given["name"]
        assert not target.exists(), "two artifacts have one name"
        target.mkdir(parents=True)
        for path in given["path"].split():
            shutil.copy(home / path, target)
    elif "download-artifact" in step["uses"]:
        shutil.copytree(artifacts, home / given["path"])
