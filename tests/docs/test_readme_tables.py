"""The README's tables say what the code says: no more, no less."""

from __future__ import annotations

import re

from auditor import registry
from auditor.config.checking import keys_of
from auditor.config.schema import TABLES
from auditor.model import Status, View
from auditor.model.verdict import Severity
from tests.docs import readme

SAID = {Severity.FAIL: "fails", Severity.INCONCLUSIVE: "inconclusive", Severity.OK: "ok"}


def test_every_status_is_listed_the_worst_first_with_its_severity() -> None:
    listed = [(row[0].strip("`"), row[2]) for row in readme.rows("Statuses")]

    assert [(status.value, SAID[status.severity]) for status in Status] == listed


def test_every_kind_is_listed_with_its_role() -> None:
    kinds = registry.load_kinds()

    listed = {row[0].strip("`"): row[1] for row in readme.rows("Kinds of locations")}
    assert {name: kind.role.value for name, kind in kinds.items()} == listed


def test_every_report_format_is_listed() -> None:
    assert sorted(registry.format_names()) == sorted(readme.names("Reports"))


def test_every_view_is_listed() -> None:
    assert [view.value for view in View] == readme.names("Views")


def test_every_key_of_the_configuration_is_listed_in_its_table() -> None:
    known = {
        (f"[[{table}]]" if repeats else f"[{table}]", key)
        for table, (model, repeats) in TABLES.items()
        for key in keys_of(model)
    }
    listed = [
        (table.strip("`"), key)
        for table, keys, _ in readme.rows("Configuration")
        for key in re.findall(r"`([^`]+)`", keys)
    ]

    assert sorted(known) == sorted(listed)


def test_stated_defaults_are_those_of_the_code() -> None:
    model, _ = TABLES["audit"]
    stated = {
        key.strip("`"): float(found.group(1))
        for table, key, meaning in readme.rows("Configuration")
        if table == "`[audit]`" and (found := re.search(r"; (\d+)$", meaning))
    }

    assert {"timeout_s", "concurrency", "concurrency_per_host"} == stated.keys()
    assert {key: keys_of(model)[key].default for key in stated} == stated
