"""The JSON report keeps its contract."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from typing import Any

import jsonschema
import pytest

from auditor.model import (
    SCHEMA_VERSION,
    Choice,
    FixChosen,
    Gets,
    HeldState,
    LagState,
    Outcome,
    RejectionCode,
    Role,
    Run,
    Status,
    Touch,
    View,
    When,
    YankState,
)
from reports.json_ import FORMAT, render, schema
from tests.conftest import Golden
from tests.reports import sample_runs
from tests.reports.hostile import NASTY, hostile_run

# Design section 8. A key may be added to the schema; none of these may ever go.
FIXED: dict[str, str] = {
    "": "schema_version tool started_at finished_at vantages incident summary locations deletion "
    "requests",
    "tool": "name version",
    "incident": "id project broken fixed broken_hashes findings",
    "summary": "status exit_code sentence locations by_status fix_chosen broken_persists unknown",
    "locations[]": "name kind role group locator vantage outcome status waived required broken fix "
    "selection freshness lag if_deleted if_yanked if_reuploaded if_rolled_forward reasons remedies "
    "evidence",
    "locations[].broken": "listed yanked held files",
    "locations[].fix": "listed chosen missing_files",
    "locations[].selection[]": "client environment view counts chosen is_fix is_broken reason",
    "locations[].lag": "state latest_by",
    "locations[].if_deleted": "listed held unpinned_gets pinned_gets hash_locked_gets offline_gets "
    "when",
    "locations[].if_yanked": "listed held unpinned_gets pinned_gets hash_locked_gets offline_gets "
    "when",
    "locations[].if_reuploaded": "listed held unpinned_gets pinned_gets hash_locked_gets "
    "offline_gets when",
    "locations[].if_rolled_forward": "listed held unpinned_gets pinned_gets hash_locked_gets "
    "offline_gets when",
    "locations[].reasons[]": "code text expected observed evidence",
    "locations[].remedies[]": "command effect caution",
    "deletion": "sentence would_remove_at_once would_remove_later would_remain undetermined "
    "would_break_pins locations",
    "requests[]": "location method url touch status",
}


def part(where: str) -> dict[str, Any]:
    """The piece of the schema that describes a path such as `locations[].broken`."""
    whole = json.loads(schema())
    piece = whole
    for step in filter(None, where.split(".")):
        piece = piece["properties"][step.removesuffix("[]")]
        piece = piece["items"] if step.endswith("[]") else piece
        if "$ref" in piece:
            piece = whole["$defs"][piece["$ref"].rsplit("/", 1)[1]]
    return dict(piece)


def described(name: str) -> list[str]:
    return list(json.loads(schema())["$defs"][name]["enum"])


@pytest.mark.parametrize("where", FIXED, ids=lambda where: where or "top")
def test_the_schema_demands_every_fixed_key(where: str) -> None:
    keys = set(FIXED[where].split())

    assert keys <= set(part(where)["properties"])
    assert keys <= set(part(where)["required"])


def test_the_schema_changes_only_on_purpose(golden: Golden) -> None:
    digest = hashlib.sha256(schema().encode()).hexdigest()

    golden.check("run.schema.digest.txt", f"{SCHEMA_VERSION} {digest}\n")
    assert part("")["properties"]["schema_version"] == {"const": SCHEMA_VERSION}


def test_the_schema_spells_out_every_closed_set() -> None:
    assert described("status") == list(Status)
    assert described("held") == list(HeldState)
    assert described("gets") == list(Gets)
    assert described("view") == list(View)
    row = part("locations[]")["properties"]
    assert row["role"]["enum"] == list(Role)
    assert row["outcome"]["enum"] == list(Outcome)
    assert row["broken"]["properties"]["yanked"]["enum"] == [*YankState, None]
    assert row["fix"]["properties"]["chosen"]["enum"] == [*FixChosen, None]
    assert row["lag"]["properties"]["state"]["enum"] == list(LagState)
    assert part("locations[].selection[]")["properties"]["choice"]["enum"] == list(Choice)
    assert part("locations[].rejected[]")["properties"]["code"]["enum"] == list(RejectionCode)
    assert part("requests[]")["properties"]["touch"]["enum"] == list(Touch)
    when = part("locations[].if_deleted")["properties"]["when"]["anyOf"]
    assert when[0]["enum"] == list(When)


@pytest.mark.parametrize("make", sample_runs.ALL, ids=lambda f: f.__name__)
def test_every_document_fits_the_schema(make: Callable[[], Run]) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema()))

    validator.validate(json.loads(render(make(), {})))


@pytest.mark.parametrize("text", NASTY.values(), ids=NASTY)
def test_a_hostile_document_fits_the_schema(text: str) -> None:
    validator = jsonschema.Draft202012Validator(json.loads(schema()))

    validator.validate(json.loads(render(hostile_run(text), {})))


def test_the_schema_refuses_a_word_that_is_not_in_its_set() -> None:
    document = json.loads(render(sample_runs.all_clean(), {}))
    document["locations"][0]["status"] = "fine"

    with pytest.raises(jsonschema.ValidationError, match="'fine' is not one of"):
        jsonschema.Draft202012Validator(json.loads(schema())).validate(document)


def test_rows_are_sorted_by_name_and_vantage_and_keys_by_name() -> None:
    document = json.loads(render(sample_runs.world(), {}))

    rows = [(row["name"], row["vantage"]) for row in document["locations"]]
    assert rows == sorted(rows)
    assert list(document) == sorted(document)
    assert all(list(row) == sorted(row) for row in document["locations"])


def test_a_row_says_what_its_verdict_says() -> None:
    document = json.loads(render(sample_runs.world(), {}))
    late = next(row for row in document["locations"] if row["name"] == "late-mirror")

    assert late["status"] == "exposed"
    assert late["broken"] == {
        "files": ["brokenpkg-1.2.3-py3-none-any.whl"],
        "held": "held",
        "listed": True,
        "yanked": "no",
    }
    assert late["fix"]["chosen"] == "none"
    assert late["lag"]["latest_by"] == "2026-11-20T16:00:00Z"
    assert late["if_deleted"]["when"] == "2026-11-20T19:00:04Z"
    assert len(late["selection"]) == 49 * 4
    assert {cell["chosen"] for cell in late["selection"]} == {"1.2.3"}


def test_json_of_one_place_stays_as_it_is(golden: Golden) -> None:
    golden.check("offline.json", render(sample_runs.offline(), {}))


def test_the_format_names_itself() -> None:
    assert (FORMAT.name, FORMAT.suffix) == ("json", ".json")
    assert FORMAT.schema is not None
    assert FORMAT.schema() == schema()
