"""The request guard: what an audit may do to the world, decided in one place.

An audit that fills the caches it looks at destroys its own evidence and spreads the broken file.
HEAD and Range are no way out: nginx and Varnish turn both into a full, stored GET. Therefore every
request states its touch, and this function lets it out or not.
"""

from __future__ import annotations

from typing import assert_never

from auditor.contracts import GuardPolicy
from auditor.errors import GuardRefused
from auditor.model import Touch

__all__ = ["decide"]


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
