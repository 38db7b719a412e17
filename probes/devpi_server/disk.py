"""What lies on the disk of a devpi server: `+files` alone is the truth about its bytes."""

from __future__ import annotations

import os
import re
import shlex
import threading
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.model import HeldState, Holding, Incident
from auditor.model.filename import version_in
from probes.devpi_server.entries import Question, unknown
from probes.kit.disk import NotReadable, digest_file
from probes.kit.evidence import EvidenceRecorder

__all__ = ["DiskFindings", "read_disk"]

# Two levels of directories named by digest: a mirror of 10**6 files has as many.
MAX_DIRECTORIES = 1_000_000
_FILES = "+files"
# Beside the files with digests (`+f`) those that were linked without one (`+e`).
_BRANCHES = ("+f", "+e")
# While a file is being stored it is called `NAME-<64 hex>-tmp`.
_IN_FLIGHT = re.compile(r"-[0-9a-f]{64}-tmp$")


@dataclass(frozen=True, slots=True)
class DiskFindings:
    """Holdings on disk; `complete` says whether every directory of these indexes was read."""

    holdings: tuple[Holding, ...]
    complete: bool
    problem: str = ""


def read_disk(
    path: Path,
    indexes: Sequence[str],
    incident: Incident,
    asked: Iterable[Question],
    stop: threading.Event,
    recorder: EvidenceRecorder,
) -> DiskFindings:
    """Find and hash every broken and fixed file of the project in these indexes.

    Args:
        path: the serverdir, or its `+files`.
        indexes: names of those that the location consists of.
        incident: the question.
        asked: files that must be accounted for even where nothing is found.
        stop: set when the probe is cancelled.
        recorder: keeps what was read.
    """
    questions = tuple(asked)
    files, problem = _files_directory(path)
    if files is None:
        how = f"unreadable: {problem}"
        return DiskFindings(tuple(unknown(q, how) for q in questions), False, problem)
    search = _Search(incident, stop, recorder)
    for index in indexes:
        search.look_into(files, index)
    found = {holding.filename for holding in search.holdings}
    missing = {q.filename: q for q in questions if q.filename not in found}
    state = HeldState.UNKNOWN if search.problems else HeldState.NOT_HELD
    how = "; ".join(search.problems) or f"no such file below {_FILES} of {', '.join(indexes)}"
    not_here = [
        Holding(filename=q.filename, version=q.version, sha256=q.sha256, state=state, how=how)
        for q in missing.values()
    ]
    return DiskFindings(
        (*search.holdings, *not_here), not search.problems, "; ".join(search.problems)
    )


def _files_directory(path: Path) -> tuple[Path | None, str]:
    """Find `+files`. A server with the usual storage that holds no file yet has none."""
    try:
        if path.name == _FILES and path.is_dir():
            return path, ""
        if (path / _FILES).is_dir() or (path / ".sqlite").is_file():
            return path / _FILES, ""
        cause = f"{path} is no serverdir of devpi with files on disk"
    except OSError as error:
        cause = error.strerror or type(error).__name__
    return None, f"{cause}; name the directory that devpi's --serverdir names"


class _Search:
    """One pass over the directories of some indexes."""

    def __init__(
        self, incident: Incident, stop: threading.Event, recorder: EvidenceRecorder
    ) -> None:
        self.holdings: list[Holding] = []
        self.problems: list[str] = []
        self._incident = incident
        self._names = {f.filename for f in incident.fingerprints if f.filename}
        self._stop = stop
        self._recorder = recorder
        self._left = MAX_DIRECTORIES

    def look_into(self, files: Path, index: str) -> None:
        """Read every directory of one index."""
        for branch in _BRANCHES:
            root = files.joinpath(*index.split("/"), branch)
            for path in self._walk(root):
                version = version_in(path.name, self._incident.project)
                matters = self._incident.is_broken(version) or (
                    self._incident.is_named_fixed(version) or path.name in self._names
                )
                if matters and not _IN_FLIGHT.search(path.name):
                    self.holdings.append(self._hold(path, version, index))

    def _walk(self, root: Path) -> Iterator[Path]:
        """Yield every file below a directory; links are not followed out of it."""
        waiting = [str(root)]
        while waiting:
            if self._stop.is_set() or self._left == 0:
                self.problems.append("not every directory was read: there are too many, or no time")
                return
            self._left -= 1
            directory = waiting.pop()
            try:
                with os.scandir(directory) as entries:
                    for entry in entries:
                        if entry.is_dir(follow_symlinks=False):
                            waiting.append(entry.path)
                        else:
                            yield Path(entry.path)
            except FileNotFoundError:
                continue
            except OSError as error:
                cause = error.strerror or type(error).__name__
                self.problems.append(f"unreadable: {directory}: {cause}")

    def _hold(self, path: Path, version: str | None, index: str) -> Holding:
        state, sha256, size = HeldState.HELD, None, None
        how = f"read from the disk of {index} and hashed"
        try:
            digest = digest_file(path, self._stop)
            sha256, size = digest.sha256, digest.size
        except (OSError, NotReadable) as error:
            state, how = HeldState.UNKNOWN, f"unreadable: {_cause(error)}"
        evidence = self._recorder.of_disk(
            path,
            {"state": state.value, "size": str(size), "how": how},
            digest=f"sha256:{sha256}" if sha256 else None,
            reproduce=shlex.join(["sha256sum", "--", str(path)]),
        )
        return Holding(
            filename=path.name,
            version=version,
            sha256=sha256,
            size=size,
            state=state,
            how=how,
            evidence=(evidence,),
        )


def _cause(error: Exception) -> str:
    return (isinstance(error, OSError) and error.strerror) or str(error) or type(error).__name__
