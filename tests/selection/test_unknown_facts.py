"""A missing fact never makes an answer better than the truth."""

from __future__ import annotations

import itertools
from collections import Counter
from random import Random

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from auditor.model import Candidate, Choice, Environment, Yank, parse_version
from auditor.selection import applicable, choose
from probes.kit.pages import parse_page
from tests.selection.made import LINUX, OLD_PYTHON, WHEEL, WINDOWS, file
from tests.truth.pages import JSON_TYPE, as_json, make_page
from tests.truth.pip_finder import PAGE_URL

FACTS = ("version", "yanked", "requires_python", "url")


def _without(candidate: Candidate, fact: str) -> Candidate:
    missing = Yank.UNKNOWN if fact == "yanked" else None
    return msgspec.structs.replace(candidate, **{fact: missing})


@pytest.mark.parametrize("fact", ["version", "yanked", "requires_python"])
def test_a_missing_fact_of_the_winner_leaves_the_choice_open(fact: str) -> None:
    page = (_without(file("2.0.tar.gz"), fact), file("1.0.tar.gz"))
    chosen = choose(page, LINUX, "foo")

    assert (chosen.choice, chosen.candidate) == (Choice.UNKNOWN, None)
    assert chosen.undecided == ("foo-2.0.tar.gz",)
    assert "foo-2.0.tar.gz" in chosen.reason
    assert [r.filename for r in chosen.rejected] == []


@pytest.mark.parametrize("fact", ["version", "yanked", "requires_python"])
def test_a_missing_fact_of_the_only_file_leaves_the_choice_open(fact: str) -> None:
    assert choose((_without(file("1.0.tar.gz"), fact),), LINUX, "foo").choice is Choice.UNKNOWN


@pytest.mark.parametrize("fact", ["version", "yanked", "requires_python"])
def test_a_missing_fact_of_a_file_that_cannot_win_decides_nothing(fact: str) -> None:
    older = _without(file("1.0.tar.gz"), fact)
    elsewhere = _without(file("3.0-cp312-cp312-win_amd64.whl"), fact)
    chosen = choose((older, file("2.0.tar.gz"), elsewhere), LINUX, "foo")

    assert (chosen.choice, chosen.undecided) == (Choice.CHOSEN, ())
    assert chosen.candidate == file("2.0.tar.gz")


def test_a_file_that_is_yanked_or_excluded_decides_nothing() -> None:
    either = _without(file("2.0.tar.gz", yanked=True), "requires_python")
    chosen = choose((file("1.0.tar.gz"), either), LINUX, "foo")

    assert chosen.candidate == file("1.0.tar.gz")


def test_a_final_release_that_may_count_may_hide_the_prereleases() -> None:
    final = _without(file("1.0.tar.gz", yanked=True), "requires_python")
    chosen = choose((final, file("2.0rc1.tar.gz")), LINUX, "foo")

    assert (chosen.choice, chosen.undecided) == (Choice.UNKNOWN, ("foo-1.0.tar.gz",))


def test_a_pin_is_open_if_the_yank_of_a_better_file_is_not_known() -> None:
    wheel, source = _without(file(f"1.0-{WHEEL}"), "yanked"), file("1.0.tar.gz")

    assert choose((wheel, source), LINUX, "foo", pin="1.0").choice is Choice.UNKNOWN
    assert choose((wheel,), LINUX, "foo", pin="1.0").choice is Choice.CHOSEN


def test_a_file_of_which_a_fact_is_missing_may_be_applicable() -> None:
    assert applicable((_without(file("1.0.tar.gz"), "requires_python"),), LINUX, "foo")


def test_a_specifier_too_long_to_read_is_not_known() -> None:
    page = (file("1.0.tar.gz", requires_python=">=3," * 1000 + ">=3"),)

    assert choose(page, LINUX, "foo").choice is Choice.UNKNOWN


