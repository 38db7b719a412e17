from __future__ import annotations

from pathlib import Path

import pytest

from auditor.config import parse_document, resolve
from auditor.config.command_line import Question, apply_question
from auditor.config.document import Document
from auditor.config.show import show
from auditor.errors import ConfigError, UsageError
from auditor.registry import load_kinds
from tests.config.conftest import GOOD


def question(*locations: str, **audit: str) -> Question:
    return Question(
        project="brokenpkg",
        broken=["1.2.3"],
        fixed=["1.2.4"],
        locations=locations,
        audit={key: (f"--{key.partition('_')[0]}", value) for key, value in audit.items()},
    )


def located(*texts: str) -> list[tuple[str, str, str]]:
    document = apply_question(Document(), question(*texts))
    plan = resolve(document, load_kinds(), environ={}).plan
    return [(each.name, each.kind, each.locator) for each in plan.locations]


@pytest.mark.parametrize(
    ("expected", "text"),
    [
        (("simple", "simple", "http://127.0.0.1:1/s/"), "simple=http://127.0.0.1:1/s/"),
        (("a", "simple", "http://127.0.0.1:1/s/"), "a:simple=http://127.0.0.1:1/s/"),
        (("a:b", "simple", "http://127.0.0.1:1/"), "a:b:simple=http://127.0.0.1:1/"),
        (("the office", "simple", "http://127.0.0.1:1/"), "the office:simple=http://127.0.0.1:1/"),
        (("wheelhouse", "wheelhouse", "/srv/a=b:c"), "wheelhouse=/srv/a=b:c"),
        (("s3", "s3", "s3://wheels/prod"), "s3=s3://wheels/prod"),
    ],
)
def test_a_location_splits_at_the_first_equals_sign_and_the_colon_before_it(
    expected: tuple[str, str, str], text: str
) -> None:
    assert [expected] == located(text)


def test_the_default_name_is_the_kind_with_a_number() -> None:
    found = located(*(f"simple=http://127.0.0.1:{port}/" for port in (1, 2, 3)))
    assert [name for name, _, _ in found] == ["simple", "simple-2", "simple-3"]


def test_a_path_is_relative_to_the_working_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    assert [("wheelhouse", "wheelhouse", str(tmp_path / "w"))] == located("wheelhouse=w")


@pytest.mark.parametrize(
    ("problem", "text"),
    [
        ("--location foo=: says nowhere where it is; write [NAME:]KIND=LOCATOR", "foo="),
        ("--location foo: has no '='; write [NAME:]KIND=LOCATOR", "foo"),
        ("--location =x: names no kind", "=x"),
        ("--location a:=x: names no kind", "a:=x"),
        ("--location :simple=x: has an empty name", ":simple=x"),
        (
            "--location simpel=http://127.0.0.1/: kind: unknown kind 'simpel'; did you mean "
            "'simple'?",
            "simpel=http://127.0.0.1/",
        ),
        (
            "--location simple=127.0.0.1:8000/s: url: '127.0.0.1:8000/s' has no scheme; write "
            "http://127.0.0.1:8000/s",
            "simple=127.0.0.1:8000/s",
        ),
        ("--location simple=http://: url: 'http://' names no host", "simple=http://"),
    ],
)
def test_a_bad_location_is_told_with_the_option_as_typed(problem: str, text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        located(text)
    assert caught.value.problems[0].startswith(problem)


def test_every_malformed_location_is_told_at_once() -> None:
    with pytest.raises(ConfigError) as caught:
        located("foo=", "bar", "simple=http://127.0.0.1/")
    assert len(caught.value.problems) == 2


def test_a_password_in_a_location_shows_in_no_message() -> None:
    with pytest.raises(ConfigError) as caught:
        located("simpel=http://u:hush@127.0.0.1/")
    assert "hush" not in str(caught.value)


@pytest.mark.parametrize(
    "text",
    [
        "http-cache=http://u:hush@127.0.0.1:1/simple/?token=hush",
        "http-cache=http://127.0.0.1:1/simple/#hush",
        "simple=u:hush@127.0.0.1:1/simple/?token=hush",
        "http://u:hush@127.0.0.1:1/simple/?token=hush",  # the kind was forgotten
        "simpel=http://[::1/?hush",
        "s3=http://u:hush@127.0.0.1:1/b?hush",
    ],
)
def test_no_token_in_a_location_shows_in_any_message(text: str) -> None:
    with pytest.raises(ConfigError) as caught:
        located(text)
    assert "hush" not in str(caught.value)


def test_options_win_over_the_environment_and_the_file() -> None:
    document = parse_document("[audit]\ntimeout_s = 3\n" + GOOD, name="audit.toml")
    changed = apply_question(document, question("simple=http://127.0.0.1:1/", timeout_s="7"))
    resolved = resolve(changed, load_kinds(), environ={})
    assert {7.0} == {location.timeout_s for location in resolved.plan.locations}
    assert "timeout_s = 7 " in show(resolved)
    assert "# --timeout" in show(resolved)


def test_a_bad_option_is_told_by_its_own_name() -> None:
    with pytest.raises(ConfigError) as caught:
        resolve(apply_question(Document(), question(timeout_s="x")), {}, environ={})
    assert "--timeout: 'x' is no duration; write seconds such as 90" in str(caught.value)


def test_the_command_lines_incident_replaces_those_of_the_file_and_locations_add_up() -> None:
    document = parse_document(GOOD, name="audit.toml")
    other = Question(
        project="otherpkg",
        broken=["2"],
        fixed=["3"],
        locations=["simple=http://127.0.0.1:1/"],
        audit={},
    )
    plan = resolve(apply_question(document, other), load_kinds(), environ={}).plan
    assert [incident.id for incident in plan.incidents] == ["otherpkg-2"]
    assert [location.name for location in plan.locations] == ["origin", "simple"]


@pytest.mark.parametrize(
    ("missing", "project", "broken", "fixed"),
    [
        ("PROJECT", None, ["1"], ["2"]),
        ("--broken", "p", [], ["2"]),
        ("--fixed", "p", ["1"], []),
    ],
)
def test_half_a_question_is_refused(
    missing: str, project: str | None, broken: list[str], fixed: list[str]
) -> None:
    with pytest.raises(UsageError, match=f"{missing} is missing"):
        apply_question(Document(), Question(project=project, broken=broken, fixed=fixed, audit={}))


def test_what_show_prints_is_a_configuration_again() -> None:
    document = parse_document(GOOD, name="audit.toml")
    resolved = resolve(document, load_kinds(), environ={})
    again = resolve(parse_document(show(resolved), name="x"), load_kinds(), environ={})
    before, after = resolved.plan, again.plan
    assert before.incidents == after.incidents
    assert [location.locator for location in before.locations] == [
        location.locator for location in after.locations
    ]


def test_show_names_the_line_of_each_value() -> None:
    resolved = resolve(parse_document(GOOD, name="audit.toml"), load_kinds(), environ={})
    rows = {
        line.partition(" =")[0]: line.partition("# ")[2]
        for line in show(resolved).splitlines()
        if " = " in line
    }
    assert rows["project"] == "audit.toml:2"
    assert rows["url"] == "audit.toml:9"
    assert rows["id"] == rows["concurrency"] == rows["required"] == "default"
