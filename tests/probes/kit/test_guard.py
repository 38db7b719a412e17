"""The table of the request guard, row by row."""

from __future__ import annotations

from itertools import product

import pytest

from auditor.contracts import GuardPolicy
from auditor.errors import GuardRefused
from auditor.model import Touch
from probes.kit.guard import decide

POLICIES = [GuardPolicy(inert=i, allow_store=s) for i, s in product((False, True), repeat=2)]


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("broken", [False, True])
def test_inert_requests_always_pass(policy: GuardPolicy, broken: bool) -> None:
    decide(Touch.INERT, policy, artifact_broken=broken)


@pytest.mark.parametrize("policy", POLICIES)
@pytest.mark.parametrize("broken", [False, True])
def test_no_option_lets_an_audit_change_anything(policy: GuardPolicy, broken: bool) -> None:
    with pytest.raises(GuardRefused, match="remedy"):
        decide(Touch.MUTATES, policy, artifact_broken=broken)


@pytest.mark.parametrize("policy", POLICIES)
def test_index_pages_are_asked_for_unless_inert(policy: GuardPolicy) -> None:
    if policy.inert:
        with pytest.raises(GuardRefused, match="--inert"):
            decide(Touch.REFRESHES_INDEX, policy)
    else:
        decide(Touch.REFRESHES_INDEX, policy)


@pytest.mark.parametrize("policy", POLICIES)
def test_no_option_lets_a_cache_store_the_broken_artifact(policy: GuardPolicy) -> None:
    with pytest.raises(GuardRefused, match="broken artifact"):
        decide(Touch.MAY_STORE_ARTIFACT, policy, artifact_broken=True)


@pytest.mark.parametrize("policy", POLICIES)
def test_other_artifacts_may_be_stored_only_when_allowed(policy: GuardPolicy) -> None:
    if policy.allow_store and not policy.inert:
        decide(Touch.MAY_STORE_ARTIFACT, policy)
    else:
        with pytest.raises(GuardRefused, match="--allow-store"):
            decide(Touch.MAY_STORE_ARTIFACT, policy)
