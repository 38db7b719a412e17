"""First sights: which bytes a file name had at the source, and when the fix first appeared."""

from __future__ import annotations

import sqlite3
from collections.abc import Iterable, Iterator, Sequence

from auditor.history.state import to_ms
from auditor.model import Candidate, Fingerprint, Incident, Location, Observation, Plan, Run
from auditor.model.source import find_source
from auditor.verdict.references import Identity, mismatch

__all__ = ["files_first_seen", "record_artifacts", "record_fix_seen", "source_key"]

# A project with more broken and fixed files than this is none that we have heard of.
MAX_FILES = 5000


def source_key(source: Location) -> str:
    """Tell one source from another: a file of the same name elsewhere may have other bytes."""
    return f"{source.kind}={source.locator}"


def record_artifacts(
    connection: sqlite3.Connection,
    incident: int,
    question: Incident,
    plan: Plan,
    observations: Sequence[Observation],
) -> None:
    """Keep the first sight of each broken and fixed file at the source; later ones change nothing.

    Copies give no references: one that was tampered with before the first run would accuse all.
    """
    source = find_source(plan.locations)
    if source is None:
        return
    for observation in observations:
        if observation.location == source.name:
            connection.executemany(
                "INSERT INTO artifacts (incident, source, filename, version, size, sha256, md5, "
                "url, broken, first_seen) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) "
                "ON CONFLICT DO NOTHING",
                (
                    (
                        incident,
                        source_key(source),
                        file.filename,
                        file.version,
                        file.size,
                        file.hashes.get("sha256"),
                        file.hashes.get("md5"),
                        file.url,
                        question.is_broken(file.version),
                        to_ms(observation.finished_at),
                    )
                    for file in _undisputed(_ours(question, observation))
                ),
            )


def _ours(question: Incident, observation: Observation) -> Iterator[Candidate]:
    for page in observation.pages:
        for candidate in page.candidates:
            if question.is_broken(candidate.version) or question.is_named_fixed(candidate.version):
                yield candidate


def _undisputed(files: Iterable[Candidate]) -> list[Candidate]:
    """One statement per name that says something; nothing where two pages contradict each other."""
    found: dict[str, Candidate] = {}
    disputed: set[str] = set()
    for file in files:
        known = found.setdefault(file.filename, file)
        if mismatch(file.filename, _identity(known), _identity(file)):
            disputed.add(file.filename)
        if len(file.hashes) > len(known.hashes):
            found[file.filename] = file
    kept = [f for name, f in found.items() if name not in disputed]
    return [f for f in kept if _identity(f).says_something][:MAX_FILES]


def _identity(candidate: Candidate) -> Identity:
    return Identity(hashes=candidate.hashes, size=candidate.size, origin="")


def record_fix_seen(connection: sqlite3.Connection, incident: int, run: Run) -> None:
    """Keep when any place was first seen to list the fix."""
    if any(verdict.fix.listed for verdict in run.verdicts):
        connection.execute(
            "UPDATE incidents SET fix_seen_at = ? WHERE id = ? AND fix_seen_at IS NULL",
            (to_ms(run.finished_at), incident),
        )


def files_first_seen(
    connection: sqlite3.Connection, incident: str, source: Location
) -> tuple[tuple[Fingerprint, bool], ...]:
    """Return each file as it was first seen at this source, and whether it is broken."""
    rows = connection.execute(
        "SELECT filename, version, size, sha256, md5, url, broken FROM artifacts "
        "JOIN incidents ON incidents.id = incident WHERE name = ? AND source = ? ORDER BY filename",
        (incident, source_key(source)),
    )
    return tuple(
        (
            Fingerprint(
                filename=filename, version=version, size=size, sha256=sha256, md5=md5, url=url
            ),
            bool(broken),
        )
        for filename, version, size, sha256, md5, url, broken in rows
    )
