"""Notices carry this audit's facts, name what matters, and go to those who can do something."""

from __future__ import annotations

from dataclasses import replace

import pytest
from msgspec import structs

from auditor.model import Candidate, Evidence, HeldState, RemedyTemplate, Run, Status, Yank
from auditor.model.notice import Notice, NoticeKind
from auditor.redacting import redact
from tests.verdict import stage
from tests.verdict.stage import (
    BROKEN,
    FIX,
    GOOD,
    NOW,
    OLD,
    digest,
    held,
    location,
    observe,
    page,
    plan,
    run,
    source,
)

MIRROR = location("mirror")
BOX = location("box", "box", url=None, path="/srv/box", required=False)
SHOWN = Evidence(id="e1", request="GET /simple/brokenpkg/", reproduce="curl https://x.example/")


def audited(**facts: object) -> Run:
    late = observe("mirror", page(OLD, evidence=("e1",)), evidence=(SHOWN,))
    store = observe("box", holdings=(held(HeldState.HELD),), holdings_complete=True)
    return run(plan(replace(MIRROR, **facts), BOX), late, store)


def of(found: Run, kind: NoticeKind) -> list[Notice]:
    return [notice for notice in found.notices if notice.kind is kind]


def test_the_reason_of_a_yank_names_the_fix_on_one_line() -> None:
    (notice,) = of(audited(), NoticeKind.YANK_REASON)
    assert notice.text == "1.2.3 is broken; use 1.2.4 or later"


def test_the_release_note_says_that_nothing_was_deleted() -> None:
    (notice,) = of(audited(), NoticeKind.RELEASE_NOTE)
    assert "pip install --upgrade 'brokenpkg>=1.2.4'" in notice.text
    assert "yanked, not deleted" in notice.text


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ((GOOD, BROKEN, FIX), "to be yanked and not deleted"),
        ((GOOD, structs.replace(BROKEN, yanked=Yank.YES), FIX), "yanked, not deleted"),
        ((GOOD, FIX), "no longer on the index"),
    ],
)
def test_the_release_note_announces_only_what_was_done_at_the_source(
    files: tuple[Candidate, ...], said: str
) -> None:
    found = run(plan(MIRROR), source(page(files)), observe("mirror", page(OLD)))
    (notice,) = of(found, NoticeKind.RELEASE_NOTE)
    assert said in notice.text


@pytest.mark.parametrize(
    ("command", "said"),
    [
        ("# to the operator of {url}: please sync", "What should help: please sync\n"),
        ("# in its settings: sync", "What should help: in its settings: sync\n"),
        ("refresh {url}", "This should help:\n\n    refresh https://mirror.example/simple/\n"),
    ],
)
def test_whoever_runs_a_place_is_addressed_and_not_quoted(command: str, said: str) -> None:
    template = RemedyTemplate(command=command, effect="", statuses=(Status.EXPOSED,))
    kinds = {**stage.KINDS, "simple": replace(stage.KINDS["simple"], remedies=(template,))}
    found = run(plan(MIRROR, kinds=kinds), observe("mirror", page(OLD)))
    (notice,) = of(found, NoticeKind.OPERATOR)
    assert said in notice.text


def test_the_title_for_an_operator_says_what_is_wrong_there() -> None:
    other = structs.replace(BROKEN, hashes={"sha256": "0" * 64})
    seen = {
        "has not arrived": page(OLD),
        "has other bytes than the release": page((GOOD, other, FIX)),
    }
    for said, shown in seen.items():
        found = run(plan(MIRROR), source(page((GOOD, BROKEN, FIX))), observe("mirror", shown))
        (notice,) = of(found, NoticeKind.OPERATOR)
        assert said in notice.title


def test_the_advisory_has_the_numbers_and_the_digests() -> None:
    (notice,) = of(audited(), NoticeKind.ADVISORY)
    assert f"Of 3 places looked at on {NOW:%Y-%m-%d}" in notice.text
    assert "1 still gave the broken release" in notice.text
    assert digest("brokenpkg-1.2.3-py3-none-any.whl") in notice.text


def test_whoever_runs_a_failing_place_gets_the_evidence_and_the_command() -> None:
    (notice,) = of(audited(), NoticeKind.OPERATOR)
    assert notice.location == "mirror"
    for part in ("mirror.example", "*exposed*", "curl https://x.example/", "refresh https://"):
        assert part in notice.text


def test_nobody_is_written_to_about_a_place_that_is_only_late() -> None:
    assert of(audited(expected_lag_s=6 * 3600.0), NoticeKind.OPERATOR) == []


def test_whoever_has_a_copy_is_told_how_to_get_rid_of_it() -> None:
    (notice,) = of(audited(), NoticeKind.MIGRATION)
    assert "found it at: box" in notice.text
    assert "`brokenpkg!=1.2.3`" in notice.text


def test_a_report_for_the_public_names_no_private_place_in_its_notices() -> None:
    shown = redact(audited())
    assert shown.notices
    text = "\n".join(f"{n.location} {n.title} {n.text}" for n in shown.notices)
    assert "mirror.example" not in text
    assert "/srv/box" not in text
