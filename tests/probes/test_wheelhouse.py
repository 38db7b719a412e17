"""The kind `wheelhouse` on real directories, with wheels and source archives built here."""

from __future__ import annotations

import asyncio
import gzip
import hashlib
import io
import os
import shlex
import subprocess
import sys
import tarfile
import zipfile
from collections.abc import Callable
from pathlib import Path

import pytest
from aiohttp import web

from auditor.model import (
    FileHosting,
    Fingerprint,
    HeldState,
    Outcome,
    PageOutcome,
    Role,
    Status,
    View,
    Yank,
)
from probes import wheelhouse
from tests.probes.conftest import MakeAssignment, Serve, entry, json_page, page_response

observe = wheelhouse.KIND.observe


def core_metadata(name: str, version: str, requires_python: str = "") -> str:
    lines = ["Metadata-Version: 2.1", f"Name: {name}", f"Version: {version}"]
    if requires_python:
        lines.append(f"Requires-Python: {requires_python}")
    return "\n".join(lines) + "\n\nA description.\n"


def wheel(
    directory: Path,
    version: str,
    *,
    says: str | None = None,
    name: str = "brokenpkg",
    directory_name: str | None = None,
    python: str = "",
) -> Path:
    """Build a wheel that pip installs, and that may lie about its version."""
    path = directory / f"brokenpkg-{version}-py3-none-any.whl"
    info = f"{directory_name or name}-{says or version}.dist-info"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("brokenpkg.py", f"__version__ = '{says or version}'\n")
        archive.writestr(f"{info}/METADATA", core_metadata(name, says or version, python))
        archive.writestr(
            f"{info}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n"
        )
        archive.writestr(f"{info}/RECORD", "")
    return path


def sdist(directory: Path, version: str, *, python: str = "", members: int = 1) -> Path:
    path = directory / f"brokenpkg-{version}.tar.gz"
    text = core_metadata("brokenpkg", version, python).encode()
    with tarfile.open(path, "w:gz") as archive:
        for number in range(members):
            archive.addfile(tarfile.TarInfo(f"brokenpkg-{version}/{number}.py"))
        member = tarfile.TarInfo(f"brokenpkg-{version}/PKG-INFO")
        member.size = len(text)
        archive.addfile(member, io.BytesIO(text))
    return path


