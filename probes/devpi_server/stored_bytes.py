"""Is the file itself there? Asked only after a deletion that reached all that devpi copies from.

A GET fetches what a mirror lacks from its upstream, and what a replica lacks from its primary and
then from the upstream. Once the file is gone from each of them there is nothing to fetch: a primary
passes on the 404 and keeps nothing, a replica answers 502 and says what it was told (measured on
devpi-server 6.20.3, whose HEAD of such a file is broken HTTP: it has a body).
"""

from __future__ import annotations

import re
from dataclasses import replace

import msgspec

from auditor.contracts import Assignment
from auditor.model import HeldState, Holding
from probes.devpi_server.question import Question
from probes.devpi_server.topology import Topology
from probes.kit.answer import Answer
from probes.kit.chain import AskedFile, ask_for, why_not_ask
from probes.kit.evidence import EvidenceRecorder
from probes.kit.fingerprint import is_devpi_answer
from probes.kit.session import GuardedSession

__all__ = ["ask_for_bytes", "why_not_ask_bytes"]

_TOLD_GONE = re.compile(r"received (?:404|410)(?: from primary)?$")


def why_not_ask_bytes(assignment: Assignment, topology: Topology, filename: str) -> str | None:
    """Return why the file itself must not be asked for; None if there is nothing to fetch."""
    reason = why_not_ask(assignment, filename)
    if reason is not None:
        return reason
    if not topology.is_complete:
        return "what this index inherits from is not all known"
    if len({mirror.upstream for mirror in topology.mirrors}) > 1:
        return "its mirrors copy from several upstreams, of which one is declared"
    is_replica = topology.status is None or topology.status.is_replica
    if is_replica and not any(hop.kind == "devpi" for hop in assignment.upstreams):
        return "its primary could have the file, and is not declared as its `upstream`"
    return None


async def ask_for_bytes(
    assignment: Assignment,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    question: Question,
    entry: Holding,
) -> Holding:
    """Ask for the file, after `why_not_ask_bytes` returned None.

    Args:
        assignment, session, recorder: as for its entry.
        question: which file.
        entry: what its entry told, which stays the answer if the file tells nothing.
    """
    url = (question.url or "").partition("#")[0].partition("?")[0]
    file = AskedFile(
        filename=question.filename, url=url, version=question.version, sha256=question.sha256
    )
    found = await ask_for(assignment, session, recorder, file, by_get=True, not_held=_not_held)
    evidence = (*entry.evidence, *found.evidence)
    if found.state is HeldState.UNKNOWN:
        return replace(entry, how=f"{entry.how} ({found.how})", evidence=evidence)
    sha256 = found.sha256 or question.sha256
    return replace(found, sha256=sha256, evidence=evidence)


class _Failure(msgspec.Struct):
    message: str


def _not_held(answer: Answer) -> str | None:
    """A replica that lacks a file asks its primary, then the upstream, and tells what each said."""
    if answer.status != 502 or not is_devpi_answer(answer.headers):
        return None
    try:
        said = msgspec.json.decode(answer.body, type=_Failure).message.splitlines()
    except (msgspec.DecodeError, ValueError, RecursionError):
        return None
    gone = bool(said) and all(_TOLD_GONE.search(line) for line in said)
    return "neither its primary nor the upstream gave it the file" if gone else None
