"""A small stage for the judge: observations made by hand, one fact at a time."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta

from msgspec import structs

from auditor.model import (
    Candidate,
    FileHosting,
    Freshness,
    HeldState,
    Holding,
    Incident,
    KindFacts,
    Location,
    Observation,
    Outcome,
    Page,
    PageOutcome,
    Plan,
    RemedyTemplate,
    Role,
    Run,
    Status,
    Vantage,
    Verdict,
    View,
    Yank,
)
from auditor.selection import parse_environment
from auditor.verdict import RULES, judge
from auditor.verdict.rules import Rule

NOW = datetime(2026, 11, 20, 13, 0, tzinfo=UTC)
FIX_AT = NOW - timedelta(hours=3)
ENVIRONMENTS = tuple(
    parse_environment(text)
    for text in ("cp39-manylinux_2_17_x86_64", "cp312-manylinux_2_28_x86_64", "cp313-win_amd64")
)
KINDS = {
    "pypi": KindFacts(name="pypi", role=Role.INDEX, hosts_files_elsewhere_itself=True),
    "simple": KindFacts(
        name="simple",
        role=Role.INDEX,
        remedies=(
            RemedyTemplate(
                command="refresh {url} {project}",
                effect="re-reads the page",
                statuses=(Status.EXPOSED, Status.BEHIND),
            ),
        ),
    ),
    "wheelhouse": KindFacts(name="wheelhouse", role=Role.INDEX, syncs=False),
    "box": KindFacts(name="box", role=Role.STORE, syncs=False),
    "lock": KindFacts(name="lock", role=Role.PIN, syncs=False),
}


def wheel(version: str, *, tag: str = "py3-none-any", **facts: object) -> Candidate:
    """A file on offer with every fact known; `facts` replaces some."""
    name = f"brokenpkg-{version}-{tag}.whl"
    known = Candidate(
        filename=name,
        version=version,
        url=f"https://files.example/{name}",
        hashes={"sha256": digest(name)},
        yanked=Yank.NO,
        requires_python="",
        size=1000,
        uploaded_at=FIX_AT if version == "1.2.4" else FIX_AT - timedelta(days=9),
    )
    return structs.replace(known, **facts)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


GOOD, FIX = wheel("1.2.2"), wheel("1.2.4")
BROKEN = wheel("1.2.3")
YANKED = structs.replace(BROKEN, yanked=Yank.YES, yank_reason="use 1.2.4")
CURRENT = (GOOD, YANKED, FIX)
OLD = (GOOD, BROKEN)


def page(
    candidates: Sequence[Candidate] = CURRENT,
    view: View = View.PIP,
    *,
    serial: int | None = 30,
    sample: int = 1,
    outcome: PageOutcome = PageOutcome.OBSERVED,
    **facts: object,
) -> Page:
    """A page that was read to its end; `facts` replaces some."""
    known = Page(
        view=view,
        sample=sample,
        outcome=outcome,
        status=200,
        url="https://index.example/simple/brokenpkg/",
        complete=outcome is PageOutcome.OBSERVED,
        candidates=tuple(candidates),
        freshness=Freshness(serial=serial, fetched_at=NOW),
        body_sha256=digest(repr(candidates)),
        evidence=("e1",),
    )
    return replace(known, **facts)


def observe(
    name: str, *pages: Page, outcome: Outcome = Outcome.OBSERVED, **facts: object
) -> Observation:
    """An observation of one location made of these pages."""
    known = Observation(
        location=name,
        vantage="here",
        incident="brokenpkg-1.2.3",
        outcome=outcome,
        connected=True,
        pages=pages,
        file_hosting=FileHosting.HERE,
        started_at=NOW,
        finished_at=NOW,
    )
    return replace(known, **facts)


def source(*pages: Page, **facts: object) -> Observation:
    """The source, healthy unless told otherwise."""
    return observe("source", *(pages or (page(),)), **facts)


def held(state: HeldState, version: str = "1.2.3", **facts: object) -> Holding:
    """Broken bytes in some state."""
    known = Holding(
        filename=f"brokenpkg-{version}-py3-none-any.whl", version=version, state=state, how="seen"
    )
    return replace(known, **facts)


def location(name: str, kind: str = "simple", **facts: object) -> Location:
    """A location of the stage; everything but the source copies from the source."""
    known = Location(
        name=name,
        kind=kind,
        role=KINDS[kind].role,
        url=f"https://{name}.example/simple/",
        upstream=None if name == "source" or not KINDS[kind].syncs else "source",
    )
    return replace(known, **facts)


INCIDENT = Incident(id="brokenpkg-1.2.3", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",))


def plan(*locations: Location, incident: Incident = INCIDENT, **facts: object) -> Plan:
    """A plan over the source and these locations."""
    known = Plan(
        incidents=(incident,),
        locations=(location("source", "pypi"), *locations),
        vantage=Vantage(id="here"),
        environments=ENVIRONMENTS,
        kinds=KINDS,
        tool_version="0.0",
        created_at=NOW,
    )
    return replace(known, **facts)


def run(
    the_plan: Plan, *observations: Observation, without_rule: str | None = None, **facts: bool
) -> Run:
    """Judge these observations; the source is added in good health unless it is among them."""
    if not any(o.location == "source" for o in observations):
        observations = (source(), *observations)
    rules: dict[str, Rule] = {k: v for k, v in RULES.items() if k != without_rule}
    (found,) = judge(the_plan, observations, rules=rules, **facts)
    return found


def verdict(observation: Observation, *others: Observation, **location_facts: object) -> Verdict:
    """Judge one location beside the source (and others)."""
    places = {o.location for o in others} - {"source"}
    the_plan = plan(
        *(location(name) for name in sorted(places)),
        *([] if observation.location == "source" else [place(observation, location_facts)]),
    )
    found = run(the_plan, observation, *others)
    return next(v for v in found.verdicts if v.location.name == observation.location)


def place(observation: Observation, facts: dict[str, object]) -> Location:
    kind = str(facts.pop("kind", "simple"))
    return replace(location(observation.location, kind), **facts)


def codes(found: Verdict) -> set[str]:
    """The reason codes of a verdict."""
    return {reason.code for reason in found.reasons}
