"""Times that a server states may be anything, and crash or excuse nothing."""

from __future__ import annotations

import pytest

import auditor
from auditor.model import Run
from tests.hostile.bodies import JSON_TYPE, entry, json_page
from tests.hostile.server import Play, Server, head
from tests.hostile.table import fixed

pytestmark = pytest.mark.slow

FORMATS = ("json", "html", "terminal", "markdown", "prometheus", "csv", "sarif", "junit", "nagios")


def at(time: str, *, fix: bool, **headers: str) -> Play:
    fixes = [entry("1.2.4", **{"upload-time": time})] if fix else []
    broken = entry("1.2.3", **{"upload-time": time}, **({"yanked": "bad"} if fix else {}))
    page = json_page([entry("1.2.2"), broken, *fixes])
    return fixed(head(Content_Type=JSON_TYPE, Content_Length=len(page), **headers) + page)


async def audited(time: str, **headers: str) -> Run:
    async with (
        Server(at(time, fix=True, **headers)) as source,
        Server(at(time, fix=False, **headers)) as mirror,
    ):
        return await auditor.audit(
            "brokenpkg",
            broken="1.2.3",
            fixed="1.2.4",
            locations=[
                {"name": "source", "kind": "simple", "url": f"{source.url}/simple/"},
                {
                    "name": "mirror",
                    "kind": "simple",
                    "url": f"{mirror.url}/simple/",
                    "upstream": "source",
                    "expected_lag": "6h",
                },
            ],
            environ={},
            grace=True,
        )


@pytest.mark.parametrize(
    "time",
    [
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59-23:59",
        "2999-01-01T00:00:00Z",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00+23:59",
    ],
)
async def test_no_upload_time_ends_an_audit_or_excuses_a_mirror(time: str) -> None:
    run = await audited(time)
    (mirror,) = [v for v in run.verdicts if v.location.name == "mirror"]
    assert mirror.status.value == "exposed"
    assert mirror.lag.state.value in {"unknown", "stuck"}
    assert run.summary.exit_code == 1  # with `grace`, which a future time must not buy
    for name in FORMATS:
        assert auditor.render(run, name)


async def test_no_header_ends_an_audit() -> None:
    far = "Fri, 31 Dec 9999 23:59:59 GMT"
    run = await audited(
        "2026-01-01T00:00:00Z",
        Last_Modified=far,
        Expires=far,
        Date="Mon, 01 Jan 0001 00:00:00 GMT",
        Age="9" * 400,
        Cache_Control="max-age=" + "9" * 400,
        X_PyPI_Last_Serial="9" * 400,
        Retry_After="9" * 400,
    )
    assert run.summary.exit_code == 1
    for name in FORMATS:
        assert auditor.render(run, name)
