"""From the bytes of a page to the choice, against pip's and pypi-simple's own code."""

from __future__ import annotations

import gc
import hashlib
import json
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from functools import cache
from itertools import cycle
from types import SimpleNamespace
from typing import cast

from pip._internal.index.collector import IndexContent, LinkCollector, parse_links
from pip._internal.index.package_finder import PackageFinder
from pip._internal.models.search_scope import SearchScope
from pip._internal.models.selection_prefs import SelectionPreferences
from pip._internal.models.target_python import TargetPython
from pypi_simple import ProjectPage

from auditor.model import Candidates, Environment, Incident, Page, PageOutcome, View
from auditor.model.file_table import listed_with
from auditor.model.remembered import Remembered, RememberedProjects
from auditor.selection import choose, choose_all, default_matrix, running_environment
from auditor.verdict.cells import ChoiceCache
from auditor.verdict.context import Context
from probes.kit.pages import parse_page
from probes.kit.pages.memory import PageMemory
from tests.bench.measure import Goal, Measure, cpu_of_call, interleaved, median_ratio
from tests.bench.pages import HTML_TYPE, JSON_TYPE, SHAPES, MadePage, Shape, make_page

__all__ = ["reading_goals"]

# Every row is a goal, its ratio and the floor: "… / ours" says what was divided by what.
PIP_FLOOR = "pip: parse_links + evaluate_links + compute_best_candidate, one environment, warm"
SIMPLE_FLOOR = "pypi-simple: json.loads + ProjectPage.from_json_data (a list, nothing chosen)"
QUICK_SHAPES = (Shape("requests", 12, 7), Shape("tf-nightly", 30, 5, binary=True, sidecars=True))


@dataclass(frozen=True)
class _Question:
    """One page in one form, and who is asked about it."""

    page: MadePage
    body: bytes
    content_type: str

    @property
    def project(self) -> str:
        return self.page.shape.project

    @property
    def url(self) -> str:
        return f"https://index.example/simple/{self.project}/"

    @property
    def incident(self) -> Incident:
        page = self.page
        return Incident(
            id="bench", project=self.project, broken=(page.broken,), fixed=(page.fixed,)
        )

    def candidates(self) -> Candidates:
        parsed = parse_page(
            self.body, url=self.url, content_type=self.content_type, project=self.project
        )
        return parsed.candidates

    def ours(self, environments: tuple[Environment, ...]) -> Callable[[], object]:
        """Read the page anew; say what is chosen and which files are broken and fixed."""
        # One incident asks about many places: what a version is to it is looked up once.
        is_broken, is_fixed = cache(self.incident.is_broken), cache(self.incident.is_named_fixed)

        def answer() -> tuple[str | None, int, int]:
            candidates = self.candidates()
            chosen = choose_all(candidates, environments, self.project)
            first = chosen[environments[0].id].candidate
            by_version = _listed(candidates, is_broken, is_fixed)
            return (first.filename if first else None, *by_version)

        return answer

    def pips(self) -> str | None:
        page = IndexContent(
            self.body, self.content_type, "utf-8", self.url, cache_link_parsing=False
        )
        finder = _finder()
        found = finder.evaluate_links(finder.make_link_evaluator(self.project), parse_links(page))
        evaluator = finder.make_candidate_evaluator(self.project)
        best = evaluator.compute_best_candidate(found).best_candidate
        return None if best is None else str(best.link.filename)

    def pypi_simples(self) -> ProjectPage:
        if self.content_type == JSON_TYPE:
            return ProjectPage.from_json_data(json.loads(self.body), self.url)
        return ProjectPage.from_html(self.project, self.body, self.url, from_encoding="utf-8")


def reading_goals(rounds: int, *, quick: bool = False) -> Iterator[Goal]:
    """Measure every made page in both forms."""
    for shape in QUICK_SHAPES if quick else SHAPES:
        page = make_page(shape)
        yield from _json_goals(_Question(page, page.json, JSON_TYPE), rounds)
        yield from _html_goals(_Question(page, page.html, HTML_TYPE), rounds)


def _json_goals(question: _Question, rounds: int) -> Iterator[Goal]:
    label = f"{question.project} JSON"
    one, matrix = (running_environment(),), default_matrix()
    _check(question, one)
    found = interleaved(
        {
            "pip": cpu_of_call(question.pips),
            "pypi-simple": cpu_of_call(question.pypi_simples),
            "one": cpu_of_call(question.ours(one), 5),
            "all": cpu_of_call(question.ours(matrix), 3),
            "lagging": cpu_of_call(_in_turn(question, one), 5),
            "cold": _cold(question.ours(one)),
            "sha256": cpu_of_call(lambda: hashlib.sha256(question.body).hexdigest(), 20),
            "seen": cpu_of_call(_seen_before(question, matrix), 20),
        },
        rounds,
    )
    note = f"{min(found['one']) * 1e3:.2f} ms, pip {min(found['pip']) * 1e3:.1f} ms"
    title = f"{label}, one environment"
    yield _faster(f"{title}: pip / ours", found["pip"], found["one"], 20, PIP_FLOOR, note)
    simple = found["pypi-simple"]
    yield _faster(f"{title}: pypi-simple / ours", simple, found["one"], 12, SIMPLE_FLOOR)
    lagging = f"{title}, two mirrors in turn of which one lags: pypi-simple / ours"
    yield _faster(lagging, simple, found["lagging"], 10, SIMPLE_FLOOR)
    cold = f"{title}, nothing known yet: pypi-simple / ours"
    yield _faster(cold, simple, found["cold"], 3, SIMPLE_FLOOR)
    title = f"{label}, {len(matrix)} environments: pip / ours"
    yield _faster(title, found["pip"], found["all"], 5, PIP_FLOOR)
    yield Goal(
        name=f"{label}, body seen before: ours / sha256",
        ratio=median_ratio(found["seen"], found["sha256"]),
        # Of a small page, looking things up takes as long as the digest.
        gate=1.2 if len(question.body) > 500_000 else None,
        floor="hashlib.sha256 of the body",
        note="digest, then page and choices of every environment as remembered",
    )


