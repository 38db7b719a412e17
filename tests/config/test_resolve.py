from __future__ import annotations

from datetime import UTC, date, datetime
from pathlib import Path

import pytest

from auditor.config import Options, parse_document
from auditor.contracts import Assignment, ProbeKind, Setting
from auditor.errors import ConfigError
from auditor.model import Observation, Role, Status
from tests.config.conftest import GOOD, Resolve


async def _observe(assignment: Assignment) -> Observation:
    raise AssertionError("a configuration is resolved, and nothing is looked at")


THIRD_PARTY = ProbeKind(
    name="acme",
    summary="somebody's own",
    role=Role.INDEX,
    settings=(
        Setting(key="url", required=True, meaning="where"),
        Setting(key="zone", meaning="which part"),
    ),
    observe=_observe,
)


def problems(resolve_text: Resolve, text: str, **more: object) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        resolve_text(text, **more)
    return caught.value.problems


def test_a_small_file_becomes_a_plan(resolve_text: Resolve) -> None:
    plan = resolve_text(GOOD).plan
    assert [incident.id for incident in plan.incidents] == ["brokenpkg-1.2.3"]
    [origin] = plan.locations
    assert (origin.name, origin.kind, origin.role) == ("origin", "simple", Role.INDEX)
    assert origin.url == "http://127.0.0.1:8000/simple/"
    assert origin.declared_at == "audit.toml:6"
    assert origin.required
    assert plan.environments
    assert {"simple"} == set(plan.kinds)


def test_values_of_the_file_win_over_defaults(resolve_text: Resolve) -> None:
    text = '[audit]\ntimeout_s = "1m"\nconcurrency = 3\nfail_on = ["unknown"]\n' + GOOD
    plan = resolve_text(text).plan
    assert (plan.concurrency, plan.fail_on) == (3, (Status.UNKNOWN,))
    assert plan.locations[0].timeout_s == 60


def test_a_locations_own_timeout_wins_over_that_of_all(resolve_text: Resolve) -> None:
    text = "[audit]\ntimeout_s = 60\n" + GOOD + "timeout_s = 5\n"
    assert resolve_text(text).plan.locations[0].timeout_s == 5


@pytest.mark.parametrize(
    ("broken", "id_"), [("<1.2.4,>1", "brokenpkg-1.2.4-1"), ("==1.2.*", "brokenpkg-1.2")]
)
def test_an_id_made_of_a_specifier_can_stand_in_a_file_name(
    broken: str, id_: str, resolve_text: Resolve
) -> None:
    text = GOOD.replace('["1.2.3"]', f'["{broken}"]').replace('["1.2.4"]', '["1.3"]')
    [incident] = resolve_text(text).plan.incidents
    assert incident.id == id_


def test_the_project_is_normalised_and_digests_become_fingerprints(resolve_text: Resolve) -> None:
    text = GOOD.replace('"brokenpkg"', '"Broken_Pkg"').replace(
        "fixed =", f'broken_hashes = ["sha256:{"A" * 64}"]\nfixed ='
    )
    [incident] = resolve_text(text).plan.incidents
    assert incident.project == "broken-pkg"
    assert {"a" * 64} == incident.broken_sha256


def test_locations_without_a_name_are_numbered_by_kind(resolve_text: Resolve) -> None:
    more = '[[locations]]\nkind = "simple"\nurl = "http://127.0.0.1:{}/"\n'
    text = GOOD + "".join(more.format(port) for port in (1, 2, 3))
    names = [location.name for location in resolve_text(text).plan.locations]
    assert names == ["origin", "simple", "simple-2", "simple-3"]


