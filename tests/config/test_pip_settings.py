from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from auditor.config import Resolved, apply_environment, parse_document, resolve
from auditor.config.document import Document
from auditor.config.pip_settings import PipSettings, read_pip_settings
from auditor.contracts import Assignment, ProbeKind
from auditor.errors import UsageError
from auditor.model import Observation, Role
from auditor.registry import load_kinds

NoPip = pytest.MonkeyPatch
INCIDENT = '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'


async def _observe(assignment: Assignment) -> Observation:
    raise AssertionError("a configuration is resolved, and nothing is looked at")


def default_plan(kinds: dict[str, ProbeKind] | None = None) -> Resolved:
    document = parse_document(INCIDENT, name="audit.toml")
    return resolve(document, {**load_kinds(), **(kinds or {})}, environ={"UV_CACHE_DIR": "/uv"})


def test_an_unconfigured_pip_asks_its_built_in_index(no_pip_settings: NoPip) -> None:
    settings = read_pip_settings()
    assert settings.index_url == settings.builtin_url
    assert settings.builtin_url.startswith("https://")
    assert settings.extra_index_urls == settings.find_links == ()


def test_variables_win_over_files_and_install_over_global(
    no_pip_settings: NoPip, tmp_path: Path
) -> None:
    (tmp_path / "pip.conf").write_text(
        "[global]\nindex-url = http://global.example/simple\nproxy = http://127.0.0.1:3128\n"
        "extra-index-url = http://a.example/s\n    http://b.example/s\n"
        "[install]\nindex-url = http://install.example/simple\ntrusted-host = a.example\n"
        "[download]\nindex-url = http://download.example/simple\n"
    )
    no_pip_settings.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    assert read_pip_settings().index_url == "http://install.example/simple"
    no_pip_settings.setenv("PIP_INDEX_URL", "http://variable.example/simple")
    settings = read_pip_settings()
    assert settings.index_url == "http://variable.example/simple"
    assert settings.extra_index_urls == ("http://a.example/s", "http://b.example/s")
    assert settings.proxy == "http://127.0.0.1:3128"
    assert settings.trusted_hosts == ("a.example",)


@pytest.mark.real
def test_it_reads_what_pip_itself_reads(no_pip_settings: NoPip, tmp_path: Path) -> None:
    (tmp_path / "pip.conf").write_text("[global]\nindex-url = http://global.example/simple\n")
    no_pip_settings.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    answer = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.index-url"],
        capture_output=True,
        text=True,
        check=True,
    )
    assert answer.stdout.strip() == read_pip_settings().index_url


