"""What the configuration files and variables of installers and mirrors say, reader by reader."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from auditor.config.machine import Found, Note
from tests.config.machine_home import BUILTIN, CANARY, Home, home

__all__ = ["home"]  # the fixture

OFFICE = "https://office.example/simple"


def places(found: list[Found]) -> list[tuple[str, str | None, bool | None]]:
    return [(each.kind, each.url or each.path, each.required) for each in found]


# --- pip


def test_pip_says_its_indexes_find_links_and_how_to_reach_them(home: Home) -> None:
    home.write(
        "home/.config/pip/pip.conf",
        f"[global]\nindex-url = {OFFICE}\nextra-index-url = http://more.example/root/+simple/\n"
        "find-links = wheels\n    https://office.example/wheels/\n"
        "trusted-host = more.example\ncert = /etc/corp.pem\nproxy = http://proxy.example:3128\n",
    )
    found = home.found("pip")

    assert places(found) == [
        ("simple", OFFICE, None),
        ("devpi", "http://more.example/root/+simple/", False),
        ("wheelhouse", str(home.project / "wheels"), False),
        ("wheelhouse", "https://office.example/wheels/", False),
    ]
    access = {"ca_file": "/etc/corp.pem", "via": "http://proxy.example:3128"}
    assert found[0].settings == access
    assert found[1].settings == {**access, "insecure": True}


def test_an_unconfigured_pip_asks_pypi(home: Home) -> None:
    [pypi] = home.found("pip")

    assert (pypi.kind, pypi.name, pypi.builtin) == ("pypi", "PyPI", True)


def test_a_damaged_pip_configuration_is_a_note_without_its_text(home: Home) -> None:
    home.write("home/.config/pip/pip.conf", f"index-url = https://u:{CANARY}@h.example/s\n")
    [note] = home.seen("pip")

    assert isinstance(note, Note)
    assert note.text.startswith("pip's configuration is damaged")
    assert CANARY not in note.text


def test_the_login_of_pips_proxy_is_not_taken_over(home: Home) -> None:
    home.write(
        "home/.config/pip/pip.conf",
        f"[global]\nindex-url = {OFFICE}\nproxy = http://me:{CANARY}@proxy.example:3128\n",
    )
    [office, note] = home.seen("pip")

    assert isinstance(office, Found)
    assert office.settings == {}
    assert isinstance(note, Note)
    assert "its proxy wants a login" in note.text


def test_caches_are_proposed_where_they_exist(home: Home) -> None:
    for name in ("pip", "uv", "pypoetry", "pdm"):
        (home.home / ".cache" / name).mkdir(parents=True)
    found = {each.kind: each.path for p in ("pip's cache", "uv", "poetry", "pdm")
             for each in home.found(p)}  # fmt: skip  # a line for each would be a page

    assert found == {
        f"{kind}-cache": str(home.home / ".cache" / name)
        for kind, name in (("pip", "pip"), ("uv", "uv"), ("poetry", "pypoetry"), ("pdm", "pdm"))
    }


# --- uv


def test_uv_merges_project_user_and_system_files(home: Home) -> None:
    home.write(
        "home/project/uv.toml",
        f'[[index]]\nname = "office"\nurl = "{OFFICE}"\ndefault = true\n'
        '[[index]]\nname = "flat"\nurl = "wheels"\nformat = "flat"\n'
        '[[index]]\nname = "gpu"\nurl = "https://gpu.example/simple"\nexplicit = true\n',
    )
    home.write("home/.config/uv/uv.toml", 'extra-index-url = ["https://user.example/simple"]\n')
    home.write("etc/uv/uv.toml", 'find-links = ["/srv/wheels"]\n')
    found = home.found("uv")

    assert places(found) == [
        ("simple", OFFICE, None),
        ("wheelhouse", str(home.project / "wheels"), False),
        ("simple", "https://gpu.example/simple", False),
        ("simple", "https://user.example/simple", False),
        ("wheelhouse", "/srv/wheels", False),
    ]
    assert [each.name for each in found] == ["office", "flat", "gpu", None, None]
    assert found[0].origin == "uv: ~/project/uv.toml (index)"


def test_uv_reads_the_pyproject_above_and_uv_toml_before_it(home: Home) -> None:
    home.write("home/pyproject.toml", f'[tool.uv]\nindex-url = "{OFFICE}"\n')
    assert places(home.found("uv")) == [("simple", OFFICE, None)]

    home.write("home/uv.toml", 'index-url = "https://other.example/simple"\n')
    assert places(home.found("uv")) == [("simple", "https://other.example/simple", None)]


def test_uvs_variables_win_name_indexes_and_carry_logins(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("UV_DEFAULT_INDEX", OFFICE)
    monkeypatch.setenv("UV_INDEX", f"corp=https://corp.example/simple https://{CANARY}@x.example/s")
    monkeypatch.setenv("UV_INDEX_CORP_USERNAME", "me")
    monkeypatch.setenv("UV_INDEX_CORP_PASSWORD", CANARY)
    monkeypatch.setenv("UV_FIND_LINKS", "/a,/b")
    monkeypatch.setenv("UV_INSECURE_HOST", "corp.example")
    office, corp, other, *links = home.found("uv")

    assert (office.url, office.required, office.login.username) == (OFFICE, None, False)
    assert corp.name == "corp"
    assert corp.login.password_variable == "UV_INDEX_CORP_PASSWORD"
    assert corp.settings == {"insecure": True}
    assert (other.url, other.login.username) == ("https://x.example/s", True)
    assert (other.login.password, other.login.username_variable) == (False, None)
    assert [each.path for each in links] == ["/a", "/b"]
    assert CANARY not in repr((office, corp, other))


@pytest.mark.parametrize(
    ("variables", "urls"),
    [
        ({"UV_NO_CONFIG": "1"}, []),
        ({"UV_CONFIG_FILE": "other.toml"}, ["https://other.example/simple"]),
    ],
)
def test_uv_can_be_told_to_read_another_file_or_none(
    home: Home, monkeypatch: pytest.MonkeyPatch, variables: dict[str, str], urls: list[str]
) -> None:
    home.write("home/project/uv.toml", f'index-url = "{OFFICE}"\n')
    home.write("home/project/other.toml", 'index-url = "https://other.example/simple"\n')
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert [each.url for each in home.found("uv")] == urls


def test_uvs_cache_is_where_file_or_variable_put_it(
    home: Home, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("from-file", "from-variable"):
        (home.project / name).mkdir()
    home.write("home/project/uv.toml", 'cache-dir = "from-file"\n')
    assert [each.path for each in home.found("uv's cache")] == [str(home.project / "from-file")]

    monkeypatch.setenv("UV_CACHE_DIR", "from-variable")
    assert [each.path for each in home.found("uv's cache")] == [str(home.project / "from-variable")]


# --- Poetry


def test_poetrys_sources_have_the_logins_and_certificates_of_the_user(home: Home) -> None:
    home.write(
        "home/project/pyproject.toml",
        f'[[tool.poetry.source]]\nname = "office"\nurl = "{OFFICE}"\n'
        '[[tool.poetry.source]]\nname = "more"\nurl = "https://more.example/simple"\n'
        'priority = "supplemental"\n[[tool.poetry.source]]\nname = "PyPI"\npriority = "primary"\n',
    )
    home.write(
        "home/.config/pypoetry/auth.toml",
        f'[http-basic.office]\nusername = "me"\npassword = "{CANARY}"\n',
    )
    home.write(
        "home/.config/pypoetry/config.toml",
        '[certificates.office]\ncert = "/etc/corp.pem"\n[certificates.more]\ncert = false\n',
    )
    office, more = home.found("poetry")

    assert places([office, more]) == [
        ("simple", OFFICE, None),
        ("simple", "https://more.example/simple", False),
    ]
    assert (office.login.username, office.login.password) == (True, True)
    assert (more.login.username, more.login.password) == (False, False)
    assert (office.settings, more.settings) == ({"ca_file": "/etc/corp.pem"}, {"insecure": True})
    assert CANARY not in repr(office)


def test_poetrys_login_may_stand_in_variables(home: Home, monkeypatch: pytest.MonkeyPatch) -> None:
    home.write(
        "home/project/pyproject.toml",
        f'[[tool.poetry.source]]\nname = "of-fice"\nurl = "{OFFICE}"\n',
    )
    monkeypatch.setenv("POETRY_HTTP_BASIC_OF_FICE_USERNAME", "me")
    monkeypatch.setenv("POETRY_HTTP_BASIC_OF_FICE_PASSWORD", CANARY)
    [office] = home.found("poetry")

    assert office.login.username_variable == "POETRY_HTTP_BASIC_OF_FICE_USERNAME"
    assert office.login.password_variable == "POETRY_HTTP_BASIC_OF_FICE_PASSWORD"


# --- PDM


def test_pdm_has_a_default_source_others_by_name_and_those_of_the_project(home: Home) -> None:
    home.write(
        "home/.config/pdm/config.toml",
        f'[pypi]\nurl = "{OFFICE}"\nusername = "me"\npassword = "{CANARY}"\nca_certs = "/c.pem"\n'
        '[pypi.more]\nurl = "https://${USER_OF_MORE}:${SECRET_OF_MORE}@more.example/simple"\n'
        "verify_ssl = false\n",
    )
    home.write(
        "home/project/pyproject.toml",
        '[[tool.pdm.source]]\nname = "links"\nurl = "https://l.example/w/"\ntype = "find_links"\n'
        '[[tool.pdm.source]]\nname = "pypi"\nurl = "https://default.example/simple"\n',
    )
    office, more, links, default = home.found("pdm")

    assert places([office, more, links, default]) == [
        ("simple", OFFICE, None),
        ("simple", "https://more.example/simple", False),
        ("wheelhouse", "https://l.example/w/", False),
        ("simple", "https://default.example/simple", None),
    ]
    assert (office.login.username, office.login.password) == (True, True)
    assert office.settings == {"ca_file": "/c.pem"}
    assert more.login.username_variable == "USER_OF_MORE"
    assert more.login.password_variable == "SECRET_OF_MORE"
    assert more.settings == {"insecure": True}
    assert (links.name, default.name) == ("links", None)
    assert CANARY not in repr(office)


# --- devpi client and bandersnatch


def devpi_use(url: str) -> str:
    return json.dumps({"index": url, "simpleindex": f"{url}/+simple/"})


def test_devpi_client_uses_an_index_and_may_be_logged_in(home: Home) -> None:
    home.write("home/.devpi/client/current.json", devpi_use("http://d.example/root/dev"))
    [found] = home.found("devpi")
    assert places([found]) == [("devpi", "http://d.example/root/dev/+simple/", False)]
    assert not found.login.password

    stored = {"auth": {"http://d.example/": [["me", CANARY]]}, "basic_auth": {}}
    home.write("home/.devpi/client/auth.json", json.dumps(stored))
    [found] = home.found("devpi")
    assert found.login.password
    assert CANARY not in repr(found)


def test_devpi_clients_directory_and_that_of_the_environment_are_read(
    home: Home, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    home.write("elsewhere/current.json", json.dumps({"index": "http://e.example/a/b"}))
    home.write("venv/devpi.json", devpi_use("http://v.example/a/b"))
    monkeypatch.setenv("DEVPI_CLIENTDIR", str(tmp_path / "elsewhere"))
    monkeypatch.setenv("VIRTUAL_ENV", str(tmp_path / "venv"))

    assert [each.url for each in home.found("devpi")] == [
        "http://v.example/a/b/+simple/",
        "http://e.example/a/b/+simple/",
    ]


def test_bandersnatch_is_its_directory_and_copies_its_master(home: Home) -> None:
    home.write(
        "etc/bandersnatch.conf",
        "[mirror]\ndirectory = /srv/pypi\nmaster = https://up.example\ntimeout = 10\n"
        "hash-index = false\n[plugins]\nenabled =\n    blocklist_project\n",
    )
    master, mirror = home.found("bandersnatch")

    assert places([master, mirror]) == [
        ("simple", "https://up.example/simple/", False),
        ("bandersnatch", "/srv/pypi", None),
    ]
    assert mirror.upstream == master.url


# --- what is damaged or hostile


@pytest.mark.parametrize(
    "name",
    [
        "home/project/uv.toml",
        "home/.config/uv/uv.toml",
        "home/.config/pdm/config.toml",
        "home/.config/pypoetry/auth.toml",
        "home/.devpi/client/auth.json",
        "etc/bandersnatch.conf",
    ],
)
@pytest.mark.parametrize(
    "text", [f"= {CANARY}\n", "[" * 5000, "\udcff"], ids=["syntax", "deep", "bytes"]
)
def test_a_damaged_file_is_a_note_without_its_text(home: Home, name: str, text: str) -> None:
    path = home.write(name, "")
    path.write_bytes(text.encode("utf-8", "surrogateescape"))
    proposal = home.proposal()

    assert len(proposal.notes) == 1
    assert proposal.notes[0].endswith(f"{path.name} is damaged, and was left out")


@pytest.mark.parametrize(
    "text",
    [
        "index = 7\n",
        'index = ["x"]\n',
        "[[index]]\nurl = 7\n",
        '[[index]]\nname = ["x"]\n',
        "index-url = false\ncache-dir = 9\nfind-links = 3\nextra-index-url = [1]\npip = 4\n",
    ],
)
def test_values_of_another_type_are_passed_over(home: Home, text: str) -> None:
    home.write("home/project/uv.toml", text)

    assert home.seen("uv") == []


def test_an_address_that_is_none_is_a_note_that_hides_its_secret(home: Home) -> None:
    bad = [
        f"https://u:{CANARY}@/simple",
        f"ftp://u:{CANARY}@f.example/",
        f"https://h.example/?t={CANARY}",
    ]
    home.write("home/project/uv.toml", f"extra-index-url = {json.dumps(bad)}\n")
    proposal = home.proposal()

    assert len(proposal.notes) == 3
    assert CANARY not in " ".join(proposal.notes)


# --- put together


def test_one_place_of_several_programs_is_one_location(home: Home) -> None:
    home.write("home/.config/pip/pip.conf", f"[global]\nextra-index-url = {OFFICE}/\n")
    home.write(
        "home/project/uv.toml", f'[[index]]\nname = "corp"\nurl = "{OFFICE}"\ndefault = true\n'
    )
    [_, office] = home.proposal().places

    assert (office.name, office.required) == ("corp", None)
    assert office.origins == (
        "pip's configuration (extra-index-url)",
        "uv: ~/project/uv.toml (index)",
    )


def test_places_of_the_same_name_get_numbers(home: Home) -> None:
    home.write(
        "home/.config/pip/pip.conf",
        "[global]\nindex-url = https://a.example/x\nextra-index-url = https://a.example/y\n"
        "    https://a.example/z\n",
    )

    assert [each.name for each in home.proposal().places] == [
        "a.example",
        "a.example 2",
        "a.example 3",
    ]


def test_pypi_named_in_full_is_pypi_with_its_address_where_pip_asks_elsewhere(home: Home) -> None:
    home.write("home/.config/pip/pip.conf", f"[global]\nindex-url = {OFFICE}\n")
    home.write("home/project/uv.toml", f'index-url = "{BUILTIN}/"\n')
    home.write(
        "etc/bandersnatch.conf", "[mirror]\ndirectory = /srv/pypi\nmaster = https://index.example\n"
    )
    pypi, office, mirror = home.proposal().places

    assert (pypi.name, pypi.kind, pypi.url) == ("PyPI", "pypi", f"{BUILTIN}/")
    assert office.kind == "simple"
    assert (mirror.name, mirror.upstream) == ("bandersnatch", "PyPI")


def test_netrc_is_noticed_and_its_login_dropped(home: Home) -> None:
    path = home.write("home/.netrc", f"machine office.example login me password {CANARY}\n")
    path.chmod(0o600)
    home.write("home/.config/pip/pip.conf", f"[global]\nindex-url = {OFFICE}\n")
    [office] = home.proposal().places

    assert office.in_netrc
    assert CANARY not in repr(office)
