from __future__ import annotations

import re
import tomllib
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from auditor.config import Options, read_document, resolve
from auditor.config.checking import keys_of
from auditor.config.schema import TABLES, Table
from auditor.config.starter import STARTER
from auditor.config.values import parse_incident_id
from auditor.registry import load_kinds

EXAMPLE = Path(__file__).parents[2] / "config.example.toml"
VARIABLES = {
    name: "http://127.0.0.1/x" if name.endswith("_URL") else "x"
    for name in (
        "EDGE_USER",
        "EDGE_PASSWORD",
        "REGISTRY_TOKEN",
        "HOOK_URL",
        "GITHUB_TOKEN",
        "HOOK_SECRET",
        "MAIL_URL",
    )
}


def tables_of(name: str) -> list[dict[str, object]]:
    value = tomllib.loads(EXAMPLE.read_text())[name]
    return value if isinstance(value, list) else [value]


@pytest.mark.parametrize(
    ("name", "key"),
    [(name, key) for name, (model, _) in TABLES.items() for key in keys_of(model)],
)
def test_the_example_names_every_key(name: str, key: str) -> None:
    assert any(key in table for table in tables_of(name))


def test_every_key_is_explained_beside_it_or_in_another_table() -> None:
    text = EXAMPLE.read_text()
    models: list[type[Table]] = [model for model, _ in TABLES.values()]
    keys = {key for model in models for key in keys_of(model)}
    explained = set(re.findall(r"^(\w+) = .*?# \S", text, re.MULTILINE))
    obvious = {"project", "kind", "path", "username", "password", "client_cert", "client_key"}
    obvious |= {"location", "reason", "url", "on", "prefix", "upstream", "bucket"}
    assert keys - explained <= obvious


def test_the_example_loads() -> None:
    at_paris = Options(vantage="paris")
    plan = resolve(read_document(EXAMPLE), load_kinds(), at_paris, environ=VARIABLES).plan
    assert len(plan.locations) == len(tables_of("locations"))


def test_the_example_holds_no_secret_and_asks_nobody() -> None:
    for table in tables_of("locations"):
        for key in ("password", "token", "username"):
            assert isinstance(table.get(key, {}), dict)
        for key in ("url", "endpoint_url", "via"):
            host = urlsplit(str(table.get(key, "http://127.0.0.1"))).hostname or ""
            assert host == "127.0.0.1" or host.endswith(".example")


def test_what_config_init_writes_is_a_configuration(
    tmp_path: Path, no_pip_settings: pytest.MonkeyPatch
) -> None:
    (tmp_path / "a.toml").write_text(STARTER)
    plan = resolve(read_document(tmp_path / "a.toml"), load_kinds(), environ={}).plan
    assert plan.incidents[0].id == parse_incident_id("brokenpkg-1.2.3")


def test_what_config_init_comments_out_is_right_as_well(tmp_path: Path) -> None:
    lines = [re.sub(r"^# ?(?=\[\[|\w+ = )", "", line) for line in STARTER.splitlines()]
    (tmp_path / "a.toml").write_text("\n".join(lines))
    environ = {"MIRROR_USER": "u", "MIRROR_PASSWORD": "p"}
    plan = resolve(read_document(tmp_path / "a.toml"), load_kinds(), environ=environ).plan
    assert [each.name for each in plan.locations] == ["PyPI", "office mirror", "wheels"]
    assert [waiver.location for waiver in plan.waivers] == ["office mirror"]
