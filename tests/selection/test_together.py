"""All environments at once, against one after the other."""

from __future__ import annotations

import gc
import weakref
from random import Random

import msgspec
import pytest

from auditor.model import Candidates, Yank
from auditor.selection import choose, choose_all, default_matrix
from auditor.selection.listing import Listing, listing_of
from auditor.selection.pip_policy import View, decide
from auditor.selection.releases import Entry
from auditor.selection.support import support_of
from auditor.selection.together import crowd_of, decide_together
from probes.kit.pages import parse_page
from tests.bench.pages import JSON_TYPE, Shape
from tests.bench.pages import make_page as make_usual_page
from tests.selection.made import LINUX, MAC, WINDOWS, file
from tests.truth.compare import ENVIRONMENTS
from tests.truth.pages import as_html, as_json, make_page
from tests.truth.pip_finder import PAGE_URL

CROWD = (*default_matrix(), *ENVIRONMENTS)
SHAPES = (
    Shape("tf-nightly", 300, 30, binary=True, every_prerelease=True),
    Shape("numpy", 300, 30, binary=True, sidecars=True),
    Shape("requests", 60, 40),
)


def assert_same(files: Candidates, project: str) -> int:
    """Compare the decisions; return how many were made together."""
    together = decide_together(Listing(files, project), crowd_of(CROWD))
    for environment, decision in zip(CROWD, together, strict=True):
        alone = decide(View(Listing(files, project), support_of(environment)))
        if decision is not None:
            # Conditions are numbered as they are met, which is not the same in both.
            assert _facts(decision.contenders) == _facts(alone.contenders)
            assert (decision.nothing, decision.final_certain) == (
                alone.nothing,
                alone.final_certain,
            )
    return sum(decision is not None for decision in together)


def _facts(entries: tuple[Entry, ...]) -> list[tuple[object, ...]]:
    return [(entry.position, entry.named) for entry in entries]


def files_of(seed: str) -> tuple[Candidates, str]:
    random = Random(seed)
    page = make_page(random)
    body, kind = random.choice(((as_json(page), JSON_TYPE), (as_html(page), "text/html")))
    parsed = parse_page(body, url=PAGE_URL, content_type=kind, project=page.project)
    return parsed.candidates, page.project


@pytest.mark.parametrize("seed", range(150))
def test_each_environment_gets_what_it_gets_alone(seed: int) -> None:
    files, project = files_of(f"together {seed}")

    assert_same(files, project)


@pytest.mark.parametrize("seed", range(150))
def test_missing_facts_are_left_to_whoever_can_weigh_them(seed: int) -> None:
    files, project = files_of(f"missing {seed}")
    random = Random(seed)
    drop = ({"version": None}, {"yanked": Yank.UNKNOWN}, {"requires_python": None}, {"url": None})
    shorn = tuple(
        msgspec.structs.replace(f, **random.choice(drop)) if random.random() < 0.2 else f
        for f in files
    )

    assert_same(shorn, project)


@pytest.mark.parametrize("shape", SHAPES, ids=lambda shape: shape.project)
def test_usual_pages_are_decided_together_in_every_environment(shape: Shape) -> None:
    body = make_usual_page(shape).json
    page = parse_page(body, url=PAGE_URL, content_type=JSON_TYPE, project=shape.project)

    assert len(CROWD) == assert_same(page.candidates, shape.project)


def test_what_is_said_of_a_choice_is_the_same_as_when_asked_alone() -> None:
    files = (
        *(file(f"{n}.0-cp312-cp312-win_amd64.whl") for n in range(2, 12)),
        file("1.0-py3-none-any.whl", yanked=True),
        file("1.0rc1.tar.gz"),
        file("0.9.tar.gz", requires_python=">=3.12"),
    )
    together = choose_all(files, (WINDOWS, LINUX, MAC), "foo")
    for environment in (WINDOWS, LINUX, MAC):
        alone, chosen = choose(list(files), environment, "foo"), together[environment.id]
        assert chosen == alone
        assert (chosen.applicable, chosen.reason) == (alone.applicable, alone.reason)
        assert chosen.rejected == alone.rejected


def test_a_file_of_a_release_far_down_is_found_for_whom_nothing_else_fits() -> None:
    files = (
        *(file(f"{n}.0-cp312-cp312-win_amd64.whl") for n in range(2, 12)),
        file("1.0-cp312-cp312-macosx_12_0_arm64.whl"),
    )
    chosen = choose_all(files, (WINDOWS, LINUX, MAC), "foo")

    names = [c.candidate and c.candidate.version for c in chosen.values()]
    assert names == ["11.0", None, "1.0"]


def test_a_page_is_sorted_once_and_forgotten_with_the_choices_from_it() -> None:
    files = (file("1.0.tar.gz"), file("2.0.tar.gz"))
    chosen = choose(files, LINUX, "foo")
    listing = weakref.ref(listing_of(files, "foo"))
    assert listing() is listing_of(files, "foo")
    assert listing() is not listing_of((*files,), "foo")

    del chosen
    gc.collect()
    assert listing() is None


def test_a_forgotten_page_needs_no_collector() -> None:
    files = (file("1.0.tar.gz"), file("1.0-py3-none-any.whl"), file("0.9.tar.gz"))
    gc.collect()
    gc.disable()
    try:
        chosen = choose(files, LINUX, "foo")
        listing = weakref.ref(listing_of(files, "foo"))
        del chosen
        assert listing() is None
    finally:
        gc.enable()