@pytest.mark.parametrize(
    ("required", "kind", "more"),
    [
        (True, "simple", 'url = "http://127.0.0.1:1/"'),
        (True, "wheelhouse", 'path = "w"'),
        (False, "wheelhouse", 'path = "w"\nrole = "store"'),
        (False, "s3", 'bucket = "b"'),
        (True, "s3", 'bucket = "b"\nrole = "index"'),
        (False, "lockfile", 'path = "uv.lock"'),
        (False, "simple", 'url = "http://127.0.0.1:1/"\nrequired = false'),
    ],
)
def test_indexes_are_required_unless_told_otherwise(
    resolve_text: Resolve, required: bool, kind: str, more: str
) -> None:
    text = f'{GOOD}[[locations]]\nname = "x"\nkind = "{kind}"\n{more}\n'
    assert required is resolve_text(text).plan.locations[1].required


def test_paths_are_relative_to_the_file(resolve_text: Resolve, tmp_path: Path) -> None:
    text = GOOD + '[[locations]]\nkind = "wheelhouse"\npath = "wheels"\n'
    assert str(tmp_path / "wheels") == resolve_text(text).plan.locations[1].path


def test_a_reserved_kind_without_a_probe_is_noted(resolve_text: Resolve) -> None:
    text = GOOD + '[[locations]]\nname = "x"\nkind = "lockfile"\npath = "uv.lock"\n'
    plan = resolve_text(text, kinds={}).plan
    assert "x: this version has no probe of kind lockfile" in plan.notes
    assert plan.kinds["lockfile"].role is Role.PIN


def test_a_third_partys_keys_are_settings(resolve_text: Resolve) -> None:
    text = GOOD + '[[locations]]\nkind = "acme"\nurl = "http://127.0.0.1:1/"\nzone = "eu"\n'
    plan = resolve_text(text, kinds={"acme": THIRD_PARTY}).plan
    assert plan.locations[1].settings == {"zone": "eu"}


def test_a_third_partys_keys_are_unknown_elsewhere(resolve_text: Resolve) -> None:
    assert problems(resolve_text, GOOD + 'zone = "eu"\n', kinds={"acme": THIRD_PARTY})[
        0
    ].startswith("audit.toml:10: locations.zone: unknown key")


def test_a_key_that_the_kind_requires_is_missed(resolve_text: Resolve) -> None:
    text = GOOD + '[[locations]]\nkind = "acme"\npath = "x"\n'
    assert problems(resolve_text, text, kinds={"acme": THIRD_PARTY}) == (
        "audit.toml:10: locations.url: is missing; kind 'acme' needs url",
    )


def test_a_key_that_an_installed_kind_does_not_read_is_an_error(resolve_text: Resolve) -> None:
    [problem] = problems(resolve_text, GOOD + 'bucket = "b"\n')
    assert problem.startswith("audit.toml:10: locations.bucket: kind 'simple' does not read this")


def test_waivers_channels_and_history_are_kept(resolve_text: Resolve) -> None:
    text = (
        '[audit]\nhistory = "h.sqlite3"\n'
        + GOOD
        + '[[waivers]]\nlocation = "origin"\nuntil = 2026-12-31\nreason = "moves"\n'
        + '[[notify]]\nkind = "webhook"\nurl = {env = "HOOK"}\non = ["change"]\n'
    )
    resolved = resolve_text(text)
    [waiver] = resolved.plan.waivers
    assert ("origin", None, date(2026, 12, 31)) == (waiver.location, waiver.incident, waiver.until)
    [channel] = resolved.channels
    assert (channel.name, channel.kind, channel.on) == ("webhook", "webhook", ("change",))
    assert resolved.history is not None
    assert resolved.history.name == "h.sqlite3"


def test_options_limit_the_incidents_and_set_what_only_they_can(resolve_text: Resolve) -> None:
    second = GOOD.split("\n\n", maxsplit=1)[0].replace("brokenpkg", "otherpkg")
    options = Options(
        incidents=("otherpkg-1.2.3",), vantage="ci", grace=True, inert=True, allow_store=True
    )
    plan = resolve_text(GOOD + second, options=options).plan
    assert [incident.project for incident in plan.incidents] == ["otherpkg"]
    assert (plan.vantage.id, plan.grace, plan.inert, plan.allow_store) == ("ci", True, True, True)