def _html_goals(question: _Question, rounds: int) -> Iterator[Goal]:
    label = f"{question.project} HTML"
    one, matrix = (running_environment(),), default_matrix()
    _check(question, one)
    found = interleaved(
        {
            "pip": cpu_of_call(question.pips),
            "one": cpu_of_call(question.ours(one), 2),
            "all": cpu_of_call(question.ours(matrix), 2),
        },
        rounds,
    )
    note = f"{min(found['one']) * 1e3:.2f} ms, pip {min(found['pip']) * 1e3:.1f} ms"
    title = f"{label}, one environment: pip / ours"
    yield _faster(title, found["pip"], found["one"], 8, PIP_FLOOR, note)
    title = f"{label}, {len(matrix)} environments: pip / ours"
    yield _faster(title, found["pip"], found["all"], 5, PIP_FLOOR)


def _in_turn(question: _Question, environments: tuple[Environment, ...]) -> Callable[[], object]:
    """Return what reads this page, or the same without its newest file, whose turn it is."""
    page = json.loads(question.body)
    page["files"].pop()
    lagging = replace(question, body=json.dumps(page, separators=(",", ":")).encode())
    turns = cycle([question.ours(environments), lagging.ours(environments)])
    return lambda: next(turns)()


def _cold(call: Callable[[], object]) -> Measure:
    """Return what measures a call after everything that is known of texts was forgotten."""

    def measure() -> float:
        _forget()
        gc.collect()
        started = time.process_time()
        call()
        return time.process_time() - started

    return measure


def _forget() -> None:
    """Empty every memory of file names, versions, times and tags in the product."""
    ours = [m for name, m in sys.modules.items() if name.startswith(("auditor.", "probes."))]
    for value in [value for module in ours for value in vars(module).values()]:
        if isinstance(value, Remembered | RememberedProjects):
            value.clear()
        elif callable(forget := getattr(value, "cache_clear", None)):
            forget()


def _faster(
    name: str, floor: list[float], ours: list[float], gate: float, what: str, note: str = ""
) -> Goal:
    ratio = median_ratio(floor, ours)
    return Goal(name=name, ratio=ratio, gate=gate, at_least=True, floor=what, note=note)


def _listed(
    candidates: Candidates,
    is_broken: Callable[[str | None], bool],
    is_fixed: Callable[[str | None], bool],
) -> tuple[int, int]:
    """Count broken and fixed files, as the judge finds them."""
    return len(listed_with(candidates, is_broken)), len(listed_with(candidates, is_fixed))


def _seen_before(question: _Question, matrix: tuple[Environment, ...]) -> Callable[[], object]:
    """The product's memories, as a second place with the same page uses them."""
    memory, cache = PageMemory(), ChoiceCache()
    # Of the context, a cache asks these two only.
    context = cast(Context, SimpleNamespace(environments=matrix, incident=question.incident))

    def answer() -> object:
        digest = hashlib.sha256(question.body).hexdigest()
        parsed = memory.parse(
            question.body,
            url=question.url,
            content_type=question.content_type,
            project=question.project,
            digest=digest,
        )
        page = Page(
            view=View.PIP,
            outcome=PageOutcome.OBSERVED,
            url=question.url,
            candidates=parsed.candidates,
            body_sha256=digest,
        )
        return cache.choose(page, context)

    return answer


def _check(question: _Question, one: tuple[Environment, ...]) -> None:
    """A fast wrong answer is worth nothing: both must agree, and files must be found."""
    candidates = question.candidates()
    chosen = choose(candidates, one[0], question.project).candidate
    name = chosen.filename if chosen else None
    incident = question.incident
    broken, fixed = _listed(candidates, incident.is_broken, incident.is_named_fixed)
    if name != question.pips() or not broken or not fixed:
        raise RuntimeError(
            f"{question.project}: {name} is not what pip takes, or files are missing"
        )


_FINDERS: list[PackageFinder] = []


def _finder() -> PackageFinder:
    if not _FINDERS:
        urls = ["https://index.example/simple"]
        scope = SearchScope.create(find_links=[], index_urls=urls, no_index=False)
        _FINDERS.append(
            PackageFinder.create(
                link_collector=LinkCollector(session=None, search_scope=scope),
                selection_prefs=SelectionPreferences(allow_yanked=False),
                target_python=TargetPython(),
            )
        )
    return _FINDERS[0]
