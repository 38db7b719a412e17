"""What several indexes give together: as pip and as uv put their pages together."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
from msgspec import structs

from auditor.model import Candidate, Page, PageOutcome, View
from auditor.selection import running_environment
from auditor.selection.groups import BEST_MATCH, FIRST_INDEX, Member, merge_pages
from auditor.selection.policies import choose_as, client_of
from tests.selection.made import LINUX, WHEEL, file
from tests.truth.pages import JSON_TYPE, Made, MadePage, as_json
from tests.truth.pip_command import wheel_bytes
from tests.truth.uv_command import uv_index


def page(*files: Candidate, outcome: PageOutcome = PageOutcome.OBSERVED) -> Page:
    return Page(
        view=View.PIP,
        outcome=outcome,
        url="https://index.example/simple/foo/",
        complete=outcome is PageOutcome.OBSERVED,
        candidates=files,
    )


def taken(members: list[Member], view: View, strategy: str = FIRST_INDEX) -> str | None:
    merged = merge_pages(members, view, strategy, "both")
    assert merged.complete
    chosen = choose_as(client_of(view), merged.candidates, (LINUX,), "foo")[LINUX.id].candidate
    return chosen.url.partition("#")[0] if chosen and chosen.url else None


def at(place: str, rest: str, **facts: bool) -> Candidate:
    made = file(rest, **facts)
    return Candidate(
        filename=made.filename,
        version=made.version,
        url=f"https://{place}.example/{made.filename}",
        yanked=made.yanked,
        requires_python="",
    )


PRIVATE = Member("private", page(at("private", f"1.0-{WHEEL}")))
PUBLIC = Member("public", page(at("public", f"1.0-{WHEEL}"), at("public", f"2.0-{WHEEL}")))
EMPTY = Member("empty", page(outcome=PageOutcome.ABSENT))
HOUSE = Member("house", page(at("house", f"1.0-{WHEEL}"), at("house", f"3.0-{WHEEL}")), True)


def test_pip_takes_the_best_version_of_all_indexes() -> None:
    assert taken([PRIVATE, PUBLIC], View.PIP) == f"https://public.example/foo-2.0-{WHEEL}"


def test_uv_stops_at_the_first_index_that_has_the_project() -> None:
    assert taken([PRIVATE, PUBLIC], View.UV) == f"https://private.example/foo-1.0-{WHEEL}"
    assert taken([EMPTY, PUBLIC], View.UV) == f"https://public.example/foo-2.0-{WHEEL}"


def test_uv_takes_the_best_version_of_all_where_it_is_told_to() -> None:
    found = taken([PRIVATE, PUBLIC], View.UV, BEST_MATCH)

    assert found == f"https://public.example/foo-2.0-{WHEEL}"


def test_of_equal_files_pip_takes_the_last_and_uv_the_first() -> None:
    other = Member("other", page(at("other", f"1.0-{WHEEL}")))

    assert taken([PRIVATE, other], View.PIP) == f"https://other.example/foo-1.0-{WHEEL}"
    assert taken([PRIVATE, other], View.UV, BEST_MATCH) == (
        f"https://private.example/foo-1.0-{WHEEL}"
    )


@pytest.mark.parametrize("view", [View.PIP, View.UV])
def test_find_links_join_whatever_index_is_used(view: View) -> None:
    assert taken([PRIVATE, HOUSE], view) == f"https://house.example/foo-3.0-{WHEEL}"


@pytest.mark.parametrize("view", [View.PIP, View.UV])
def test_find_links_alone_are_no_index(view: View) -> None:
    assert taken([HOUSE], view) == f"https://house.example/foo-3.0-{WHEEL}"


def test_a_member_that_could_not_be_read_leaves_the_choice_open_where_it_is_used() -> None:
    down = Member("down", page(outcome=PageOutcome.UNREACHABLE))

    assert not merge_pages([PRIVATE, down], View.PIP, FIRST_INDEX, "both").complete
    assert merge_pages([PRIVATE, down], View.UV, FIRST_INDEX, "both").complete
    assert not merge_pages([down, PRIVATE], View.UV, FIRST_INDEX, "both").complete


def test_a_group_of_which_nobody_has_the_project_has_it_not() -> None:
    assert merge_pages([EMPTY, EMPTY], View.PIP, FIRST_INDEX, "x").outcome is PageOutcome.ABSENT


def test_one_address_that_two_indexes_list_counts_at_both() -> None:
    shared = at("files", f"1.0-{WHEEL}")
    yanked = at("files", f"1.0-{WHEEL}", yanked=True)

    assert taken([Member("a", page(yanked)), Member("b", page(shared))], View.PIP) is not None


# --- real clients ------------------------------------------------------------------------------

_GROUPS = {
    "better elsewhere": (("1.0", "1.1"), ("1.0", "2.0"), ()),
    "not in the first": ((), ("1.0", "2.0"), ()),
    "only pre-releases first": (("3.0rc1",), ("1.0",), ()),
    "a directory beside them": (("1.0",), ("2.0",), ("1.5",)),
    "a better directory": (("1.0",), ("2.0",), ("3.0",)),
}


def _json(versions: tuple[str, ...]) -> bytes:
    entries = tuple(
        Made(f"demo-{v}-{WHEEL}", f"../../files/demo-{v}-{WHEEL}", None, False, None)
        for v in versions
    )
    return as_json(MadePage("demo", entries, unreadable=False))


def _member(name: str, versions: tuple[str, ...], *, is_flat: bool = False) -> Member:
    made = tuple(file(f"{v}-{WHEEL}", project="demo") for v in versions)
    files = tuple(structs.replace(f, version=v) for f, v in zip(made, versions, strict=True))
    absent = PageOutcome.OBSERVED if versions else PageOutcome.ABSENT
    return Member(name, page(*files, outcome=absent), is_flat)


def _ours(name: str, view: View, strategy: str = FIRST_INDEX) -> str | None:
    first, second, house = _GROUPS[name]
    members = [_member("first", first), _member("second", second)]
    members += [_member("house", house, is_flat=True)] if house else []
    merged = merge_pages(members, view, strategy, "both")
    here = running_environment()
    chosen = choose_as(client_of(view), merged.candidates, (here,), "demo")[here.id].candidate
    return chosen.filename if chosen else None


@pytest.mark.real
@pytest.mark.slow
@pytest.mark.real_program("uv", "pip")
@pytest.mark.parametrize("name", _GROUPS)
def test_uv_and_pip_get_from_a_group_what_we_say(
    name: str, real_program: Callable[[str], Path], tmp_path: Path
) -> None:
    real_program("uv")
    pip = real_program("pip")
    first, second, house = _GROUPS[name]
    for version in house:
        (tmp_path / f"demo-{version}-{WHEEL}").write_bytes(wheel_bytes(f"demo-{version}-{WHEEL}"))
    flat = ["--find-links", str(tmp_path)] if house else []
    with uv_index() as index:
        one = index.serve(_json(first) if first else b"", JSON_TYPE, "demo")
        two = index.serve(_json(second), JSON_TYPE, "demo")
        more = ["--index", one, *flat]
        for strategy in (FIRST_INDEX, BEST_MATCH):
            asked = index.ask(
                two, running_environment(), "demo", "--index-strategy", strategy, *more
            )
            assert asked.filename == _ours(name, View.UV, strategy), strategy
        command = [str(pip), "-m", "pip", "--isolated", "download", "demo", "--no-deps", "--dest"]
        command += [str(tmp_path / "to"), "--no-cache-dir", "--disable-pip-version-check"]
        command += ["--index-url", one, "--extra-index-url", two, *flat, "--retries", "0"]
        run = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=60,
            env={"PATH": os.environ["PATH"], "NO_PROXY": "127.0.0.1"},
        )
    ours = _ours(name, View.PIP)
    # The files of the made indexes are not there: pip says which of them it went for.
    assert f"/{ours}" in run.stdout + run.stderr, run.stdout + run.stderr
