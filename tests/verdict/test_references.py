"""Which file names places disagree on, whether or not they share what was read of one page."""

from __future__ import annotations

from collections.abc import Sequence

from hypothesis import given
from hypothesis import strategies as st
from msgspec import structs

from auditor.model import Candidate, Observation
from auditor.verdict.references import References
from tests.verdict.stage import INCIDENT, observe, page, wheel

DIGESTS = ("sha256", "md5", "crc32")


@st.composite
def listings(draw: st.DrawFn) -> tuple[Candidate, ...]:
    """Files of two names, each perhaps twice, with digests and sizes that are often missing."""
    files = []
    for version in draw(st.lists(st.sampled_from(("1.0", "2.0")), min_size=1, max_size=3)):
        hashes = draw(st.dictionaries(st.sampled_from(DIGESTS), st.sampled_from("ab"), max_size=2))
        size = draw(st.sampled_from((None, 1, 2)))
        files.append(structs.replace(wheel(version), hashes=hashes, size=size))
    return tuple(files)


def _observed(lists: Sequence[tuple[Candidate, ...]]) -> list[Observation]:
    return [observe(f"p{number}", page(files)) for number, files in enumerate(lists)]


def _with_own_lists(observations: Sequence[Observation]) -> list[Observation]:
    return _observed([tuple(map(structs.replace, o.pages[0].candidates)) for o in observations])


@given(st.data(), st.lists(listings(), min_size=1, max_size=3))
def test_places_that_share_a_list_disagree_with_the_same_ones(
    data: st.DataObject, lists: list[tuple[Candidate, ...]]
) -> None:
    order = data.draw(st.lists(st.sampled_from(lists), min_size=1, max_size=6))
    shared = _observed(order)
    references = References.of(INCIDENT, ())

    assert references.conflicts(_with_own_lists(shared)) == references.conflicts(shared)
