"""The workflow of GitHub and the job of GitLab: nothing that they would refuse, and played."""

from __future__ import annotations

import copy
from typing import Any

import pytest

from auditor.config.values import parse_duration
from tests.examples.conftest import ReadYaml
from tests.examples.services import Shell, mistakes, play_workflow

pytestmark = [pytest.mark.real, pytest.mark.slow]

WORKFLOW, PIPELINE = "github-workflow.yml", "gitlab-ci.yml"
INSTALLED = ["-m", "pip", "install", "propagation-auditor"]
GITLAB_JOB_KEYS = {
    *("stage", "image", "timeout", "variables", "cache", "script", "artifacts", "rules", "needs"),
    *("before_script", "after_script", "allow_failure", "retry", "tags", "interruptible"),
}


def test_github_would_take_the_workflow(read_yaml: ReadYaml) -> None:
    assert list(mistakes(read_yaml(WORKFLOW))) == []


@pytest.mark.parametrize(
    ("path", "value", "said"),
    [
        (("permission",), {}, "unknown key permission"),
        (("on", "schedule"), [{"cron": "23 * * *"}], "no five times"),
        (("jobs", "judge", "needs"), "prob", "which is no job"),
        (("jobs", "judge", "step"), [], "judge: unknown key step"),
        (("jobs", "judge", "steps", 0, "uses"), "actions/setup-python", "names no version"),
        (("jobs", "judge", "steps", 0, "run"), "true", "either uses or run"),
        (("jobs", "probe", "runs-on"), "${{ matrix.place }}", ""),
        (("jobs", "probe", "steps", 2, "run"), "x ${{ matrix.place }}", "unknown expression"),
        (("jobs", "probe", "steps", 2, "run"), "x ${{ matri.vantage }}", "unknown expression"),
    ],
)
def test_what_github_would_refuse_is_found(
    read_yaml: ReadYaml, path: tuple[str | int, ...], value: object, said: str
) -> None:
    workflow: Any = copy.deepcopy(read_yaml(WORKFLOW))
    place = workflow
    for part in path[:-1]:
        place = place[part]
    place[path[-1]] = value

    assert said in "\n".join(mistakes(workflow))


def test_the_workflow_looks_from_each_vantage_and_judges_what_all_of_them_saw(
    read_yaml: ReadYaml, shell: Shell
) -> None:
    workflow = read_yaml(WORKFLOW)
    vantages = workflow["jobs"]["probe"]["strategy"]["matrix"]["vantage"]
    codes = play_workflow(workflow, shell)

    assert len(vantages) == 2
    assert {code for each in codes.values() for code in each} == {0}
    assert shell.installed == [INSTALLED] * 3
    summary = (shell.directory / "judge-" / "step-summary.md").read_text()
    assert "brokenpkg" in summary
    assert all(vantage in summary for vantage in vantages)
    kept = sorted(path.name for path in (shell.directory / ".artifacts" / "report").iterdir())
    assert kept == ["report.html", "run.json"]


def test_a_vantage_that_failed_keeps_nobody_from_judging_what_the_others_saw(
    read_yaml: ReadYaml,
) -> None:
    jobs = read_yaml(WORKFLOW)["jobs"]
    uploads = [
        step
        for job in jobs.values()
        for step in job["steps"]
        if "upload-artifact" in step.get("uses", "")
    ]

    # https://docs.github.com/en/actions/reference/workflows-and-actions/expressions#success:
    # what says nothing runs only after nothing has failed.
    assert jobs["judge"]["if"] == "${{ !cancelled() }}"
    assert jobs["probe"]["strategy"]["fail-fast"] is False
    assert {step["if"] for step in uploads} == {"${{ !cancelled() }}", "always()"}
    assert all(job["timeout-minutes"] for job in jobs.values())


def test_gitlab_would_take_the_job(read_yaml: ReadYaml) -> None:
    pipeline = read_yaml(PIPELINE)
    stages = pipeline.pop("stages")

    for job in pipeline.values():
        assert set(job) <= GITLAB_JOB_KEYS
        assert job["stage"] in stages
        assert all(isinstance(line, str) for line in job["script"])
        assert set(job["artifacts"]) <= {"when", "paths", "reports", "expire_in", "name"}
        assert set(job["artifacts"]["reports"]) == {"junit"}
        assert set(job["cache"]) <= {"key", "paths", "when", "policy"}


def test_a_gitlab_job_that_fails_keeps_what_the_next_one_goes_on_from(read_yaml: ReadYaml) -> None:
    job = read_yaml(PIPELINE)["wait-for-propagation"]

    # https://docs.gitlab.com/ci/yaml/#cachewhen: only after a success, if nothing is said.
    assert (job["cache"]["when"], job["cache"]["paths"]) == ("always", ["history.sqlite3"])
    assert job["artifacts"]["when"] == "always"


def test_the_budget_of_the_gate_ends_before_gitlab_ends_the_job(read_yaml: ReadYaml) -> None:
    job = read_yaml(PIPELINE)["wait-for-propagation"]
    (watch,) = [line.split() for line in job["script"] if line.startswith("auditor watch ")]
    budget_s = parse_duration(watch[watch.index("--budget") + 1])
    minutes = int(job["timeout"].removesuffix(" minutes"))

    assert budget_s + 10 * 60 <= minutes * 60


def test_the_gate_opens_and_leaves_its_reports_and_its_history(
    read_yaml: ReadYaml, shell: Shell
) -> None:
    job = read_yaml(PIPELINE)["wait-for-propagation"]
    # Nobody waits for ten seconds here.
    script = [line.replace("--passes 3", "--passes 2 --interval 0.1s") for line in job["script"]]
    # https://docs.gitlab.com/runner/shells/: each line is a command, and the first failure ends it.
    done = shell.run("\n".join(script))

    assert done.returncode == 0, done.stderr
    assert "watch: everywhere, 2 looks agree" in done.stderr
    assert shell.installed == [INSTALLED]
    names = [
        *job["artifacts"]["paths"],
        job["artifacts"]["reports"]["junit"],
        *job["cache"]["paths"],
    ]
    assert all((shell.directory / name).stat().st_size > 0 for name in names)
