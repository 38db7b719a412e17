"""A fleet of five hundred places, as different from one another as real ones are."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from functools import cache

from auditor.model import Evidence, Freshness, Reason, Run, Verdict
from tests.reports.sample_rows import NOW, Row, world_rows
from tests.reports.sample_runs import deletion, run_of, summary, verdict

SENTENCE = "234 of 500 places still fail: 167 give installers the broken 1.2.3."
ACCEPTS = {
    "pip": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html; q=0.1, "
    "text/html; q=0.01",
    "pip-html": "text/html",
    "uv": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2, "
    "text/html;q=0.01",
    "poetry": "application/vnd.pypi.simple.v1+json, application/vnd.pypi.simple.v1+html;q=0.2",
}


@cache
def many_places(count: int = 500) -> Run:
    """The rows of the sample world again and again, each with its own address, times and bytes."""
    run = run_of(world_rows(), SENTENCE)
    verdicts = tuple(_verdicts(count))
    base = run.requests[0]
    requests = tuple(
        replace(base, location=v.location.name, url=f"{v.location.url}brokenpkg/")
        for v in verdicts
        if v.location.url
        for _ in ACCEPTS
    )
    return replace(
        run,
        verdicts=verdicts,
        requests=requests,
        summary=summary(verdicts, SENTENCE),
        deletion=deletion(verdicts),
    )


def _verdicts(count: int) -> Iterator[Verdict]:
    rows = world_rows()
    yield verdict(rows[0])
    for number in range(1, count):
        row = rows[1:][number % (len(rows) - 1)]
        yield _verdict(row, number)


def _verdict(row: Row, number: int) -> Verdict:
    """One place with what no other has: name, host, serial, age, digests."""
    name = f"{row.name}-{number:03}"
    base = verdict(replace(row, name=name))
    serial = 900 + number
    reasons = tuple(_own(reason, name, serial) for reason in base.reasons)
    freshness = base.freshness
    if freshness != Freshness():
        fetched = NOW - timedelta(seconds=7 * number)
        freshness = replace(
            freshness, serial=serial, fetched_at=fetched, etag=f'"{_digest(name)[:32]}"'
        )
    return replace(
        base,
        reasons=reasons,
        freshness=freshness,
        evidence=tuple(_evidence(base, name, serial)),
    )


def _own(reason: Reason, name: str, serial: int) -> Reason:
    """The reason as the judge words it: with the place's own serial and address."""
    said = f"http://{name}.example/simple/ is at serial {serial}"
    observed = said if reason.code == "serial-behind" else reason.observed
    return replace(reason, observed=observed, evidence=tuple(f"e{n}" for n in range(1, 5)))


def _evidence(base: Verdict, name: str, serial: int) -> Iterator[Evidence]:
    url = f"http://{name}.example/simple/brokenpkg/"
    for number, (client, accept) in enumerate(ACCEPTS.items(), start=1):
        digest = _digest(f"{name} {client}")
        yield Evidence(
            id=f"e{number}",
            request=f"GET {url}",
            response={
                "status": "200",
                "content-type": "application/vnd.pypi.simple.v1+json",
                "content-length": str(800 + serial),
                "date": f"Fri, 20 Nov 2026 13:0{serial % 10}:04 GMT",
                "etag": f'"{digest[:32]}"',
                "cache-control": "max-age=600, public",
                "vary": "Accept, Accept-Encoding",
                "x-pypi-last-serial": str(serial),
            },
            digest=f"sha256:{digest}",
            excerpt="\n".join(
                f'{{"filename": "{file}", "hashes": {{"sha256": "{_digest(file)}"}}}}'
                for file in base.broken.files
            ),
            reproduce=f"curl --silent --show-error --include --compressed --header "
            f"'User-Agent: {client} propagation-auditor/0.1.0' --header 'Accept: {accept}' {url}",
        )


def _digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()
