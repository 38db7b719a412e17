"""What must hold of every observation, and of every kind before it looks at anything."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from urllib.parse import urlsplit

import msgspec

from auditor.contracts import API_REVISION, Assignment, ProbeKind
from auditor.lab.server import LoopbackServer
from auditor.model import HeldState, Observation, RequestRecord, Touch
from auditor.observations import encode

__all__ = ["declaration_problems", "ledger_problems", "observation_problems"]

# As `auditor.verdict.remedies` fills them in. `${HOME}` is the shell's.
_PLACEHOLDERS = frozenset(
    {"url", "page", "path", "cache_path", "project", "fixed", "broken", "file"}
    | {"endpoint_option"}
)
_PLACEHOLDER = re.compile(r"(?<!\$)\{(\w+)\}")


def declaration_problems(kind: ProbeKind) -> Iterator[str]:
    """Check what a kind declares."""
    if kind.revision != API_REVISION:
        yield f"revision is {kind.revision}, this auditor speaks {API_REVISION}"
    if not kind.name or kind.name != kind.name.strip().lower():
        yield f"name {kind.name!r} must be lower case, without blanks around it"
    if not kind.summary.strip():
        yield "summary is empty"
    repeated = [key for key, n in Counter(s.key for s in kind.settings).items() if n > 1]
    if repeated:
        yield f"settings are declared twice: {', '.join(repeated)}"
    if any(note.touch is Touch.MUTATES for note in kind.touches):
        yield "a touch is `mutates`: the guard refuses it always; print a remedy instead"
    if not all(note.proof.strip() for note in kind.touches):
        yield "a touch has no proof"
    for remedy in kind.remedies:
        unknown = set(_PLACEHOLDER.findall(remedy.command)) - _PLACEHOLDERS
        if unknown:
            yield f"remedy has unknown placeholders: {sorted(unknown)}"


def observation_problems(
    found: Observation, work: Assignment, secrets: Sequence[str]
) -> Iterator[str]:
    """Check one observation by itself."""
    named = (found.location, found.vantage, found.incident)
    wanted = (work.location.name, work.vantage.id, work.incident.id)
    if named != wanted:
        yield f"observation is of {named}, not of {wanted}"
    yield from _time_problems(found)
    yield from _evidence_problems(found)
    yield from _holding_problems(found)
    try:
        text = encode(found)
        again = msgspec.json.decode(text, type=Observation)
    except (msgspec.MsgspecError, TypeError, UnicodeEncodeError) as error:
        yield f"observation cannot be written as JSON: {error}"
        return
    if again != found:
        yield "observation is another one after a round trip through JSON"
    shown = text.decode()
    if any(secret in shown for secret in secrets):
        yield "a secret stands in the observation"


def ledger_problems(
    kind: ProbeKind, records: Sequence[RequestRecord], server: LoopbackServer | None
) -> Iterator[str]:
    """Compare the ledger with what the server saw, and with what the kind declares."""
    declared = {note.touch for note in kind.touches}
    for touch in sorted({record.touch for record in records} - declared):
        yield f"a request had the touch {touch.value!r}, which `touches` does not declare"
    if server is None:
        return
    root = urlsplit(server.url).netloc
    written = Counter(
        (r.method, urlsplit(r.url).path) for r in records if urlsplit(r.url).netloc == root
    )
    seen = Counter((entry.method, urlsplit(entry.path).path) for entry in server.log)
    for method, path in seen - written:
        yield f"{method} {path} reached the server and is not in the ledger"
    for method, path in written - seen:
        yield f"{method} {path} is in the ledger and never reached the server"


def _time_problems(found: Observation) -> Iterator[str]:
    moments = (found.started_at, found.finished_at)
    if any(moment.tzinfo is None for moment in moments):
        yield "started_at or finished_at has no time zone"
    elif found.started_at > found.finished_at:
        yield "finished_at lies before started_at"


def _evidence_problems(found: Observation) -> Iterator[str]:
    ids = [item.id for item in found.evidence]
    if len(set(ids)) != len(ids):
        yield "two pieces of evidence have one id"
    used = {each for page in found.pages for each in page.evidence}
    used |= {each for holding in found.holdings for each in holding.evidence}
    if used - set(ids):
        yield f"evidence is named that is not there: {sorted(used - set(ids))}"


def _holding_problems(found: Observation) -> Iterator[str]:
    for holding in found.holdings:
        if not holding.filename:
            yield "a holding has no file name"
        if not holding.how.strip():
            yield f"holding {holding.filename!r} does not say how that is known"
        digest = holding.sha256
        if digest is not None and (len(digest) != 64 or set(digest) - set("0123456789abcdef")):
            yield f"holding {holding.filename!r} has a sha256 that is none: {digest!r}"
        if holding.state is HeldState.NOT_HELD and holding.sha256 is not None:
            yield f"holding {holding.filename!r} is not held, and yet has a digest"
