"""Every command that a kind declares is run by a test on the real program, or says why not."""

from __future__ import annotations

import pytest

from auditor.registry import load_kinds

SENTENCE = "a sentence to whoever runs the place; the tests of its kind do what it says by hand"
ELSEWHERE = "needs a service or a program that cannot run here"

# Part of each command that a test runs, and where.
RUN = {
    "test_remedies_caches": (
        *("grep -rlaE", "grep -rlaF", "for a in ", "[?])'", "varnishadm ban 'req.url ~ /'{file}"),
        *("grep -E '/'{project}'/?[?]'", "grep -F {file}", "# squid, where its ACLs allow PURGE"),
    ),
    "test_remedies_servers": (
        *("curl -fsS -X POST {page}refresh", "# to remove {file}: DELETE its own +f URL"),
        *("bandersnatch.conf sync", "bandersnatch.conf mirror", "bandersnatch.conf verify"),
        *("bandersnatch.conf delete", "curl -fsS -X DELETE", "# on its machine: stop proxpi"),
        *("python -m pip download --no-deps --dest {path}", "# if {file} lies in the directory"),
        *("# make the static index", "# find every version of {file}"),
    ),
    "test_remedies_clients": (
        *("pip cache purge", "pip install --cache-dir {path} --refresh", "uv cache clean"),
        *(
            "uv pip install --cache-dir {path}",
            "rm --recursive --force",
            "poetry update --no-cache",
        ),
        *("poetry cache clear --all", "pdm cache clear", "rm -- {path}/{file}"),
        *("uv lock --upgrade-package '{project}>={fixed}'", "poetry update {project}"),
        *("{path}/bin/python -m pip install", "uv pip install --python {path}"),
    ),
    "test_s3": ("s3 rm --recursive",),
    "test_cache_traps": ("# Varnish: add `sub vcl_recv",),
}
NOT_RUN = {
    "docker build": ELSEWHERE,
    "pulp python": ELSEWHERE,
    "gh cache delete": ELSEWHERE,
    "glab api": ELSEWHERE,
    "twine upload": ELSEWHERE,
    "pipenv upgrade": ELSEWHERE,
    "pip-compile": ELSEWHERE,
    "echo '{project}!={broken}'": "writes one line, which the tests of lock files read",
    "pip install --upgrade --index-url {url}": "an ordinary install",
    "pip index versions": "changes nothing",
    "change the key of the cache": SENTENCE,
    "# ": SENTENCE,
}


def commands() -> list[str]:
    return sorted({r.command for kind in load_kinds().values() for r in kind.facts().remedies})


@pytest.mark.parametrize("command", commands())
def test_each_remedy_is_run_or_says_why_not(command: str) -> None:
    run = [part for parts in RUN.values() for part in parts if part in command]
    excused = [reason for part, reason in NOT_RUN.items() if part in command]
    assert run or excused, f"no test runs {command}"


def test_no_remedy_is_named_that_no_kind_declares() -> None:
    declared = commands()
    parts = [*(p for parts in RUN.values() for p in parts), *NOT_RUN]
    assert [p for p in parts if not any(p in command for command in declared)] == []
