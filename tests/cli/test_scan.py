"""`auditor scan`: what lies in a directory is recognised, audited, and nothing is guessed."""

from __future__ import annotations

import bz2
import gzip
import io
import json
import os
import random
import tarfile
import zipfile
from pathlib import Path

import pytest

from auditor.contracts import Met
from auditor.lab.artifacts import build_release
from auditor.lab.pip_home import fill_pip_cache
from auditor.registry import load_kinds
from auditor.scanning import scan

from .conftest import Run

WHEEL, _ = build_release("brokenpkg", "1.2.3")
GOOD, _ = build_release("brokenpkg", "1.2.4")
QUESTION = ("--project", "brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4")


@pytest.fixture
def home(tmp_path: Path) -> Path:
    """A machine's directories, as a CI runner has them."""
    top = tmp_path / "home"
    (top / "wheels").mkdir(parents=True)
    (top / "wheels" / WHEEL.filename).write_bytes(WHEEL.content)
    site = top / "app/.venv/lib/python3.11/site-packages"
    (site / "brokenpkg-1.2.3.dist-info").mkdir(parents=True)
    (site / "brokenpkg-1.2.3.dist-info/METADATA").write_text("Name: brokenpkg\nVersion: 1.2.3\n")
    (top / "app/.venv/pyvenv.cfg").write_text("home = /usr/bin\n")
    (top / "app/requirements.txt").write_text("brokenpkg==1.2.3\n")
    (top / "app/README.txt").write_text("brokenpkg==1.2.3\n")
    with tarfile.open(top / "cache.tar.gz", "w:gz") as archive:
        archive.add(top / "wheels", "wheels")
    (top / "brokenpkg-1.2.3.tar.gz").write_bytes(b"a release, no archive of files")
    return top


def recognised(top: Path) -> set[tuple[str, str]]:
    found = scan([top], load_kinds())
    return {(place.kind, str(place.path.relative_to(top))) for place in found.places}


def test_each_place_is_recognised_once(home: Path) -> None:
    assert recognised(home) == {
        ("wheelhouse", "."),
        ("wheelhouse", "wheels"),
        ("environment", "app/.venv"),
        ("lockfile", "app/requirements.txt"),
        ("archive", "cache.tar.gz"),
    }


def test_what_it_recognises_is_audited(home: Path, run: Run) -> None:
    done = run("scan", str(home), *QUESTION, "--format", "json")
    rows = {Path(row["locator"]).name: row for row in json.loads(done.out)["locations"]}
    assert {kind: row["status"] for kind, row in rows.items()} == {
        "wheels": "exposed",
        "home": "unknown",
        ".venv": "pinned",
        "requirements.txt": "pinned",
        "cache.tar.gz": "latent",
    }
    assert done.code == 1


def test_a_machine_without_the_project_is_no_mistake(tmp_path: Path, run: Run) -> None:
    (tmp_path / "requirements.txt").write_text("another==1\n")
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    assert done.code == 0
    assert [row["status"] for row in json.loads(done.out)["locations"]] == ["absent"]


def test_a_place_without_the_project_is_not_demanded_and_one_that_cannot_be_read_is(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "requirements.txt").write_text("another==1\n")
    (tmp_path / "cache.tar.gz").write_bytes(b"\x1f\x8b and no more of it")
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    rows = {
        row["kind"]: (row["status"], row["required"]) for row in json.loads(done.out)["locations"]
    }
    assert rows == {"lockfile": ("absent", False), "archive": ("unknown", True)}
    assert done.code == 3


def test_nothing_recognised_is_said_and_not_called_clean(tmp_path: Path, run: Run) -> None:
    report = tmp_path / "report.md"
    done = run(
        "scan", str(tmp_path), *QUESTION, "--format", "json", "--report", f"markdown={report}"
    )
    document = json.loads(done.out)
    assert (done.code, document["summary"]["exit_code"]) == (3, 3)
    assert [(row["name"], row["status"]) for row in document["locations"]] == [
        ("not looked into", "unknown")
    ]
    assert "nothing was recognised in 1 directory and 0 files" in done.err
    assert report.exists()
    assert run("scan", str(tmp_path), *QUESTION, "--exit-zero").code == 0


def test_a_path_that_does_not_exist_is_a_mistake(tmp_path: Path, run: Run) -> None:
    done = run("scan", str(tmp_path / "gone"), *QUESTION)
    assert done.code == 2
    assert "does not exist" in done.err


