"""Kind `environment`: what is installed, by real pip, and what somebody did to it afterwards."""

from __future__ import annotations

import base64
import hashlib
import os
import shutil
import subprocess
import sys
import time
import zipfile
from collections.abc import Awaitable, Callable, Mapping
from functools import lru_cache
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

from auditor.lab.artifacts import build_release
from auditor.model import HeldState, Integrity, Observation, Outcome, PinState, Role
from probes.environment import KIND

from .conftest import MakeAssignment

Look = Callable[..., Awaitable[Observation]]


@pytest.fixture
def look(assign: MakeAssignment) -> Look:
    async def look(path: Path | str, **settings: str) -> Observation:
        return await KIND.observe(
            assign(path=str(path), kind="environment", role=Role.PIN, settings=settings)
        )

    return look


def wheel(directory: Path, version: str) -> Path:
    artifact, _ = build_release("brokenpkg", version)
    path = directory / artifact.filename
    path.write_bytes(artifact.content)
    return path


@lru_cache
def laid_out(version: str) -> Mapping[str, bytes]:
    """What pip itself lays out for a release, by path; asked once, as pip takes its time."""
    with TemporaryDirectory() as name:
        source, target = wheel(Path(name), version), Path(name, "site")
        command = [sys.executable, "-m", "pip", "--isolated", "--disable-pip-version-check"]
        command += ["install", "--quiet", "--no-deps", "--no-index", "--no-compile"]
        subprocess.run([*command, "--target", str(target), str(source)], check=True, timeout=60)
        files = [path for path in target.rglob("*") if path.is_file()]
        return {path.relative_to(target).as_posix(): path.read_bytes() for path in files}


def install(site: Path, version: str) -> None:
    for name, content in laid_out(version).items():
        (site / name).parent.mkdir(parents=True, exist_ok=True)
        (site / name).write_bytes(content)


@pytest.fixture
def site(tmp_path: Path) -> Path:
    (tmp_path / "venv/lib/python3.11/site-packages").mkdir(parents=True)
    (tmp_path / "venv/lib64").symlink_to("lib")
    return tmp_path / "venv/lib/python3.11/site-packages"


def a_module(site: Path) -> Path:
    return next(site.rglob("*.py"))


def info(site: Path, version: str) -> Path:
    return site / f"brokenpkg-{version}.dist-info"


