"""What uv takes from a page, rule by rule; tests/truth holds the same against uv itself."""

from __future__ import annotations

import pytest
from msgspec import structs

from auditor.model import Candidate, Choice, Environment, RejectionCode, Yank
from auditor.selection import choose, default_matrix
from auditor.selection.uv_choosing import choose_uv, choose_uv_all
from tests.selection.made import LINUX, MAC, OLD_PYTHON, WHEEL, WINDOWS, file


def taken(*files: Candidate, environment: Environment = LINUX, pin: str | None = None) -> str:
    chosen = choose_uv(files, environment, "foo", pin=pin)
    if chosen.candidate is None:
        return chosen.choice.value
    return chosen.candidate.filename.removeprefix("foo-")


def test_an_upper_bound_on_python_excludes_nobody() -> None:
    files = (file(f"1.0-{WHEEL}"), file(f"2.0-{WHEEL}", requires_python=">=3.8,<3.10"))

    assert taken(*files) == f"2.0-{WHEEL}"
    pips = choose(files, LINUX, "foo").candidate
    assert pips is not None
    assert pips.filename == f"foo-1.0-{WHEEL}"


def test_a_lower_bound_on_python_excludes() -> None:
    files = (file(f"1.0-{WHEEL}"), file(f"2.0-{WHEEL}", requires_python=">=3.10"))

    assert taken(*files, environment=OLD_PYTHON) == f"1.0-{WHEEL}"


@pytest.mark.parametrize(
    ("requires_python", "expected"),
    [
        (">=3.8.*", True),  # repaired
        (">=3.8, !=3.12.12", True),
        ("==3.11.*", True),
        ("===3.12.12", True),
        (">3.12.12", False),
        (">=3.12,!=3.12.*", False),
        ("~=3.13", False),
        ("garbage", False),
        ("", True),
        (">=4,<3", True),  # nothing satisfies it, so that it has no lower end
    ],
)
def test_only_the_lower_end_of_a_readable_specifier_counts(
    requires_python: str, expected: bool
) -> None:
    found = taken(file(f"1.0-{WHEEL}", requires_python=requires_python))

    assert expected == (found == f"1.0-{WHEEL}")


def test_the_file_that_stands_for_a_version_decides_for_all_of_it() -> None:
    files = (
        file(f"1.0-{WHEEL}"),
        file(f"2.0-{WHEEL}", requires_python=">=3.13"),
        file("2.0.tar.gz"),
    )

    assert taken(*files) == f"1.0-{WHEEL}"
    codes = {r.filename: r.code for r in choose_uv(files, LINUX, "foo").rejected}
    assert codes == {
        f"foo-2.0-{WHEEL}": RejectionCode.REQUIRES_PYTHON,
        "foo-2.0.tar.gz": RejectionCode.REQUIRES_PYTHON,
    }


def test_yanked_finals_do_not_hide_a_pre_release() -> None:
    files = (file(f"1.0-{WHEEL}", yanked=True), file(f"2.0rc1-{WHEEL}"))

    assert taken(*files) == f"2.0rc1-{WHEEL}"
    assert choose(files, LINUX, "foo").choice is Choice.NOTHING


def test_any_final_that_is_installable_hides_every_pre_release() -> None:
    assert taken(file(f"1.0-{WHEEL}"), file(f"2.0rc1-{WHEEL}")) == f"1.0-{WHEEL}"


def test_a_pin_takes_a_yanked_release() -> None:
    assert taken(file(f"1.0-{WHEEL}", yanked=True), pin="1.0") == f"1.0-{WHEEL}"
    assert taken(file(f"1.0-{WHEEL}", yanked=True)) == "nothing"


