"""The waist on disk: what is written is read back, and what is damaged is refused by line."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.errors import ObservationsError
from auditor.model import HeldState, Outcome, Plan, View, Waiver
from auditor.observations import read, write, write_text
from auditor.verdict import judge
from tests.verdict.stage import NOW, OLD, held, location, observe, page, plan, source


def rich_plan() -> Plan:
    waiver = Waiver(location="mirror", incident=None, until=NOW.date(), reason="r")
    return plan(location("mirror", settings={"via": "x", "n": 3}), waivers=(waiver,))


def test_what_is_written_is_read_back_whole(tmp_path: Path) -> None:
    seen = (
        source(page(), page(OLD, View.PIP_HTML)),
        observe("mirror", holdings=(held(HeldState.SHADOWED),), outcome=Outcome.DENIED),
    )
    write(tmp_path / "o.jsonl", rich_plan(), seen, interrupted=True)
    assert read([tmp_path / "o.jsonl"]) == (rich_plan(), seen, True)


def test_a_replay_is_judged_like_the_first_time(tmp_path: Path) -> None:
    seen = (source(), observe("mirror", page(OLD)))
    write(tmp_path / "o.jsonl", rich_plan(), seen)
    plan_again, seen_again, _ = read([tmp_path / "o.jsonl"])
    assert judge(plan_again, seen_again) == judge(rich_plan(), seen)


def test_files_of_several_vantages_are_put_side_by_side(tmp_path: Path) -> None:
    here = (source(), observe("mirror", page()))
    there = tuple(replace(o, vantage="there") for o in (source(), observe("other", page(OLD))))
    write(tmp_path / "here.jsonl", plan(location("mirror")), here)
    write(tmp_path / "there.jsonl", plan(location("other"), notes=("n",)), there)
    merged, seen, _ = read([tmp_path / "here.jsonl", tmp_path / "there.jsonl"])
    assert {loc.name for loc in merged.locations} == {"source", "mirror", "other"}
    assert seen == here + there
    assert merged.notes == ("n",)


@pytest.mark.parametrize(
    ("damage", "told"),
    [
        (lambda lines: [], "is empty"),
        (lambda lines: ["{}", *lines[1:]], ":1:"),
        (lambda lines: [lines[0], lines[1][:50]], ":2:"),
        (lambda lines: [lines[0], lines[1], "[" * 5000], ":3:"),
        (lambda lines: [lines[0], lines[1].replace('"observed"', '"splendid"')], ":2:"),
        (lambda lines: [lines[0].replace('auditor":1', 'auditor":99'), lines[1]], "format 99"),
    ],
)
def test_a_damaged_file_is_refused_with_its_line(
    tmp_path: Path, damage: Callable[[list[str]], list[str]], told: str
) -> None:
    path = tmp_path / "o.jsonl"
    write(path, rich_plan(), (source(),))
    path.write_text("\n".join(damage(path.read_text().splitlines())))
    with pytest.raises(ObservationsError, match=r"o\.jsonl") as caught:
        read([path])
    assert told in str(caught.value)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(ObservationsError, match=r"nowhere.jsonl cannot be read"):
        read([tmp_path / "nowhere.jsonl"])


def test_a_file_appears_whole_or_not_at_all(tmp_path: Path) -> None:
    path = tmp_path / "report.txt"
    path.write_text("old")
    with pytest.raises(UnicodeEncodeError):
        write_text(path, "half \ud800 broken")
    assert path.read_text() == "old"
    assert list(tmp_path.iterdir()) == [path]
    write_text(path, "new")
    assert path.read_text() == "new"


def test_writing_where_no_directory_is_says_so(tmp_path: Path) -> None:
    with pytest.raises(ObservationsError, match="cannot be written"):
        write(tmp_path / "no" / "o.jsonl", rich_plan(), ())
