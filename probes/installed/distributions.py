"""The installed distributions of one project."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from auditor.model import (
    Integrity,
    Pin,
    PinnedFile,
    PinState,
    normalise_project,
    parse_version,
)
from probes.installed.links import links_of
from probes.installed.record import (
    Comparison,
    NoRecord,
    Record,
    RecordMissing,
    Released,
    compare,
    read_record,
)
from probes.installed.sites import Site
from probes.kit.answer import shown
from probes.kit.core_metadata import read_core_metadata
from probes.kit.disk import NotReadable, read_regular
from probes.kit.redaction import redact_url
from probes.locks.entries import file_of_url

__all__ = ["Installed", "find_installed"]

_METADATA_BYTES = 4 * 2**20
_JSON_BYTES = 2**20
_INFO = re.compile(r"^(?P<name>.+?)(-(?P<version>[^-]+))?(-py[\d.]+)?\.(dist-info|egg-info|egg)$")


@dataclass(frozen=True, slots=True)
class Installed:
    """One installed distribution.

    Attributes:
        info: its dist-info or egg-info.
        version: by its metadata, else by its name; None if neither says.
        comparison: of its files with its RECORD; None if it was not compared.
        recorded: whether it has a RECORD, readable or not.
        problem: what could not be read; "" if nothing.
        replaced: how its RECORD differs from that of the same release; "" if it does not, or there
            is nothing to compare it with.
        code: the released version whose code is here; None if it is not, or was not compared.
        origin: what direct_url.json says; None if it was not installed from an address.
        editable: whether the code lies in a source tree elsewhere.
    """

    info: Path
    version: str | None
    comparison: Comparison | None = None
    recorded: bool = True
    problem: str = ""
    replaced: str = ""
    code: str | None = None
    origin: PinnedFile | None = None
    editable: bool = False

    @property
    def integrity(self) -> Integrity:
        """Whether the code is what the release contains."""
        if self.editable:
            return Integrity.EDITABLE
        if not self.recorded or (self.comparison and self.comparison.had_nothing_to_compare):
            return Integrity.STATED
        if self.comparison is None or not self.comparison.complete:
            return Integrity.UNKNOWN
        if self.replaced:
            return Integrity.REPLACED
        return Integrity.INTACT if self.comparison.agrees else Integrity.PATCHED

    def pin(self, state: PinState, evidence: str) -> Pin:
        """Put it as an entry of the environment."""
        return Pin(
            where=str(self.info),
            state=state,
            version=self.version,
            files=(self.origin,) if self.origin else (),
            integrity=self.integrity,
            code=self.code,
            how=self.told(),
            evidence=(evidence,),
        )

    def told(self) -> str:
        """How it is known what it is, in words."""
        if self.editable:
            return "editable: the code lies in a source tree"
        parts = (
            [f"its code is that of {self.code}"] if self.code not in (None, self.version) else []
        )
        parts.append(self.replaced)
        parts.append(self.comparison.told() if self.comparison else "")
        parts.append(self.problem)
        return "; ".join(part for part in parts if part)


def find_installed(
    site: Site, project: str, reference: Released | None, stop: threading.Event
) -> Iterator[Installed]:
    """Read every distribution of the project in one directory.

    Args:
        site: the directory.
        project: normalised name.
        reference: the broken wheel as it was released; None if there is none.
        stop: set when the work is no longer wanted.
    """
    code = _code_of(site, reference, stop) if reference else None
    ours = [
        (name, parts["version"])
        for name in site.names
        if (parts := _INFO.match(name)) and normalise_project(parts["name"]) == project
    ]
    for name, version in ours:
        yield _read(site, name, version, reference, code, stop)
    if code is not None and not ours:
        how = "the files of the release, copied here without its metadata"
        yield Installed(info=site.path, version=None, recorded=False, code=code, problem=how)
    for link, tree in links_of(site, project):
        trees = (
            list(find_installed(tree, project, None, stop)) if tree and not _is_link(tree) else []
        )
        version = next((found.version for found in trees if found.version), None)
        problem = "" if version else "the source tree that it leads to states no version"
        yield Installed(info=link, version=version, problem=problem, editable=True)


def _is_link(tree: Site) -> bool:
    """Whether a tree has links itself, which could lead round in a circle."""
    return any(name.endswith(".egg-link") for name in tree.names)


def _code_of(site: Site, reference: Released, stop: threading.Event) -> str | None:
    """The version of a release, if every file of its code is here."""
    found = compare(reference.code, site.path, site.path, stop)
    return reference.version if found.is_all_the_same else None


def _read(
    site: Site,
    name: str,
    named: str | None,
    reference: Released | None,
    code: str | None,
    stop: threading.Event,
) -> Installed:
    info = site.path / name
    stated, problem = _version(info)
    origin, editable = _origin(info)
    record: Record = {}
    found: Comparison | None = None
    recorded = True
    try:
        record = read_record(info)
        found = compare(record, site.path, site.root, stop)
    except RecordMissing as error:
        recorded, problem = False, problem or str(error)
    except NoRecord as error:
        problem = problem or str(error)
    version = stated or named
    is_same = reference is not None and _is_same_version(version, reference.version)
    return Installed(
        info=info,
        version=version,
        comparison=found,
        recorded=recorded,
        problem=problem,
        replaced=_difference(record, reference.code) if reference and is_same and record else "",
        # An egg brings its code along; of a source tree the site has none.
        code=None if editable or name.endswith(".egg") else code,
        origin=origin,
        editable=editable,
    )


def _is_same_version(one: str | None, other: str) -> bool:
    version = parse_version(other)
    return version is not None and one is not None and parse_version(one) == version


def _version(info: Path) -> tuple[str | None, str]:
    """The version in the metadata, which counts, and what could not be read."""
    if info.name.endswith(".dist-info"):
        places = [info / "METADATA"]
    else:
        places = [info / "PKG-INFO", info / "EGG-INFO" / "PKG-INFO", info]
    problem = ""
    for path in places:
        try:
            stated = read_core_metadata(read_regular(path, _METADATA_BYTES)).version
        except (OSError, NotReadable, ValueError) as error:
            problem = problem or f"its metadata cannot be read: {error}"
            continue
        if stated and parse_version(stated) is None:
            return stated, f"its metadata states {stated[:80]!r}, which is no version"
        return stated, ""
    return None, problem


def _origin(info: Path) -> tuple[PinnedFile | None, bool]:
    """What direct_url.json says (PEP 610), without credentials."""
    try:
        stated = json.loads(read_regular(info / "direct_url.json", _JSON_BYTES))
        url = stated["url"]
    except (OSError, NotReadable, ValueError, KeyError, TypeError, RecursionError):
        return None, False
    if not isinstance(url, str):
        return None, False
    directory = stated.get("dir_info")
    if isinstance(directory, dict) and directory.get("editable") is True:
        return None, True
    url = shown(url)  # JSON can smuggle in half a surrogate pair
    return PinnedFile(filename=file_of_url(url), url=redact_url(url), hashes=_hashes(stated)), False


def _hashes(stated: dict[str, object]) -> dict[str, str]:
    archive = stated.get("archive_info")
    if not isinstance(archive, dict):
        return {}
    hashes = archive.get("hashes")
    found = dict(hashes) if isinstance(hashes, dict) else {}
    algorithm, equals, digest = str(archive.get("hash", "")).partition("=")
    if equals:
        found.setdefault(algorithm, digest)
    return {shown(str(k)): shown(v).lower() for k, v in found.items() if isinstance(v, str)}


def _difference(record: Record, released: Record) -> str:
    """How an installed RECORD differs from the wheel's, which it was made from."""
    different = sorted(name for name, digest in released.items() if record.get(name) != digest)
    if not different:
        return ""
    return (
        f"its RECORD is not the release's: {len(different)} of {len(released)} files differ "
        f"({different[0][:120]})"
    )