def test_a_pin_takes_the_highest_local_build_that_is_not_yanked() -> None:
    plain = file(f"1.0-{WHEEL}")

    assert taken(plain, file(f"1.0+cpu-{WHEEL}"), pin="1.0") == f"1.0+cpu-{WHEEL}"
    assert taken(plain, file(f"1.0+cpu-{WHEEL}", yanked=True), pin="1.0") == f"1.0-{WHEEL}"


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ((f"1.0-{WHEEL}", "1.0.tar.gz"), f"1.0-{WHEEL}"),
        (("1.0.zip", "1.0.tar.gz"), "1.0.tar.gz"),  # the first by name
        (("1.0.tar.bz2",), "nothing"),
        (("1.0.tgz", "0.9.tar.gz"), "0.9.tar.gz"),
        ((f"1.0-2-{WHEEL}", f"1.0-10-{WHEEL}"), f"1.0-10-{WHEEL}"),
        ((f"1.0-2a-{WHEEL}", f"1.0-2-{WHEEL}"), f"1.0-2a-{WHEEL}"),
        (("1.0-PY3-none-any.whl", "0.9.tar.gz"), "0.9.tar.gz"),  # tags are taken as they are spelt
        (
            ("1.0-py3-none-linux_x86_64.whl", "1.0-py3-none-manylinux2014_x86_64.whl"),
            "1.0-py3-none-manylinux2014_x86_64.whl",
        ),
        (("1.0-py3.9.tar.gz", "0.9.tar.gz"), "0.9.tar.gz"),
    ],
)
def test_of_one_version_one_file_is_picked(files: tuple[str, ...], expected: str) -> None:
    assert taken(*map(file, files)) == expected


def test_a_wheel_of_another_project_is_passed_over() -> None:
    assert taken(file(f"2.0-{WHEEL}", project="bar"), file(f"1.0-{WHEEL}")) == f"1.0-{WHEEL}"


@pytest.mark.parametrize(
    "facts", [{"yanked": Yank.UNKNOWN}, {"requires_python": None}, {"version": None}]
)
def test_a_missing_fact_that_decides_makes_the_choice_unknown(facts: dict[str, object]) -> None:
    files = (file(f"1.0-{WHEEL}"), structs.replace(file(f"2.0-{WHEEL}"), **facts))
    chosen = choose_uv(files, LINUX, "foo")

    assert chosen.choice is Choice.UNKNOWN
    assert chosen.undecided == (f"foo-2.0-{WHEEL}",)


def test_a_missing_fact_that_cannot_matter_is_no_matter() -> None:
    below = structs.replace(file(f"1.0-{WHEEL}"), yanked=Yank.UNKNOWN)
    elsewhere = structs.replace(file("3.0-cp312-cp312-win_amd64.whl"), requires_python=None)

    assert taken(below, file(f"2.0-{WHEEL}"), elsewhere) == f"2.0-{WHEEL}"


def test_every_file_that_lost_has_a_reason() -> None:
    files = (
        file(f"3.0rc1-{WHEEL}"),
        file(f"2.1-{WHEEL}", yanked=True),
        file("2.0-cp312-cp312-win_amd64.whl"),
        file(f"1.0-{WHEEL}"),
        file("1.0.tar.gz"),
        file(f"0.9-{WHEEL}"),
        file("0.8.rpm"),
        file(f"0.7-{WHEEL}", requires_python="garbage"),
    )
    chosen = choose_uv(files, LINUX, "foo")

    assert {r.filename.removeprefix("foo-"): r.code.value for r in chosen.rejected} == {
        f"3.0rc1-{WHEEL}": "prerelease",
        f"2.1-{WHEEL}": "yanked",
        "2.0-cp312-cp312-win_amd64.whl": "no-matching-tag",
        "1.0.tar.gz": "less-preferred",
        f"0.9-{WHEEL}": "lower-version",
        "0.8.rpm": "not-a-distribution",
        f"0.7-{WHEEL}": "lower-version",
    }
    assert (
        chosen.reason == "1.0 is the newest release that fits; 3.0rc1 was passed over (pre-release)"
    )


def test_all_environments_at_once_are_each_of_them_alone() -> None:
    files = (
        file("3.0-cp313-cp313-manylinux_2_28_x86_64.whl"),
        file(f"2.0-{WHEEL}", requires_python=">=3.11"),
        file("1.5-cp39-cp39-win_amd64.whl", yanked=True),
        file("1.0-cp39-abi3-macosx_11_0_arm64.whl"),
        file("1.0.tar.gz", requires_python=">=3.10"),
        file(f"0.5-{WHEEL}"),
    )
    environments = (*default_matrix(), LINUX, MAC, WINDOWS)
    together = choose_uv_all(files, environments, "foo")

    for environment in environments:
        alone = choose_uv(files, environment, "foo")
        assert alone == together[environment.id]
        assert alone.applicable == together[environment.id].applicable
