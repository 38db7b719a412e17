"""May a place be asked for a broken file? The one rule for everything that fetches what it lacks.

A pull-through cache that is asked for a file which it does not have fetches and keeps it: HEAD,
Range and OPTIONS do so as well. It can only fetch what a place further up still gives. Where every
place of its declared upstream chain was asked, safely, for that exact file, and answered 404 or
410, there is nothing left to fetch, and asking is safe. A 200 then proves that the bytes are held.

A kind uses it so:

    reason = why_not_ask(assignment, filename)      # None: it may be asked
    if reason is None:
        file = AskedFile(filename=…, url=…)
        holding = await ask_for(assignment, session, recorder, file)

The two functions and `AskedFile` are stable; arguments are only ever added, with a default.
proxpi never uses this: it keeps the answer to a failed fetch, and redirects from then on.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

from auditor.contracts import Assignment
from auditor.errors import ProbeError
from auditor.model import HeldState, Holding, Touch
from probes.kit.answer import Answer
from probes.kit.evidence import EvidenceRecorder
from probes.kit.freshness import foreign_cache_signs
from probes.kit.session import GuardedSession, Request
from probes.kit.views import artifact_headers

__all__ = ["MAX_VERIFIED_BYTES", "AskedFile", "ask_for", "why_not_ask"]

# A file up to this size is read to check its digest; of a larger one the headers must do.
MAX_VERIFIED_BYTES = 32 * 2**20
_GONE = (404, 410)
# One failed download makes proxpi redirect that file to its upstream until it is restarted.
_NEVER = ("proxpi",)
_BEGINNINGS = {".whl": b"PK", ".zip": b"PK", ".egg": b"PK", ".gz": b"\x1f\x8b", ".tgz": b"\x1f\x8b"}
# Most wheels of pure Python are smaller, and read at once.
_BEGINNING_BYTES = 2**16


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedFile:
    """A broken file, as this place would offer it.

    Attributes:
        filename: as on the index.
        url: where this place offers it, absolute; never where its upstream does.
        version: None if not known.
        sha256: that it should have; None if not known.
    """

    filename: str
    url: str
    version: str | None = None
    sha256: str | None = None


def why_not_ask(assignment: Assignment, filename: str) -> str | None:
    """Return why this place must not be asked for a broken file; None if it may be.

    The caller sees to what only it can know: that the place has no upstream beside the declared
    one, and that no *other* cache stands between us and it (Via, Age, a proxy in use), which would
    store what a place that holds the file answers.

    Args:
        assignment: whose `upstreams` say what was found further up.
        filename: of the broken file.
    """
    if assignment.location.kind in _NEVER:
        return "asking makes it remember that the file failed, and redirect everybody from then on"
    if not assignment.upstreams:
        if assignment.location.upstream is None:
            return "asking could make it fetch the file, and its `upstream` is not declared"
        return (
            "asking could make it fetch the file: it is not known to be gone from every place of "
            "the chain that this one copies from"
        )
    for hop in assignment.upstreams:
        if filename not in hop.gone:
            return (
                f"asking could make it fetch the file: it is not known to be gone from {hop.name}"
            )
    return None


async def ask_for(
    assignment: Assignment,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    file: AskedFile,
    *,
    is_cache: bool = False,
    may_expire: bool | None = None,
    verify: bool = True,
    by_get: bool = False,
    not_held: Callable[[Answer], str | None] = lambda answer: None,
) -> Holding:
    """Ask a place for a broken file that is gone from everywhere above it; never raises.

    Only after `why_not_ask` returned None. HEAD comes first; what is there is then read, up to
    `MAX_VERIFIED_BYTES`, to tell its digest. Redirects are not followed, and a server that fails
    is not asked again. A cache whose copy has expired asks above before it answers, and may put the
    404 in place of the bytes (nginx with `proxy_cache_valid any`, Varnish): whether that can happen
    is for the caller to know, who must not ask then.

    Args:
        assignment: of this place.
        session: of this place.
        recorder: gets one piece of evidence per request.
        file: what to ask for.
        is_cache: whether signs of a cache in the answer are those of the place itself. Elsewhere
            they make the answer that of somebody else.
        may_expire: whether the place asks above for what it has kept too long. Its 404 then is that
            of somebody above, while the bytes may lie here and be given again once nobody answers
            above (nginx with `proxy_cache_use_stale`). None: as `is_cache`.
        verify: whether the bytes may be read.
        by_get: begin with a GET of which only the beginning is read, for servers that answer HEAD
            wrongly.
        not_held: tells why an answer other than 200, 404 and 410 means that the file is not here;
            None if it does not mean that.

    Returns:
        `held`, with the digest where it was read; `not-held` for 404 and 410, unless what is kept
        may have expired; else `unknown`.
        `answered` is the status of the place.
    """
    method = "GET" if by_get else "HEAD"
    try:
        first = await session.send(_request(method, file, assignment, _BEGINNING_BYTES))
    except ProbeError as error:
        return _unknown(file, f"{method} failed: {session.redactor.text(str(error))}")
    evidence = recorder.of_answer(first)
    signs = "" if is_cache else ", ".join(foreign_cache_signs(first.headers))
    if signs:
        how = f"{method} answers {first.status}, but from a cache ({signs})"
        return _unknown(file, how, evidence)
    if first.status in _GONE and (is_cache if may_expire is None else may_expire):
        how = f"{method} answers {first.status}, as it does for what it keeps and has expired too"
        return _unknown(file, how, evidence, status=first.status)
    if first.status != 200:
        return _absent(file, first, evidence, not_held)
    how = f"{method} answers 200, and there is nothing above it to fetch it from"
    held = _holding(file, HeldState.HELD, how, 200, evidence, size=_length(first))
    if not verify or held.size is None or held.size > MAX_VERIFIED_BYTES:
        return held
    if len(first.body) == held.size and first.fault is None:
        return _with_digest(held, file, first)
    return await _verified(held, assignment, session, recorder, file)


def _absent(
    file: AskedFile, answer: Answer, evidence: str, not_held: Callable[[Answer], str | None]
) -> Holding:
    how = f"{answer.method} answers {answer.status}"
    if answer.status in _GONE:
        how += ", and there is nothing above it to fetch it from"
        return _holding(file, HeldState.NOT_HELD, how, answer.status, evidence)
    reason = not_held(answer)
    if reason is None:
        return _unknown(file, how, evidence, status=answer.status)
    return _holding(file, HeldState.NOT_HELD, f"{how}: {reason}", answer.status, evidence)


async def _verified(
    held: Holding,
    assignment: Assignment,
    session: GuardedSession,
    recorder: EvidenceRecorder,
    file: AskedFile,
) -> Holding:
    """Read the bytes, which are here, and say which they are."""
    try:
        answer = await session.send(_request("GET", file, assignment, MAX_VERIFIED_BYTES + 1))
    except ProbeError:
        return held
    read = replace(
        held, evidence=(*held.evidence, recorder.of_answer(answer, "read for its digest"))
    )
    if answer.status != 200 or answer.fault is not None or len(answer.body) != held.size:
        return replace(read, how=f"{held.how}; its bytes could not be read whole")
    return _with_digest(read, file, answer)


def _with_digest(held: Holding, file: AskedFile, answer: Answer) -> Holding:
    as_expected = file.sha256 in (None, answer.body_sha256)
    if answer.body_sha256 != file.sha256 and not _is_archive(file.filename, answer.body):
        # An error or login page with status 200 must not pass for other bytes of the file.
        how = "answers 200, but what it sends is no distribution"
        return replace(held, state=HeldState.UNKNOWN, how=how, size=None)
    how = "; its bytes were read" if as_expected else "; its bytes were read, and are others"
    return replace(held, sha256=answer.body_sha256, how=f"{held.how}{how}")


def _is_archive(filename: str, body: bytes) -> bool:
    """Whether bytes begin as the name says; a name of an unusual kind is believed."""
    return all(body.startswith(m) for end, m in _BEGINNINGS.items() if filename.endswith(end))


def _request(method: str, file: AskedFile, assignment: Assignment, limit: int) -> Request:
    # Inert by the rule above: whatever this place does about it, there is nothing to be had.
    return Request(
        method=method,
        url=file.url,
        headers=artifact_headers(assignment.user_agent_suffix),
        touch=Touch.INERT,
        artifact=True,
        artifact_broken=True,
        prefix_bytes=limit if method == "GET" else None,
        redirects=False,
        again=False,
    )


def _holding(
    file: AskedFile,
    state: HeldState,
    how: str,
    answered: int,
    *evidence: str,
    size: int | None = None,
) -> Holding:
    return Holding(
        filename=file.filename,
        version=file.version,
        size=size,
        state=state,
        how=how,
        answered=answered,
        evidence=evidence,
    )


def _unknown(file: AskedFile, how: str, *evidence: str, status: int | None = None) -> Holding:
    return Holding(
        filename=file.filename,
        version=file.version,
        sha256=file.sha256,
        state=HeldState.UNKNOWN,
        how=how,
        answered=status,
        evidence=evidence,
    )


def _length(answer: Answer) -> int | None:
    length = answer.headers.get("content-length") or ""
    return int(length) if length.isascii() and length.isdigit() and len(length) < 16 else None
