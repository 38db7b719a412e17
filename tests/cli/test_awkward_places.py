"""Files that nobody should have, in every place that is read from disk: each with its result.

What is damaged, or called otherwise than what it holds, is told; what may not be read is never
called clean; and nothing that stands in a name does anything to a terminal.
"""

from __future__ import annotations

import gzip
import io
import json
import os
import tempfile
import zipfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from auditor.lab.artifacts import build_release
from auditor.lab.pip_home import fill_pip_cache
from tests.probes.laid_images import Layout, layer

from .conftest import Run

QUESTION = ("brokenpkg", "--broken", "1.2.3", "--fixed", "1.2.4")
BROKEN, FIX = (build_release("brokenpkg", version)[0] for version in ("1.2.3", "1.2.4"))
SITE = "lib/python3.11/site-packages"


@pytest.fixture
def public_directory() -> Iterator[Path]:
    """A directory that anybody may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-awkward-") as name:
        directory = Path(name)
        directory.chmod(0o755)
        yield directory


@contextmanager
def as_nobody() -> Iterator[None]:
    """Do without root's rights, whom no mode stops. Anybody else has none to lose."""
    before = os.geteuid()
    if before == 0:
        os.seteuid(65534)
    try:
        yield
    finally:
        os.seteuid(before)


def row(run: Run, kind: str, path: Path) -> tuple[str, str, set[str]]:
    """Audit one place: its status, whether it holds broken bytes, and the reasons."""
    done = run("audit", *QUESTION, "--location", f"it:{kind}={path}", "--format", "json")
    assert "\x1b" not in done.out + done.err
    (found,) = json.loads(done.out)["locations"]
    return found["status"], found["broken"]["held"], {r["code"] for r in found["reasons"]}


def tar_of(files: Mapping[str, bytes]) -> bytes:
    return layer(files)


def zip_of(files: Mapping[str, bytes]) -> bytes:
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w") as archive:
        for name, inside in files.items():
            archive.writestr(name, inside)
    return content.getvalue()


def _cut_behind_its_last_member(files: Mapping[str, bytes]) -> bytes:
    whole, last = zip_of(files), list(files.values())[-1]
    return whole[: whole.index(last) + len(last)]


CASES: Mapping[str, tuple[Mapping[str, bytes], tuple[str, str], tuple[str, str]]] = {
    # what lies there: (index: status, held), (in an archive: status, held)
    "called 1.2.4, contains 1.2.3": (
        {FIX.filename: BROKEN.content},
        ("behind", "held"),
        ("latent", "held"),
    ),
    "a broken release of no bytes": (
        {BROKEN.filename: b"", FIX.filename: FIX.content},
        ("rolled-forward", "held"),
        ("latent", "held"),
    ),
    "a broken release cut short": (
        {BROKEN.filename: BROKEN.content[:400], FIX.filename: FIX.content},
        ("rolled-forward", "held"),
        ("latent", "held"),
    ),
    # Installers choose it by its name, and fail.
    "a fix of no bytes": ({FIX.filename: b""}, ("unknown", "not-held"), ("clean", "not-held")),
    "a fix cut short": (
        {FIX.filename: FIX.content[:400]},
        ("unknown", "not-held"),
        ("clean", "not-held"),
    ),
    "a build tag": (
        {"brokenpkg-1.2.3-1local-py3-none-any.whl": BROKEN.content},
        ("exposed", "held"),
        ("latent", "held"),
    ),
    "a name that was never normalised": (
        {"BrokenPkg-1.2.3.tar.gz": build_release("brokenpkg", "1.2.3")[1].content},
        ("exposed", "held"),
        ("latent", "held"),
    ),
    "an egg, which no installer takes any more": (
        {"BrokenPkg-1.2.3-py2.7.egg": zip_of({"EGG-INFO/PKG-INFO": b"Version: 1.2.3\n"})},
        ("behind", "held"),
        ("pinned", "held"),  # Python imports from one as it lies there
    ),
    "an installer for Windows": (
        {"brokenpkg-1.2.3.win-amd64-py2.7.exe": b"MZ", FIX.filename: FIX.content},
        ("rolled-forward", "held"),
        ("latent", "held"),
    ),
    "a name with a newline and an escape": (
        {"brokenpkg-1.2.3\n\x1b[31m-py3-none-any.whl": BROKEN.content, FIX.filename: FIX.content},
        ("rolled-forward", "held"),
        ("latent", "held"),
    ),
}


