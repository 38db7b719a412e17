"""Files of an HTTP store as holdings: their names restored, and the proof that they are here."""

from __future__ import annotations

import shlex
from collections.abc import Iterable, Mapping
from pathlib import Path

from auditor.model import Candidate, Holding, Incident
from auditor.model.filename import version_in
from probes.http_stores.entry import entry_path
from probes.http_stores.finding import StoredFile
from probes.http_stores.pages import ReadPage
from probes.kit.evidence import EvidenceRecorder

__all__ = ["known_names", "stored_holding"]


def known_names(incident: Incident, pages: Iterable[ReadPage]) -> dict[str, str]:
    """File names by digest and by entry name: the store keeps neither name nor URL of a file."""
    names: dict[str, str] = {}
    listed = (c for page in pages if page.parsed for c in page.parsed.candidates)
    for candidate in listed:
        if candidate.version is not None:
            names |= dict.fromkeys(_clues(candidate), candidate.filename)
    for print_ in incident.fingerprints:
        if print_.filename and print_.sha256:
            names[print_.sha256] = print_.filename
    return names


def _clues(candidate: Candidate) -> Iterable[str]:
    if "sha256" in candidate.hashes:
        yield candidate.hashes["sha256"]
    try:
        if candidate.url:
            yield entry_path(candidate.url).rpartition("/")[2]
    except ValueError:
        return


def stored_holding(
    file: StoredFile,
    home: Path,
    where: str,
    names: Mapping[str, str],
    incident: Incident,
    recorder: EvidenceRecorder,
    reproduce: str = "",
) -> Holding:
    """Say what a stored file is, and keep the evidence.

    Args:
        file: as found.
        home: the cache.
        where: is put before `how`.
        names: as `known_names` gives them.
        incident: the question.
        recorder: keeps the evidence.
        reproduce: a command that shows the bytes; "": they lie in the file of that place.
    """
    filename = names.get(file.sha256 or "") or names.get(file.key) or file.filename
    version = file.version or (version_in(filename, incident.project) if filename else None)
    path = home / file.place
    evidence = recorder.of_disk(
        path,
        {"state": file.state.value, "size": str(file.size), "how": file.how},
        digest=f"sha256:{file.sha256}" if file.sha256 else None,
        reproduce=reproduce or _command(file, path),
    )
    return Holding(
        filename=filename or f"(name not known, entry {file.key})",
        version=version,
        sha256=file.sha256,
        size=file.size if file.sha256 else None,
        intact=file.intact,
        state=file.state,
        how=f"{where}{file.place}: {file.how}",
        evidence=(evidence,),
    )


def _command(file: StoredFile, path: Path) -> str:
    if not file.start:
        return shlex.join(["sha256sum", "--", str(path)])
    word = shlex.quote(str(path))
    return f"tail --bytes=+{file.start + 1} {word} | head --bytes={file.size} | sha256sum"
