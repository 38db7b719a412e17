"""A run with a canary in every private place, and public facts that must survive."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import (
    Evidence,
    Finding,
    Fingerprint,
    Freshness,
    NodeAge,
    PageOutcome,
    Pin,
    PinnedFile,
    PinState,
    Reason,
    Remedy,
    RequestRecord,
    Run,
    Surface,
    Touch,
    Vantage,
    Verdict,
)
from auditor.model.notice import Notice, NoticeKind
from auditor.model.timeline import Moment, Timeline
from tests.reports.sample_rows import NOW
from tests.reports.sample_runs import world

CANARY = "canary"
PUBLIC_HOST = "index.example"
HOST = "pypi.canary-corp.example"
URL = f"https://{HOST}:8443/artifactory/api/canary-team/simple/"
PATH = "/srv/canary/mirror"
FILE = "brokenpkg-1.2.3-py3-none-any.whl"
DIGEST = "5" * 64
# Everything that may stand in a sentence, as errors, notes and remedies word it.
SENTENCE = (
    f"{HOST}:8443: refused; cdn.canary-corp.example and edge.canary.internal answered, so did "
    f"10.11.12.13:8080 and [2001:db8:ca:7::1]; wrote {PATH}/web/{FILE}, read "
    "C:\\Users\\canary\\cache, ~/canary/pip, canary/requirements.txt, s3://canary-bucket/prod/ and "
    f"{URL}brokenpkg/{FILE}?sig=canary as canary@canary-corp.example at Canary Mirror; "
    f"https://{PUBLIC_HOST}/simple/brokenpkg/ lists {FILE} (sha256:{DIGEST}), 1.2.4 and "
    "1.2.3+canary.1"
)


def private_run() -> Run:
    """The source is public; the second place has a canary wherever text can stand."""
    run = world()
    source = next(v for v in run.verdicts if v.is_source)
    source = replace(
        source, location=replace(source.location, url=f"https://{PUBLIC_HOST}/simple/")
    )
    verdicts = (source, _private(next(v for v in run.verdicts if v.broken.files)))
    return replace(
        run,
        incident=replace(
            run.incident,
            fingerprints=(
                Fingerprint(filename=FILE, version="1.2.3", sha256=DIGEST, url=f"{URL}{FILE}"),
            ),
        ),
        findings=(
            Finding(code="fix-yanked", text=SENTENCE, expected="", observed="", failing=True),
        ),
        vantages=(Vantage(id="canary-host", labels={"site": "canary"}),),
        verdicts=verdicts,
        summary=replace(run.summary, sentence=SENTENCE, whose_text=SENTENCE, notes=(SENTENCE,)),
        deletion=replace(run.deletion, sentence=SENTENCE, locations=("Canary Mirror",)),
        notices=(
            Notice(
                kind=NoticeKind.OPERATOR, title=SENTENCE, text=SENTENCE, location="Canary Mirror"
            ),
        ),
        timeline=Timeline(
            since=NOW,
            until=NOW,
            runs=2,
            fix_seen_at=NOW,
            moments=(
                Moment(
                    at=NOW,
                    location="Canary Mirror",
                    vantage="canary-host",
                    before=None,
                    after="exposed",
                    seen_before=None,
                ),
            ),
            curve=(),
        ),
        requests=(
            RequestRecord(
                location="Canary Mirror",
                method="GET",
                url=f"{URL}brokenpkg/",
                touch=Touch.INERT,
                status=200,
                sent_at=NOW,
                address="10.11.12.13",
            ),
            RequestRecord(
                location="source",
                method="GET",
                url=f"https://{PUBLIC_HOST}/simple/brokenpkg/",
                touch=Touch.INERT,
                status=200,
                sent_at=NOW,
            ),
        ),
    )


def _private(verdict: Verdict) -> Verdict:
    return replace(
        verdict,
        vantage="canary-host",
        location=replace(
            verdict.location,
            name="Canary Mirror",
            url=URL,
            path=PATH,
            upstream="Canary Upstream",
            group="canary-ci",
            settings={
                "cache_path": "/var/cache/canary",
                "via": "http://proxy.canary-corp.example:3128",
                "bucket": "canary-bucket",
                "samples": 3,
            },
            declared_at="/etc/canary/audit.toml:12",
        ),
        detail=SENTENCE,
        waived="canary moves to another data centre",
        proxy="http://proxy.canary-corp.example:3128",
        notes=(SENTENCE, "bucket canary-bucket holds it"),
        selections=tuple(
            replace(cell, reason=SENTENCE, version="1.2.3+canary.1")
            for cell in verdict.selections[:2]
        ),
        freshness=Freshness(
            fetched_at=NOW, etag='"41d8"', cache_status=("HIT from squid.canary-corp.example:3128",)
        ),
        lag=replace(verdict.lag, basis=SENTENCE),
        counterfactuals={
            action: replace(found, because=SENTENCE)
            for action, found in verdict.counterfactuals.items()
        },
        reasons=(
            Reason(
                code="stale-page", text=SENTENCE, expected=SENTENCE, observed=SENTENCE,
                evidence=("e1",),
            ),
        ),
        remedies=(Remedy(command=f"rm -- {PATH}/{FILE}", effect=SENTENCE, caution=SENTENCE),),
        evidence=(
            Evidence(
                id="e1",
                request=f"GET {URL}brokenpkg/",
                response={
                    "status": "200",
                    "via": "1.1 canary-edge (squid/5)",
                    "x-served-by": "canary-7",
                    "set-cookie": "canary=1",
                    "etag": '"41d8"',
                    "error": SENTENCE,
                },
                digest=f"sha256:{DIGEST}",
                excerpt=f'<a href="../../canary/{FILE}" data-yanked="canary broke it">',
                reproduce=f"curl -H 'Accept: text/html' {URL}brokenpkg/",
            ),
        ),
        surfaces=(
            Surface(
                name="simple-json",
                outcome=PageOutcome.OBSERVED,
                url=f"{URL}brokenpkg/",
                detail=SENTENCE,
                nodes=(NodeAge(node="canary-node"),),
                facts={"x-served-by": "canary"},
            ),
        ),
        pins=(
            Pin(
                where="teams/canary/requirements.txt:3",
                state=PinState.FORCED,
                version="1.2.3",
                files=(PinnedFile(filename=FILE, url=f"{URL}{FILE}", hashes={"sha256": DIGEST}),),
                how=SENTENCE,
            ),
            Pin(where="canary.lock:9", state=PinState.RANGE, specifier="<1.2.4"),
        ),
    )  # fmt: skip  # a line for each would be a page
