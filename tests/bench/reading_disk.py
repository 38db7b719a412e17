"""What it costs to search disks and archives, against the tools that an operator would use."""

from __future__ import annotations

import gzip
import hashlib
import io
import random
import tarfile
import tempfile
import threading
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import zstandard
from isal import igzip

from auditor.lab.artifacts import build_release
from auditor.lab.pip_home import fill_pip_cache
from auditor.model import Fingerprint, Incident
from probes.archives.walking import read_archive_file
from probes.bandersnatch_mirror.artifacts import walk
from probes.bandersnatch_mirror.layout import Tree
from probes.http_stores.scan import StoreScan
from probes.kit.disk import digest_file
from tests.bench.measure import Goal, cpu_of_call, cpu_of_command, interleaved, median_ratio

__all__ = ["disk_goals"]

WHEEL, _ = build_release("brokenpkg", "1.2.3")
INCIDENT = Incident(
    id="bench",
    project="brokenpkg",
    broken=("1.2.3",),
    fixed=("1.2.4",),
    fingerprints=(
        Fingerprint(
            filename=WHEEL.filename,
            version="1.2.3",
            sha256=WHEEL.sha256,
            size=len(WHEEL.content),
            url=f"http://files.example/{WHEEL.filename}",
        ),
    ),
)


def disk_goals(rounds: int, *, quick: bool) -> Iterator[Goal]:
    """Measure the walk for orphans, archives, and pip's cache."""
    with tempfile.TemporaryDirectory(prefix="auditor-bench-") as name:
        yield _orphan_walk(Path(name), rounds, 300 if quick else 100_000)
        yield from _archives(Path(name), min(rounds, 3), 1 if quick else 500)
        yield _digest(Path(name), rounds, 1 if quick else 64)
        yield _pip_cache(Path(name), rounds, 200 if quick else 20_000)


def _orphan_walk(base: Path, rounds: int, directories: int) -> Goal:
    """A mirror's `packages/`: one file in each directory, as blake2 paths have it."""
    web = base / "web"
    for number in range(directories):
        digest = hashlib.blake2b(str(number).encode(), digest_size=32).hexdigest()
        directory = web / "packages" / digest[:2] / digest[2:4] / digest[4:]
        directory.mkdir(parents=True)
        (directory / f"project{number}-1.0-py3-none-any.whl").touch()
    (directory / WHEEL.filename).touch()
    tree = Tree(web=web, home=base, project=None)

    def ours() -> None:
        found = walk(tree, INCIDENT, threading.Event())
        assert len(found.found) == 1, found

    command = ["find", str(web / "packages"), "-name", "brokenpkg-1.2.3*"]
    found = interleaved({"ours": cpu_of_call(ours), "find": cpu_of_command(command)}, rounds)
    return Goal(
        name=f"orphans among {directories:,} directories of a mirror",
        ratio=median_ratio(found["ours"], found["find"]),
        gate=0.85,
        floor="find -name",
        note="CPU; warm",
    )


def _archives(base: Path, rounds: int, megabytes: int) -> Iterator[Goal]:
    """A CI cache of many files, of which some compress and some do not."""
    packed = {"tar.gz": base / "cache.tar.gz", "tar.zst": base / "cache.tar.zst"}
    with (
        gzip.open(packed["tar.gz"], "wb", compresslevel=1) as one,
        zstandard.open(packed["tar.zst"], "wb", cctx=zstandard.ZstdCompressor(level=1)) as other,
        tarfile.open(fileobj=_Both(one, other), mode="w|") as archive,
    ):
        for name, content in _files(megabytes):
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    floors = {
        "tar.gz": (["tar", "-tzf", str(packed["tar.gz"])], 0.55, "tar -tzf"),
        "tar.zst": (["tar", "--zstd", "-tf", str(packed["tar.zst"])], 1.4, "tar --zstd -tf"),
    }
    for name, (command, gate, floor) in floors.items():
        path = packed[name]

        def ours(path: Path = path) -> None:
            found = read_archive_file(path, INCIDENT, threading.Event())
            assert [f.version for f in found.found] == ["1.2.3"], found
            assert not found.unread, found

        found = interleaved({"ours": cpu_of_call(ours), "floor": cpu_of_command(command)}, rounds)
        size = path.stat().st_size / 2**20
        yield Goal(
            name=f"{name} of {size:.0f} MB, searched by name and content",
            ratio=median_ratio(found["ours"], found["floor"]),
            gate=gate,
            floor=floor,
            note="CPU",
        )
        if name == "tar.gz":
            inflated = interleaved({"floor": cpu_of_call(partial(_inflate, path))}, rounds)
            yield Goal(
                name=f"{name} of {size:.0f} MB, searched, against inflating it alone",
                ratio=median_ratio(found["ours"], inflated["floor"]),
                gate=2,
                floor="isal.igzip: read to the end and forget",
                note="CPU",
            )