def sha256(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


async def test_every_file_of_the_project_is_offered_and_held(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    paths = [wheel(tmp_path, "1.2.2"), wheel(tmp_path, "1.2.3", python=">=3.8")]
    (tmp_path / "otherpkg-9-py3-none-any.whl").write_bytes(b"x")
    (tmp_path / "README.txt").write_text("x")
    (tmp_path / "brokenpkg-1.2.4").mkdir()
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.outcome is Outcome.OBSERVED
    [page] = observation.pages
    assert (page.view, page.complete) == (View.PIP, True)
    assert [(c.version, c.requires_python, c.yanked) for c in page.candidates] == [
        ("1.2.2", "", Yank.NO),
        ("1.2.3", ">=3.8", Yank.NO),
    ]
    assert [(h.filename, h.sha256, h.size, h.state) for h in observation.holdings] == [
        (p.name, sha256(p), p.stat().st_size, HeldState.HELD) for p in paths
    ]
    assert page.candidates[1].hashes == {"sha256": sha256(paths[1])}
    assert observation.holdings_complete is True
    assert observation.file_hosting is FileHosting.HERE
    assert observation.connected is None


async def test_a_file_url_names_the_same_directory(tmp_path: Path, assign: MakeAssignment) -> None:
    directory = tmp_path / "with space"
    directory.mkdir()
    wheel(directory, "1.2.3")
    observation = await observe(assign(directory.as_uri(), kind="wheelhouse"))
    assert [c.version for c in observation.pages[0].candidates] == ["1.2.3"]


async def test_a_path_to_one_file_is_that_file_alone(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    wheel(tmp_path, "1.2.2")
    observation = await observe(assign(path=str(wheel(tmp_path, "1.2.3")), kind="wheelhouse"))
    assert [c.version for c in observation.pages[0].candidates] == ["1.2.3"]


async def test_a_directory_without_the_project_is_absent(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    (tmp_path / "otherpkg-9-py3-none-any.whl").write_bytes(b"x")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.outcome is Outcome.ABSENT
    assert observation.pages[0].outcome is PageOutcome.ABSENT
    assert observation.holdings == ()
    assert observation.holdings_complete is True


async def test_a_store_has_holdings_and_no_page(tmp_path: Path, assign: MakeAssignment) -> None:
    wheel(tmp_path, "1.2.3")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse", role=Role.STORE))
    assert observation.pages == ()
    assert observation.outcome is Outcome.OBSERVED
    assert len(observation.holdings) == 1


async def test_a_directory_that_is_not_there_is_never_absent(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    observation = await observe(assign(path=str(tmp_path / "typo"), kind="wheelhouse"))
    assert observation.outcome is Outcome.UNREACHABLE
    assert observation.connected is None
    assert observation.holdings_complete is None


async def test_something_that_is_no_directory_is_malformed(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    os.mkfifo(tmp_path / "fifo")
    observation = await observe(assign(path=str(tmp_path / "fifo"), kind="wheelhouse"))
    assert observation.outcome is Outcome.MALFORMED


async def test_a_directory_that_may_not_be_read_is_denied(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    # Not by chmod: the tests may run as root, whom no mode stops.
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr("probes.kit.disk.os.scandir", refuse)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.outcome is Outcome.DENIED


# --- files that lie, are damaged or are traps


async def test_a_renamed_broken_wheel_is_no_candidate_but_held(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    wheel(tmp_path, "1.2.2")
    wheel(tmp_path, "1.2.4", says="1.2.3")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    [page] = observation.pages
    assert [c.version for c in page.candidates] == ["1.2.2"]
    [fault] = page.faults
    assert fault.subject == "brokenpkg-1.2.4-py3-none-any.whl"
    assert "1.2.3" in fault.problem
    assert not fault.loses_entry
    assert page.complete
    held = {h.filename: h for h in observation.holdings}[fault.subject]
    assert (held.version, held.state) == ("1.2.3", HeldState.HELD)
    assert held.evidence


@pytest.mark.real
def test_pip_discards_what_we_discard(tmp_path: Path) -> None:
    wheel(tmp_path, "1.2.2")
    wheel(tmp_path, "1.2.3", python="<3")
    wheel(tmp_path, "1.2.4", says="1.2.3")
    wheel(tmp_path, "1.2.5", name="otherpkg", directory_name="brokenpkg")
    command = [
        *(sys.executable, "-m", "pip", "--isolated", "install", "--dry-run", "--no-index"),
        *("--ignore-installed", "--find-links", str(tmp_path), "brokenpkg"),
    ]
    run = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "Would install brokenpkg-1.2.2" in run.stdout


async def test_a_wheel_of_another_project_is_no_candidate(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    wheel(tmp_path, "1.2.4", name="otherpkg", directory_name="brokenpkg")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.pages[0].candidates == ()
    assert "otherpkg" in observation.pages[0].faults[0].problem
    assert observation.holdings[0].version == "1.2.4"


async def test_a_wheel_on_which_pip_fails_stays_on_offer(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    wheel(tmp_path, "1.2.4", name="otherpkg")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.pages[0].candidates[0].requires_python is None
    assert "pip fails" in observation.pages[0].faults[0].problem


@pytest.mark.parametrize("spelling", ["1.2.4", "1.2.4.0", "v1.2.4"])
async def test_another_spelling_of_the_version_is_consistent(
    spelling: str, tmp_path: Path, assign: MakeAssignment
) -> None:
    wheel(tmp_path, "1.2.4", says=spelling)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert len(observation.pages[0].candidates) == 1
    assert observation.pages[0].faults == ()


DAMAGED = {
    "no zip": b"not a zip",
    "empty": b"",
    "truncated": b"PK\x03\x04" + bytes(40),
    "huge table of contents": b"PK\x05\x06" + bytes(8) + b"\xff" * 8 + bytes(2),
}


@pytest.mark.parametrize("content", DAMAGED.values(), ids=DAMAGED)
async def test_a_damaged_wheel_stays_on_offer_with_what_is_not_known(
    content: bytes, tmp_path: Path, assign: MakeAssignment
) -> None:
    path = tmp_path / "brokenpkg-1.2.4-py3-none-any.whl"
    path.write_bytes(content)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    [candidate] = observation.pages[0].candidates
    assert candidate.requires_python is None
    assert not observation.pages[0].faults[0].loses_entry
    [holding] = observation.holdings
    assert holding.sha256 == sha256(path)
    # A table of contents that only we find too large proves nothing: an installer may read it.
    assert holding.intact is (None if content.startswith(b"PK\x05\x06") else False)


def cut(path: Path, at: int) -> None:
    path.write_bytes(path.read_bytes()[:at])


@pytest.mark.parametrize("build", [wheel, sdist])
async def test_whole_and_cut_copies_are_told_apart(
    build: Callable[[Path, str], Path], tmp_path: Path, assign: MakeAssignment
) -> None:
    path = build(tmp_path, "1.2.3")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [h.intact for h in observation.holdings] == [True]
    for size in (path.stat().st_size - 30, 90, 0):
        cut(path, size)
        observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
        assert [h.intact for h in observation.holdings] == [False], size


async def test_a_source_archive_cut_behind_its_metadata_is_no_whole_one(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    path = sdist(tmp_path, "1.2.3")
    with tarfile.open(path, "w:gz", compresslevel=0) as archive:
        for name, content in (
            ("PKG-INFO", core_metadata("brokenpkg", "1.2.3").encode()),
            ("data.bin", os.urandom(100_000)),
        ):
            member = tarfile.TarInfo(f"brokenpkg-1.2.3/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    cut(path, 60_000)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [h.intact for h in observation.holdings] == [False]


async def test_rubbish_behind_a_source_archive_makes_it_no_cut_copy(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    # pip installs it: who adds a byte to other bytes must not pass for a bad transfer.
    path = sdist(tmp_path, "1.2.3")
    path.write_bytes(path.read_bytes() + b"rubbish")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [h.intact for h in observation.holdings] == [True]


async def test_a_source_archive_of_endless_members_costs_its_bound_only(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.kit.distribution._MAX_MEMBERS", 10)
    sdist(tmp_path, "1.2.3", members=50)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [h.intact for h in observation.holdings] == [None]


async def test_a_wheel_with_gigabytes_of_metadata_costs_its_bound_only(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    path = tmp_path / "brokenpkg-1.2.4-py3-none-any.whl"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("brokenpkg-1.2.4.dist-info/METADATA", bytes(50 * 2**20))
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert "larger" in observation.pages[0].faults[0].problem


async def test_a_source_archive_says_its_python_too(tmp_path: Path, assign: MakeAssignment) -> None:
    sdist(tmp_path, "1.2.4", python=">=3.9", members=20)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.pages[0].candidates[0].requires_python == ">=3.9"


async def test_a_source_archive_that_is_a_bomb_costs_its_bound_only(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.kit.distribution._MAX_SOURCE_BYTES", 2**20)
    header = tarfile.TarInfo("brokenpkg-1.2.4/zeros")
    header.size = 100 * 2**20
    path = tmp_path / "brokenpkg-1.2.4.tar.gz"
    path.write_bytes(gzip.compress(header.tobuf() + bytes(header.size), 1))
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.pages[0].candidates[0].requires_python is None
    assert observation.holdings[0].state is HeldState.HELD


@pytest.mark.parametrize("trap", ["fifo", "directory", "dangling"])
async def test_what_is_no_regular_file_never_blocks_and_may_be_missing(
    trap: str, tmp_path: Path, assign: MakeAssignment
) -> None:
    path = tmp_path / "brokenpkg-1.2.4-py3-none-any.whl"
    if trap == "fifo":
        os.mkfifo(path)
    elif trap == "directory":
        path.mkdir()
    else:
        path.symlink_to(tmp_path / "nowhere")
    wheel(tmp_path, "1.2.2")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    [page] = observation.pages
    assert page.faults[0].loses_entry
    assert not page.complete
    states = {h.version: h.state for h in observation.holdings}
    assert states == {"1.2.2": HeldState.HELD, "1.2.4": HeldState.UNKNOWN}
    assert observation.holdings_complete is False


async def test_a_file_that_may_not_be_read_stays_on_offer_and_unknown(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    wheel(tmp_path, "1.2.3")
    monkeypatch.setattr("probes.kit.disk.open_regular", refuse)
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.pages[0].candidates[0].requires_python is None
    assert observation.holdings[0].state is HeldState.UNKNOWN
    assert observation.holdings_complete is False


async def test_a_link_to_a_wheel_is_followed_and_noted(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    store, house = tmp_path / "store", tmp_path / "house"
    store.mkdir()
    house.mkdir()
    target = wheel(store, "1.2.3")
    (house / target.name).symlink_to(target)
    observation = await observe(assign(path=str(house), kind="wheelhouse"))
    assert observation.holdings[0].sha256 == sha256(target)
    assert "symbolic link" in observation.notes[0]


async def test_a_broken_artifact_under_another_name_is_found_by_its_content(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    path = wheel(tmp_path, "1.2.3").rename(tmp_path / "backup.bin")
    known = Fingerprint(version="1.2.3", size=path.stat().st_size, sha256=sha256(path))
    observation = await observe(
        assign(path=str(tmp_path), kind="wheelhouse", fingerprints=(known,))
    )
    [holding] = observation.holdings
    assert (holding.filename, holding.version) == ("backup.bin", "1.2.3")
    assert observation.outcome is Outcome.OBSERVED
    assert observation.pages[0].outcome is PageOutcome.ABSENT


@pytest.mark.parametrize("name", ["old.bak", "brokenpkg-1.2.3-py3-none-any.whl.part"])
@pytest.mark.parametrize("role", [Role.STORE, Role.INDEX])
async def test_a_digest_alone_finds_the_bytes_under_any_name(
    name: str, role: Role, tmp_path: Path, assign: MakeAssignment
) -> None:
    path = wheel(tmp_path, "1.2.3")
    known = Fingerprint(version="1.2.3", sha256=sha256(path))
    path.rename(tmp_path / name)
    observation = await observe(
        assign(path=str(tmp_path), kind="wheelhouse", role=role, fingerprints=(known,))
    )
    assert [(name, "1.2.3")] == [(h.filename, h.version) for h in observation.holdings]
    assert observation.outcome is Outcome.OBSERVED


async def test_more_suspects_than_are_hashed_leave_the_holdings_incomplete(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.kit.sought.MAX_SUSPECT_BYTES", 10)
    (tmp_path / "a.bin").write_bytes(bytes(11))
    location = {"path": str(tmp_path), "kind": "wheelhouse", "role": Role.STORE}
    for size, complete in ((None, False), (5, True)):
        known = Fingerprint(version="1.2.3", sha256="0" * 64, size=size)
        observation = await observe(assign(**location, fingerprints=(known,)))
        assert observation.holdings_complete is complete, size


async def test_a_suspect_that_may_not_be_read_leaves_the_holdings_incomplete(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(path: object) -> None:
        raise PermissionError(13, "Permission denied")

    (tmp_path / "old.bak").write_bytes(b"12345")
    monkeypatch.setattr("probes.kit.disk.open_regular", refuse)
    known = Fingerprint(version="1.2.3", sha256="0" * 64, size=5)
    observation = await observe(
        assign(path=str(tmp_path), kind="wheelhouse", role=Role.STORE, fingerprints=(known,))
    )
    assert observation.holdings_complete is False
    assert "old.bak" in observation.notes[0]


@pytest.mark.parametrize("role", [Role.STORE, Role.INDEX])
async def test_what_lies_in_a_subdirectory_is_held_and_not_on_offer(
    role: Role, tmp_path: Path, assign: MakeAssignment
) -> None:
    below = tmp_path / "old" / "2026"
    below.mkdir(parents=True)
    path = wheel(below, "1.2.3")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse", role=role))
    [holding] = observation.holdings
    assert (sha256(path), HeldState.HELD) == (holding.sha256, holding.state)
    assert "old/2026" in holding.how
    assert str(path) in {e.id: e for e in observation.evidence}[holding.evidence[0]].reproduce
    assert not any(page.candidates for page in observation.pages)
    assert observation.outcome is Outcome.OBSERVED
    assert observation.holdings_complete is True


async def test_good_files_in_a_subdirectory_do_not_bring_the_project_to_an_index(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    (tmp_path / "old").mkdir()
    wheel(tmp_path / "old", "1.2.2")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert observation.outcome is Outcome.ABSENT


async def test_more_files_below_than_are_searched_leave_the_holdings_incomplete(
    tmp_path: Path, assign: MakeAssignment, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("probes.find_links.search.MAX_ENTRIES_BELOW", 3)
    (tmp_path / "home").mkdir()
    for number in range(5):
        (tmp_path / "home" / f"{number}.txt").write_text("x")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse", role=Role.STORE))
    assert observation.holdings_complete is False
    assert "more than 3" in observation.notes[0]


@pytest.mark.parametrize("elsewhere", [True, False])
async def test_a_link_to_a_directory_is_not_followed(
    elsewhere: bool, tmp_path: Path, assign: MakeAssignment
) -> None:
    house, other = tmp_path / "house", tmp_path / "other"
    for directory in (house / "v2", other):
        directory.mkdir(parents=True)
    (house / "latest").symlink_to(other if elsewhere else house / "v2")
    observation = await observe(assign(path=str(house), kind="wheelhouse", role=Role.STORE))
    assert observation.holdings_complete is not elsewhere


async def test_a_wheel_whose_ending_is_in_capitals_is_held_and_not_on_offer(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    path = wheel(tmp_path, "1.2.3")
    path.rename(path.with_suffix(".WHL"))
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [(h.version, h.state) for h in observation.holdings] == [("1.2.3", HeldState.HELD)]
    assert observation.pages[0].candidates == ()


async def test_pages_in_the_directory_add_their_links(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    (tmp_path / "links.html").write_text(
        '<a href="http://files.example/brokenpkg-1.2.4-py3-none-any.whl">x</a>'
        '<a href="http://files.example/otherpkg-1-py3-none-any.whl">x</a>'
    )
    wheel(tmp_path, "1.2.3")
    observation = await observe(assign(path=str(tmp_path), kind="wheelhouse"))
    assert [c.version for c in observation.pages[0].candidates] == ["1.2.3", "1.2.4"]
    assert observation.file_hosting is FileHosting.MIXED


async def test_evidence_of_a_held_file_can_be_reproduced(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    directory = tmp_path / "it's here"
    directory.mkdir()
    path = wheel(directory, "1.2.3")
    observation = await observe(assign(path=str(directory), kind="wheelhouse"))
    [holding] = observation.holdings
    evidence = {e.id: e for e in observation.evidence}[holding.evidence[0]]
    assert evidence.digest == f"sha256:{sha256(path)}"
    run = await asyncio.to_thread(
        subprocess.run, shlex.split(evidence.reproduce), capture_output=True, check=True
    )
    assert run.stdout.startswith(sha256(path).encode())


# --- pages


def find_links(*names: str) -> str:
    return "".join(f'<a href="/files/{name}">{name}</a>' for name in names)


async def test_a_page_offers_the_files_of_the_project_alone(
    serve: Serve, assign: MakeAssignment
) -> None:
    text = find_links("brokenpkg-1.2.3-py3-none-any.whl", "otherpkg-9-py3-none-any.whl")

    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(text=text, content_type="text/html")

    server = await serve(handler)
    observation = await observe(assign(f"{server.url}/links/", kind="wheelhouse"))
    [page] = observation.pages
    assert [c.version for c in page.candidates] == ["1.2.3"]
    assert page.view is View.PIP
    assert [a.path for a in server.log] == ["/links/"]
    assert observation.holdings == ()


@pytest.mark.parametrize(
    ("status", "text", "outcome"),
    [
        (200, find_links("otherpkg-9-py3-none-any.whl"), Outcome.ABSENT),
        (200, "<h1>Welcome</h1>", Outcome.MALFORMED),
        (404, "", Outcome.MALFORMED),
        (403, "", Outcome.DENIED),
    ],
)
async def test_a_page_without_the_project(
    status: int, text: str, outcome: Outcome, serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return web.Response(status=status, text=text, content_type="text/html")

    server = await serve(handler)
    observation = await observe(assign(f"{server.url}/links/", kind="wheelhouse"))
    assert observation.outcome is outcome


async def test_a_page_of_others_that_was_cut_may_have_listed_the_project(
    serve: Serve, assign: MakeAssignment
) -> None:
    whole = f"<html><body>{find_links('otherpkg-9-py3-none-any.whl')}</body></html>"

    async def handler(request: web.Request) -> web.StreamResponse:
        cut_at = -len("</a></body></html>") if request.path == "/cut/" else None
        return web.Response(text=whole[:cut_at], content_type="text/html")

    server = await serve(handler)
    for path, outcome in (("cut", Outcome.OBSERVED), ("whole", Outcome.ABSENT)):
        observation = await observe(assign(f"{server.url}/{path}/", kind="wheelhouse"))
        assert (outcome, False) == (observation.outcome, observation.pages[0].complete)


@pytest.mark.slow
def test_names_of_files_are_found_in_a_page_in_linear_time() -> None:
    # One long run of letters: tried from each of them it would take some 10**9 steps.
    code = "from probes.wheelhouse import _LINKED_FILE; _LINKED_FILE.findall(b'a' * 40_000_000)"
    subprocess.run([sys.executable, "-c", code], timeout=30, check=True)


def commands(status: Status, **place: str) -> list[str]:
    """Fill in the commands for a status, as the judge does where a broken file is known."""
    templates = [t.command for t in wheelhouse.KIND.remedies if status in t.statuses]
    return [t for t in templates if all(f"{{{key}}}" in t for key in place)]


def test_the_command_that_brings_the_fix_removes_nothing() -> None:
    for status in (Status.EXPOSED, Status.BEHIND):
        [fetch] = [c for c in commands(status, path="") if "pip download" in c]
        assert "rm" not in fetch.split()
    assert not any("rm -- " in c for c in commands(Status.BEHIND, path=""))
    assert commands(Status.LATENT, path="", file="") == ["rm -- {path}/{file}"]


def test_a_page_has_commands_without_a_directory() -> None:
    for status in (Status.EXPOSED, Status.BEHIND):
        assert all("{path}" not in c for c in commands(status, url=""))
        assert commands(status, url="")


async def test_a_url_that_names_a_file_is_not_asked_for(
    serve: Serve, assign: MakeAssignment
) -> None:
    async def handler(request: web.Request) -> web.StreamResponse:
        return page_response(json_page(entry("1.2.3")))

    server = await serve(handler)
    observation = await observe(
        assign(f"{server.url}/brokenpkg-1.2.3-py3-none-any.whl", kind="wheelhouse")
    )
    assert observation.outcome is Outcome.SKIPPED
    assert server.log == []


async def test_without_url_and_path_nothing_is_read(assign: MakeAssignment) -> None:
    observation = await observe(assign(kind="wheelhouse"))
    assert observation.outcome is Outcome.SKIPPED


async def test_a_bundle_that_nobody_opens_is_told_and_leaves_a_store_unknown(
    tmp_path: Path, assign: MakeAssignment
) -> None:
    (tmp_path / "bundle.tar.gz").write_bytes(b"whatever it is")
    wheel(tmp_path, "1.2.4")
    for role, complete in ((Role.STORE, False), (Role.INDEX, True)):
        seen = await observe(assign(path=str(tmp_path), kind="wheelhouse", role=role))
        assert any("not opened: bundle.tar.gz" in note for note in seen.notes)
        assert (seen.outcome, seen.holdings_complete) == (Outcome.OBSERVED, complete)
