from __future__ import annotations

import sys
from pathlib import Path
from types import ModuleType, SimpleNamespace

import pytest

from auditor.config import Resolved
from auditor.config.show import show
from auditor.errors import ConfigError
from tests.config.conftest import GOOD, Resolve

SECRET = "hush-hush"


def assert_hidden(resolved: Resolved) -> None:
    """The secret is among the credentials and nowhere else."""
    everything = [repr(resolved.plan), repr(resolved.credentials), show(resolved)]
    everything += [*resolved.warnings, *resolved.plan.notes]
    assert not [text for text in everything if SECRET in text]


def test_a_variable_gives_the_secret(resolve_text: Resolve) -> None:
    resolved = resolve_text(
        GOOD + 'password = {env = "PW"}\nusername = "u"\n', environ={"PW": SECRET}
    )
    credentials = resolved.credentials["origin"]
    assert (credentials.username, credentials.password) == ("u", SECRET)
    assert_hidden(resolved)
    assert not resolved.warnings


def test_a_file_beside_the_configuration_gives_the_secret(
    resolve_text: Resolve, tmp_path: Path
) -> None:
    (tmp_path / "token").write_text(f"{SECRET}\n")
    resolved = resolve_text(GOOD + 'token = {file = "token"}\n')
    assert resolved.credentials["origin"].token == SECRET
    assert_hidden(resolved)


def test_a_literal_works_with_a_warning(resolve_text: Resolve) -> None:
    resolved = resolve_text(GOOD + f'password = "{SECRET}"\n')
    assert resolved.credentials["origin"].password == SECRET
    [warning] = resolved.warnings
    assert warning.startswith("audit.toml:10: password stands there in clear; write")
    assert_hidden(resolved)


def test_an_address_with_a_password_is_taken_apart_with_a_warning(resolve_text: Resolve) -> None:
    resolved = resolve_text(GOOD.replace("//127", f"//u:{SECRET}@127"))
    assert resolved.plan.locations[0].url == "http://127.0.0.1:8000/simple/"
    assert resolved.credentials["origin"].password == SECRET
    assert "url carries a password in clear" in resolved.warnings[0]
    assert_hidden(resolved)


def test_keys_win_over_what_stands_in_the_address(resolve_text: Resolve) -> None:
    text = GOOD.replace("//127", "//u:old@127") + 'password = {env = "PW"}\n'
    credentials = resolve_text(text, environ={"PW": SECRET}).credentials["origin"]
    assert (credentials.username, credentials.password) == ("u", SECRET)


def test_netrc_is_asked_for_the_host(resolve_text: Resolve, tmp_path: Path) -> None:
    (tmp_path / "n").write_text(f"machine 127.0.0.1 login u password {SECRET}\n")
    resolved = resolve_text(GOOD + "netrc = true\n", environ={"NETRC": str(tmp_path / "n")})
    assert resolved.credentials["origin"].password == SECRET
    assert_hidden(resolved)


def test_a_damaged_netrc_is_told_without_what_it_holds(
    resolve_text: Resolve, tmp_path: Path
) -> None:
    (tmp_path / "n").write_text(f"machine 127.0.0.1 login u passwrd {SECRET}\n")
    with pytest.raises(ConfigError) as caught:
        resolve_text(GOOD + 'netrc = "n"\n')
    assert "is no netrc entry; correct it" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_keyring_is_asked_for_the_address(
    resolve_text: Resolve, monkeypatch: pytest.MonkeyPatch
) -> None:
    def get_credential(service: str, username: str | None) -> SimpleNamespace:
        assert (service, username) == ("http://127.0.0.1:8000/simple/", "me")
        return SimpleNamespace(username=username, password=SECRET)

    # The package is optional, and a real keyring needs a desktop session.
    fake = ModuleType("keyring")
    fake.get_credential = get_credential  # type: ignore[attr-defined]  # that is what a fake is
    monkeypatch.setitem(sys.modules, "keyring", fake)
    resolved = resolve_text(GOOD + 'keyring = true\nusername = "me"\n')
    assert resolved.credentials["origin"].password == SECRET
    assert_hidden(resolved)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('password = {env = "PW"}', "password: the environment variable PW is not set; export PW="),
        ('token = {file = "none"}', "token: "),
        ('password = {keyring = "x"}', "password: the package keyring is not installed; run"),
        ('netrc = "none"', "netrc: "),
    ],
)
def test_a_secret_that_cannot_be_had_names_key_and_place(
    resolve_text: Resolve, monkeypatch: pytest.MonkeyPatch, line: str, problem: str
) -> None:
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(ConfigError) as caught:
        resolve_text(f"{GOOD}{line}\n")
    [text] = caught.value.problems
    assert text.startswith(f"audit.toml:10: locations.{problem}")


def test_an_empty_variable_is_no_secret(resolve_text: Resolve) -> None:
    with pytest.raises(ConfigError, match="PW is empty"):
        resolve_text(GOOD + 'password = {env = "PW"}\n', environ={"PW": ""})


def test_credentials_where_they_would_show_in_reports_are_refused(resolve_text: Resolve) -> None:
    text = f'{GOOD}[[locations]]\nkind = "http-cache"\nurl = "http://127.0.0.1:1/"\n'
    with pytest.raises(ConfigError) as caught:
        resolve_text(f'{text}endpoint_url = "http://u:{SECRET}@127.0.0.1:3/"\n', kinds={})
    assert "would show in reports" in str(caught.value)
    assert SECRET not in str(caught.value)


def test_the_login_of_a_proxy_is_a_secret_and_its_address_is_not(resolve_text: Resolve) -> None:
    resolved = resolve_text(
        GOOD + 'via = {env = "PROXY"}\n', environ={"PROXY": f"http://u:{SECRET}@127.0.0.1:3/"}
    )
    credentials = resolved.credentials["origin"]
    assert (credentials.proxy_username, credentials.proxy_password) == ("u", SECRET)
    assert resolved.plan.locations[0].settings == {"via": "http://127.0.0.1:3/"}
    assert not resolved.warnings
    assert_hidden(resolved)


def test_a_proxys_password_in_the_file_works_with_a_warning(resolve_text: Resolve) -> None:
    resolved = resolve_text(f'{GOOD}via = "http://u:{SECRET}@127.0.0.1:3/"\n')
    assert resolved.credentials["origin"].proxy_password == SECRET
    [warning] = resolved.warnings
    assert warning.startswith("audit.toml:10: via carries a password in clear; write")
    assert_hidden(resolved)


@pytest.mark.parametrize(
    "line",
    [
        f'password = ["{SECRET}"]',
        f'url = "ftp://u:{SECRET}@h.example/"',
        f'token = {{env = "{SECRET}", file = "x"}}',
        f'samples = "{SECRET}"',
    ],
)
def test_no_problem_repeats_a_value_that_may_be_a_secret(resolve_text: Resolve, line: str) -> None:
    text = GOOD.replace('url = "http://127.0.0.1:8000/simple/"\n', "") + f"{line}\n"
    with pytest.raises(ConfigError) as caught:
        resolve_text(text)
    assert SECRET not in str(caught.value)
