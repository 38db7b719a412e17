"""One run with a row of every sort that the formats for machines tell apart."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import Finding, Pin, PinnedFile, PinState, Role, Run, Status, Verdict
from tests.reports.sample_rows import Row, world_rows
from tests.reports.sample_runs import run_of, verdict, with_findings
from tests.reports.world_cells import file_of

NAMES = ("source", "late-mirror", "stuck-mirror", "down", "pip-cache", "clean-mirror")
LINES = {name: number for number, name in enumerate(NAMES, start=10)}


def pinned() -> Verdict:
    """A lock file that forces the broken release."""
    row = Row(name="app-lock", status=Status.PINNED, kind="lockfile", role=Role.PIN)
    forced = Pin(
        where="app/requirements.txt:7",
        state=PinState.FORCED,
        version="1.2.3",
        specifier="==1.2.3",
        files=(PinnedFile(filename=file_of("1.2.3"), hashes={"sha256": "5" * 64}, size=41_207),),
        marker="python_version >= '3.9'",
        how="the line says so",
        evidence=("e1",),
    )
    capped = Pin(where="app/constraints.txt:2", state=PinState.RANGE, specifier="<1.2.4")
    return replace(verdict(row), pins=(capped, forced))


def small_run() -> Run:
    """Failing, waived, unknown, unknown but not required, latent, clean, and a finding."""
    base = run_of(tuple(r for r in world_rows() if r.name in NAMES), "2 of 7 places still fail.")
    rows = (*map(_declared, base.verdicts), pinned(), _asked_for_by_the_way())
    verdicts = sorted(rows, key=lambda v: v.location.name)
    finding: Finding = with_findings().findings[0]
    note = replace(finding, code="fix-no-wheels", text="The fix has no wheels.", failing=False)
    return replace(base, verdicts=tuple(verdicts), findings=(finding, note))


def _declared(found: Verdict) -> Verdict:
    name = found.location.name
    location = replace(found.location, declared_at=f"conf/audit file.toml:{LINES[name]}")
    if name != "stuck-mirror":
        return replace(found, location=location)
    return replace(found, location=location, waived="is switched off soon", failing=False)


def _asked_for_by_the_way() -> Verdict:
    down = verdict(next(row for row in world_rows() if row.name == "down"))
    location = replace(
        down.location, name="extra", required=False, declared_at="--location extra=…"
    )
    return replace(down, location=location)
