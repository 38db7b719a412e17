"""What the engine knows of an observation better than any probe: failures, requests, doubts."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime

from auditor.contracts import Credentials, Ledger
from auditor.errors import Denied, GuardRefused, Malformed, ProbeError, Unreachable
from auditor.model import Fingerprint, Incident, Location, Observation, Outcome
from auditor.model.file_table import listed_with
from auditor.numbering import numbered

__all__ = ["UNVERIFIED", "failed", "fingerprints_at", "sealed", "with_doubts"]

UNVERIFIED = "certificates were not verified here (insecure = true): anybody may have answered"


def fingerprints_at(observation: Observation, incident: Incident) -> tuple[Fingerprint, ...]:
    """The broken artifacts as the source lists them: stores are searched for their bytes."""
    listed = {
        c.filename: c
        for page in observation.pages
        for c in listed_with(page.candidates, incident.is_broken)
    }
    return tuple(
        Fingerprint(
            filename=c.filename,
            version=c.version,
            size=c.size,
            sha256=c.hashes.get("sha256"),
            md5=c.hashes.get("md5"),
            url=c.url,
        )
        for c in listed.values()
    )


def failed(
    blank: Observation, error: Exception | SystemExit, location: Location, credentials: Credentials
) -> Observation:
    """Turn what a probe raised into an observation; no secret survives in its text."""
    connected: bool | None = None
    text = str(error)
    match error:
        case TimeoutError():
            outcome, text = Outcome.UNREACHABLE, f"no complete answer in {location.timeout_s:g} s"
        case Unreachable():
            outcome, connected = Outcome.UNREACHABLE, error.connected
        case Denied():
            outcome = Outcome.DENIED
        case GuardRefused():
            outcome = Outcome.SKIPPED
        case Malformed() | ProbeError():
            outcome = Outcome.MALFORMED
        case _:
            outcome = Outcome.MALFORMED
            text = f"the probe of kind {location.kind} failed: {type(error).__name__}: {error}"
    for secret in credentials.secrets():
        text = text.replace(secret, "…")
    return replace(blank, outcome=outcome, detail=text, connected=connected)


def sealed(observation: Observation, blank: Observation, ledger: Ledger) -> Observation:
    """Complete an observation with what the engine knows better than any probe."""
    requests = ledger.records()
    connected = observation.connected
    if connected is None and requests:
        connected = any(r.status is not None for r in requests)
    return replace(
        numbered(observation),
        location=blank.location,
        vantage=blank.vantage,
        incident=blank.incident,
        requests=requests,
        connected=connected,
        started_at=blank.started_at,
        finished_at=datetime.now(UTC),
    )


def with_doubts(
    observation: Observation, location: Location, credentials: Credentials
) -> Observation:
    """Note where nobody checked who answered: no report may hide that."""
    origin = (location.url or "").rstrip("/").lower()
    asked = any(r.url.lower().startswith(origin) for r in observation.requests)
    if not (credentials.insecure and origin.startswith("https:") and asked):
        return observation
    return replace(observation, notes=(*observation.notes, UNVERIFIED))
