"""Which files of the incident a mirror may hold, and whether it does: by their known paths.

The path of a file cannot be guessed from its name: PyPI makes it from the BLAKE2 of its content.
It stands on the page, in `json/PROJECT`, on older pages that are kept, and in what the incident
recorded. What is on disk without any of these is found by walking the whole tree only.
"""

from __future__ import annotations

import json
import os
import re
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from auditor.model import Candidate, HeldState, Holding, Incident
from auditor.model.filename import version_in
from probes.bandersnatch_mirror.layout import Tree, relative_artifact
from probes.kit.disk import NotReadable, digest_file, read_regular
from probes.kit.files import digest_holding

__all__ = ["KnownFile", "Walk", "hold", "known_files", "legacy_files", "of_candidates", "walk"]

_MAX_JSON_BYTES = 256 * 2**20
_MAX_FILES = 1_000
_MAX_UNREADABLE = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownFile:
    """A file of a broken or fixed release, wherever its path is known from.

    Attributes:
        relative: its path below `web/`.
        filename, version: as on the index.
        listed: whether a page lists it now.
        source: where its path is known from.
    """

    relative: str
    filename: str
    version: str | None
    listed: bool
    source: str


@dataclass(frozen=True, slots=True)
class Walk:
    """What a walk through `packages/` found: paths below `web/`, and what could not be read."""

    found: tuple[str, ...] = ()
    unreadable: tuple[str, ...] = ()
    complete: bool = True


def known_files(
    incident: Incident, listed: Iterable[Candidate], others: Iterable[tuple[str, Candidate]]
) -> tuple[KnownFile, ...]:
    """Gather the broken and the fixed files whose path is known, each path once.

    Args:
        incident: whose fingerprints count too.
        listed: what the pages list now.
        others: what other sources name, with the name of each source.
    """
    found: dict[str, KnownFile] = {}
    everything = [("the page", c, True) for c in listed]
    everything += [(source, c, False) for source, c in others]
    everything += [("the incident", c, False) for c in _fingerprinted(incident)]
    for source, candidate, is_listed in everything:
        relative = relative_artifact(candidate.url or "")
        if relative is None or relative in found or not _matters(candidate, incident):
            continue
        found[relative] = KnownFile(
            relative=relative,
            filename=relative.rpartition("/")[2],
            version=candidate.version,
            listed=is_listed,
            source=source,
        )
    return tuple(found.values())[:_MAX_FILES]


def _fingerprinted(incident: Incident) -> Iterator[Candidate]:
    for known in incident.fingerprints:
        if known.url and known.filename:
            version = known.version or version_in(known.filename, incident.project)
            hashes = {"sha256": known.sha256} if known.sha256 else {}
            yield Candidate(filename=known.filename, version=version, url=known.url, hashes=hashes)


def _matters(candidate: Candidate, incident: Incident) -> bool:
    return (
        incident.is_broken(candidate.version)
        or incident.is_named_fixed(candidate.version)
        or candidate.hashes.get("sha256") in incident.broken_sha256
    )


def of_candidates(source: str, found: Iterable[Candidate]) -> list[tuple[str, Candidate]]:
    """Name the source of each candidate."""
    return [(source, candidate) for candidate in found]


def legacy_files(path: Path, project: str) -> list[Candidate]:
    """Read `json/PROJECT`: bandersnatch saves it before its release filters, so it may name more.

    Raises:
        OSError, NotReadable: it is not there or may not be read.
        ValueError: it is not what bandersnatch writes.
    """
    page = json.loads(read_regular(path, _MAX_JSON_BYTES))
    releases = page.get("releases") if isinstance(page, dict) else None
    if not isinstance(releases, dict):
        raise ValueError("it has no releases")
    entries = [e for files in releases.values() if isinstance(files, list) for e in files]
    return [c for e in entries if isinstance(e, dict) and (c := _legacy_file(e, project))]


def _legacy_file(entry: dict[str, object], project: str) -> Candidate | None:
    filename, url = entry.get("filename"), entry.get("url")
    if not isinstance(filename, str) or not isinstance(url, str):
        return None
    return Candidate(filename=filename, version=version_in(filename, project), url=url)


def walk(tree: Tree, incident: Incident, stop: threading.Event) -> Walk:
    """Look at every file name below `packages/`, for broken releases that nothing lists any more.

    Links are not followed. Millions of files take minutes: only where it was asked for.
    """
    # Reading the name of a distribution takes longer than the walk itself; few names need it.
    spelled = "[-_.]+".join(map(re.escape, incident.project.split("-")))
    is_ours = re.compile(f"{spelled}-", re.IGNORECASE).match
    found: list[str] = []
    unreadable: list[str] = []
    pending = [str(tree.web / "packages")]
    while pending:
        directory = pending.pop()
        if stop.is_set():
            return Walk(tuple(found), tuple(unreadable), complete=False)
        try:
            entries = list(os.scandir(directory))
        except OSError as error:
            unreadable.append(f"{directory}: {error.strerror}")
            continue
        for entry in entries:
            if entry.is_dir(follow_symlinks=False):
                pending.append(entry.path)
            elif is_ours(entry.name) and incident.is_broken(
                version_in(entry.name, incident.project)
            ):
                found.append(Path(entry.path).relative_to(tree.web).as_posix())
    return Walk(tuple(sorted(found)), tuple(unreadable[:_MAX_UNREADABLE]), not unreadable)


def hold(known: KnownFile, web: Path, stop: threading.Event) -> Holding:
    """Say whether one file is on disk, by its content."""
    path = web / known.relative
    try:
        digest = digest_file(path, stop)
    except FileNotFoundError:
        state, how = HeldState.NOT_HELD, f"{known.source} names it, and it is not on disk"
    except PermissionError:
        state, how = HeldState.UNKNOWN, "it is on disk and may not be read by this user"
    except (OSError, NotReadable) as error:
        state, how = HeldState.UNKNOWN, f"cannot be read: {getattr(error, 'strerror', 0) or error}"
    else:
        holding = digest_holding(path, known.version, digest)
        if known.listed:
            return holding
        return Holding(
            filename=holding.filename,
            version=holding.version,
            sha256=holding.sha256,
            size=holding.size,
            state=HeldState.SHADOWED,
            how=f"{holding.how}; no page lists it, but its URL works ({known.source} names it)",
        )
    return Holding(filename=known.filename, version=known.version, state=state, how=how)
