"""What is installed in environments that a client keeps among its caches."""

from __future__ import annotations

import shlex
import threading
from dataclasses import replace
from functools import partial
from pathlib import Path

from auditor.model import HeldState, Holding, Incident
from probes.client_caches.home import CacheReading
from probes.client_caches.unpacked import find_unpacked, site_packages
from probes.client_caches.walk import entries_of
from probes.kit.evidence import EvidenceRecorder

__all__ = ["read_environment", "read_installed", "unpacked_holding"]


def read_installed(
    home: Path, directory: str, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    """Find the project in every environment of a directory."""
    for item in entries_of(str(home), directory, reading):
        if item.is_dir(follow_symlinks=False) and not stop.is_set():
            read_environment(home, f"{directory}/{item.name}", incident, reading, stop)
    if stop.is_set():
        reading.note("directories left out: the time was up", directory, hides=True)


def read_environment(
    home: Path, place: str, incident: Incident, reading: CacheReading, stop: threading.Event
) -> None:
    """Find the project in one environment, if that is one."""
    for packages in site_packages(str(home), place, reading):
        for release in find_unpacked(str(home), packages, incident.project, reading, stop):
            holding = Holding(
                filename=release.filename,
                version=release.version,
                intact=release.intact,
                state=HeldState.HELD,
                how=f"{release.place}: installed in an environment that is kept here",
            )
            write = partial(unpacked_holding, holding, home / release.place)
            reading.holdings.append(write)


def unpacked_holding(
    holding: Holding, path: Path, where: str, recorder: EvidenceRecorder
) -> Holding:
    """Keep the evidence of a release that lies unpacked.

    Args:
        holding: without evidence.
        path: of its `.dist-info`.
        where: is put before `how`.
        recorder: keeps the evidence.
    """
    evidence = recorder.of_disk(
        path,
        {"state": holding.state.value, "how": holding.how},
        digest=f"sha256:{holding.sha256}" if holding.sha256 else None,
        reproduce=shlex.join(["cat", "--", str(path / "METADATA")]),
    )
    return replace(holding, how=f"{where}{holding.how}", evidence=(evidence,))
