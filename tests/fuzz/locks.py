"""Lock files of every format, and what an environment says of itself."""

from __future__ import annotations

import json
import threading
import tomllib
from collections.abc import Callable, Iterator
from functools import partial

import msgspec

from auditor.model import PinState, Role
from probes.environment import KIND as ENVIRONMENT
from probes.installed.record import NoRecord, _parsed
from probes.kit.core_metadata import read_core_metadata
from probes.lockfile import KIND as LOCKFILE
from probes.locks.formats import read_lock
from tests.fuzz.changes import changed_json, changed_lines
from tests.fuzz.target import BROKEN, PROJECT, Target, emptied, observed, scratch
from tests.probes.test_lockfile import PDM, PIPFILE, POETRY, PYLOCK, UV

__all__ = ["TARGETS"]

_SHA = "ab" * 32
_SMALL_BYTES = 2**15
_BROKEN_DIGESTS = frozenset({BROKEN.sha256})


def read_named(name: str, data: bytes) -> None:
    """A lock with this name; where it is no TOML or JSON at all, nothing is read in it."""
    path = scratch("locks") / name
    path.write_bytes(data)
    found = read_lock(path, PROJECT, threading.Event(), _BROKEN_DIGESTS)
    assert (found.reading is None) == bool(found.problem)
    if found.reading is None:
        return
    msgspec.json.encode(list(found.reading.pins))
    if len(data) > _SMALL_BYTES:
        return  # each of what follows reads it once more, and the time of one reading counts
    parse = _PARSERS.get(path.suffix if name != "Pipfile.lock" else ".json")
    if parse is not None:
        parse(data.decode("utf-8-sig"))
    observed(LOCKFILE, path, Role.PIN)


_PARSERS: dict[str, Callable[[str], object]] = {".lock": tomllib.loads, ".toml": tomllib.loads}


def read_unnamed(data: bytes) -> None:
    """A file whose content alone tells what it is, and one that includes it."""
    home = emptied("requirements")
    (home / "requirements.txt").write_bytes(data)
    (home / "other.txt").write_bytes(b"-r requirements.txt\n-c requirements.txt\n")
    (home / "constraints.in").write_bytes(data)
    names = ("requirements.txt", "other.txt", "constraints.in")
    for name in names if len(data) <= _SMALL_BYTES else names[:1]:
        found = read_lock(home / name, PROJECT, threading.Event(), _BROKEN_DIGESTS)
        assert (found.reading is None) == bool(found.problem)
        if found.reading is not None:
            msgspec.json.encode(list(found.reading.pins))
    if len(data) <= _SMALL_BYTES:
        observed(LOCKFILE, home, Role.PIN)


def read_pinned_line(data: bytes) -> None:
    """A line that pins the broken release is seen, whatever stands on the lines around it."""
    text = data.decode("utf-8", "replace")
    if "\\" in text or "--" in text or not text.isprintable():
        return
    path = scratch("locks") / "requirements.txt"
    path.write_text(f"# {text}\nbrokenpkg==1.2.3 # {text}\n{text}\n", encoding="utf-8")
    found = read_lock(path, PROJECT, threading.Event(), frozenset())
    if found.reading is not None:
        pins = [pin for pin in found.reading.pins if pin.version == "1.2.3"]
        assert any(pin.state is PinState.FORCED for pin in pins), found.reading.pins


def _requirements() -> Iterator[bytes]:
    yield (
        f"# pinned\nbrokenpkg==1.2.3 ; python_version >= '3.9' \\\n    --hash=sha256:{_SHA}\n"
        "-r other.txt\n-c constraints.in\n--index-url https://u:p@index.example/simple\n"
    ).encode()
    yield b"brokenpkg[extra]>=1.0,<1.2.4\nbrokenpkg @ https://files.example/brokenpkg-1.2.3.tar.gz\n"
    yield f"https://files.example/{BROKEN.filename}#sha256={BROKEN.sha256}\n-e ./x\n".encode()
    yield b"--no-binary :all:\n${HOME}/x\nbrokenpkg === 1.2.3\n"
    yield from (text.encode() for text in (UV, POETRY, PDM, PYLOCK, PIPFILE))


def read_metadata_text(data: bytes) -> None:
    """METADATA and RECORD; small ones as the plainest reader reads them."""
    stated = read_core_metadata(data)
    msgspec.json.encode([stated.name, stated.version, stated.requires_python])
    plain = _plain_name(data)
    if plain is not None:
        assert stated.name == plain
    try:
        record = _parsed(data.decode())
    except (NoRecord, UnicodeDecodeError):
        return
    assert all(set(digest) <= set("0123456789abcdef") for _, digest in record.values())


