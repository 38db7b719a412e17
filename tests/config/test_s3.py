"""How a bucket is named in a configuration and on the command line."""

from __future__ import annotations

import re

import pytest

from auditor.config import parse_document, resolve
from auditor.config.show import show
from auditor.errors import ConfigError
from auditor.model import Location, Role
from auditor.registry import load_kinds
from tests.config.conftest import GOOD, Resolve
from tests.config.test_command_line import located

TABLE = '[[locations]]\nname = "wheels"\nkind = "s3"\n'


def bucket(resolve_text: Resolve, *lines: str) -> Location:
    return resolve_text("\n".join([GOOD + TABLE, *lines, ""])).plan.locations[1]


@pytest.mark.parametrize(
    "lines",
    [('bucket = "wheels"', 'prefix = "prod/"'), ('url = "s3://wheels/prod/"',)],
    ids=["keys", "url"],
)
def test_a_bucket_and_its_url_are_one_place(resolve_text: Resolve, lines: tuple[str, ...]) -> None:
    found = bucket(resolve_text, *lines, 'region = "eu-central-1"', "list_all = true")

    assert found.url == found.locator == "s3://wheels/prod/"
    assert found.role is Role.STORE
    assert found.settings == {
        "bucket": "wheels",
        "prefix": "prod/",
        "region": "eu-central-1",
        "list_all": True,
        "role_open": True,
    }


def test_a_bucket_needs_no_prefix_and_may_be_an_index(resolve_text: Resolve) -> None:
    found = bucket(resolve_text, 'bucket = "wheels"', 'role = "index"')

    assert (found.url, found.role) == ("s3://wheels/", Role.INDEX)
    assert "role_open" not in found.settings


def test_what_is_in_a_bucket_decides_on_its_role_only_where_none_is_given(
    resolve_text: Resolve,
) -> None:
    said = bucket(resolve_text, 'bucket = "wheels"', 'role = "store"')
    optional = bucket(resolve_text, 'bucket = "wheels"', "required = false")
    assert (said.settings.get("role_open"), optional.settings.get("role_open")) == (None, False)


def test_the_command_line_names_a_bucket() -> None:
    assert located("a:s3=s3://wheels/prod/") == [("a", "s3", "s3://wheels/prod/")]


@pytest.mark.parametrize("line", ['bucket = "other"', 'prefix = "test/"'])
def test_a_bucket_that_is_named_twice_differently_is_an_error(
    resolve_text: Resolve, line: str
) -> None:
    with pytest.raises(ConfigError, match="is not the one that url names"):
        bucket(resolve_text, 'url = "s3://wheels/prod/"', line)


def test_what_is_shown_can_be_read_again(resolve_text: Resolve) -> None:
    text = "\n".join([GOOD + TABLE, 'bucket = "wheels"', 'prefix = "prod/"', ""])
    once = resolve_text(text)

    document = parse_document(show(once), name="shown.toml", directory=once.document.directory)
    again = resolve(document, load_kinds(), environ={})

    assert again.plan.locations[1].settings == once.plan.locations[1].settings
    assert again.plan.locations[1].url == "s3://wheels/prod/"


def test_keys_are_credentials_and_never_settings(resolve_text: Resolve) -> None:
    lines = ['bucket = "wheels"', 'username = "AKIA"', 'password = {env = "S"}', 'token = "t"']
    text = "\n".join([GOOD + TABLE, *lines, ""])

    resolved = resolve_text(text, environ={"S": "canary"})

    found = resolved.credentials["wheels"]
    assert (found.username, found.password, found.token) == ("AKIA", "canary", "t")
    assert "canary" not in repr(resolved.plan)


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ('url = "http://127.0.0.1:9000/wheels/"', 'url: names no bucket; write url = "s3://'),
        ('url = "wheels"', "url: names no bucket"),
        ('path = "wheels"', "path: a bucket has no path"),
    ],
)
def test_what_is_no_bucket_is_refused(resolve_text: Resolve, line: str, problem: str) -> None:
    with pytest.raises(ConfigError, match=re.escape(problem)):
        bucket(resolve_text, line)


@pytest.mark.parametrize("locator", ["wheels", "http://127.0.0.1:9000/wheels", "/srv/wheels"])
def test_the_command_line_takes_no_other_address_for_a_bucket(locator: str) -> None:
    with pytest.raises(ConfigError, match=r"names no bucket; write s3=s3://.*endpoint_url"):
        located(f"s3={locator}")
