"""isal and zlib say the same of every body: whoever lacks isal must get the same answer, slower."""

from __future__ import annotations

import gzip
import zlib
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from auditor.errors import Malformed
from probes.kit import decoding
from probes.kit.decoding import decode

LIMIT = 100_000

pytestmark = pytest.mark.skipif(
    decoding._isal() is None, reason="isal does not exist for this platform"
)

# What compresses well and what does not, so that both kinds of deflate blocks are made.
bodies = st.one_of(
    st.binary(max_size=3000),
    st.builds(lambda piece, times: piece * times, st.binary(max_size=40), st.integers(0, 400)),
)
codings = st.sampled_from(["gzip", "deflate", "raw"])


@contextmanager
def without_isal() -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(decoding, "_isal", lambda: None)
        yield


def compressed(body: bytes, coding: str) -> bytes:
    if coding == "gzip":
        return gzip.compress(body, mtime=0)
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS if coding == "raw" else zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def outcome(wire: bytes, coding: str, *, partial: bool = False) -> bytes | None:
    """Return the body; None if it is refused. Why may be said in other words."""
    try:
        return decode(wire, "gzip" if coding == "gzip" else "deflate", limit=LIMIT, partial=partial)
    except Malformed:
        return None


def assert_same(wire: bytes, coding: str) -> None:
    with without_isal():
        expected = [outcome(wire, coding), outcome(wire, coding, partial=True)]
    assert expected == [outcome(wire, coding), outcome(wire, coding, partial=True)]


@given(body=bodies, coding=codings)
def test_whole_bodies_are_the_same(body: bytes, coding: str) -> None:
    wire = compressed(body, coding)
    assert body == outcome(wire, coding)
    assert_same(wire, coding)


@given(body=bodies, coding=codings, share=st.floats(0, 1, exclude_max=True))
def test_truncated_bodies_are_the_same(body: bytes, coding: str, share: float) -> None:
    wire = compressed(body, coding)
    cut = wire[: int(len(wire) * share)]
    assert_same(cut, coding)
    if cut:
        assert outcome(cut, coding) is None


@given(
    body=bodies, coding=codings, share=st.floats(0, 1, exclude_max=True), flip=st.integers(1, 255)
)
def test_corrupt_bodies_are_the_same(body: bytes, coding: str, share: float, flip: int) -> None:
    wire = bytearray(compressed(body, coding))
    wire[int(len(wire) * share)] ^= flip
    assert_same(bytes(wire), coding)


@given(first=bodies, second=bodies, between=st.sampled_from([b"", b"\0\0", b"x", b"\x1f\x8b"]))
@example(first=b"a", second=b"", between=b"\x1f\x8b\x08\xe0")
def test_members_and_what_lies_between_them_are_the_same(
    first: bytes, second: bytes, between: bytes
) -> None:
    assert_same(compressed(first, "gzip") + between + compressed(second, "gzip"), "gzip")


@given(noise=st.binary(max_size=300), coding=codings)
def test_noise_is_the_same(noise: bytes, coding: str) -> None:
    assert_same(noise, coding)


@pytest.mark.slow
@pytest.mark.parametrize("coding", ["gzip", "deflate", "raw"])
@pytest.mark.parametrize("is_isal", [True, False])
def test_the_bound_holds_with_both(coding: str, is_isal: bool) -> None:
    bomb = compressed(bytes(50 * 2**20), coding)
    exact, more = compressed(bytes(LIMIT), coding), compressed(bytes(LIMIT + 1), coding)
    name = "gzip" if coding == "gzip" else "deflate"
    with pytest.MonkeyPatch.context() as patch:
        if not is_isal:
            patch.setattr(decoding, "_isal", lambda: None)
        assert len(decode(exact, name, limit=LIMIT)) == LIMIT
        for wire in (more, bomb, compressed(b"", "gzip") + bomb if coding == "gzip" else bomb):
            with pytest.raises(Malformed, match="bomb"):
                decode(wire, name, limit=LIMIT)


def test_isal_is_really_used_where_it_exists() -> None:
    inflater = decoding._inflater(31, partial=False)
    assert type(inflater).__module__.startswith("isal")
    with without_isal():
        assert not type(decoding._inflater(31, partial=False)).__module__.startswith("isal")