async def test_an_installed_release_is_found_from_every_path(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    for path in (site, tmp_path / "venv", f"{tmp_path}/v*"):
        seen = await look(path)
        (pin,) = seen.pins
        assert (pin.version, pin.state, pin.integrity) == (
            "1.2.3",
            PinState.INSTALLED,
            Integrity.INTACT,
        )
        assert [h.state for h in seen.holdings] == [HeldState.HELD]
        assert (seen.outcome, seen.holdings_complete) == (Outcome.OBSERVED, True)
        (file,) = pin.files  # from direct_url.json: pip installed a file by its path
        assert file.hashes["sha256"] == build_release("brokenpkg", "1.2.3")[0].sha256


async def test_code_mended_in_place_is_told_from_the_original(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    module = a_module(site)
    module.write_text(module.read_text() + "\n# mended\n")
    (pin,) = (await look(site)).pins
    assert (pin.version, pin.integrity) == ("1.2.3", Integrity.PATCHED)
    assert module.name in pin.how


async def test_code_replaced_under_its_number_is_told_by_the_released_wheel(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.2")
    renamed = info(site, "1.2.2").rename(info(site, "1.2.3"))
    for path in (renamed / "METADATA", renamed / "RECORD"):
        path.write_text(path.read_text().replace("1.2.2", "1.2.3"))
    reference = wheel(tmp_path, "1.2.3")
    (pin,) = (await look(site, reference=str(reference))).pins
    assert (pin.version, pin.integrity) == ("1.2.3", Integrity.REPLACED)
    install(site, "1.2.3")
    (pin,) = (await look(site, reference=str(reference))).pins
    assert pin.integrity is Integrity.INTACT


def rename_as(site: Path, version: str, wanted: str) -> None:
    """Let the metadata and its RECORD, to the last digest, say another version."""
    renamed = info(site, version).rename(info(site, wanted))
    metadata = renamed / "METADATA"
    metadata.write_text(metadata.read_text().replace(version, wanted))
    digest = base64.urlsafe_b64encode(hashlib.sha256(metadata.read_bytes()).digest()).rstrip(b"=")
    rows = (renamed / "RECORD").read_text().replace(version, wanted).splitlines()
    (renamed / "RECORD").write_text(
        "".join(
            f"{row.split(',')[0]},sha256={digest.decode()},\n" if "METADATA," in row else f"{row}\n"
            for row in rows
        )
    )


async def test_the_broken_code_under_the_number_of_the_fix_is_told_by_the_released_wheel(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    rename_as(site, "1.2.3", "1.2.4")
    (pin,) = (await look(site)).pins
    assert (pin.version, pin.code, pin.integrity) == ("1.2.4", None, Integrity.INTACT)
    seen = await look(site, reference=str(wheel(tmp_path, "1.2.3")))
    (pin,) = seen.pins
    assert (pin.version, pin.code, pin.integrity) == ("1.2.4", "1.2.3", Integrity.INTACT)
    assert "its code is that of 1.2.3" in pin.how
    assert [h.version for h in seen.holdings] == ["1.2.3"]


async def test_the_fix_is_not_accused_of_being_another_release_than_the_reference(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.4")
    (pin,) = (await look(site, reference=str(wheel(tmp_path, "1.2.3")))).pins
    assert (pin.version, pin.code, pin.integrity) == ("1.2.4", None, Integrity.INTACT)


async def test_broken_code_copied_over_the_fix_is_told_with_and_without_the_released_wheel(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.4")
    with zipfile.ZipFile(wheel(tmp_path, "1.2.3")) as released:
        released.extractall(site, [n for n in released.namelist() if ".dist-info/" not in n])
    (pin,) = (await look(site)).pins
    assert (pin.version, pin.code, pin.integrity) == ("1.2.4", None, Integrity.PATCHED)
    (pin,) = (await look(site, reference=str(tmp_path / wheel(tmp_path, "1.2.3").name))).pins
    assert (pin.version, pin.code, pin.integrity) == ("1.2.4", "1.2.3", Integrity.PATCHED)


async def test_code_without_metadata_is_found_by_the_released_wheel(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    shutil.rmtree(info(site, "1.2.3"))
    assert (await look(site)).outcome is Outcome.ABSENT
    seen = await look(site, reference=str(wheel(tmp_path, "1.2.3")))
    (pin,) = seen.pins
    assert (pin.version, pin.code, seen.outcome) == (None, "1.2.3", Outcome.OBSERVED)
    assert seen.holdings_complete is True


async def test_a_reference_of_another_project_or_none_is_said_and_compared_with_nothing(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    artifact, _ = build_release("otherpkg", "1.2.3")
    other = tmp_path / artifact.filename
    other.write_bytes(artifact.content)
    for reference in (other, tmp_path / "gone.whl", site):
        seen = await look(site, reference=str(reference))
        assert any("nothing is compared with the release" in note for note in seen.notes)
        assert seen.pins[0].integrity is Integrity.INTACT


def remove(site: Path, *names: str) -> None:
    for name in names:
        place = site / name
        shutil.rmtree(place) if place.is_dir() else place.unlink()


def keep(site: Path, ending: str) -> None:
    """Remove everything whose name does not end so."""
    remove(site, *(path.name for path in site.iterdir() if not path.name.endswith(ending)))


def record_more(site: Path, version: str, **contents: str) -> None:
    """Add files to a release that is installed, as if it had brought them."""
    for name, content in contents.items():
        path = site / name.replace("__dot__", ".").replace("__in__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
        digest = base64.urlsafe_b64encode(hashlib.sha256(content.encode()).digest())
        relative = path.relative_to(site).as_posix()
        with (info(site, version) / "RECORD").open("a") as record:
            record.write(f"{relative},sha256={digest.rstrip(b'=').decode()},{len(content)}\n")


@pytest.mark.parametrize(
    ("removed", "integrity"),
    [
        ("brokenpkg/tests", Integrity.INTACT),  # as images are made smaller
        ("brokenpkg/notes.txt", Integrity.INTACT),
        ("brokenpkg/more.py", Integrity.PATCHED),  # something else may stand in for it
        ("brokenpkg-1.2.4.dist-info/METADATA", Integrity.PATCHED),
    ],
)
async def test_what_was_removed_counts_where_something_else_may_stand_in_for_it(
    look: Look, site: Path, tmp_path: Path, removed: str, integrity: Integrity
) -> None:
    install(site, "1.2.4")
    (site / "brokenpkg").mkdir(exist_ok=True)
    files = {
        "brokenpkg__in__tests__in__test_it__dot__py": "assert True\n",
        "brokenpkg__in__notes__dot__txt": "notes\n",
        "brokenpkg__in__more__dot__py": "more = 1\n",
    }
    record_more(site, "1.2.4", **files)
    remove(site, removed)
    (pin,) = (await look(site)).pins
    assert pin.integrity is integrity
    assert "removed" in pin.how or "missing" in pin.how


async def test_metadata_of_which_no_code_is_left_says_nothing_of_what_runs(
    look: Look, site: Path
) -> None:
    install(site, "1.2.4")
    keep(site, ".dist-info")
    (pin,) = (await look(site)).pins
    assert pin.integrity is Integrity.PATCHED


async def test_a_launcher_that_names_its_interpreter_anew_is_no_other_code(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.4")
    launcher = tmp_path / "venv/bin/brokenpkg"
    launcher.parent.mkdir()
    launcher.write_text("#!/new/place/bin/python\n")
    with (info(site, "1.2.4") / "RECORD").open("a") as record:
        record.write("../../../bin/brokenpkg,sha256=AAAA,7\n")
    (pin,) = (await look(site)).pins
    assert (pin.integrity, "rewritten" in pin.how) == (Integrity.INTACT, True)


@pytest.mark.parametrize(
    "record", ["", "brokenpkg/__init__.py,,\n", "../../../../../../x,sha256=aa,1\n"]
)
async def test_a_record_that_lists_nothing_to_compare_tells_as_little_as_none(
    look: Look, site: Path, tmp_path: Path, record: str
) -> None:
    install(site, "1.2.4")
    (info(site, "1.2.4") / "RECORD").write_text(record)
    (pin,) = (await look(site)).pins
    assert (pin.integrity, pin.how) == (
        Integrity.STATED,
        "its RECORD lists no file with a digest",
    )


async def test_digests_in_hexadecimal_as_debian_writes_them_are_read(
    look: Look, site: Path
) -> None:
    install(site, "1.2.4")
    module = a_module(site)
    digest = hashlib.sha256(module.read_bytes()).hexdigest()
    (info(site, "1.2.4") / "RECORD").write_text(f"{module.name},sha256={digest},1\n")
    (pin,) = (await look(site)).pins
    assert pin.integrity is Integrity.INTACT
    module.write_text("other = 1\n")
    (pin,) = (await look(site)).pins
    assert pin.integrity is Integrity.PATCHED


async def test_a_distribution_of_the_systems_packager_has_no_record(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.4")
    (info(site, "1.2.4") / "RECORD").unlink()
    (pin,) = (await look(site)).pins
    assert (pin.integrity, "no RECORD" in pin.how) == (Integrity.STATED, True)


async def test_metadata_left_behind_is_not_the_code_that_runs(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    kept = info(site, "1.2.3").rename(tmp_path / "kept")
    install(site, "1.2.4")
    kept.rename(info(site, "1.2.3"))
    seen = await look(site)
    states = {pin.version: pin.state for pin in seen.pins}
    assert states["1.2.4"] is PinState.INSTALLED
    assert states["1.2.3"] is PinState.SHADOWED
    assert {h.version: h.state for h in seen.holdings}["1.2.3"] is HeldState.SHADOWED


async def test_the_metadata_counts_not_the_name_of_its_directory(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    info(site, "1.2.3").rename(info(site, "9.9"))
    (pin,) = (await look(site)).pins
    assert pin.version == "1.2.3"


async def test_old_and_unnormalised_layouts_are_found(look: Look, site: Path) -> None:
    egg = site / "BrokenPkg-1.2.3-py3.11.egg-info"
    egg.write_text("Metadata-Version: 1.1\nName: BrokenPkg\nVersion: 1.2.3\n")
    (pin,) = (await look(site)).pins
    assert (pin.version, pin.integrity) == ("1.2.3", Integrity.STATED)


async def test_another_project_with_a_similar_name_is_not_ours(look: Look, site: Path) -> None:
    for name in ("brokenpkg_tools-1.2.3.dist-info", "brokenpkg2-1.2.3.dist-info"):
        (site / name).mkdir()
    seen = await look(site)
    assert (seen.outcome, seen.pins) == (Outcome.ABSENT, ())


async def test_a_version_that_nobody_states_forbids_clean(look: Look, site: Path) -> None:
    (site / "brokenpkg.egg-info").mkdir()
    seen = await look(site)
    assert seen.holdings_complete is False


@pytest.mark.parametrize(
    "record",
    [
        "brokenpkg/__init__.py,sha256=!!!,1\n",
        "../../../../../../../../../etc/passwd,sha256=aaaa,1\n",
        '"unclosed\n',
        "\0,sha256=aaaa,1\n",
        "pipe,sha256=aaaa,1\n",
    ],
)
async def test_a_hostile_record_is_never_trusted_nor_fatal(
    look: Look, site: Path, tmp_path: Path, record: str
) -> None:
    install(site, "1.2.3")
    os.mkfifo(site / "pipe")
    (info(site, "1.2.3") / "RECORD").write_text(record)
    (pin,) = (await look(site)).pins
    assert pin.version == "1.2.3"
    assert pin.integrity is not Integrity.INTACT


async def test_nothing_is_read_as_absent_where_nothing_was_read(look: Look, tmp_path: Path) -> None:
    assert (await look(tmp_path / "gone")).outcome is Outcome.UNREACHABLE
    assert (await look(f"{tmp_path}/gone*")).outcome is Outcome.UNREACHABLE
    assert (await look(tmp_path)).outcome is Outcome.MALFORMED


async def test_an_editable_install_is_told(look: Look, site: Path, tmp_path: Path) -> None:
    install(site, "1.2.3")
    stated = '{"url": "file:///src/brokenpkg", "dir_info": {"editable": true}}'
    (info(site, "1.2.3") / "direct_url.json").write_text(stated)
    (pin,) = (await look(site)).pins
    assert "editable" in pin.how
    assert pin.files == ()


async def test_credentials_in_direct_url_never_get_out(
    look: Look, site: Path, tmp_path: Path
) -> None:
    install(site, "1.2.3")
    stated = '{"url": "https://me:cAnary-42@host.example/brokenpkg-1.2.3-py3-none-any.whl"}'
    (info(site, "1.2.3") / "direct_url.json").write_text(stated)
    assert "cAnary-42" not in repr(await look(site))


async def test_a_system_wide_addition_is_mentioned(look: Look, site: Path, tmp_path: Path) -> None:
    (tmp_path / "venv/pyvenv.cfg").write_text("include-system-site-packages = true\n")
    install(site, "1.2.4")
    assert any("system" in note for note in (await look(tmp_path / "venv")).notes)


def stated(site: Path, version: str, ending: str = "dist-info") -> Path:
    """Metadata of an installed release, and nothing else of it."""
    directory = site / f"brokenpkg-{version}.{ending}"
    directory.mkdir(parents=True)
    name = "METADATA" if ending == "dist-info" else "PKG-INFO"
    (directory / name).write_text(f"Metadata-Version: 2.1\nName: brokenpkg\nVersion: {version}\n")
    return directory


async def test_a_system_wide_addition_that_was_not_looked_at_forbids_absent(
    look: Look, site: Path, tmp_path: Path
) -> None:
    (tmp_path / "venv/pyvenv.cfg").write_text("include-system-site-packages = true\n")
    seen = await look(tmp_path / "venv")
    assert (seen.outcome, seen.holdings_complete) == (Outcome.OBSERVED, False)
    # What the environment has itself hides what the system has.
    stated(site, "1.2.4")
    assert (await look(tmp_path / "venv")).holdings_complete is True


async def test_a_directory_that_a_pth_file_adds_is_looked_at(
    look: Look, site: Path, tmp_path: Path
) -> None:
    stated(tmp_path / "elsewhere", "1.2.3")
    (site / "more.pth").write_text(
        f"# a comment\nimport harmless\n/no/such\n{tmp_path}/elsewhere\n"
    )
    seen = await look(site)
    assert [pin.version for pin in seen.pins] == ["1.2.3"]
    assert seen.holdings_complete is True
    # The environment's own copy is imported first.
    stated(site, "1.2.4")
    assert [pin.version for pin in (await look(site)).pins] == ["1.2.4"]


@pytest.mark.parametrize(
    ("line", "complete"),
    [
        ("import sys; sys.path.append('/opt/more')", False),
        ("import site; site.addsitedir('/opt/more')", False),
        ("import sys; sys.__plen = len(sys.path)", True),
        ("import os; __import__('_distutils_hack')", True),
        (".", True),
        ("\0", True),
    ],
)
async def test_a_pth_file_is_never_run_and_one_that_may_add_directories_is_said(
    look: Look, site: Path, line: str, *, complete: bool
) -> None:
    (site / "more.pth").write_text(f"{line}\n")
    seen = await look(site)
    assert (seen.outcome is Outcome.ABSENT) is complete
    assert seen.holdings_complete is complete


async def test_a_pth_file_that_cannot_be_read_forbids_absent(look: Look, site: Path) -> None:
    os.mkfifo(site / "more.pth")
    assert (await look(site)).holdings_complete is False


async def test_a_development_link_leads_to_its_source_tree(
    look: Look, site: Path, tmp_path: Path
) -> None:
    tree = tmp_path / "src"
    stated(tree, "1.2.3", "egg-info").rename(tree / "brokenpkg.egg-info")
    (site / "BrokenPkg.egg-link").write_text(f"{tree}\n.\n")
    (pin,) = (await look(site)).pins
    assert (pin.version, "editable" in pin.how) == ("1.2.3", True)
    assert pin.where.endswith("BrokenPkg.egg-link")


async def test_a_development_link_that_leads_nowhere_is_unknown(look: Look, site: Path) -> None:
    (site / "brokenpkg.egg-link").write_text("/no/such/tree\n.\n")
    seen = await look(site)
    assert (seen.outcome, seen.holdings_complete) == (Outcome.OBSERVED, False)


async def test_development_links_that_lead_in_a_circle_end(
    look: Look, site: Path, tmp_path: Path
) -> None:
    (site / "brokenpkg.egg-link").write_text(f"{site}\n.\n")
    assert (await look(site)).holdings_complete is False


async def test_a_version_that_is_none_forbids_clean_whatever_the_directory_says(
    look: Look, site: Path
) -> None:
    directory = stated(site, "1.2.3")
    (directory / "METADATA").write_text("Name: brokenpkg\nVersion: no version\n")
    seen = await look(site)
    assert seen.holdings_complete is False
    assert "no version" in seen.pins[0].how


async def test_metadata_of_many_headers_takes_no_time(look: Look, site: Path) -> None:
    headers = "".join(f"x{n}:\n" for n in range(100_000))
    text = f"{headers}Name: brokenpkg\nVersion: 1.2.3\n"
    (stated(site, "9") / "METADATA").write_text(text)
    started = time.process_time()
    (pin,) = (await look(site)).pins
    assert time.process_time() - started < 2
    assert pin.version == "1.2.3"
