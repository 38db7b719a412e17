"""The text by which versions are sorted, against `packaging`'s own order."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version

from auditor.model.version import version_order

NUMBERS = st.one_of(st.integers(0, 12), st.integers(0, 10**30))
VERSIONS = st.builds(
    lambda epoch, release, pre, post, dev, local: Version(
        f"{epoch}!{'.'.join(map(str, release))}{pre}{post}{dev}{local}"
    ),
    st.integers(0, 2),
    st.lists(st.one_of(st.just(0), NUMBERS), min_size=1, max_size=4),
    st.one_of(st.just(""), st.builds("{}{}".format, st.sampled_from(["a", "b", "rc"]), NUMBERS)),
    st.one_of(st.just(""), st.builds(".post{}".format, NUMBERS)),
    st.one_of(st.just(""), st.builds(".dev{}".format, NUMBERS)),
    st.one_of(st.just(""), st.from_regex(r"\+[a-z0-9]{1,3}(\.[a-z0-9]{1,3}){0,2}", fullmatch=True)),
)


@given(VERSIONS, VERSIONS)
def test_texts_compare_as_their_versions_do(one: Version, other: Version) -> None:
    first, second = version_order(one), version_order(other)
    assert (one < other, one == other) == (first < second, first == second)


@given(VERSIONS)
def test_a_local_label_continues_the_text_of_the_public_version(version: Version) -> None:
    public = version_order(Version(version.public))
    assert version_order(version).startswith(public[:-1])
    assert version.local is None or version_order(version) > public


@given(VERSIONS, VERSIONS)
def test_no_other_public_version_continues_it(one: Version, other: Version) -> None:
    public = version_order(Version(one.public))[:-1]
    same = Version(one.public) == Version(other.public)
    assert same is version_order(other).startswith(public)