def _inflate(path: Path) -> None:
    with igzip.open(path) as stream:
        while stream.read(2**20):
            pass


def _digest(base: Path, rounds: int, megabytes: int) -> Goal:
    """One large file, as a wheelhouse is searched for the broken release's bytes."""
    path = base / "large.bin"
    path.write_bytes(random.Random(3).randbytes(megabytes * 2**20))
    found = interleaved(
        {
            "ours": cpu_of_call(lambda: digest_file(path, threading.Event())),
            "sha256sum": cpu_of_command(["sha256sum", str(path)]),
        },
        rounds,
    )
    return Goal(
        name=f"a file of {megabytes} MB, digested: sha256sum / ours",
        ratio=median_ratio(found["sha256sum"], found["ours"]),
        # Of a coreutils that was built with OpenSSL ours is as fast as that.
        gate=0.8,
        at_least=True,
        floor="sha256sum",
        note="CPU; warm; about 5 where sha256sum does not use OpenSSL",
    )


class _Both(io.RawIOBase):
    """Writes the same to two files."""

    def __init__(self, *streams: object) -> None:
        super().__init__()
        self._streams = streams

    def writable(self) -> bool:
        return True

    def write(self, piece: object, /) -> int:
        for stream in self._streams:
            stream.write(piece)  # type: ignore[attr-defined]  # both of them are files
        return len(piece)  # type: ignore[arg-type]  # it is bytes


def _files(megabytes: int) -> Iterator[tuple[str, bytes]]:
    """Sources that compress to a third, and libraries that do not compress."""
    source = random.Random(7)
    words = [bytes(source.choices(range(97, 123), k=7)) for _ in range(2000)]
    for number in range(megabytes * 60):
        if number % 5:
            content = b" ".join(source.choices(words, k=2000))
        else:
            content = source.randbytes(64 * 2**10)
        yield f"lib/package{number % 97}/module{number}.py", content
    yield f"pip/wheels/{WHEEL.filename}", WHEEL.content


def _pip_cache(base: Path, rounds: int, entries: int) -> Goal:
    """A cache of pages and files, some of the pages compressed as servers send them."""
    home = base / "pip"
    headers = {"Date": "Fri, 20 Nov 2026 10:00:00 GMT", "Cache-Control": "max-age=600"}
    source = random.Random(11)
    for number in range(entries):
        body, more = source.randbytes(2000), {}
        if number % 3 == 0:
            page = b'{"files": [' + b"1," * 2000 + b"]}"
            body, more = gzip.compress(page), {"Content-Encoding": "gzip"}
        url = f"http://index.example/{number}"
        fill_pip_cache(home, url=url, body=body, headers={**headers, **more})
    fill_pip_cache(home, url="http://unknown.example/a.whl", body=WHEEL.content, headers=headers)

    def ours() -> None:
        reading = StoreScan(str(home), INCIDENT, threading.Event()).read("http-v2")
        assert [file.version for file in reading.files] == ["1.2.3"], reading.files

    command = ["grep", "-rlE", r"brokenpkg-1\.2\.3", str(home)]
    found = interleaved(
        {"ours": cpu_of_call(ours), "grep": cpu_of_command(command, frozenset({0, 1}))}, rounds
    )
    return Goal(
        name=f"pip's cache of {entries:,} entries, searched by content",
        ratio=median_ratio(found["ours"], found["grep"]),
        gate=2.2,
        floor="grep -rlE, which finds no compressed page",
        note="CPU; warm",
    )
