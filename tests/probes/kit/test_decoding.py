from __future__ import annotations

import contextlib
import gzip
import sys
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from auditor.errors import Malformed
from probes.kit.decoding import Undecodable, decode

LIMIT = 10_000


def raw_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


CODINGS = {
    None: bytes,
    "identity": bytes,
    "gzip": gzip.compress,
    "x-gzip": gzip.compress,
    "GZIP": gzip.compress,
    "deflate": zlib.compress,
}


@pytest.mark.parametrize("name", CODINGS)
@given(body=st.binary(max_size=5000))
def test_each_coding_is_undone(name: str | None, body: bytes) -> None:
    assert decode(CODINGS[name](body), name, limit=LIMIT) == body


@given(body=st.binary(min_size=1, max_size=5000))
def test_raw_deflate_is_undone_too(body: bytes) -> None:
    assert decode(raw_deflate(body), "deflate", limit=LIMIT) == body


def test_several_gzip_members_are_one_body() -> None:
    assert decode(gzip.compress(b"ab") + gzip.compress(b"cd"), "gzip", limit=9) == b"abcd"


@pytest.mark.slow
@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_bomb_costs_its_bound_only(name: str) -> None:
    bomb = CODINGS[name](bytes(200 * 2**20))
    with pytest.raises(Malformed, match="bomb"):
        decode(bomb, name, limit=LIMIT)


def test_a_body_of_exactly_the_limit_passes_and_one_more_does_not() -> None:
    assert len(decode(gzip.compress(bytes(LIMIT)), "gzip", limit=LIMIT)) == LIMIT
    with pytest.raises(Malformed):
        decode(gzip.compress(bytes(LIMIT + 1)), "gzip", limit=LIMIT)
    with pytest.raises(Malformed):
        decode(bytes(LIMIT + 1), None, limit=LIMIT)


@pytest.mark.parametrize("name", ["gzip", "deflate"])
def test_a_body_that_breaks_off_is_malformed_unless_cut_on_purpose(name: str) -> None:
    cut = CODINGS[name](bytes(range(256)) * 4)[:-9]
    with pytest.raises(Malformed, match="breaks off"):
        decode(cut, name, limit=LIMIT)
    assert bytes(range(256)) in decode(cut, name, limit=LIMIT, partial=True)


def test_garbage_in_place_of_gzip_is_malformed() -> None:
    with pytest.raises(Malformed, match="decompressed"):
        decode(b"not gzip at all", "gzip", limit=LIMIT)


@pytest.mark.parametrize("name", ["br", "gzip, gzip", "compress", "x" * 500])
def test_an_unknown_coding_is_our_limit(name: str) -> None:
    with pytest.raises(Undecodable, match="our limit"):
        decode(b"body", name, limit=LIMIT)


def test_zstd_without_a_module_is_our_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("compression", "compression.zstd", "backports.zstd", "zstandard"):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(Undecodable, match=r"zstd.*our limit.*install"):
        decode(b"\x28\xb5\x2f\xfd", "zstd", limit=LIMIT)


@given(wire=st.binary(max_size=300), name=st.sampled_from(["gzip", "deflate", "zstd", "br"]))
def test_hostile_bytes_raise_nothing_but_our_errors(wire: bytes, name: str) -> None:
    with contextlib.suppress(Malformed, Undecodable):
        assert len(decode(wire, name, limit=1000)) <= 1000