def test_one_address_with_two_digests_and_other_facts_is_open() -> None:
    plain, yanked = file("1.0.tar.gz"), file("1.0.tar.gz", yanked=True)
    other = msgspec.structs.replace(yanked, hashes={"sha256": "0" * 64})

    assert choose((yanked, plain), LINUX, "foo").choice is Choice.NOTHING
    assert choose((other, plain), LINUX, "foo").choice is Choice.UNKNOWN


@settings(max_examples=250, deadline=None)
@given(
    case=st.integers(0, 10**6),
    deletions=st.lists(st.tuples(st.integers(0, 30), st.sampled_from(FACTS)), max_size=4),
    environment=st.sampled_from((LINUX, OLD_PYTHON, WINDOWS)),
    pinned=st.booleans(),
)
def test_deleting_facts_leads_to_unknown_or_to_the_same_file(
    case: int, deletions: list[tuple[int, str]], environment: Environment, pinned: bool
) -> None:
    page = make_page(Random(case))
    parsed = parse_page(as_json(page), url=PAGE_URL, content_type=JSON_TYPE, project=page.project)
    candidates = list(parsed.candidates)
    versions = [c.version for c in candidates if c.version]
    pin = versions[case % len(versions)] if pinned and versions else None
    truth = choose(candidates, environment, page.project, pin=pin)
    for position, fact in deletions:
        if position < len(candidates):
            candidates[position] = _without(candidates[position], fact)
    seen = choose(candidates, environment, page.project, pin=pin)

    if truth.choice is Choice.UNKNOWN:
        assert seen.choice is Choice.UNKNOWN
    if seen.choice is Choice.UNKNOWN:
        assert seen.undecided
    else:
        assert seen.choice is truth.choice
        assert _chosen_name(seen.candidate) == _chosen_name(truth.candidate)
    listed = Counter(candidate.filename for candidate in candidates)
    lost = {r.filename for r in seen.rejected if listed[r.filename] == 1}
    assert not lost & set(seen.undecided)


def _chosen_name(candidate: Candidate | None) -> str | None:
    return candidate.filename if candidate else None


@settings(max_examples=120, deadline=None)
@given(data=st.data())
def test_the_answer_is_open_exactly_if_the_possible_facts_lead_to_different_files(
    data: st.DataObject,
) -> None:
    """Every world is played through, on pages small enough for that."""
    rests = ("1.0.tar.gz", f"1.0-{WHEEL}", "2.0.tar.gz", "2.0rc1.tar.gz", "3.0.dev1.tar.gz")
    page = [
        file(rest, yanked=data.draw(st.booleans()))
        for rest in data.draw(st.lists(st.sampled_from(rests), max_size=4, unique=True))
    ]
    holes = data.draw(st.lists(st.sampled_from(("yanked", "requires_python", None)), max_size=4))
    pin = data.draw(st.sampled_from((None, "1.0", "2.0")))
    seen = [_without(c, h) if h else c for c, h in itertools.zip_longest(page, holes) if c]
    ends = {
        _end(world, pin)
        for world in itertools.product(*(_possible(candidate) for candidate in seen))
    }
    chosen = choose(seen, LINUX, "foo", pin=pin)

    assert (chosen.choice is Choice.UNKNOWN) == (len(ends) > 1)
    if len(ends) == 1:
        assert {_chosen_name(chosen.candidate)} == ends


def _possible(candidate: Candidate) -> list[Candidate]:
    if candidate.yanked is Yank.UNKNOWN:
        states = (Yank.YES, Yank.NO)
        return [msgspec.structs.replace(candidate, yanked=state) for state in states]
    if candidate.requires_python is None:
        texts = ("", "<3")
        return [msgspec.structs.replace(candidate, requires_python=text) for text in texts]
    return [candidate]


def _end(world: tuple[Candidate, ...], pin: str | None) -> str | None:
    chosen = choose(list(world), LINUX, "foo", pin=pin)
    assert chosen.candidate is None or parse_version(chosen.candidate.version or "") is not None
    return _chosen_name(chosen.candidate)