@pytest.mark.parametrize("case", CASES)
def test_awkward_files_in_a_wheelhouse(case: str, tmp_path: Path, run: Run) -> None:
    files, expected, _ = CASES[case]
    for name, content in files.items():
        (tmp_path / name).write_bytes(content)
    status, held, _ = row(run, "wheelhouse", tmp_path)
    assert (status, held) == expected


@pytest.mark.parametrize("pack", [tar_of, zip_of])
@pytest.mark.parametrize("case", CASES)
def test_awkward_files_in_an_archive(
    case: str, pack: Callable[[Mapping[str, bytes]], bytes], tmp_path: Path, run: Run
) -> None:
    files, _, expected = CASES[case]
    path = tmp_path / ("it.zip" if pack is zip_of else "it.tar")
    path.write_bytes(pack({f"wheels/{name}": content for name, content in files.items()}))
    status, held, _ = row(run, "archive", path)
    assert (status, held) == expected


def test_copies_that_are_damaged_contradict_nobody(tmp_path: Path, run: Run) -> None:
    for number, content in enumerate([BROKEN.content, BROKEN.content[:300], b""]):
        (tmp_path / f"{number}.tar").write_bytes(tar_of({BROKEN.filename: content}))
    status, held, codes = row(run, "archive", tmp_path / "*.tar")
    assert (status, held) == ("latent", "held")
    assert "corrupt" in codes


@pytest.mark.parametrize(
    "content",
    [
        b"",
        gzip.compress(tar_of({FIX.filename: FIX.content}))[:200],
        gzip.compress(bytes(2**27), 9),
        tar_of({FIX.filename: FIX.content})[:1500],
        # The library reads the wheel that is stored in these, and takes it for the whole.
        zip_of({"more": b"", FIX.filename: FIX.content})[:-30],
        zip_of({"more": b"", FIX.filename: FIX.content}).partition(b"PK\x01\x02")[0],
        _cut_behind_its_last_member({"more": b"", FIX.filename: FIX.content}),
    ],
    ids=["empty", "cut", "bomb", "cut in a member", "cut zip", "no end", "cut behind a wheel"],
)
def test_an_archive_that_is_none_is_unknown(content: bytes, tmp_path: Path, run: Run) -> None:
    (tmp_path / "it.tar.gz").write_bytes(content)
    status, held, _ = row(run, "archive", tmp_path / "it.tar.gz")
    assert (status, held) == ("unknown", "unknown")


def test_links_that_lead_to_themselves_end_nowhere(tmp_path: Path, run: Run) -> None:
    wheels = tmp_path / "wheels"
    wheels.mkdir()
    (wheels / FIX.filename).write_bytes(FIX.content)
    (wheels / "a").symlink_to("b")
    (wheels / "b").symlink_to("a")
    (wheels / "self").symlink_to(".")
    assert row(run, "wheelhouse", wheels)[:2] == ("clean", "not-held")
    (wheels / BROKEN.filename).symlink_to(BROKEN.filename)
    # Installers would choose it by its name, were there no newer one.
    assert row(run, "wheelhouse", wheels)[:2] == ("rolled-forward", "unknown")
    site = tmp_path / "venv" / SITE
    site.mkdir(parents=True)
    lay_installed(site)
    (site / "brokenpkg.py").unlink()
    (site / "brokenpkg.py").symlink_to("brokenpkg.py")
    assert row(run, "environment", tmp_path / "venv")[:2] == ("unknown", "unknown")
    (tmp_path / "a.lock").symlink_to("a.lock")
    assert row(run, "lockfile", tmp_path / "a.lock")[0] == "unknown"


def lay_installed(site: Path) -> None:
    """Lay the fix out as installers do, RECORD and all."""
    with zipfile.ZipFile(io.BytesIO(FIX.content)) as archive:
        archive.extractall(site)