def test_a_scan_without_a_question_says_what_is_missing(home: Path, run: Run) -> None:
    done = run("scan", str(home))
    assert done.code == 2
    assert "--project" in done.err or "PROJECT" in done.err


def test_no_link_is_followed_and_loops_end(home: Path, tmp_path: Path) -> None:
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / WHEEL.filename).write_bytes(WHEEL.content)
    (home / "loop").symlink_to(home)
    (home / "away").symlink_to(outside)
    os.mkfifo(home / "requirements.txt")
    assert {kind for kind, path in recognised(home)} == {
        "wheelhouse",
        "environment",
        "lockfile",
        "archive",
    }
    assert not any(path.startswith(("loop", "away")) for _, path in recognised(home))


def test_what_was_passed_over_is_told_and_makes_a_scan_inconclusive(
    tmp_path: Path, run: Run
) -> None:
    (tmp_path / "outside").mkdir()
    (tmp_path / "top").mkdir()
    (tmp_path / "top/away").symlink_to(tmp_path / "outside")
    (tmp_path / "top/round").symlink_to(tmp_path / "top")
    done = run("scan", str(tmp_path / "top"), *QUESTION)
    assert done.code == 3
    assert str(tmp_path / "outside") in done.err
    assert "round" not in done.err
    assert run("scan", str(tmp_path / "top"), *QUESTION, "--exit-zero").code == 0


def test_a_link_to_a_file_is_that_file_once(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "production").write_text("brokenpkg==1.2.3\n")
    (tmp_path / "top/requirements.txt").symlink_to(tmp_path / "production")
    assert recognised(tmp_path / "top") == {("lockfile", "requirements.txt")}
    (tmp_path / "top/again").mkdir()
    (tmp_path / "top/again/requirements.txt").symlink_to("../requirements.txt")
    (tmp_path / "top/requirements.txt").unlink()
    (tmp_path / "top/requirements.txt").write_text("brokenpkg==1.2.3\n")
    assert recognised(tmp_path / "top") == {("lockfile", "requirements.txt")}


