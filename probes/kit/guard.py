"""The request guard: what an audit may do to the world, decided in one place.

An audit that fills the caches it looks at destroys its own evidence and spreads the broken file.
HEAD and Range are no way out: nginx and Varnish turn both into a full, stored GET. Therefore every
request states its touch, and this function lets it out or not.
"""

from __future__ import annotations

from typing import assert_never

from auditor.contracts import Assignment, GuardPolicy
from auditor.errors import GuardRefused
from auditor.model import Role, Touch

__all__ = ["decide", "is_asked_once"]

# Files as somebody put them there: reading a page makes none of these ask anybody.
_NEVER_FETCH = frozenset({"bandersnatch", "wheelhouse", "s3"})


def decide(touch: Touch, policy: GuardPolicy, *, artifact_broken: bool = False) -> None:
    """Let a request out, or say why not.

    Args:
        touch: what the request may do to the world.
        policy: what this audit may do.
        artifact_broken: whether what it may make a cache store is a broken artifact.

    Raises:
        GuardRefused: the request must not be sent; the text names the option that decides.
    """
    match touch:
        case Touch.INERT:
            return
        case Touch.REFRESHES_INDEX:
            _decide_refresh(policy)
        case Touch.MAY_STORE_ARTIFACT:
            _decide_store(policy, artifact_broken=artifact_broken)
        case Touch.MUTATES:
            raise GuardRefused(
                "an audit never purges, refreshes or deletes; run the printed remedy yourself"
            )
        case _:
            assert_never(touch)


def is_asked_once(assignment: Assignment) -> bool:
    """Say whether the pages of a place may be read once only: no samples, no second attempt.

    What copies from a source that lacks the fix can only renew the old page when it is asked: each
    further question would arm it for another lifetime. A source of which it is not known whether it
    lists the fix counts as one that does not. Whoever declares no `upstream` may have one all the
    same, unless the kind is one that fetches nothing when it is read.
    """
    source, location = assignment.source, assignment.location
    may_copy = location.upstream is not None or (
        location.role is Role.INDEX and location.kind not in _NEVER_FETCH
    )
    return may_copy and source is not None and source.lists_fix is not True


def _decide_refresh(policy: GuardPolicy) -> None:
    if policy.inert:
        raise GuardRefused(
            "asking for an index page can make a cache re-read it, and --inert forbids that; "
            "audit without --inert, or give a `path` to read from disk"
        )


def _decide_store(policy: GuardPolicy, *, artifact_broken: bool) -> None:
    if artifact_broken:
        raise GuardRefused(
            "the request could make a cache store the broken artifact; no option allows that"
        )
    if not policy.allow_store or policy.inert:
        raise GuardRefused(
            "the request could make a cache store an artifact; only --allow-store allows that, "
            "and never together with --inert"
        )
