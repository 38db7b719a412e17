"""Every command that a kind declares is run by a test on the real program, or says why not."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

import auditor.verdict
from auditor.registry import load_kinds

HERE = Path(__file__).parent
VERDICT = Path(auditor.verdict.__file__).parent
NAME = "Remedy"

# Part of each command that a test runs, and where. A sentence is done there as it says.
RUN = {
    "test_remedies_caches": (
        *("grep -rlaE", "grep -rlaF", "for a in ", "[?])'", "varnishadm ban 'req.url ~ /'{file}"),
        *("grep -E '/'{project}'/?[?]'", "grep -F {file}", "# squid, where its ACLs allow PURGE"),
    ),
    "test_remedies_servers": (
        *("curl -fsS -X POST {page}refresh", "# to remove {file}: DELETE its own +f URL"),
        "# upload {project} {fixed} to this stage",
        *("bandersnatch.conf sync", "bandersnatch.conf mirror", "bandersnatch.conf verify"),
        *("bandersnatch.conf delete", "curl -fsS -X DELETE", "# on its machine: stop proxpi"),
        *("python -m pip download --no-deps --dest {path}", "# if {file} lies in the directory"),
        *("# make the static index", "# find every version of {file}"),
    ),
    "test_remedies_clients": (
        *("pip cache purge", "pip install --cache-dir {path} --refresh", "uv cache clean"),
        *("uv pip install --cache-dir {path}", "rm --recursive --force"),
        *("poetry update --no-cache", "poetry cache clear --all", "pdm cache clear"),
        *("rm -- {path}/{file}", "poetry update {project}", "uv pip install --python {path}"),
        "{path}/bin/python -m pip install",
    ),
    "test_remedies_locks": (
        *("pipenv --clear && pipenv upgrade", "pip-compile", "python -m twine upload"),
        *("echo '{project}!={broken}'", "&& uv export -o {path}"),
    ),
    "test_remedies_by_hand": (
        *("does not reach every client here; please sync", "'{project}!={broken}'"),
        *("has other bytes here than", "# as an owner: {project} > Manage"),
        "the project's index.html written anew",
        *("# in {path}: compare the files", "please link its files", "not at simple/"),
        "# bring the upstream of {url} back",
    ),
    "test_s3": ("s3 rm --recursive",),
    "test_cache_traps": ("# Varnish: add `sub vcl_recv",),
}
# Whole commands that are part of others, too.
WHOLE = {
    "test_remedies_clients": ("uv lock --upgrade-package '{project}>={fixed}'",),
    "test_remedies_by_hand": ("python -m pip index versions --index-url {url} {project}",),
}

# Every other command, by the kind that declares it, and why no test can run it.
DOCKER = "needs a Docker that builds images"
NOT_RUN = {
    ("image", "docker build --no-cache --pull -t IMAGE:NEWTAG ."): DOCKER,
    ("image", "docker build --no-cache --squash -t IMAGE:NEWTAG ."): DOCKER,
    ("image", "# take the COPY or ADD of {file} out of the build"): DOCKER,
    ("archive", "gh cache delete KEY"): "GitHub alone has these caches",
    ("archive", "change the key of the cache in the CI"): "the CI provider alone reads the key",
    ("github-cache", "# change the key of the caches in"): "GitHub alone reads the keys",
    ("gitlab-cache", "glab api graphql"): "needs a GitLab",
    ("pulp", "pulp python repository sync --name"): "needs a Pulp",
    ("pulp", "pulp python repository content remove"): "needs a Pulp",
    ("nexus", "# in Nexus: Administration > Repository"): "needs a Nexus",
    ("nexus", "# in Nexus: Browse > the proxy >"): "needs a Nexus",
    ("artifactory", "# POST https://HOST/artifactory/api/zap/"): "needs an Artifactory",
    ("artifactory", "# DELETE https://HOST/artifactory/"): "needs an Artifactory",
}

# Commands that no kind declares, as the judge writes them: by what runs them, or why nothing does.
WRITTEN = {
    "--exclude-newer-package": "test_remedies_locks",
    "# wait until": "waiting changes nothing that a test could run",
    ": admit {project} {fixed}": "whoever wrote the constraints admits it",
    "command=command": "a declared one, filled in",
    "command=bundle.remove": "GitHub alone has these caches",
}


def commands() -> list[tuple[str, str]]:
    kinds = load_kinds()
    return sorted({(name, r.command) for name in kinds for r in kinds[name].facts().remedies})


def runs(command: str) -> list[str]:
    """The tests that run a command."""
    found = [test for test, parts in RUN.items() if any(part in command for part in parts)]
    return found + [test for test, whole in WHOLE.items() if command in whole]


def excuses(kind: str, command: str) -> list[str]:
    return [why for (k, start), why in NOT_RUN.items() if k == kind and command.startswith(start)]


@pytest.mark.parametrize(("kind", "command"), commands())
def test_each_remedy_is_run_by_a_test_or_has_one_reason_why_not(kind: str, command: str) -> None:
    assert len(excuses(kind, command)) == (0 if runs(command) else 1), command


def test_no_remedy_is_named_that_no_kind_declares() -> None:
    declared = [command for _, command in commands()]
    parts = [part for parts in [*RUN.values(), *WHOLE.values()] for part in parts]
    assert [part for part in parts if not any(part in command for command in declared)] == []
    unused = [key for key in NOT_RUN if not any(excused_by(key, *each) for each in commands())]
    assert unused == []


def excused_by(key: tuple[str, str], kind: str, command: str) -> bool:
    return key[0] == kind and command.startswith(key[1])


def test_each_command_that_the_judge_writes_is_named_here() -> None:
    calls = [call for path in VERDICT.glob("*.py") for call in remedies_written_in(path)]
    assert [c for c in calls if sum(part in c for part in WRITTEN) != 1] == []
    assert [part for part in WRITTEN if not any(part in call for call in calls)] == []


def remedies_written_in(path: Path) -> list[str]:
    tree = ast.parse(path.read_text(encoding="utf-8"))
    found = [n for n in ast.walk(tree) if isinstance(n, ast.Call) and ast.unparse(n.func) == NAME]
    return [ast.unparse(each) for each in found]


@pytest.mark.parametrize("test", [*RUN, *WHOLE])
def test_the_tests_that_are_named_exist(test: str) -> None:
    assert (HERE / f"{test}.py").exists()


@pytest.mark.parametrize("kind", sorted({kind for kind, _ in NOT_RUN}))
def test_a_kind_whose_remedies_no_test_runs_says_so_where_kinds_are_listed(kind: str) -> None:
    """`auditor plugins` prints these claims as unverified."""
    assert [claim for claim in load_kinds()[kind].unverified if "its remedies" in claim]
