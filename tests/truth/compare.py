"""One made page, asked of pip and of us: as JSON and as HTML, unpinned and pinned."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from random import Random

from auditor.model import Choice, Environment, parse_version
from auditor.model.filename import version_in
from auditor.selection import Chosen, applicable, choose, parse_environment, running_environment
from probes.kit.pages import parse_page
from tests.truth.pages import HTML_TYPE, JSON_TYPE, MadePage, as_html, as_json, make_page
from tests.truth.pip_finder import PAGE_URL, PipAnswer, ask_pip

FAILING = Path(__file__).with_name("failing.txt")

ENVIRONMENTS = (
    running_environment(),
    parse_environment("cp312-manylinux_2_28_x86_64"),
    parse_environment("cp312-manylinux_2_17_x86_64"),
    parse_environment("cp39-manylinux2014_x86_64"),
    parse_environment("cp310-manylinux_2_28_aarch64"),
    parse_environment("cp312-musllinux_1_2_x86_64"),
    parse_environment("cp311-win_amd64"),
    parse_environment("cp312-macosx_14_0_arm64"),
    parse_environment("cp39-macosx_14_0_x86_64"),
    parse_environment("cp314-manylinux_2_28_x86_64"),
    parse_environment("cp313-linux_x86_64"),
    parse_environment("cp312-win32"),
)


@dataclass(frozen=True)
class Comparison:
    """One question that both answered.

    Attributes:
        question: in words.
        ours, pips: the answers.
        unknown: whether we said that we cannot know.
        agree: whether both said the same, or we rightly said that we cannot know.
    """

    question: str
    ours: str
    pips: str
    unknown: bool
    agree: bool


def compare_case(seed: str, case: int) -> Iterator[Comparison]:
    """Make the page of one case and compare everything that can be asked about it."""
    random = Random(f"{seed}:{case}")
    page = make_page(random)
    pins = sorted({str(v) for e in page.entries if (v := _any_version(e.filename, page.project))})
    for content_type, body in ((JSON_TYPE, as_json(page)), (HTML_TYPE, as_html(page))):
        environment = random.choice(ENVIRONMENTS)
        yield from _compare(page, body, content_type, environment, None)
        if pins:
            yield from _compare(page, body, content_type, environment, random.choice(pins))


def failing_cases() -> list[tuple[str, int]]:
    """Cases that once disagreed, kept so that they are tried first for ever."""
    lines = FAILING.read_text(encoding="utf-8").splitlines() if FAILING.exists() else []
    pairs = (line.split() for line in lines if line and not line.startswith("#"))
    return [(seed, int(case)) for seed, case in pairs]


def keep_failing(seed: str, case: int) -> None:
    """Remember a case that disagreed."""
    if (seed, case) not in failing_cases():
        with FAILING.open("a", encoding="utf-8") as file:
            file.write(f"{seed} {case}\n")


def _any_version(filename: str, project: str) -> object:
    return parse_version(version_in(filename, project) or "-")


def _compare(
    page: MadePage, body: bytes, content_type: str, environment: Environment, pin: str | None
) -> Iterator[Comparison]:
    pips = ask_pip(body, content_type, environment, page.project, pin)
    parsed = parse_page(body, url=PAGE_URL, content_type=content_type, project=page.project)
    question = f"{page.project}{f'=={pin}' if pin else ''} {content_type} {environment.id}"
    if not parsed.complete:
        yield Comparison(question, f"incomplete: {parsed.faults[:3]}", _of_pip(pips), True, False)
        return
    chosen = choose(parsed.candidates, environment, page.project, pin=pin)
    unknown = chosen.choice is Choice.UNKNOWN
    agree = page.unreadable if unknown else _same(chosen, pips)
    yield Comparison(question, _of_us(chosen), _of_pip(pips), unknown, agree)
    names = applicable(parsed.candidates, environment, page.project)
    both = f"only ours {sorted(names - pips.candidates)}", f"{sorted(pips.candidates - names)}"
    # Where a fact cannot be read, a file that may be applicable is among ours.
    same = names >= pips.candidates if page.unreadable else names == pips.candidates
    yield Comparison(f"{question}: candidates", *both, False, same)


def _same(chosen: Chosen, pips: PipAnswer) -> bool:
    if chosen.candidate is None:
        return pips.filename is None
    version = parse_version(chosen.candidate.version or "")
    return (chosen.candidate.filename, version) == (pips.filename, pips.version)


def _of_us(chosen: Chosen) -> str:
    name = chosen.candidate.filename if chosen.candidate else chosen.choice.value
    return f"{name} ({chosen.reason})"


def _of_pip(pips: PipAnswer) -> str:
    return f"{pips.filename} ({pips.version})"
