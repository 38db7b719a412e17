"""Which versions an incident is about, by the orders of texts and by the rules themselves."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.model import Incident, VersionRule
from auditor.model.version import parse_version

TEXTS = (
    *("1.2.3", "1.2.3.0", "v1.2.3", " 1.2.3", "1.2.3\n", "1.2.3+local", "1.2.3+LOCAL", "1!1.2.3"),
    *("1.2.4", "1.2.4rc1", "1.2.4-RC.1", "1.2.4.post1", "1.2.4-1", "1.2.4.dev0", "1.02.4"),
    *("", "latest", "1..2", "1.2.3x", f"1.{'9' * 300}", "1.2"),
)
RULES = (*("1.2.3", "1.2.3.0", "1.2.4", "1.2.3+local", "1.2.4rc1"), ">=1.2.4", "==1.2.*", "<1.2.4")


def matches(rules: tuple[str, ...], text: str) -> bool:
    version = parse_version(text)
    return version is not None and any(VersionRule(rule).matches(version) for rule in rules)


@given(
    st.lists(st.sampled_from(RULES), min_size=1, max_size=2).map(tuple),
    st.lists(st.sampled_from(RULES), max_size=2).map(tuple),
    st.sampled_from(TEXTS),
)
def test_a_text_is_judged_as_the_version_that_it_spells(
    broken: tuple[str, ...], fixed: tuple[str, ...], text: str
) -> None:
    incident = Incident(id="x", project="brokenpkg", broken=broken, fixed=fixed)
    version = parse_version(text)

    assert incident.is_broken(text) == matches(broken, text)
    assert incident.is_named_fixed(text) == (matches(fixed, text) and not matches(broken, text))
    assert incident.breaks(text) == incident.is_broken(text) == incident.is_broken(version)
    assert incident.cures(text) == incident.is_named_fixed(text) == incident.is_named_fixed(version)


@pytest.mark.parametrize("fixed", [("1.2.4",), (">=1.2.4",), ()])
def test_no_text_is_no_version(fixed: tuple[str, ...]) -> None:
    incident = Incident(id="x", project="brokenpkg", broken=("1.2.3",), fixed=fixed)
    assert not incident.is_broken(None)
    assert not incident.is_named_fixed(None)
