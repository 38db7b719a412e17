"""One made page, asked of uv and of us: as JSON or as HTML, unpinned and pinned."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from random import Random

from auditor.model import Choice, Environment, parse_version
from auditor.model.filename import version_in
from auditor.model.version import normalise_project
from auditor.selection import parse_environment
from auditor.selection.uv_choosing import UvChosen, choose_uv
from auditor.selection.uv_names import names_of
from probes.kit.pages import parse_page
from tests.truth.compare import ENVIRONMENTS, Comparison
from tests.truth.pages import HTML_TYPE, JSON_TYPE, MadePage, as_html, as_json, make_page
from tests.truth.pip_finder import PAGE_URL
from tests.truth.uv_command import PLATFORMS, UvAnswer, UvIndex

__all__ = ["UV_ENVIRONMENTS", "compare_uv_case", "keep_uv_seed", "uv_seeds"]

SEEDS = Path(__file__).with_name("uv_failing.txt")

UV_ENVIRONMENTS = (
    *(e for e in ENVIRONMENTS if e.running or e.platform in PLATFORMS),
    parse_environment("cp313-manylinux_2_17_aarch64"),
    parse_environment("cp310-macosx_14_0_x86_64"),
    parse_environment("cp313-win_arm64"),
    parse_environment("cp314-musllinux_1_2_x86_64"),
)


def compare_uv_case(index: UvIndex, seed: str, case: int) -> Iterator[Comparison]:
    """Make the page of one case and compare what can be asked about it: one or two questions."""
    random = Random(f"{seed}:{case}")
    page = make_page(random)
    pins = sorted({v for e in page.entries if (v := _any_version(e.filename, page.project))})
    content_type, as_bytes = random.choice(((JSON_TYPE, as_json), (HTML_TYPE, as_html)))
    environment = random.choice(UV_ENVIRONMENTS)
    body = as_bytes(page)
    yield _compare(index, page, (content_type, body), environment, None)
    if pins and random.random() < 0.3:
        yield _compare(index, page, (content_type, body), environment, random.choice(pins))


def uv_seeds() -> list[tuple[str, int]]:
    """Cases that once disagreed, kept so that they are tried first for ever."""
    lines = SEEDS.read_text(encoding="utf-8").splitlines() if SEEDS.exists() else []
    pairs = (line.rpartition(" ") for line in lines if line and not line.startswith("#"))
    return [(seed, int(case)) for seed, _, case in pairs]


def keep_uv_seed(seed: str, case: int) -> None:
    """Remember a case that disagreed."""
    if (seed, case) not in uv_seeds():
        with SEEDS.open("a", encoding="utf-8") as file:
            file.write(f"{seed} {case}\n")


def _any_version(filename: str, project: str) -> str | None:
    version = parse_version(version_in(filename, project) or "-")
    return None if version is None else str(version)


def _compare(
    index: UvIndex,
    page: MadePage,
    served: tuple[str, bytes],
    environment: Environment,
    pin: str | None,
) -> Comparison:
    content_type, body = served
    requirement = page.project if pin is None else f"{page.project}=={pin}"
    address = index.serve(body, content_type, page.project)
    uvs = index.ask(address, environment, requirement)
    parsed = parse_page(body, url=PAGE_URL, content_type=content_type, project=page.project)
    question = f"{requirement} {content_type} {environment.id}"
    if not parsed.complete:
        said = f"incomplete: {parsed.faults[:3]}"
        return Comparison(question, said, _of_uv(uvs), unknown=True, agree=False)
    chosen = choose_uv(parsed.candidates, environment, page.project, pin=pin)
    unknown = chosen.choice is Choice.UNKNOWN
    agree = _is_ambiguous(page) if unknown else _same(chosen, uvs, page.project)
    return Comparison(question, _of_us(chosen), _of_uv(uvs), unknown, agree)


def _is_ambiguous(page: MadePage) -> bool:
    """Whether a long page lists one file with different facts: uv's own answer is up to its sort.

    See `auditor/selection/uv_listing.py`.
    """
    return len(page.entries) > 20 and len({e.filename for e in page.entries}) < len(page.entries)


def _same(chosen: UvChosen, uvs: UvAnswer, project: str) -> bool:
    if uvs.refused is not None:
        return False
    if chosen.candidate is None:
        return chosen.choice is Choice.NOTHING and uvs.filename is None
    filename = chosen.candidate.filename
    named = names_of(normalise_project(project))[filename]
    return (filename, parse_version(named.version or "")) == (uvs.filename, uvs.version)


def _of_us(chosen: UvChosen) -> str:
    name = chosen.candidate.filename if chosen.candidate else chosen.choice.value
    return f"{name} ({chosen.reason})"


def _of_uv(uvs: UvAnswer) -> str:
    return f"{uvs.filename} ({uvs.refused or uvs.version})"
