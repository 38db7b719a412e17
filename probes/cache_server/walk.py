"""Walks through a cache directory that a server goes on writing to, and changes nothing in it.

Names are not computed from URLs: what a cache looks up is its operator's choice (nginx's
`proxy_cache_key`), and its variants have names of their own. Every file is opened and says itself
what it is. No link is followed, no lock is taken, and what vanishes meanwhile was removed by the
server.
"""

from __future__ import annotations

import os
import re
import threading
import time

from probes.cache_server.findings import Findings
from probes.cache_server.formats import HEAD_BYTES, read_apache, read_kept
from probes.cache_server.kept import Damaged, KeptAnswer
from probes.cache_server.recognise import Recogniser
from probes.cache_server.signs import Program
from probes.http_stores.disk import Body, OpenFile, opened
from probes.kit.disk import NotReadable
from probes.kit.origins import is_artifact_url

__all__ = ["CacheWalk"]

MAX_ENTRIES = 5_000_000
# Apache: `CacheDirLevels` of at most 20 characters in all, and as many again below `.header.vary`.
_MAX_DEPTH = 48
_FIRST_BYTES = 2**12
# While a server writes: nginx appends a number to the name, Apache begins it so.
_UNFINISHED = re.compile(r"[0-9a-f]{32}\.\d{10}|\d{10}|aptmp\w{6}")
# squid's index of its files, and what it writes while it makes a new one.
_SQUID_INDEX = re.compile(r"swap\.state(\.new|\.clean|\.last-clean)?|netdb\.state")


class CacheWalk:
    """A walk through one directory, for one incident."""

    def __init__(
        self, home: str, recogniser: Recogniser, stop: threading.Event, *, limit_s: float
    ) -> None:
        """Make it.

        Args:
            home: the directory, to which every place is relative.
            recogniser: says what an answer is.
            stop: ends the walk between two files.
            limit_s: seconds after which it ends by itself.
        """
        self._until_s = time.monotonic() + limit_s
        self._home = home
        self._recogniser = recogniser
        self._stop = stop

    def read(self) -> Findings:
        """Read everything.

        Raises:
            OSError: the directory itself cannot be listed.
        """
        findings = Findings()
        pending = [("", 0)]
        while pending and not self._is_over():
            place, depth = pending.pop()
            below = self._list(place, findings)
            if below and depth >= _MAX_DEPTH:
                findings.note("directories deeper than any cache makes them", place, hides=True)
                continue
            pending += ((name, depth + 1) for name in below)
            if findings.entries + findings.strangers > MAX_ENTRIES:
                findings.note("directories left out: too many files", place, hides=True)
                break
        if self._is_over():
            findings.note("walks that ran out of the location's time; raise its timeout_s", "here")
            findings.complete = False
        return findings

    def _is_over(self) -> bool:
        return self._stop.is_set() or time.monotonic() > self._until_s

    def _list(self, place: str, findings: Findings) -> list[str]:
        """Read the files of one directory; return the directories in it.

        Raises:
            OSError: it is the topmost one and cannot be listed.
        """
        below: list[str] = []
        files: list[str] = []
        try:
            with os.scandir(f"{self._home}/{place}" if place else self._home) as found:
                for item in found:
                    name = f"{place}/{item.name}" if place else item.name
                    if not _sort(item, name, below, files):
                        findings.note("symbolic links, not followed", name, hides=True)
        except OSError as error:
            if not place:
                raise
            if not isinstance(error, FileNotFoundError):
                findings.note("directories that may not be listed", place, hides=True)
        for path in sorted(files):
            if self._is_over():
                break
            self._read(path, findings)
        return below

    def _read(self, place: str, findings: Findings) -> None:
        name = place.rpartition("/")[2]
        if _SQUID_INDEX.fullmatch(name):
            findings.programs.add(Program.SQUID)
            return
        if _UNFINISHED.fullmatch(name):
            findings.note("files that are being written", place)
            return
        try:
            if name.endswith(".header"):
                self._read_apache(place, findings)
            elif name.endswith(".data"):
                self._read_orphan(place, findings)
            else:
                self._read_file(place, findings)
        except FileNotFoundError:
            return  # the server removed or replaced it meanwhile
        except Damaged as damage:
            findings.note(f"damaged files ({damage})", place, hides=True)
        except (OSError, NotReadable):
            findings.note("files that may not be read", place, hides=True)

    def _read_file(self, place: str, findings: Findings) -> None:
        with opened(f"{self._home}/{place}") as file:
            answer = _of_one_file(file)
            if answer is None:
                findings.strangers += 1
                return
            self._found(place, answer, findings)
            body = Body(file.descriptor, answer.body_at, file.size - answer.body_at)
            self._recogniser.recognise(place, answer, body, findings)

    def _read_apache(self, place: str, findings: Findings) -> None:
        findings.programs.add(Program.APACHE)
        with opened(f"{self._home}/{place}") as file:
            answer = read_apache(os.pread(file.descriptor, HEAD_BYTES, 0))
        if answer is None:
            return
        self._found(place, answer, findings)
        place = f"{place.removesuffix('.header')}.data"
        try:
            with opened(f"{self._home}/{place}") as file:
                body = Body(file.descriptor, 0, file.size)
                inode = os.fstat(file.descriptor).st_ino
                passed_over = answer.body_inode not in (None, inode)
                self._recogniser.recognise(place, answer, body, findings, passed_over=passed_over)
        except FileNotFoundError:
            # An answer without body, such as a cached HEAD or 404, is a header alone.
            self._recogniser.recognise(place, answer, Body(b"", 0, 0), findings)

    def _read_orphan(self, place: str, findings: Findings) -> None:
        """Look at a body whose header is gone: Apache removes the header first."""
        if os.access(f"{self._home}/{place.removesuffix('.data')}.header", os.F_OK):
            return  # it is read with its header
        findings.programs.add(Program.APACHE)
        findings.note("bodies without a header, which nobody is given any more", place)

    def _found(self, place: str, answer: KeptAnswer, findings: Findings) -> None:
        findings.entries += 1
        findings.programs.add(answer.program)
        if not findings.keeps_distributions:
            findings.keeps_distributions = answer.has_body and is_artifact_url(answer.key)


def _sort(item: os.DirEntry[str], place: str, below: list[str], files: list[str]) -> bool:
    """Put a directory or a file into its list; False for a link. FIFOs and the like are nothing."""
    if item.is_symlink():
        return False
    if item.is_dir(follow_symlinks=False):
        below.append(place)
    elif item.is_file(follow_symlinks=False):
        files.append(place)
    return True


def _of_one_file(file: OpenFile) -> KeptAnswer | None:
    """Read what nginx and squid write before a body."""
    head = os.pread(file.descriptor, _FIRST_BYTES, 0)
    try:
        return read_kept(head)
    except Damaged:
        if file.size <= _FIRST_BYTES:
            raise
    return read_kept(os.pread(file.descriptor, HEAD_BYTES, 0))