def test_an_unknown_incident_is_refused_with_a_suggestion(resolve_text: Resolve) -> None:
    [problem] = problems(resolve_text, GOOD, options=Options(incidents=("brokenpkg-1.2.2",)))
    assert problem.startswith("--incident: there is no incident 'brokenpkg-1.2.2'; did you mean")


@pytest.mark.parametrize(
    ("broken", "fixed"),
    [
        (["1.2.3"], ["1.2.2"]),
        (["1.2.3"], ["1.2.3"]),
        (["1.2.3"], ["1.2.3.0"]),
        (["1.2.3"], ["1.2.3rc1"]),
        (["1.2.3"], ["1.2.3.dev0"]),
        (["1.2.3"], ["1.2.4", "1.2.3rc1"]),
        (["1.2.3", "2.0"], ["1.2.4"]),
        ([">=1.2,<1.3"], ["1.2.9"]),
        ([">=1.2,<1.3"], ["1.1"]),
        (["==1.2.3"], ["1.2.2"]),
        (["<=1.2.3"], ["1.2.3"]),
        (["1.2.3"], [">=1.2.3"]),
    ],
)
def test_a_fix_that_is_not_above_the_broken_release_is_refused(
    resolve_text: Resolve, broken: list[str], fixed: list[str]
) -> None:
    text = GOOD.replace('["1.2.3"]', str(broken)).replace('["1.2.4"]', str(fixed))
    found = problems(resolve_text, text)
    assert all("is not above the broken release" in problem for problem in found)
    assert all(problem.startswith("audit.toml:4: incidents.fixed: ") for problem in found)


@pytest.mark.parametrize(
    ("broken", "fixed"),
    [
        (["1.2.3"], ["1.2.4"]),
        (["1.2.3"], ["1.2.3.post1"]),
        (["1.2.3rc1"], ["1.2.3"]),
        (["1.2.3", "2.0"], ["1.2.4", "2.0.1"]),
        ([">=1.2,<1.3"], ["1.3"]),
        (["1.2.3"], [">1.2.3"]),
        (["1.2.3"], ["==1.2.*"]),
        (["1.2.3"], ["1.2.4rc1"]),
        (["1.9"], ["1!0.1"]),
    ],
)
def test_a_fix_above_the_broken_release_is_accepted(
    resolve_text: Resolve, broken: list[str], fixed: list[str]
) -> None:
    text = GOOD.replace('["1.2.3"]', str(broken)).replace('["1.2.4"]', str(fixed))
    assert tuple(fixed) == resolve_text(text).plan.incidents[0].fixed


def test_published_at_keeps_its_instant(resolve_text: Resolve) -> None:
    text = GOOD.replace("fixed =", "published_at = 2026-11-20T11:00:00+01:00\nfixed =")
    [incident] = resolve_text(text).plan.incidents
    assert datetime(2026, 11, 20, 10, tzinfo=UTC) == incident.published_at


def test_problems_of_all_tables_are_told_at_once_in_the_order_of_the_file(
    resolve_text: Resolve,
) -> None:
    text = (
        "[audit]\ntimeot_s = 3\n"
        + GOOD.replace("1.2.4", "1.0")
        + 'upstream = "orgin"\n[[locations]]\nname = "b"\nkind = "simpel"\n'
    )
    found = problems(resolve_text, text)
    assert [int(problem.split(":")[1]) for problem in found] == [2, 6, 12, 15]


@pytest.mark.parametrize("vantage", ["", "a\nb", "\x1b[2J"])
def test_a_vantage_that_cannot_be_printed_is_refused(resolve_text: Resolve, vantage: str) -> None:
    [problem] = problems(resolve_text, GOOD, options=Options(vantage=vantage))
    assert problem.startswith("--vantage: must be a short text on one line")


def test_a_file_that_is_nested_too_deeply_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"nested too deeply|no valid TOML"):
        parse_document("a = " + "[" * 20_000 + "]" * 20_000, name="audit.toml")
