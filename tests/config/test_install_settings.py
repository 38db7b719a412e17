"""Settings of those who install: ages of uploads, constraints, and how a group is searched."""

from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config.document import parse_document
from auditor.config.resolve import Resolved, resolve
from auditor.config.show import show
from auditor.errors import ConfigError
from auditor.registry import load_kinds

HEAD = """
[[incidents]]
project = "Broken.Pkg"
broken = ["1.2.3"]
fixed = ["1.2.4"]
"""


def resolved(text: str, directory: Path) -> Resolved:
    document = parse_document(HEAD + text, name="audit.toml", directory=directory)
    return resolve(document, load_kinds(), environ={})


def place(name: str, more: str = "", kind: str = "simple") -> str:
    url = f'url = "http://{name}.example/simple/"'
    return f'[[locations]]\nname = "{name}"\nkind = "{kind}"\n{url}\n{more}\n'


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ('"7 days"', "7 days"),
        ("2026-11-20T10:00:00+02:00", "2026-11-20T08:00:00Z"),
        ("2026-11-20", "2026-11-20"),
    ],
)
def test_an_age_or_a_moment_may_be_written_in_any_way(
    written: str, expected: str, tmp_path: Path
) -> None:
    found = resolved(place("a", f"exclude_newer = {written}"), tmp_path)

    assert found.plan.locations[0].settings["exclude_newer"] == expected


def test_the_age_of_the_audit_holds_for_every_index_without_one_of_its_own(tmp_path: Path) -> None:
    text = '[audit]\nexclude_newer = "3 days"\n' + place("a") + place("b", 'exclude_newer = "1 d"')
    found = resolved(text, tmp_path)

    assert [each.settings["exclude_newer"] for each in found.plan.locations] == ["3 days", "1 d"]


def test_constraints_are_read_once_and_travel_with_the_plan(tmp_path: Path) -> None:
    (tmp_path / "caps.txt").write_text("broken_pkg<1.2.4\nother==1\n", encoding="utf-8")
    found = resolved(place("a", 'constraints = "caps.txt"'), tmp_path)
    settings = found.plan.locations[0].settings

    assert settings["constrained"] == "broken-pkg <1.2.4"
    assert settings["constraints"] == str(tmp_path / "caps.txt")
    assert "constrained" not in show(found)
    assert "constraints" in show(found)


def test_what_could_not_be_read_of_constraints_travels_too(tmp_path: Path) -> None:
    (tmp_path / "caps.txt").write_bytes("-c more.txt\nbroken-pkg==${V}\n".encode("utf-16"))
    (tmp_path / "more.txt").write_text("broken-pkg<1.2.4\n-c none.txt\n", encoding="utf-8")
    found = resolved(place("a", 'constraints = "caps.txt"'), tmp_path)
    settings = found.plan.locations[0].settings
    unread = str(settings["constraints_unread"]).splitlines()

    assert settings["constrained"] == "broken-pkg <1.2.4"
    assert [line.partition(": ")[0] for line in unread] == [
        f"{tmp_path / 'more.txt'}:2",
        f"{tmp_path / 'caps.txt'}:2",
    ]
    assert "constraints_unread" not in show(found)


def test_constraints_in_a_coding_that_is_none_are_told(tmp_path: Path) -> None:
    (tmp_path / "caps.txt").write_bytes(b"# coding: nonsense\nbroken-pkg<1.2.4\n")

    with pytest.raises(ConfigError, match="coding 'nonsense' is not known"):
        resolved(place("a", 'constraints = "caps.txt"'), tmp_path)


def test_a_configuration_that_is_shown_means_the_same(tmp_path: Path) -> None:
    more = 'exclude_newer = "7 days"\ngroup = "ci"\nindex_strategy = "unsafe-best-match"'
    found = resolved(place("a", more), tmp_path)
    document = parse_document(show(found), name="audit.toml", directory=tmp_path)
    again = resolve(document, load_kinds(), environ={})

    assert again.plan.locations[0].settings == found.plan.locations[0].settings
    assert again.plan.locations[0].group == "ci"


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        (place("a", 'exclude_newer = "soon"'), "neither an age nor a time"),
        (place("a", 'constraints = "missing.txt"'), "cannot be read"),
        (place("a", 'index_strategy = "best"'), "first-index"),
        (place("a", 'group = "b"') + place("b"), "is the name of a location"),
        (
            '[[locations]]\nkind = "pip-cache"\npath = "/tmp/c"\nexclude_newer = "1 day"\n',
            "role index only",
        ),
    ],
)
def test_what_cannot_be_meant_is_told(text: str, problem: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=problem):
        resolved(text, tmp_path)
