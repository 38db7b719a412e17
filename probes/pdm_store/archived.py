"""The database of a cache of PDM that lies in an archive, read without unpacking anything."""

from __future__ import annotations

import threading

from auditor.model import Incident
from probes.client_caches.home import CacheReading
from probes.pdm_store.answers import read_answers
from probes.pdm_store.database import in_memory
from probes.pdm_store.reading import find_files

__all__ = ["read_database"]


def read_database(
    content: bytes, place: str, incident: Incident, stop: threading.Event
) -> CacheReading:
    """Find the files of the project, and broken ones of any name, that a database keeps.

    Raises:
        Unusable: it is no database that can be read to its end.
        Unsearched: an archive in it is too large to be searched.
    """
    reading = CacheReading()
    with in_memory(content, stop) as connection:
        for answer in read_answers(connection):
            found = CacheReading()
            find_files(place, answer, incident, found, stop)
            reading.add([found])
    return reading
