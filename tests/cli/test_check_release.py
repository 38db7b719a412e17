"""`auditor check-release`, before and after the fix is published."""

from __future__ import annotations

import io
import json
import os
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest

from auditor.errors import UsageError
from auditor.lab.artifacts import build_release
from auditor.lab.story import BROKEN, FIXED, PROJECT
from auditor.lab.world import World
from auditor.releasing import read_proposed

from .conftest import Result, Run

Check = Callable[..., Result]


@pytest.fixture
def check(run: Run, world: World) -> Check:
    """Check the fix of the world's incident at its source."""

    def it(*words: object, fixed: str = FIXED, place: str = "source") -> Result:
        kind = "pypi" if place == "source" else "simple"
        where = f"{place}:{kind}={world.servers[place].simple_url}"
        question = (PROJECT, "--broken", BROKEN, "--fixed", fixed, "--location", where)
        return run("check-release", *question, *words)

    return it


@pytest.fixture
def built(tmp_path: Path) -> Callable[..., Path]:
    """Build a release into a directory, as one does before uploading it."""

    def build(version: str, *, wheel_only: bool = False) -> Path:
        directory = tmp_path / f"dist-{version}"
        directory.mkdir()
        for artifact in build_release(PROJECT, version)[: 1 if wheel_only else 2]:
            (directory / artifact.filename).write_bytes(artifact.content)
        return directory

    return build


def findings(result: Result) -> dict[str, dict[str, str]]:
    (one,) = json.loads(result.out)["checks"]
    return {each["code"]: each for each in one["findings"]}


def test_the_published_fix_is_ready(check: Check) -> None:
    result = check()
    assert (result.code, result.err) == (0, "")
    assert f"{FIXED} is what unpinned installs get" in result.out
    assert "tempting-delete" in result.out
    assert "\x1b" not in result.out


def test_json_says_the_same_to_programs(check: Check) -> None:
    document = json.loads(check("--format", "json").out)
    assert (document["schema_version"], document["exit_code"]) == (1, 0)
    (one,) = document["checks"]
    assert (one["project"], one["fixed"], one["last_good"]) == (PROJECT, FIXED, "1.2.2")


def test_a_place_without_the_fix_fails(check: Check) -> None:
    result = check(place="behind-mirror")
    assert result.code == 1, result.out
    assert "fix-not-listed" in result.out


def test_a_place_that_does_not_answer_leaves_it_open(run: Run) -> None:
    words = ("--broken", "1", "--fixed", "2", "--location", "simple=http://127.0.0.1:9/simple/")
    result = run("check-release", "x", *words, "--timeout", "2")
    assert result.code == 3
    assert "source-unread" in result.out


def test_files_are_checked_before_they_are_uploaded(
    check: Check, built: Callable[..., Path]
) -> None:
    result = check("--candidate", built("1.2.5"), "--format", "json", fixed="1.2.5")
    assert result.code == 0, result.out
    (one,) = json.loads(result.out)["checks"]
    assert one["proposed"] == [f"{PROJECT}-1.2.5-py3-none-any.whl", f"{PROJECT}-1.2.5.tar.gz"]
    assert one["sentence"].startswith("1.2.5 will be")


def test_a_renamed_wheel_is_found_out(check: Check, built: Callable[..., Path]) -> None:
    directory = built(BROKEN, wheel_only=True)
    (old,) = directory.iterdir()
    renamed = old.rename(directory / old.name.replace(BROKEN, "1.2.5"))
    result = check("--candidate", renamed, "--format", "json", fixed="1.2.5")
    assert result.code == 1
    assert findings(result)["candidate-metadata"]["observed"] == f"Version: {BROKEN}"


def test_other_bytes_for_a_published_file_are_a_reused_name(
    check: Check, built: Callable[..., Path]
) -> None:
    directory = built(FIXED, wheel_only=True)
    (file,) = directory.iterdir()
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"{PROJECT}/late.py", "changed = True\n")
    result = check("--candidate", directory, "--format", "json")
    assert result.code == 1
    assert "reused-name" in findings(result)


