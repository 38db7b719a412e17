"""What a status, or a failure, means for one page."""

from __future__ import annotations

from collections.abc import Mapping

from auditor.errors import Denied, Malformed, ProbeError, Unreachable
from auditor.model import PageOutcome

__all__ = ["STATUS_DETAIL", "outcome_of_error", "outcome_of_status"]


def outcome_of_status(status: int) -> PageOutcome:
    """Say what a status means for a page.

    429 and 5xx count as unreachable: the server is there, but does not say what it has. That must
    never be read as *absent*: proxpi answers 500 for a project that its upstream deleted, and for
    every project while its upstream is down.
    """
    if status in (200, 203):
        return PageOutcome.OBSERVED
    if status in (404, 410):
        return PageOutcome.ABSENT
    if status in (401, 403, 407, 451):
        return PageOutcome.DENIED
    if status in (406, 415):
        return PageOutcome.REFUSED
    if status in (408, 429) or status >= 500:
        return PageOutcome.UNREACHABLE
    return PageOutcome.MALFORMED


STATUS_DETAIL: Mapping[PageOutcome, str] = {
    PageOutcome.ABSENT: "answers {status}: it does not carry the project",
    PageOutcome.DENIED: "answers {status}; check the credentials of this location",
    PageOutcome.REFUSED: "answers {status}: it has no page in a form that this client reads",
    PageOutcome.UNREACHABLE: "answers {status}, also when asked again; look at the server's log",
    PageOutcome.MALFORMED: "answers {status}, which no index answers for a page; check the URL",
}


def outcome_of_error(error: ProbeError) -> PageOutcome:
    """Say what it means for a page that there was no answer."""
    if isinstance(error, Unreachable):
        return PageOutcome.UNREACHABLE
    if isinstance(error, Denied):
        return PageOutcome.DENIED
    if isinstance(error, Malformed):
        return PageOutcome.MALFORMED
    # Our own decision or limit: the guard's refusal, an encoding that we cannot undo, a proxy or
    # certificate of a kind that we cannot use.
    return PageOutcome.SKIPPED
