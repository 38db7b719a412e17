from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from probes.kit.answer import Headers
from probes.kit.freshness import foreign_cache_signs, freshness_of, http_date

NOW = datetime(2026, 11, 23, 12, tzinfo=UTC)


def headers(**fields: str) -> Headers:
    return Headers(tuple((name.replace("_", "-"), value) for name, value in fields.items()))


def test_age_and_max_age_give_the_expiry() -> None:
    freshness = freshness_of(headers(Age="100", Cache_Control="public, max-age=600"), NOW)
    assert freshness.age_s == 100.0
    assert freshness.expires_at == NOW + timedelta(seconds=500)


@pytest.mark.parametrize("control", ["no-store", "max-age=600, no-cache", "max-age=0", "NO-STORE"])
def test_what_may_not_be_kept_expires_at_once(control: str) -> None:
    assert freshness_of(headers(Cache_Control=control), NOW).expires_at == NOW


def test_expires_is_read_relative_to_date() -> None:
    fields = headers(Date="Mon, 23 Nov 2026 10:00:00 GMT", Expires="Mon, 23 Nov 2026 10:05:00 GMT")
    assert freshness_of(fields, NOW).expires_at == NOW + timedelta(minutes=5)


def test_an_unreadable_expires_means_expired() -> None:
    assert freshness_of(headers(Expires="0"), NOW).expires_at == NOW


def test_silence_stays_unknown() -> None:
    freshness = freshness_of(Headers(), NOW)
    assert (freshness.age_s, freshness.serial, freshness.expires_at) == (None, None, None)
    assert freshness.fetched_at == NOW


def test_the_serial_of_the_body_wins_over_the_header() -> None:
    fields = headers(X_PyPI_Last_Serial="5")
    assert freshness_of(fields, NOW).serial == 5
    assert freshness_of(fields, NOW, body_serial=4).serial == 4


@pytest.mark.parametrize("serial", ["", "-1", "1e9", "٣", "9" * 5000, "None"])
def test_a_serial_that_is_no_number_is_silence(serial: str) -> None:
    assert freshness_of(headers(X_PyPI_Last_Serial=serial), NOW).serial is None


def test_each_hop_speaks_nearest_first() -> None:
    fields = headers(Cache_Status="origin; fwd=miss, edge; hit", X_Cache="MISS, HIT", Via="1.1 v")
    assert freshness_of(fields, NOW).cache_status == (
        "cache-status: edge; hit",
        "cache-status: origin; fwd=miss",
        "x-cache: HIT",
        "x-cache: MISS",
        "via: 1.1 v",
    )


def test_squid_varnish_and_nginx_show_themselves() -> None:
    squid = headers(X_Cache="HIT from box", X_Cache_Lookup="HIT from box:3128")
    varnish = headers(X_Varnish="5 3", Age="0")
    nginx = headers(X_Cache_Status="HIT")
    assert all(foreign_cache_signs(one) for one in (squid, varnish, nginx))


def test_the_delivery_network_of_pypi_is_no_foreign_cache() -> None:
    assert foreign_cache_signs(headers(X_Served_By="cache-a, cache-b", X_Cache="HIT, MISS")) == ()


@given(
    st.dictionaries(
        st.sampled_from(
            ["Age", "Expires", "Date", "Last-Modified", "Cache-Control", "ETag", "Via", "X-Cache"]
        ),
        st.one_of(
            st.text(max_size=200),
            st.integers().map(str),
            st.integers(0, 10**30).map("max-age={}".format),
            st.datetimes().map(lambda d: d.strftime("%a, %d %b %Y %H:%M:%S -2359")),
        ),
    )
)
def test_hostile_headers_never_crash(fields: dict[str, str]) -> None:
    freshness = freshness_of(Headers(tuple(fields.items())), NOW)
    assert freshness.expires_at is None or freshness.expires_at >= NOW


def test_a_date_at_the_edge_of_time_is_no_date() -> None:
    assert http_date("Fri, 31 Dec 9999 23:59:59 -2359") is None
