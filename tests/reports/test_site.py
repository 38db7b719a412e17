"""`--site` and `--redact` on the command line."""

from __future__ import annotations

import json
import re
import unicodedata
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest

from auditor.cli.main import main
from auditor.cli.site import slug
from auditor.cli.site_index import Entry, index_page
from auditor.model import Run
from auditor.registry import format_names
from auditor.runs import load_run
from reports import json_
from tests.reports import sample_runs
from tests.reports.hostile import HIDDEN, NASTY, hostile_run
from tests.reports.private_run import private_run


def stored(path: Path, run: Run) -> str:
    path.write_text(json_.render(run, {}), encoding="utf-8")
    return str(path)


def publish(tmp_path: Path, run: Run, *more: str) -> Path:
    site = tmp_path / "site"
    file = stored(tmp_path / "run.json", run)
    assert main(["report", file, "--site", str(site), "--format", "nagios", "-q", *more]) == 0
    return site


def files(site: Path) -> dict[str, str]:
    found = (path for path in site.rglob("*") if path.is_file())
    return {str(path.relative_to(site)): path.read_text("utf-8") for path in found}


def links(page: str) -> list[str]:
    return re.findall(r'href="(runs/[^"]*)"', page)


def later(run: Run, hours: int) -> Run:
    return replace(run, finished_at=run.finished_at + timedelta(hours=hours))


def test_a_site_has_a_page_and_the_json_of_a_run_and_an_index(tmp_path: Path) -> None:
    site = publish(tmp_path, sample_runs.offline())
    index = (site / "index.html").read_text("utf-8")

    assert len(links(index)) == 2
    assert all((site / link).is_file() for link in links(index))
    assert load_run(site / next(x for x in links(index) if x.endswith("json"))) == (
        sample_runs.offline()
    )
    assert "? not determined" in index
    assert "Content-Security-Policy" in index
    assert "<script" not in index


def test_writing_the_same_run_again_changes_nothing(tmp_path: Path) -> None:
    before = files(publish(tmp_path, sample_runs.offline()))

    assert files(publish(tmp_path, sample_runs.offline())) == before


def test_the_newest_run_is_on_top_in_each_incident(tmp_path: Path) -> None:
    other = replace(
        sample_runs.all_clean(),
        incident=replace(sample_runs.all_clean().incident, id="other/../incident"),
    )
    for run in (
        later(sample_runs.offline(), 5),
        later(sample_runs.all_clean(), 9),
        sample_runs.interrupted(),
        later(other, 20),
    ):
        site = publish(tmp_path, run)
    index = (site / "index.html").read_text("utf-8")

    assert re.findall(r"<h2>.*?</h2>", index) == [
        '<h2><span class="good">✔ all good</span> · other/../incident</h2>',
        '<h2><span class="good">✔ all good</span> · brokenpkg-1.2.3</h2>',
    ]
    times = re.findall(r'<time datetime="([^"]*)"', index)
    assert times[1:] == sorted(times[1:], reverse=True)
    assert len(times) == 4
    assert all((site / link).is_file() for link in links(index))


def test_what_is_tolerated_or_not_known_is_not_called_good(tmp_path: Path) -> None:
    excused = sample_runs.world()
    excused = replace(excused, summary=replace(excused.summary, exit_code=0))
    index = (publish(tmp_path, excused) / "index.html").read_text("utf-8")
    assert '<span class="unknown">∥ tolerated</span>' in index

    unread = sample_runs.offline()
    unread = replace(unread, summary=replace(unread.summary, exit_code=0))
    index = (publish(tmp_path, later(unread, 9)) / "index.html").read_text("utf-8")
    assert '<span class="unknown">? not determined</span>' in index
    assert "all good" not in index


def test_an_entry_of_an_older_version_is_told_by_its_exit_code() -> None:
    stored = Entry.of(sample_runs.offline(), "runs/x/a").document()
    del stored["conclusion"]
    assert Entry.from_document(stored, "runs/x/a") == Entry.of(sample_runs.offline(), "runs/x/a")
    with pytest.raises(ValueError, match="neither"):
        Entry.from_document({**stored, "conclusion": "neither"}, "runs/x/a")


def test_hostile_entries_and_strangers_files_do_no_harm(tmp_path: Path) -> None:
    site = publish(tmp_path, sample_runs.offline())
    folder = site / "runs" / "x"
    folder.mkdir()
    nasty = "<script>alert(1)</script>\x1b[2J"
    entry = {
        "exit_code": 1, "finished_at": "2026-01-01T00:00:00+00:00", "incident": nasty,
        "project": nasty, "broken": nasty, "fixed": nasty, "sentence": nasty, "counts": nasty,
    }  # fmt: skip  # a line for each would be a page
    (folder / "a.entry.json").write_text(json.dumps(entry))
    for name, text in {
        "b": "[",
        "c": "[]",
        "d": "{}",
        "e": '{"exit_code": 1, "finished_at": "2026-01-01"}',
        "f": "[" * 50_000,
        "g": " " * 200_000,
    }.items():
        (folder / f"{name}.entry.json").write_text(text)
    (folder / "h.entry.json").write_bytes(b"\xff")
    index = (publish(tmp_path, sample_runs.offline()) / "index.html").read_text("utf-8")

    assert "<script" not in index
    assert "\x1b" not in index
    assert "&lt;script&gt;" in index
    assert "Incidents: 2. Runs: 2." in index


@pytest.mark.parametrize("name", NASTY)
def test_hostile_text_stays_text_in_the_index(name: str) -> None:
    run = hostile_run(NASTY[name])
    run = replace(run, incident=replace(run.incident, project=NASTY[name]))
    plain = index_page([Entry.of(sample_runs.world(), "runs/x/a")])
    page = index_page([Entry.of(run, "runs/x/a")])

    assert page.count("<") == plain.count("<")
    assert page.count('"') == plain.count('"')
    assert not {c for c in page if unicodedata.category(c) in HIDDEN} - {"\n"}
    page.encode("utf-8")


def test_an_id_makes_no_way_out_of_the_folder() -> None:
    for odd in ("../../etc", "..", ".", "", "a/b", "x" * 500, "日本", "a b", "con:"):
        assert re.fullmatch(r"[a-zA-Z0-9][a-zA-Z0-9._-]{0,95}", slug(odd))
    assert slug("a b") != slug("a/b")
    assert slug("brokenpkg-1.2.3") == "brokenpkg-1.2.3"


def test_a_site_that_cannot_be_written_is_refused_first(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = stored(tmp_path / "run.json", sample_runs.offline())

    assert main(["report", file, "--site", file]) == 2
    assert "--site: " in capsys.readouterr().err


def test_a_redacted_site_names_nothing_private(tmp_path: Path) -> None:
    site = publish(tmp_path, private_run(), "--redact")

    assert "canary" not in json.dumps(files(site)).lower()


@pytest.mark.parametrize("name", format_names())
def test_every_format_can_be_written_and_redacted_from_a_stored_run(
    tmp_path: Path, name: str
) -> None:
    file = stored(tmp_path / "run.json", private_run())
    out = tmp_path / "out"

    assert main(["report", file, "--redact", "--report", f"{name}={out}", "-q"]) == 0
    assert out.read_text("utf-8")
    assert "canary" not in out.read_text("utf-8").lower()


def test_every_format_is_listed(capsys: pytest.CaptureFixture[str]) -> None:
    main(["plugins"])
    listed = capsys.readouterr().out.partition("report formats:")[2]

    assert re.findall(r"^  (\S+) \(", listed, re.MULTILINE) == sorted(format_names())
    assert "STUB" not in listed
