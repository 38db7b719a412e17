"""The list of public mirrors: only when asked for, each counted once, the dead ones told.

Nothing here sends a request: plans are made and looked at.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from datetime import UTC, date, datetime, timedelta
from importlib import import_module
from pathlib import Path

import pytest

from auditor.cli.main import main
from auditor.config import Options, Resolved, apply_environment, parse_document, resolve
from auditor.config.public_mirrors import PublicMirrors, read_public_mirrors
from auditor.errors import ConfigError
from auditor.model import Location
from auditor.registry import load_kinds
from auditor.verdict.context import find_source
from tests.config.conftest import GOOD, Resolve

MIRRORS = Options(public_mirrors=True)
PYPI = GOOD.replace('name = "origin"\nkind = "simple"', 'name = "the source"\nkind = "pypi"')

OWN = """\
[list]
reviewed = 2026-11-01

[[mirrors]]
name = "One"
operator = "One Ltd"
country = "NZ"
url = "https://one.example/simple"
json = "yes"
expected_lag = "2h"
source = "its own pages"
as_of = 2026-10-01

[[mirrors]]
name = "Sign"
operator = "Sign Ltd"
country = "NZ"
url = "https://sign.example/simple"
asked = false
why = "it redirects to One"
redirects_to = "One"
source = "its own pages"

[[retired]]
name = "Gone"
addresses = ["gone.example", "shared.example/pypi"]
since = 2020-02-02
source = "its farewell"
"""


@pytest.fixture
def shipped() -> PublicMirrors:
    return read_public_mirrors()


@pytest.fixture
def own(tmp_path: Path) -> Callable[[str], str]:
    """Write a list of ours beside the configuration, and return a configuration that names it."""

    def write(text: str) -> str:
        (tmp_path / "mirrors.toml").write_text(text, encoding="utf-8")
        return f'[audit]\npublic_mirrors_file = "mirrors.toml"\n{PYPI}'

    return write


def added(resolved: Resolved) -> list[Location]:
    return [each for each in resolved.plan.locations if each.declared_at == "--public-mirrors"]


# --- the shipped list


def test_the_shipped_list_says_of_each_mirror_who_runs_it_and_who_says_so(
    shipped: PublicMirrors,
) -> None:
    assert len(shipped.mirrors) > 25
    for mirror in shipped.mirrors:
        assert mirror.operator
        assert mirror.source
        assert mirror.url or mirror.page
        assert mirror.asked != bool(mirror.why)
        assert mirror.as_of is None or mirror.as_of <= shipped.about.reviewed
    for ended in shipped.retired:
        assert ended.addresses
        assert ended.source


def test_no_address_of_the_shipped_list_is_named_twice(shipped: PublicMirrors) -> None:
    addresses = [url for m in shipped.mirrors for url in (m.url, *m.aliases) if url]

    assert len(addresses) == len(set(addresses))


def test_redirectors_are_known_and_never_asked(shipped: PublicMirrors) -> None:
    redirecting = [mirror for mirror in shipped.mirrors if mirror.redirects_to]

    assert {mirror.name for mirror in redirecting} == {"CERNET", "ZJU"}
    assert not any(mirror.asked for mirror in redirecting)


# --- only when asked for


def test_without_the_option_no_public_mirror_is_in_the_plan(
    resolve_text: Resolve, shipped: PublicMirrors
) -> None:
    plan = resolve_text(PYPI).plan

    assert [location.name for location in plan.locations] == ["the source"]
    told = " ".join((*plan.notes, *(location.locator for location in plan.locations)))
    assert not [m.name for m in shipped.mirrors if m.url and m.url in told]


def test_with_the_option_every_askable_mirror_is_a_location_that_copies_the_source(
    resolve_text: Resolve, shipped: PublicMirrors
) -> None:
    resolved = resolve_text(PYPI, options=MIRRORS)
    found = added(resolved)

    assert [m.url for m in shipped.mirrors if m.asked] == [location.url for location in found]
    assert {location.upstream for location in found} == {"the source"}
    assert {location.required for location in found} == {False}
    assert {location.expected_lag_s for location in found} == {86400.0, 172800.0}
    assert resolved.plan.locations[0].name == "the source"


def test_what_is_left_out_is_said_with_the_reason(resolve_text: Resolve) -> None:
    notes = resolve_text(PYPI, options=MIRRORS).plan.notes

    assert [n for n in notes if "ZJU: it redirects everybody outside its campus to TUNA" in n]
    assert [n for n in notes if "ITO, Runflare, " in n and "no address" in n]


def test_a_mirror_that_is_configured_already_is_not_counted_twice(resolve_text: Resolve) -> None:
    text = f"""{PYPI}
