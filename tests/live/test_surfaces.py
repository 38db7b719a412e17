"""What only PyPI itself can show (`auditor plugins` calls it unverified until this has seen it).

Behind a gateway that strips headers, this reports exactly that: nothing more can be seen from here.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

pytestmark = pytest.mark.live

AUDITOR = Path(sys.executable).parent / "auditor"
# A project whose files have attestations (PEP 740), and two releases of it.
ARGUMENTS = ("sampleproject", "--broken", "3.0.0", "--fixed", "4.0.0")


@pytest.fixture(scope="module")
def source(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """Audit once, for all of these tests."""
    directory = tmp_path_factory.mktemp("surfaces")
    done = subprocess.run(
        [AUDITOR, "audit", *ARGUMENTS, "--report", "json=run.json"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode in (0, 1), done.stderr
    run = json.loads((directory / "run.json").read_text(encoding="utf-8"))
    row: dict[str, Any] = next(r for r in run["locations"] if r["kind"] == "pypi")
    row["requests"] = [r for r in run["requests"] if r["location"] == row["name"]]
    return row


@pytest.fixture
def bare(source: dict[str, Any]) -> dict[str, Any]:
    """The source, reached without anything in front of it that hides what is to be seen."""
    why = next((h["observed"] for h in source["reasons"] if h["code"] == "headers-stripped"), None)
    if why is not None:
        pytest.skip(f"a gateway strips PyPI's headers here, so that this stays unverified: {why}")
    return source


def surfaces(source: dict[str, Any], name: str) -> list[dict[str, Any]]:
    return [s for s in source["surfaces"] if s["name"] == name]


def test_every_form_and_coding_of_the_page_is_there(source: dict[str, Any]) -> None:
    seen = {
        (s["name"], s["encoding"])
        for s in source["surfaces"]
        if s["outcome"] == "observed" and s["name"].startswith("simple")
    }
    assert seen == {(n, e) for n in ("simple-json", "simple-html") for e in ("gzip", "identity")}


def test_politeness_holds(source: dict[str, Any]) -> None:
    assert len(source["requests"]) <= 20
    assert {r["touch"] for r in source["requests"]} <= {"inert", "refreshes-index"}


def test_through_a_gateway_nothing_but_metadata_is_asked_for(source: dict[str, Any]) -> None:
    if "headers-stripped" not in {r["code"] for r in source["reasons"]}:
        pytest.skip("nothing strips PyPI's headers here")
    assert {r["method"] for r in source["requests"]} == {"GET"}
    assert not surfaces(source, "cdn-json")
    assert source["broken"]["held"] == "unknown"


def test_the_nodes_tell_their_ages(bare: dict[str, Any]) -> None:
    for name in ("cdn-json", "cdn-html"):
        [surface] = surfaces(bare, name)
        assert surface["age_s"] is not None
        assert surface["nodes"]


def test_the_serials_of_four_places_agree(bare: dict[str, Any]) -> None:
    places = {place for s in bare["surfaces"] for place in s["serials"]}
    assert places == {"header", "meta", "comment", "last_serial"}
    assert len({n for s in bare["surfaces"] for n in s["serials"].values()}) == 1


def test_a_metadata_sidecar_has_the_digest_that_the_page_states(bare: dict[str, Any]) -> None:
    sidecars = surfaces(bare, "metadata")
    assert sidecars
    assert {s["facts"].get("agrees") for s in sidecars} == {"yes"}


def test_attestations_are_on_the_host_of_the_pages(bare: dict[str, Any]) -> None:
    announced = [s for s in surfaces(bare, "provenance") if s["outcome"] != "absent"]
    if not announced:
        pytest.skip("the page announces no attestations here")
    assert {s["outcome"] for s in announced} == {"observed"}


def test_the_file_host_says_that_it_has_the_file(bare: dict[str, Any]) -> None:
    assert bare["broken"]["held"] == "held"