def test_an_environment_is_what_its_code_is_and_not_what_its_metadata_says(
    tmp_path: Path, run: Run
) -> None:
    venv = tmp_path / "venv"
    (venv / SITE).mkdir(parents=True)
    lay_installed(venv / SITE)
    assert row(run, "environment", venv)[:2] == ("clean", "not-held")
    with zipfile.ZipFile(io.BytesIO(BROKEN.content)) as archive:
        archive.extract("brokenpkg.py", venv / SITE)
    status, held, codes = row(run, "environment", venv)
    assert (status, held, codes) == ("unknown", "unknown", {"code-patched"})
    (tmp_path / BROKEN.filename).write_bytes(BROKEN.content)
    config = tmp_path / "audit.toml"
    config.write_text(
        '[[incidents]]\nproject = "brokenpkg"\nbroken = ["1.2.3"]\nfixed = ["1.2.4"]\n'
        f'[[locations]]\nname = "it"\nkind = "environment"\npath = "{venv}"\n'
        f'reference = "{tmp_path / BROKEN.filename}"\n'
    )
    done = run("audit", "--config", config, "--format", "json")
    (found,) = json.loads(done.out)["locations"]
    assert (found["status"], found["broken"]["held"], done.code) == ("pinned", "held", 1)
    assert "the code of 1.2.3" in run("audit", "--config", config, "--format", "markdown").out


def lay_wheelhouse(place: Path) -> Path:
    place.mkdir()
    (place / FIX.filename).write_bytes(FIX.content)
    return place / FIX.filename


def lay_archive(place: Path) -> Path:
    place.write_bytes(tar_of({FIX.filename: FIX.content}))
    return place


def lay_image(place: Path) -> Path:
    layout = Layout(place)
    layout.index({"digest": layout.image(layer({f"x/{FIX.filename}": FIX.content}))})
    return max((place / "blobs/sha256").iterdir(), key=lambda path: path.stat().st_size)


def lay_environment(place: Path) -> Path:
    (place / SITE).mkdir(parents=True)
    lay_installed(place / SITE)
    return place / SITE / "brokenpkg.py"


def lay_environment_of_unread_record(place: Path) -> Path:
    lay_environment(place)
    return place / SITE / f"brokenpkg-{FIX.version}.dist-info/RECORD"


def lay_unlisted_environment(place: Path) -> Path:
    lay_environment(place)
    return place / SITE


def lay_lock(place: Path) -> Path:
    place.write_text("brokenpkg==1.2.4\n")
    return place


def lay_requirements_with_an_include(place: Path) -> Path:
    place.write_text("brokenpkg==1.2.4\n-r more.txt\n")
    more = place.with_name("more.txt")
    more.write_text("other==1\n")
    return more


def lay_pip_cache(place: Path) -> Path:
    headers = {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Cache-Control": "max-age=600"}
    fill_pip_cache(place, url="http://files.example/x.whl", body=b"x", headers=headers)
    return place / "http-v2"


UNREADABLE: Mapping[str, tuple[str, Callable[[Path], Path]]] = {
    "a wheel": ("wheelhouse", lay_wheelhouse),
    "an archive": ("archive", lay_archive),
    "a layer": ("image", lay_image),
    "installed code": ("environment", lay_environment),
    "a RECORD": ("environment", lay_environment_of_unread_record),
    "site-packages": ("environment", lay_unlisted_environment),
    "a lock": ("lockfile", lay_lock),
    "what a lock includes": ("lockfile", lay_requirements_with_an_include),
    "a cache": ("pip-cache", lay_pip_cache),
}


@pytest.mark.parametrize("what", UNREADABLE)
def test_what_this_user_may_not_read_is_unknown_and_says_so(
    what: str, public_directory: Path, run: Run
) -> None:
    kind, lay = UNREADABLE[what]
    place = public_directory / "requirements.txt"
    unreadable = lay(place)
    # Once with every right: it is the mode alone that makes the difference.
    assert row(run, kind, place)[0] in ("clean", "absent")
    unreadable.chmod(0)
    try:
        with as_nobody():
            status, held, codes = row(run, kind, place)
    finally:
        unreadable.chmod(0o755)
    assert (status, held) == ("unknown", "unknown")
    assert codes & {"unreadable", "denied", "code-unread", "undecided"}