[[locations]]
name = "campus"
kind = "simple"
url = "https://mirrors.tuna.tsinghua.edu.cn/pypi/web/simple/"
"""
    resolved = resolve_text(text, options=MIRRORS)

    assert not [each for each in added(resolved) if each.name.startswith("TUNA")]
    assert "not added: TUNA: a location names it already" in resolved.plan.notes


@pytest.mark.parametrize(
    ("links", "source"),
    [
        ("", "the source"),
        ('[[locations]]\nname="m"\nkind="simple"\nurl="http://m.example"\nupstream="o"\n'
         '[[locations]]\nname="o"\nkind="simple"\nurl="http://o.example"\n', "o"),
    ],
)  # fmt: skip  # a line for each would be a page
def test_adding_mirrors_does_not_change_which_place_is_the_source(
    resolve_text: Resolve, links: str, source: str
) -> None:
    before = find_source(resolve_text(PYPI + links).plan.locations)
    after = find_source(resolve_text(PYPI + links, options=MIRRORS).plan.locations)

    assert before is not None
    assert before.name == source
    assert before == after


def test_without_a_source_the_mirrors_are_added_and_the_lack_is_told(resolve_text: Resolve) -> None:
    resolved = resolve_text(GOOD, options=MIRRORS)

    assert {location.upstream for location in added(resolved)} == {None}
    assert [note for note in resolved.plan.notes if 'add one of kind "pypi"' in note]


# --- another list in its place


def test_another_list_replaces_the_shipped_one(
    resolve_text: Resolve, own: Callable[[str], str]
) -> None:
    [one] = added(resolve_text(own(OWN), options=MIRRORS))

    assert (one.name, one.expected_lag_s) == ("One (public mirror)", 7200.0)


def test_a_variable_names_another_list_too(tmp_path: Path) -> None:
    path = tmp_path / "elsewhere.toml"
    path.write_text(OWN, encoding="utf-8")
    environ = {"AUDITOR_PUBLIC_MIRRORS_FILE": str(path)}
    document = apply_environment(parse_document(PYPI, name="a.toml"), environ)

    assert len(added(resolve(document, load_kinds(), MIRRORS, environ=environ))) == 1


@pytest.mark.parametrize(
    ("old", "new", "problem"),
    [
        ("reviewed = 2026-11-01", "", "list.reviewed: is missing"),
        ('country = "NZ"', 'country = "nz"', "'nz' is no country; write the two letters"),
        ('url = "https://one.example/simple"', "", "is to be asked, but has no url"),
        ("https://one", "https://me:hush@one", "a public mirror needs no login"),
        ('json = "yes"', 'json = "maybe"', "mirrors.json: is not known; write 'yes'"),
        ('json = "yes"', 'jsno = "yes"', "unknown key; did you mean 'json'?"),
        ('name = "Sign"', 'name = "One"', "'One' is named twice"),
        ("[[retired]]", "[[dead]]", "unknown table"),
    ],
)
def test_a_list_that_is_wrong_is_an_error_with_its_cause(
    resolve_text: Resolve, own: Callable[[str], str], old: str, new: str, problem: str
) -> None:
    with pytest.raises(ConfigError) as caught:
        resolve_text(own(OWN.replace(old, new, 1)), options=MIRRORS)
    assert problem in str(caught.value)
    assert "mirrors.toml" in str(caught.value)
    assert "hush" not in str(caught.value)


def test_a_list_that_is_missing_is_an_error(resolve_text: Resolve) -> None:
    with pytest.raises(ConfigError, match=r"nowhere\.toml: cannot be read"):
        resolve_text(f'[audit]\npublic_mirrors_file = "nowhere.toml"\n{PYPI}')


@pytest.mark.parametrize(("days", "told"), [(365, False), (366, True)])
def test_an_old_list_says_so(shipped: PublicMirrors, days: int, told: bool, tmp_path: Path) -> None:
    now = datetime.combine(shipped.about.reviewed, datetime.min.time(), UTC) + timedelta(days=days)
    resolved = resolve(
        parse_document(PYPI, name="a.toml"), load_kinds(), MIRRORS, environ={}, now=now
    )

    assert told == any("may be wrong by now" in note for note in resolved.plan.notes)
    assert date(2026, 1, 1) < shipped.about.reviewed


# --- the dead ones


@pytest.mark.parametrize(
    ("url", "ended"),
    [
        ("https://gone.example/simple/", True),
        ("https://user@GONE.example./simple/", True),
        ("https://shared.example/pypi/simple", True),
        ("https://shared.example/pypi", True),
        ("https://shared.example/pypi-new/simple", False),
        ("https://not-gone.example/simple", False),
    ],
)
def test_a_retired_mirror_in_the_configuration_is_a_warning_and_a_note_but_no_error(
    resolve_text: Resolve, own: Callable[[str], str], url: str, ended: bool
) -> None:
    text = own(OWN) + f'[[locations]]\nname = "old"\nkind = "simple"\nurl = "{url}"\n'
    resolved = resolve_text(text)
    told = [text for text in resolved.warnings if "has ended" in text]

    assert ended == bool(told)
    assert told == [note for note in resolved.plan.notes if "has ended" in note]
    assert all(text.startswith("old: ") and "on 2020-02-02" in text for text in told)


def test_a_retired_mirror_in_pips_configuration_is_told(
    no_pip_settings: pytest.MonkeyPatch, resolve_text: Resolve, shipped: PublicMirrors
) -> None:
    address = next(a for each in shipped.retired for a in each.addresses if "/" not in a)
    no_pip_settings.setenv("PIP_INDEX_URL", f"https://{address}/simple")
    incident = GOOD[: GOOD.index("[[locations]]")]

    [warning] = [text for text in resolve_text(incident).warnings if "has ended" in text]
    assert warning.startswith(f"pypi: {address} was the mirror of ")


# --- on the command line


def test_config_show_shows_them_only_with_the_option(capsys: pytest.CaptureFixture[str]) -> None:
    question = ("brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4")
    words = ["config", "show", *question, "--location", "pypi=http://127.0.0.1:9/simple/"]

    assert main(words) == 0
    assert "(public mirror)" not in capsys.readouterr().out
    assert main([*words, "--public-mirrors"]) == 0
    assert capsys.readouterr().out.count("# --public-mirrors") > 100


@pytest.mark.parametrize("command", ["audit", "probe"])
def test_what_looks_at_places_has_the_option_and_it_is_off(command: str) -> None:
    parser = argparse.ArgumentParser()
    import_module(f"auditor.cli.{command}").add_arguments(parser)

    assert parser.parse_args([]).public_mirrors is False
    assert parser.parse_args(["--public-mirrors"]).public_mirrors is True
