from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from pathlib import Path

from msgspec import structs

from auditor.history import History, recall, with_first_sight
from auditor.model import Fingerprint, LagState, Observation, Run, Status, View
from auditor.verdict import judge
from tests.history.made import at, judged, plan
from tests.verdict import stage

BROKEN_NAME = stage.BROKEN.filename


def keep(file: Path, number: int, **pages: Observation) -> Run:
    run, the_plan, observations = judged(
        {"source": stage.source(), **pages}, number, recall(plan(), file)
    )
    with History(file) as history:
        history.record(run, observations, the_plan, now=at(number))
    return run


def listing(name: str, *files: object) -> Observation:
    return stage.observe(name, stage.page(files))


def test_a_history_that_does_not_exist_yet_adds_nothing(file: Path) -> None:
    assert plan() == recall(plan(), file)


def test_broken_files_are_still_looked_for_after_they_vanished_from_the_source(
    file: Path,
) -> None:
    keep(file, 0)

    (incident,) = recall(plan(), file).incidents
    (known,) = incident.fingerprints
    assert (BROKEN_NAME, stage.BROKEN.hashes["sha256"], 1000) == (
        known.filename,
        known.sha256,
        known.size,
    )
    assert known.sha256 in incident.broken_sha256
    assert {BROKEN_NAME, stage.FIX.filename} == {f.filename for f in incident.references}


def test_a_file_that_was_replaced_at_the_source_is_accused_by_its_first_sight(file: Path) -> None:
    keep(file, 0)
    other = structs.replace(stage.YANKED, hashes={"sha256": stage.digest("other bytes")})

    run = keep(file, 1, source=listing("source", stage.GOOD, other, stage.FIX))

    (verdict,) = [v for v in run.verdicts if v.is_source]
    assert verdict.status is Status.TAMPERED
    assert "first seen at the source, by the history" in repr(verdict.reasons)


def test_a_copy_is_accused_after_the_source_lists_the_file_no_more(file: Path) -> None:
    keep(file, 0)
    other = structs.replace(stage.YANKED, hashes={"sha256": stage.digest("other bytes")})
    gone = listing("source", stage.GOOD, stage.FIX)
    seen = {"source": gone, "edge": listing("edge", stage.GOOD, other, stage.FIX)}

    with_it = keep(file, 1, **seen)
    without, _, _ = judged(seen, 1)

    assert Status.TAMPERED in {v.status for v in with_it.verdicts}
    assert Status.TAMPERED not in {v.status for v in without.verdicts}


def test_what_the_configuration_says_of_a_file_wins_over_its_first_sight(file: Path) -> None:
    keep(file, 0)
    stated = Fingerprint(filename=BROKEN_NAME, version="1.2.3", sha256=stage.digest("stated"))
    asked = replace(plan(), incidents=(replace(stage.INCIDENT, fingerprints=(stated,)),))

    (incident,) = recall(asked, file).incidents
    (run,) = judge(recall(asked, file), [stage.source()])
    (verdict,) = [v for v in run.verdicts if v.is_source]

    assert incident.fingerprints == (stated,)
    assert BROKEN_NAME not in {f.filename for f in incident.references}
    assert verdict.status is Status.TAMPERED
    assert "(configuration)" in repr(verdict.reasons)


def test_a_copy_s_files_are_no_reference(file: Path) -> None:
    other = structs.replace(stage.BROKEN, hashes={"sha256": stage.digest("other bytes")})
    gone = listing("source", stage.GOOD, stage.FIX)
    keep(file, 0, source=gone, edge=listing("edge", stage.GOOD, other, stage.FIX))

    (incident,) = recall(plan(), file).incidents
    assert {stage.FIX.filename} == {f.filename for f in incident.references}


def test_pages_of_the_source_that_contradict_each_other_give_no_reference(file: Path) -> None:
    other = structs.replace(stage.YANKED, hashes={"sha256": stage.digest("other bytes")})
    torn = stage.source(stage.page(), stage.page((stage.GOOD, other, stage.FIX), View.PIP_HTML))
    keep(file, 0, source=torn)

    (incident,) = recall(plan(), file).incidents
    assert {stage.FIX.filename} == {f.filename for f in incident.references}


def test_another_source_s_files_are_no_reference(file: Path) -> None:
    keep(file, 0)
    moved = stage.plan()
    moved = replace(
        moved, locations=(replace(moved.locations[0], url="https://other.example/simple/"),)
    )

    (incident,) = recall(moved, file).incidents
    assert incident.references == ()


def test_without_any_date_the_clock_starts_when_the_fix_is_first_seen(file: Path) -> None:
    undated = structs.replace(stage.FIX, uploaded_at=None)
    source = listing("source", stage.GOOD, stage.YANKED, undated)
    late = listing("lab", *stage.OLD)

    states = []
    for number in (0, 5, 8):  # 0, 50 and 80 minutes; an hour is normal
        seen = {"source": source, "lab": late}
        run, the_plan, observations = judged(seen, number, recall(plan(), file))
        dated = with_first_sight(the_plan, observations)
        (run,) = judge(dated, observations)
        with History(file) as history:
            history.record(run, observations, dated, now=at(number))
        (row,) = [v for v in run.verdicts if v.location.name == "lab"]
        states.append((row.lag.state, row.lag.latest_by))

    due = at(0) + timedelta(hours=1)
    assert states == [
        (LagState.WITHIN_LAG, due),
        (LagState.WITHIN_LAG, due),
        (LagState.STUCK, due),
    ]


def test_the_date_of_the_upload_wins_over_the_first_sight(file: Path) -> None:
    keep(file, 0)
    keep(file, 1)

    (incident,) = recall(plan(), file).incidents
    run, _, _ = judged({"source": stage.source()}, 2, recall(plan(), file))
    assert incident.fix_seen_at == at(0)
    assert run.incident.published_at == stage.FIX_AT