def test_a_dependants_cap_is_looked_at(check: Check) -> None:
    capped = check("--requirement", f"{PROJECT}<{FIXED}", "--format", "json")
    assert capped.code == 1
    assert findings(capped)["cap-excludes-fix"]["text"].endswith("and gets 1.2.2.")
    assert check("--requirement", f"{PROJECT}>=1").code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--requirement", "other<1"), "is for other, not for"),
        (("--requirement", "<<<"), "is no requirement"),
        (("--candidate", "no-such-file.whl"), "does not exist"),
        (("--candidate", os.devnull), "neither a wheel nor a source archive"),
        (("--candidate", Path(__file__).parent), "no wheel and no source archive lies there"),
    ],
)
def test_what_cannot_be_read_is_an_error_with_the_next_step(
    check: Check, words: tuple[object, ...], message: str
) -> None:
    result = check(*words)
    assert (result.code, result.out) == (2, "")
    assert message in result.err


def test_files_need_one_incident_to_belong_to(run: Run, tmp_path: Path) -> None:
    tables = "\n".join(
        f'[[incidents]]\nid = "{n}"\nproject = "{n}"\nbroken = ["1"]\nfixed = ["2"]'
        for n in ("a", "b")
    )
    file = tmp_path / "audit.toml"
    file.write_text(f'{tables}\n[[locations]]\nkind = "simple"\nurl = "http://127.0.0.1:9/"\n')
    result = run("check-release", "--config", file, "--requirement", "a<2")
    assert result.code == 2
    assert "--incident" in result.err
    one = run("check-release", "--config", file, "--incident", "a", "--requirement", "a<2")
    assert one.code == 1
    assert "cap-excludes-fix" in one.out


def test_a_fix_below_the_broken_release_is_no_question(check: Check) -> None:
    assert check(fixed="1.2.1").code == 2


def test_without_a_question_the_next_step_is_named(run: Run) -> None:
    result = run("check-release")
    assert result.code == 2
    assert "--broken" in result.err


@pytest.mark.parametrize("code", ["fix-builds-from-source", "tempting-delete", "yank-reason"])
def test_its_codes_can_be_looked_up(run: Run, code: str) -> None:
    result = run("explain", code)
    assert result.code == 0
    assert f"{code} (release)" in result.out


# --- hostile and damaged files ----------------------------------------------------------------


def wheel_with(path: Path, members: dict[str, bytes]) -> Path:
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return path


def problem_of(path: Path) -> str:
    (proposed,) = read_proposed([path], PROJECT)
    return proposed.problem


def test_damaged_and_hostile_files_are_told_of_and_never_believed(tmp_path: Path) -> None:
    name = f"{PROJECT}-1.2.5-py3-none-any.whl"
    empty = tmp_path / name
    empty.write_bytes(b"")
    assert "cannot be opened" in problem_of(empty)
    assert "0 files" in problem_of(wheel_with(empty, {"x/y": b""}))
    both = {f"{each}.dist-info/METADATA": b"Name: x\n" for each in ("a", "b")}
    assert "2 files" in problem_of(wheel_with(empty, both))
    bomb = {f"{PROJECT}-1.2.5.dist-info/METADATA": b"\0" * (9 * 2**20)}
    assert "8 MiB" in problem_of(wheel_with(empty, bomb))
    cut = tmp_path / f"{PROJECT}-1.2.5.tar.gz"
    cut.write_bytes(build_release(PROJECT, "1.2.5")[1].content[:200])
    assert "cannot be opened" in problem_of(cut)
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        link = tarfile.TarInfo(f"{PROJECT}-1.2.5/PKG-INFO")
        link.type, link.linkname = tarfile.SYMTYPE, "/etc/passwd"
        archive.addfile(link)
    cut.write_bytes(buffer.getvalue())
    assert "no PKG-INFO" in problem_of(cut)


def test_a_directory_is_read_for_distributions_only(built: Callable[..., Path]) -> None:
    directory = built("1.2.5")
    (directory / "notes.txt").write_text("x")
    (directory / "sub.whl").mkdir()
    found = read_proposed([directory, directory], PROJECT)
    assert [p.candidate.filename.endswith((".whl", ".gz")) for p in found] == [True, True]
    assert all(p.metadata_version == "1.2.5" and not p.problem for p in found)
    with pytest.raises(UsageError, match="no wheel"):
        read_proposed([directory / "sub.whl"], PROJECT)
