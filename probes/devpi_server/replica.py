"""How far a replica is behind its primary, and which of its own words count for that.

Of what a replica says of itself only its serial is believed. `primary-contacted-at` is set before
each attempt, and the marks of being in sync kept advancing while the primary was down.
"""

from __future__ import annotations

from auditor.errors import ProbeError
from auditor.model import Hint, Touch
from probes.devpi_server.topology import ServerStatus, host_of, read_status
from probes.kit.evidence import EvidenceRecorder
from probes.kit.session import GuardedSession, Request

__all__ = ["compare_with_primary"]


async def compare_with_primary(
    replica: ServerStatus,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    user_agent_suffix: str,
) -> tuple[list[str], list[Hint]]:
    """Ask the primary for its serial; return what a reader should know, and the lag if any."""
    where = host_of(replica.primary_url)
    notes = [f"this is a replica of {where}: what it holds, only its disk tells"]
    if replica.errors:
        notes.append(f"the replica failed to copy {replica.errors} files; see its /+status")
    if replica.primary_url is None:
        return notes, []
    try:
        primary = await _status_of(replica.primary_url, session, recorder, user_agent_suffix)
    except ProbeError as error:
        notes.append(
            f"its primary could not be asked ({session.redactor.text(str(error))}): whether the "
            "replica is in sync is not known, because its own word for it also holds without one"
        )
        return notes, []
    return notes, _behind(replica, primary, where)


async def _status_of(
    url: str, session: GuardedSession, recorder: EvidenceRecorder, user_agent_suffix: str
) -> ServerStatus:
    """Ask a server that only the replica named; it gets no credentials of ours."""
    status_url = f"{url.rstrip('/')}/+status"
    await session.refuse_private(status_url)
    headers = (
        ("User-Agent", f"devpi-client {user_agent_suffix}"),
        ("Accept", "application/json"),
        ("Accept-Encoding", "identity"),
    )
    request = Request(url=status_url, headers=headers, touch=Touch.INERT, redirects=False)
    return read_status(await session.send(request), recorder)


def _behind(replica: ServerStatus, primary: ServerStatus, where: str) -> list[Hint]:
    ours, theirs = replica.serial, primary.serial
    if ours is None or theirs is None or ours >= theirs:
        return []
    fresh = ", and has copied nothing yet" if ours < 0 else ""
    return [
        Hint(
            code="replica-behind",
            text=f"This replica is behind its primary {where}{fresh}.",
            expected=f"serial {theirs}, as its primary has",
            observed=f"serial {ours}",
            evidence=(replica.evidence, primary.evidence),
        )
    ]