def test_an_environment_owns_no_more_than_its_packages(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    (site / "brokenpkg-1.2.3.dist-info").mkdir(parents=True)
    (site / "other/requirements").mkdir(parents=True)
    (site / "other/requirements.txt").write_text("brokenpkg==1.2.3\n")
    (tmp_path / "pyvenv.cfg").write_text("home = /usr/bin\n")
    (tmp_path / "requirements.txt").write_text("brokenpkg==1.2.3\n")
    assert recognised(tmp_path) == {("environment", "."), ("lockfile", "requirements.txt")}


@pytest.mark.parametrize(
    "name", ["requirements/prod.txt", "sys/requirements.txt", "constraints/a.in"]
)
def test_requirements_are_recognised_by_their_directory_too(tmp_path: Path, name: str) -> None:
    path = tmp_path / name
    path.parent.mkdir()
    path.write_text("brokenpkg==1.2.3\n")
    assert recognised(tmp_path) == {("lockfile", name)}


def test_what_pip_installs_to_a_target_is_an_environment(tmp_path: Path, run: Run) -> None:
    info = tmp_path / "vendor/brokenpkg-1.2.3.dist-info"
    info.mkdir(parents=True)
    (info / "METADATA").write_text("Name: brokenpkg\nVersion: 1.2.3\n")
    (tmp_path / "vendor/other").mkdir()
    (tmp_path / "vendor/other/requirements.txt").write_text("brokenpkg\n")
    assert recognised(tmp_path) == {("environment", "vendor")}
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    assert [row["status"] for row in json.loads(done.out)["locations"]] == ["pinned"]


def test_a_wheel_that_was_named_is_looked_at(tmp_path: Path, run: Run) -> None:
    (tmp_path / WHEEL.filename).write_bytes(WHEEL.content)
    done = run("scan", str(tmp_path / WHEEL.filename), *QUESTION, "--format", "json")
    (row,) = json.loads(done.out)["locations"]
    assert (row["kind"], row["broken"]["held"]) == ("wheelhouse", "held")


def tar_with(path: Path, name: str, content: bytes = b"{}") -> None:
    with tarfile.open(path, "w:gz") as archive:
        header = tarfile.TarInfo(name)
        header.size = len(content)
        archive.addfile(header, io.BytesIO(content))


@pytest.mark.parametrize(
    "first",
    ["manifest.json", "blobs/sha256/" + "0" * 64, "0" * 64 + ".tar.gz", "sha256:" + "0" * 64],
)
def test_a_compressed_image_is_no_archive(tmp_path: Path, first: str) -> None:
    tar_with(tmp_path / "image.tar.gz", first)
    assert recognised(tmp_path) == {("image", "image.tar.gz")}


def test_what_is_called_like_a_release_is_an_archive_unless_it_is_one(tmp_path: Path) -> None:
    tar_with(tmp_path / "wheelhouse-2026.tar.gz", f"wheelhouse-2026/{WHEEL.filename}")
    tar_with(tmp_path / "other-1.0.tar.gz", "other-1.0/PKG-INFO")
    assert recognised(tmp_path) == {("archive", "wheelhouse-2026.tar.gz"), ("wheelhouse", ".")}
    (tmp_path / "other-1.0.tar.gz").unlink()
    assert recognised(tmp_path) == {("archive", "wheelhouse-2026.tar.gz")}


def test_a_source_archive_without_a_wheel_beside_it_is_looked_at(tmp_path: Path, run: Run) -> None:
    tar_with(
        tmp_path / "brokenpkg-1.2.3.tar.gz",
        "brokenpkg-1.2.3/PKG-INFO",
        b"Metadata-Version: 2.1\nName: brokenpkg\nVersion: 1.2.3\n",
    )
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    assert [row["status"] for row in json.loads(done.out)["locations"]] == ["exposed"]


@pytest.mark.parametrize("packing", ["", "gz", "xz", "bz2"])
@pytest.mark.parametrize("name", ["cachefile", "x.tgz.1", "ci.cache", "data.bin"])
def test_an_archive_without_a_name_of_one_is_opened(
    tmp_path: Path, run: Run, name: str, packing: str
) -> None:
    with tarfile.open(tmp_path / name, f"w:{packing}") as archive:  # type: ignore[call-overload]  # typeshed wants literals
        header = tarfile.TarInfo(f"wheels/{WHEEL.filename}")
        header.size = len(WHEEL.content)
        archive.addfile(header, io.BytesIO(WHEEL.content))
    (tmp_path / GOOD.filename).write_bytes(GOOD.content)
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    rows = {row["kind"]: row["status"] for row in json.loads(done.out)["locations"]}
    assert rows == {"wheelhouse": "clean", "archive": "latent"}


@pytest.mark.parametrize("prefix", [b"", b"#!/usr/bin/env python3\n"], ids=["zip", "program"])
def test_a_zip_file_and_a_program_that_is_one_are_opened(tmp_path: Path, prefix: bytes) -> None:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        archive.writestr("__main__.py", "print()")
    (tmp_path / "tool").write_bytes(prefix + content.getvalue())
    (tmp_path / "script").write_text("#!/usr/bin/env python3\nprint()\n")
    (tmp_path / "sums.jar").write_bytes(content.getvalue())
    assert recognised(tmp_path) == {("archive", "tool")}


@pytest.mark.parametrize(
    ("name", "content", "told"),
    [
        ("a", b"7z\xbc\xaf\x27\x1c" + bytes(100), "not read"),
        ("b", b"Rar!\x1a\x07\x01\x00" + bytes(100), "not read"),
        ("c.tar.lz4", b"anything at all, and no archive", "not read"),
        ("d", WHEEL.content[:200], "does not open"),
        ("e", gzip.compress(random.Random(1).randbytes(4000))[:100], "does not open"),
        ("f", gzip.compress(gzip.compress(b"packed twice, of whatever it is")), "does not open"),
    ],
    ids=list("abcdef"),
)
def test_what_could_be_an_archive_and_does_not_open_makes_a_scan_inconclusive(
    tmp_path: Path, run: Run, name: str, content: bytes, told: str
) -> None:
    (tmp_path / GOOD.filename).write_bytes(GOOD.content)
    (tmp_path / name).write_bytes(content)
    done = run("scan", str(tmp_path), *QUESTION)
    assert done.code == 3
    assert f"{tmp_path / name}: " in done.err
    assert told in done.err
    assert "exit code 0" not in done.out
    assert "All good" not in done.out


def test_a_file_that_may_not_be_read_makes_a_scan_inconclusive(
    tmp_path: Path, run: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / GOOD.filename).write_bytes(GOOD.content)
    (tmp_path / "cachefile").write_bytes(bytes(100))

    def refuse(path: Path) -> None:
        raise PermissionError(13, "Permission denied", str(path))

    # The tests may run as root, whom no mode of a file keeps out.
    monkeypatch.setattr("probes.archives.unnamed.open_regular", refuse)
    done = run("scan", str(tmp_path), *QUESTION)
    assert done.code == 3
    assert f"{tmp_path / 'cachefile'}: it cannot be read: Permission denied" in done.err


def test_what_is_compressed_and_no_archive_is_passed_over(tmp_path: Path, run: Run) -> None:
    (tmp_path / GOOD.filename).write_bytes(GOOD.content)
    (tmp_path / "syslog.1.gz").write_bytes(gzip.compress(b"a line of a log\n" * 100))
    (tmp_path / "manual").write_bytes(bz2.compress(b".TH MANUAL 1\n" * 100))
    done = run("scan", str(tmp_path), *QUESTION)
    assert (done.code, "not looked into" in done.err) == (0, False)


def test_a_link_that_leads_to_itself_hides_nothing_beside_it(tmp_path: Path, run: Run) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    (tmp_path / GOOD.filename).write_bytes(GOOD.content)
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    assert [row["kind"] for row in json.loads(done.out)["locations"]] == ["wheelhouse"]
    assert done.code == 0


def test_what_a_link_leads_to_out_of_the_scan_is_opened_or_told(tmp_path: Path) -> None:
    (tmp_path / "top").mkdir()
    (tmp_path / "cut").write_bytes(WHEEL.content[:200])
    (tmp_path / "whole").write_bytes((tmp_path / "cut").read_bytes())
    tar_with(tmp_path / "whole", WHEEL.filename, WHEEL.content)
    for name in ("cut", "whole"):
        (tmp_path / "top" / name).symlink_to(tmp_path / name)
    found = scan([tmp_path / "top"], load_kinds())
    assert [(place.kind, place.path.name) for place in found.places] == [("archive", "whole")]
    assert [text.partition(": ")[0] for text in found.unread] == [str(tmp_path / "top/cut")]


def test_names_with_newlines_and_escapes_are_made_safe(tmp_path: Path, run: Run) -> None:
    odd = tmp_path / "a\nb\x1b[31m"
    odd.mkdir()
    (odd / "requirements.txt").write_text("brokenpkg==1.2.3\n")
    done = run("scan", str(tmp_path), *QUESTION)
    assert done.code == 1
    assert "\x1b[31m" not in done.out + done.err


def test_two_places_of_one_name_are_told_apart(tmp_path: Path, run: Run) -> None:
    for top in ("x", "y"):
        directory = tmp_path / top / "same/deep"
        directory.mkdir(parents=True)
        (directory / "requirements.txt").write_text("brokenpkg==1.2.3\n")
    done = run("scan", str(tmp_path), *QUESTION, "--format", "json")
    names = [row["name"] for row in json.loads(done.out)["locations"]]
    assert len(set(names)) == 2


@pytest.mark.parametrize(
    ("tops", "names"),
    [
        (["."], ["lockfile a/requirements.txt", "lockfile b/same/requirements.txt"]),
        (["b"], ["lockfile same/requirements.txt"]),
        (["a", "b"], ["lockfile a/requirements.txt", "lockfile b/same/requirements.txt"]),
        (["a/requirements.txt"], ["lockfile requirements.txt"]),
    ],
)
def test_a_place_is_called_by_its_path_from_where_the_scan_began(
    tmp_path: Path, run: Run, tops: list[str], names: list[str]
) -> None:
    for directory in ("a", "b/same"):
        (tmp_path / directory).mkdir(parents=True)
        (tmp_path / directory / "requirements.txt").write_text("brokenpkg==1.2.3\n")
    done = run("scan", *(str(tmp_path / top) for top in tops), *QUESTION, "--format", "json")
    assert [row["name"] for row in json.loads(done.out)["locations"]] == names


def test_pips_cache_is_recognised(tmp_path: Path) -> None:
    headers = {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Cache-Control": "max-age=600"}
    url = "http://index.example/simple/brokenpkg/"
    fill_pip_cache(tmp_path / "cache/pip", url=url, body=b"{}", headers=headers)
    assert recognised(tmp_path) == {("pip-cache", "cache/pip")}


def test_a_file_that_was_named_is_looked_at(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "cache.tar", "w") as archive:
        archive.add(__file__, "x")
    found = scan([tmp_path / "cache.tar"], load_kinds())
    assert [place.kind for place in found.places] == ["archive"]


def test_every_kind_that_recognises_says_no_to_an_empty_directory_and_file(
    tmp_path: Path,
) -> None:
    (tmp_path / "empty").touch()
    for kind in load_kinds().values():
        if kind.recognises is not None:
            assert not kind.recognises(Met(tmp_path, frozenset({"empty"})))
            assert not kind.recognises(Met(tmp_path / "empty"))
