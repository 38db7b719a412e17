"""What lies in stores of HTTP answers, put into the order in which it is told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

from auditor.model import Holding, Incident, Page
from probes.client_caches.home import CacheReading, WriteHolding, WritePage
from probes.http_stores.finding import StoredFile
from probes.http_stores.holdings import known_names, stored_holding
from probes.http_stores.pages import ReadPage, written_down
from probes.kit.evidence import EvidenceRecorder

__all__ = ["tell_stored"]


def tell_stored(
    reading: CacheReading,
    home: Path,
    pages: Sequence[ReadPage],
    incident: Incident,
    reproduce: Callable[[StoredFile], str] = lambda file: "",
) -> None:
    """Tell of every stored file of a reading and of these pages.

    Args:
        reading: has the files, and gets what is told.
        home: the cache.
        pages: as read.
        incident: the question.
        reproduce: a command that shows the bytes of a file; "": they are in the file of its place.
    """
    names = known_names(incident, pages)

    def holding_of(file: StoredFile) -> WriteHolding:
        def write(where: str, recorder: EvidenceRecorder) -> Holding:
            command = reproduce(file)
            return stored_holding(file, home, where, names, incident, recorder, command)

        return write

    def page_of(page: ReadPage) -> WritePage:
        def write(sample: int, recorder: EvidenceRecorder) -> Page:
            return written_down(page, sample, home, incident, recorder)

        return write

    files = sorted(reading.files, key=lambda file: file.place)
    reading.holdings += [holding_of(file) for file in files]
    reading.kept_pages += [page_of(page) for page in pages]
