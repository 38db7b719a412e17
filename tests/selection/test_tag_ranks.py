"""Ranks taken row by row are those of packaging's own tags, one by one."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from packaging import tags as packaging_tags
from packaging.tags import Tag, parse_tag

from auditor.model import Environment
from auditor.model.tag_triple import TagTriple, read_tags
from auditor.selection import default_matrix, parse_environment
from auditor.selection.environments import tag_rows, tags_of
from auditor.selection.support import support_of
from auditor.selection.tag_ranks import TagRanks, TagRow
from auditor.selection.uv_tags import uv_support_of

ODD = ("cp315-linux_riscv64", "cp39-win32", "cp314-macosx_10_15_x86_64", "cp310-manylinux1_i686")
ENVIRONMENTS = (*default_matrix(), *map(parse_environment, ODD))


def read(text: str) -> TagTriple:
    triple = read_tags(text)
    assert triple is not None
    return triple


def wheels(environment: Environment) -> Iterator[TagTriple]:
    """Tag sets of one tag and of several, some of which fit and some of which do not."""
    listed = [str(tag) for tag in tags_of(environment)]
    yield from map(read, (listed[0], listed[-1], *listed[1:-1:97]))
    platform = environment.platform
    yield read("py2.py3-none-any")
    yield read(f"cp39.cp312.cp314-abi3.none-{platform}.win_amd64")
    yield read(f"cp27-cp27mu-{platform}")


def best(tags: TagTriple, order: list[Tag]) -> int | None:
    table = {tag: rank for rank, tag in enumerate(order)}
    return min((table[tag] for tag in parse_tag(tags.text) if tag in table), default=None)


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.id)
def test_rows_hold_every_tag_in_its_order(environment: Environment) -> None:
    rows = tag_rows(environment)

    expected = [(tag.interpreter, tag.abi, tag.platform) for tag in tags_of(environment)]
    assert expected == [(r.interpreter, r.abi, platform) for r in rows for platform in r.platforms]


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.id)
def test_ranks_are_those_of_pips_own_table(environment: Environment) -> None:
    order = list(tags_of(environment))
    support = support_of(environment)

    assert support.worst_rank == len(order)
    for tags in wheels(environment):
        assert best(tags, order) == support.rank(tags), tags.text


@pytest.mark.parametrize("environment", ENVIRONMENTS, ids=lambda each: each.id)
def test_for_uv_they_are_those_of_the_platforms_in_its_own_order(environment: Environment) -> None:
    platforms = dict.fromkeys(t.platform for t in tags_of(environment) if t.platform != "any")
    kept = [p for p in platforms if not (p.startswith("macosx_1") and _is_minor(p))]
    kept.sort(key=lambda platform: platform.startswith("linux_"))
    version = (3, int(environment.interpreter.removeprefix("cp3")))
    order = [
        *packaging_tags.cpython_tags(version, abis=[environment.interpreter], platforms=kept),
        *packaging_tags.compatible_tags(
            version, interpreter=environment.interpreter, platforms=kept
        ),
    ]
    support = uv_support_of(environment)

    assert support.worst_rank == len(order)
    for tags in wheels(environment):
        uvs = best(tags, order)
        assert uvs == TagRanks(_rows(order)).of(tags)
        assert uvs == support._ranks.of(tags), tags.text


def test_a_tag_that_is_listed_twice_has_its_last_rank() -> None:
    ranks = TagRanks([TagRow("py3", "none", ("any", "linux", "any")), TagRow("cp3", "abi", ("x",))])

    assert ranks.count == 4
    assert ranks.of(read("py3-none-any")) == 2
    assert ranks.of(read("py3-none-any.linux")) == 1
    assert ranks.of(read("cp3-none-x")) is None


def _is_minor(platform: str) -> bool:
    _, major, minor, *_ = platform.split("_")
    return int(major) >= 11 and minor != "0"


def _rows(order: list[Tag]) -> Iterator[TagRow]:
    return (TagRow(tag.interpreter, tag.abi, (tag.platform,)) for tag in order)
