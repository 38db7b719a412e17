"""A configuration is somebody's text: whatever it is, the answer is a line that says what to do."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from auditor.config import Document, Options, parse_document, resolve
from auditor.errors import ConfigError
from auditor.registry import load_kinds

BASE = """[[incidents]]
project = "brokenpkg"
broken = ["1.2.3"]
fixed = ["1.2.4"]
[[locations]]
name = "here"
kind = "simple"
url = "http://127.0.0.1:1/simple/"
"""
HUGE = "9" * 10_000


def read(text: str) -> Document:
    document = parse_document(text, name="audit.toml")
    resolve(document, load_kinds(), Options(), environ={})
    return document


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (f"{BASE}samples = {HUGE}", "too long"),
        (f"{BASE}samples = {'9' * 4000}", "too large"),
        (f"{BASE}x = {'[' * 5_000}{']' * 5_000}", "too deeply"),
        (f"{BASE}x = {'[' * 50_000}{']' * 50_000}", "values"),
        (f"{BASE}timeout_s = inf", "duration"),
        (f"{BASE}timeout_s = nan", "duration"),
        (f"{BASE}timeout_s = {'9' * 400}", "duration"),
        (f"{BASE}timeout_s = 1e300", "century"),
        (f'{BASE}expected_lag = "{HUGE}h"', "duration"),
        (f'{BASE}expected_lag = "{HUGE}"', "duration"),
        (f'{BASE}expected_lag = "99999d"', "century"),
        (BASE.replace("1.2.3", "1." * 5000 + "1"), "neither"),
        (BASE.replace('"1.2.3"', f'">={HUGE}"'), ""),
        (BASE.replace("[[loc", "published_at = 9999-12-31T23:59:59-23:59\n[[loc"), "year"),
        (BASE.replace("[[loc", "published_at = 0001-01-01T00:00:00+23:59\n[[loc"), "year"),
        (BASE.replace('"here"', '"a\\u001b[2J"'), "short text"),
        (BASE.replace('"here"', '"a\\u202e"'), "short text"),
        (BASE.replace("http://127.0.0.1:1/simple/", "javascript:alert(1)"), "no address"),
        (BASE.replace("http://127.0.0.1:1/simple/", "data:text/html,x"), "no address"),
        (f"{BASE}[{'.'.join('a' * 90)}]", "unknown table"),
        (f"{BASE}[{'.'.join('a' * 500)}]", "tables in each other"),
        (BASE + "[[locations]]\n" * 50_000, "values"),
        (f"{BASE}samples = [{'1,' * 500_000}]", "values"),
    ],
)
def test_nonsense_is_a_usage_error_with_a_next_step(text: str, says: str) -> None:
    with pytest.raises(ConfigError) as caught:
        read(text)
    told = "\n".join(caught.value.problems)
    assert says in told
    assert "audit.toml" in told
    assert ";" in told


def test_a_long_lag_that_makes_sense_is_taken() -> None:
    assert read(f'{BASE}expected_lag = "52w"').data["locations"]


def test_thousands_of_places_in_a_chain_are_resolved_soon() -> None:
    places = (
        f'[[locations]]\nname = "n{n}"\nkind = "simple"\nurl = "http://127.0.0.1:1/{n}/"\n'
        f'upstream = "{f"n{n - 1}" if n else "here"}"\n'
        for n in range(1500)
    )
    started_s = time.process_time()
    assert read(BASE + "".join(places)).data["locations"]
    assert time.process_time() - started_s < 20  # quadratic ways take minutes


def test_a_certificate_whose_name_no_file_can_have_is_told_of(tmp_path: Path) -> None:
    document = parse_document(f'{BASE}ca_file = "{"c" * 5000}.pem"', name="audit.toml")
    warnings = resolve(document, load_kinds(), Options(), environ={}).warnings
    assert any("there is no file" in warning for warning in warnings)


def test_a_file_without_end_is_not_read_to_its_end(tmp_path: Path) -> None:
    from auditor.config import read_document

    endless = tmp_path / "endless.toml"
    endless.symlink_to("/dev/zero")
    with pytest.raises(ConfigError, match="longer than"):
        read_document(endless)
