"""One client's cache directory: opened, refused, or found to be something else."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Set
from dataclasses import dataclass, field
from pathlib import Path

from auditor.model import Holding, Incident, Outcome, Page
from probes.http_stores.finding import StoreReading
from probes.kit.evidence import EvidenceRecorder

__all__ = ["CacheReading", "Client", "Home", "is_link", "open_home"]

WriteHolding = Callable[[str, EvidenceRecorder], Holding]
"""Makes a holding; the text is put before `how`, and is empty where there is one cache only."""

WritePage = Callable[[int, EvidenceRecorder], Page]
"""Makes a page with this sample number."""


@dataclass(slots=True)
class CacheReading(StoreReading):
    """What one cache holds.

    Attributes:
        holdings, kept_pages: in the order in which they are told.
        remarks: facts for a reader beside those that are counted.
    """

    holdings: list[WriteHolding] = field(default_factory=list)
    kept_pages: list[WritePage] = field(default_factory=list)
    remarks: list[str] = field(default_factory=list)


ReadCache = Callable[[Path, Set[str], Incident, threading.Event], CacheReading]
"""Reads one cache: its directory, the names in it, what to look for, and what ends the reading."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """A program and how its cache is recognised.

    Attributes:
        name: of the program.
        layout: what lies in its cache, in words.
        knows: whether a name is one of those.
        directory: what its cache is called below a user's `.cache`.
        tells: the command that prints where the cache is.
        read: reads one cache.
    """

    name: str
    layout: str
    knows: Callable[[str], bool]
    directory: str
    tells: str
    read: ReadCache


@dataclass(frozen=True, slots=True, kw_only=True)
class Home:
    """One cache, read.

    Attributes:
        path: of the cache.
        reading: what is in it.
        problem: why nothing was read; "" if it was.
        outcome: what that means.
    """

    path: Path
    reading: CacheReading = field(default_factory=CacheReading)
    problem: str = ""
    outcome: Outcome = Outcome.OBSERVED


def open_home(
    path: Path,
    client: Client,
    incident: Incident,
    stop: threading.Event,
    *,
    is_implied: bool = False,
) -> Home:
    """Read one cache of a client, or say why not.

    Args:
        path: of the cache.
        client: whose it is.
        incident: what to look for.
        stop: ends the reading.
        is_implied: whether the client's own settings say that path, and nobody wrote it down.
    """
    try:
        with os.scandir(path) as found:
            names = {item.name for item in found}
    except FileNotFoundError:
        return _missing(path, client, is_implied=is_implied)
    except PermissionError:
        problem = f"{path} may not be read by this user; run the audit as its owner"
        return Home(path=path, problem=problem, outcome=Outcome.DENIED)
    except OSError as error:
        problem = f"{path} cannot be read: {error.strerror}"
        return Home(path=path, problem=problem, outcome=Outcome.MALFORMED)
    if names and not any(map(client.knows, names)):
        # Not *absent*: it is some other directory, and the cache may be elsewhere.
        problem = (
            f"{path} is no {client.name} cache: none of {client.layout} is in it; "
            f"see `{client.tells}`"
        )
        return Home(path=path, problem=problem, outcome=Outcome.MALFORMED)
    return Home(path=path, reading=client.read(path, names, incident, stop))


def _missing(path: Path, client: Client, *, is_implied: bool) -> Home:
    """Judge a path that does not exist.

    A user who never ran the client has no cache where the client would make it: that is *absent*.
    Any other path may be mistyped, and one below a directory that does not exist either, or may
    not be read, may be not mounted: that says nothing about its content. `.cache` itself comes
    into being with the first cache in it (XDG Base Directory).
    """
    is_usual = path.parent.name == ".cache" and path.name == client.directory
    if not (is_implied or is_usual):
        problem = f"{path} does not exist; check the path: `{client.tells}` prints the right one"
        return Home(path=path, problem=problem, outcome=Outcome.UNREACHABLE)
    parent = path.parent if path.parent.name != ".cache" else path.parent.parent
    try:
        with os.scandir(parent):
            pass
    except OSError:
        problem = f"{path} does not exist; check the path, and whether it is mounted"
        outcome = Outcome.UNREACHABLE
    else:
        problem = f"{path}: no such directory; {client.name} has no cache there"
        outcome = Outcome.ABSENT
    return Home(path=path, problem=problem, outcome=outcome)


def is_link(home: Path, store: str, reading: StoreReading) -> bool:
    """Pass over a store that is a link: the audit may have no business where it leads."""
    if not (home / store).is_symlink():
        return False
    what = "stores that are symbolic links; name the directory that they lead to as well"
    reading.note(what, store, hides=True)
    return True