def _plain_name(data: bytes) -> str | None:
    """The name in a header of nothing but plain lines; None where it is anything else."""
    head = data.partition(b"\n\n")[0]
    lines = head.split(b"\n")
    names = [line for line in lines if line.lower().startswith(b"name")]
    plain = all(line[:1].isalpha() and b": " in line and line.isascii() for line in lines)
    plain = plain and all(line.partition(b":")[0].replace(b"-", b"").isalpha() for line in lines)
    if not plain or len(names) != 1 or not head.decode("latin-1").replace("\n", "").isprintable():
        return None
    name, _, value = names[0].partition(b": ")
    text = value.strip().decode()
    return text if name == b"Name" and text and len(text) < 200 else None


def read_environment(data: bytes) -> None:
    """An environment in which every file that is read is odd."""
    home = emptied("venv")
    site = home / "lib" / "python3.12" / "site-packages"
    info = site / "brokenpkg-1.2.3.dist-info"
    info.mkdir(parents=True)
    for name in ("METADATA", "RECORD", "direct_url.json", "INSTALLER"):
        (info / name).write_bytes(data)
    (site / "brokenpkg-1.2.4.egg-info").write_bytes(data)
    for name in ("x.pth", "easy-install.pth", "brokenpkg.egg-link"):
        (site / name).write_bytes(data)
    (home / "pyvenv.cfg").write_bytes(data)
    observed(ENVIRONMENT, home, Role.PIN)


def _installed() -> Iterator[bytes]:
    yield b"Metadata-Version: 2.1\nName: brokenpkg\nVersion: 1.2.3\nRequires-Python: >=3\n\nText\n"
    yield b"brokenpkg/__init__.py,sha256=47DEQpj8HBSa-_TImW-5JCeuQeRkm5NMpJWZG3hSuFU,0\nx,,\n"
    archive = {"hash": f"sha256={_SHA}", "hashes": {"sha256": _SHA}}
    yield json.dumps({"url": "https://u:p@f.example/x.whl", "archive_info": archive}).encode()
    yield json.dumps({"url": "file:///src", "dir_info": {"editable": True}}).encode()
    yield b"home = /usr/bin\ninclude-system-site-packages = true\nversion = 3.12.1\n"
    yield b"/srv/src\nimport os\n../other\n# x\n"


_TOML = (b"[[package]]", b'name = "brokenpkg"', b"version = ", b"[[", b"]]", b"= {", b'"""', b"'''")
_LOCKS = {"uv.lock": UV, "poetry.lock": POETRY, "pdm.lock": PDM, "pylock.toml": PYLOCK}

TARGETS = (
    *(
        Target(
            name=f"locks.{name.partition('.')[0].lower()}",
            run=partial(read_named, name),
            seeds=lambda text=text: [text.encode()],  # type: ignore[misc]  # bound now
            tokens=_TOML,
            change=changed_lines,
        )
        for name, text in _LOCKS.items()
    ),
    Target(
        name="locks.pipfile",
        change=changed_json,
        run=partial(read_named, "Pipfile.lock"),
        seeds=lambda: [PIPFILE.encode()],
        tokens=(b'"default"', b'"hashes"', b'"version"', b'"=="', b"\\ud800", b"[[[[[["),
    ),
    Target(
        name="locks.requirements",
        change=changed_lines,
        run=read_unnamed,
        seeds=_requirements,
        tokens=(
            b"brokenpkg==1.2.3",
            b"--hash=sha256:",
            b"-r ",
            b" \\\n",
            b" @ ",
            b"${",
            b" ; ",
            b"[[",
        ),
    ),
    Target(
        name="locks.line",
        run=read_pinned_line,
        seeds=lambda: [b"x==1", b"-r other.txt", b"brokenpkg>=1", b"[project]", b"{"],
        tokens=(b"brokenpkg", b"[[package]]", b"-e ", b"-c ", b" #", b"==", b"version = 1"),
    ),
    Target(
        name="locks.metadata",
        change=changed_lines,
        run=read_metadata_text,
        seeds=_installed,
        tokens=(b"Name: ", b"Version: ", b"\n ", b"\n\n", b"sha256=", b'"', b"\r", b"From "),
    ),
    Target(
        name="locks.environment",
        change=changed_json,
        run=read_environment,
        seeds=_installed,
        tokens=(
            b'"url"',
            b'"dir_info"',
            b"import ",
            b"Name: brokenpkg\n",
            b"Version: ",
            b"\0",
            b",",
        ),
    ),
)
