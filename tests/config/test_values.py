from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.config.addresses import parse_url
from auditor.config.values import (
    SecretReference,
    parse_duration,
    parse_incident_id,
    parse_secret,
    parse_sha256,
    split_userinfo,
)


@pytest.mark.parametrize(
    ("seconds", "written"),
    [
        (30.0, 30),
        (0.5, 0.5),
        (90.0, "90"),
        (90.0, "90s"),
        (1800.0, "30m"),
        (7200.0, "2h"),
        (5400.0, "1h30m"),
        (86400.0, "1d"),
        (129600.0, "1d 12h"),
        (1209600.0, "2W"),
    ],
)
def test_a_duration_is_seconds_or_numbers_with_units(seconds: float, written: object) -> None:
    assert seconds == parse_duration(written)


@pytest.mark.parametrize(
    "written", ["", "h", "2 hours", "-5", -5, True, None, [], float("nan"), float("inf"), "1e9"]
)
def test_what_is_no_duration_is_refused_with_an_example(written: object) -> None:
    with pytest.raises(ValueError, match="no duration; write"):
        parse_duration(written)


@given(st.text(max_size=30))
def test_no_text_gives_a_negative_duration(text: str) -> None:
    with contextlib.suppress(ValueError):
        assert parse_duration(text) >= 0


def test_a_digest_is_kept_in_lower_case_without_its_prefix() -> None:
    assert parse_sha256("sha256:" + "AB" * 32) == "ab" * 32


@pytest.mark.parametrize(
    "written", ["ab" * 32, "sha256:ab", "md5:" + "a" * 64, "sha256:" + "g" * 64]
)
def test_what_is_no_sha256_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="no digest; write sha256:"):
        parse_sha256(written)


@pytest.mark.parametrize(
    "written", ["../x", "a/b", "a\\b", "", ".hidden", "a b", "a\nb", "x" * 201]
)
def test_an_incident_id_that_would_leave_its_directory_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="cannot stand in a file name"):
        parse_incident_id(written)


@pytest.mark.parametrize(
    ("reference", "written"),
    [
        (SecretReference("env", "X"), {"env": "X"}),
        (SecretReference("file", "/run/x"), {"file": "/run/x"}),
        (SecretReference("keyring", "svc"), {"keyring": "svc"}),
        (SecretReference("literal", "hush"), "hush"),
    ],
)
def test_a_secret_is_a_reference_or_a_text(reference: SecretReference, written: object) -> None:
    assert reference == parse_secret(written)


@pytest.mark.parametrize("written", [{}, {"env": "A", "file": "B"}, {"env": 3}, {"env": ""}, 7])
def test_anything_else_is_no_secret(written: object) -> None:
    with pytest.raises(ValueError, match=r"write \{env"):
        parse_secret(written)


def test_a_mistyped_reference_gets_a_suggestion() -> None:
    with pytest.raises(ValueError, match="did you mean 'keyring'"):
        parse_secret({"keyrng": "X"})


def test_a_secret_never_shows_in_its_repr() -> None:
    assert "hush" not in repr(parse_secret("hush"))


@pytest.mark.parametrize(
    ("parts", "url"),
    [
        (("http://h.example/s/", None, None), "http://h.example/s/"),
        (("http://h.example:81/s", "u", "p:w"), "http://u:p%3Aw@h.example:81/s"),
        (("http://h.example/", "u", None), "http://u@h.example/"),
        (("http://h.example/", None, "tok"), "http://:tok@h.example/"),
        (("http://h.example/a@b", None, None), "http://h.example/a@b"),
        (("http://h.example/", "u", "p@w"), "http://u:p@w@h.example/"),
    ],
)
def test_credentials_are_taken_out_of_an_address(
    parts: tuple[str, str | None, str | None], url: str
) -> None:
    assert parts == split_userinfo(url)


@pytest.mark.parametrize(
    ("cause", "url"),
    [
        ("names no host", "http://"),
        ("names no host", "https:///simple/"),
        ("has no valid port", "http://h.example:99999/"),
        ("has no valid port", "http://h.example:0/"),
        ("has no valid port", "http://h.example:x/"),
        ("holds a blank", "http://h.example/a b/"),
        ("goes on after its path", "http://h.example/simple/?x=1"),
        ("goes on after its path", "http://h.example/simple/#frag"),
        ("has no scheme; write https://pypi.corp.example/simple/", "pypi.corp.example/simple/"),
        ("has no scheme; write http://127.0.0.1:8000", "127.0.0.1:8000"),
        ("is no address", "ftp://h.example/"),
        ("is no address", "http://[::1/"),
        ("needs kind 's3'", "s3://wheels/"),
    ],
)
def test_an_address_that_cannot_be_asked_is_refused(cause: str, url: str) -> None:
    with pytest.raises(ValueError, match=cause.replace("?", r"\?")):
        parse_url(url, allow_s3=False)


@pytest.mark.parametrize("url", ["http://u:hush@", "http://u:hush@[::1", "ftp://u:hush@h.example/"])
def test_no_refusal_repeats_a_password(url: str) -> None:
    with pytest.raises(ValueError, match=r".+") as caught:
        parse_url(url, allow_s3=False)
    assert "hush" not in str(caught.value)


def test_an_s3_address_names_bucket_and_prefix() -> None:
    address = parse_url("s3://wheels/prod/", allow_s3=True)
    assert (address.bucket, address.prefix) == ("wheels", "prod/")


def test_a_file_address_is_a_path() -> None:
    assert parse_url("file:///srv/my%20wheels", allow_s3=False).path == "/srv/my wheels"