def test_no_index_leaves_find_links_only(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_NO_INDEX", "1")
    no_pip_settings.setenv("PIP_FIND_LINKS", "/srv/wheels")
    names = [location.name for location in default_plan().plan.locations]
    assert names == ["find-links-1", "pip-cache", "uv-cache"]


def test_a_damaged_pip_configuration_is_a_usage_error(
    no_pip_settings: NoPip, tmp_path: Path
) -> None:
    (tmp_path / "pip.conf").write_text("no section = here\n")
    no_pip_settings.setenv("PIP_CONFIG_FILE", str(tmp_path / "pip.conf"))
    with pytest.raises(UsageError, match="pip's own configuration cannot be read"):
        read_pip_settings()


def test_without_locations_pips_own_are_looked_at(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_EXTRA_INDEX_URL", "https://u:hush@a.example/s https://b.example/s")
    no_pip_settings.setenv("PIP_FIND_LINKS", "/srv/wheels http://127.0.0.1:9/links")
    no_pip_settings.setenv("PIP_TRUSTED_HOST", "b.example")
    resolved = default_plan()
    found = [(each.name, each.kind, each.required) for each in resolved.plan.locations]
    assert found == [
        ("pypi", "pypi", True),
        ("extra-index-1", "simple", False),
        ("extra-index-2", "simple", False),
        ("find-links-1", "wheelhouse", False),
        ("find-links-2", "wheelhouse", False),
        ("pip-cache", "pip-cache", False),
        ("uv-cache", "uv-cache", False),
    ]
    pypi, extra, _, path, page, _, _ = resolved.plan.locations
    assert pypi.settings == {"pip_builtin": True}
    assert extra.url == "https://a.example/s"
    assert resolved.credentials["extra-index-1"].password == "hush"
    assert not resolved.credentials["extra-index-1"].insecure
    assert resolved.credentials["extra-index-2"].insecure
    assert (path.path, page.url) == ("/srv/wheels", "http://127.0.0.1:9/links")
    assert "hush" not in repr(resolved.plan)
    assert not resolved.warnings


def test_another_index_is_not_the_built_in_one(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    no_pip_settings.setenv("PIP_PROXY", "http://127.0.0.1:3128")
    pypi, *_ = default_plan().plan.locations
    assert (pypi.kind, pypi.url) == ("pypi", "http://127.0.0.1:9/simple")
    assert pypi.settings == {"via": "http://127.0.0.1:3128"}


def test_the_password_of_pips_proxy_is_used_and_never_shown(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_INDEX_URL", "http://127.0.0.1:9/simple")
    no_pip_settings.setenv("PIP_PROXY", "http://me:hush@127.0.0.1:3128")
    resolved = default_plan()
    assert resolved.plan.locations[0].settings == {"via": "http://127.0.0.1:3128"}
    assert resolved.credentials["pypi"].proxy_password == "hush"
    assert "hush" not in repr(resolved.plan)
    assert not resolved.warnings


def test_caches_without_a_probe_are_noted(no_pip_settings: NoPip) -> None:
    kinds = {name: kind for name, kind in load_kinds().items() if name != "uv-cache"}
    document = parse_document(INCIDENT, name="audit.toml")
    notes = resolve(document, kinds, environ={"UV_CACHE_DIR": "/uv"}).plan.notes
    assert (
        "not looked at: this user's uv cache (no probe of kind uv-cache in this version)" in notes
    )


def test_caches_with_a_probe_are_looked_at(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_CACHE_DIR", "/pip")
    kinds = {
        name: ProbeKind(name=name, summary="", role=Role.STORE, observe=_observe)
        for name in ("pip-cache", "uv-cache")
    }
    resolved = default_plan(kinds)
    found = {(each.name, each.path, each.required) for each in resolved.plan.locations}
    assert {("pip-cache", "/pip", False), ("uv-cache", "/uv", False)} < found


def test_kind_pypi_without_address_is_the_index_that_pip_asks(no_pip_settings: NoPip) -> None:
    no_pip_settings.setenv("PIP_INDEX_URL", "http://u:hush@127.0.0.1:9/simple")
    document = parse_document(INCIDENT + '[[locations]]\nkind = "pypi"\n', name="audit.toml")
    resolved = resolve(document, load_kinds(), environ={})
    assert resolved.plan.locations[0].url == "http://127.0.0.1:9/simple"
    assert resolved.credentials["pypi"].password == "hush"


def test_settings_never_show_what_they_hold() -> None:
    settings = PipSettings(index_url="http://u:hush@h.example/", builtin_url="http://h.example/")
    assert "hush" not in repr(settings)


def test_values_of_the_environment_win_over_the_file() -> None:
    document = parse_document("[audit]\ntimeout_s = 3\nconcurrency = 5\n", name="audit.toml")
    environ = {"AUDITOR_TIMEOUT_S": "2m", "AUDITOR_FAIL_ON": "exposed, unknown"}
    changed = apply_environment(document, environ)
    expected = {"timeout_s": "2m", "concurrency": 5, "fail_on": ["exposed", "unknown"]}
    assert changed.data["audit"] == expected
    assert changed.origin(("audit", "timeout_s")) == "AUDITOR_TIMEOUT_S"
    assert changed.origin(("audit", "concurrency")) == "audit.toml:3"


def test_an_empty_document_has_default_origins() -> None:
    assert Document().origin(("audit", "timeout_s")) == "default"
