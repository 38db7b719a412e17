"""pip's rules one by one, and what is said of the files that lose."""

from __future__ import annotations

import msgspec
import pytest

from auditor.model import Candidate, Choice, RejectionCode
from auditor.selection import Chosen, applicable, choose, choose_all, default_matrix
from tests.selection.made import LINUX, MAC, OLD_PYTHON, WHEEL, WINDOWS, file


def _name(chosen: Chosen) -> str | None:
    return chosen.candidate.filename if chosen.candidate else None


def _reasons(chosen: Chosen) -> dict[str, RejectionCode]:
    return {rejection.filename: rejection.code for rejection in chosen.rejected}


def test_the_highest_version_wins_and_not_the_greatest_text() -> None:
    page = (file("1.9.tar.gz"), file("1.10.tar.gz"), file("1.2.tar.gz"))
    chosen = choose(page, LINUX, "foo")

    assert _name(chosen) == "foo-1.10.tar.gz"
    assert set(_reasons(chosen).values()) == {RejectionCode.LOWER_VERSION}
    assert chosen.reason == "1.10 is the newest release listed"


def test_a_wheel_is_preferred_to_the_source_of_its_version() -> None:
    chosen = choose((file(f"1.0-{WHEEL}"), file("1.0.tar.gz")), LINUX, "foo")

    assert _name(chosen) == f"foo-1.0-{WHEEL}"
    assert _reasons(chosen) == {"foo-1.0.tar.gz": RejectionCode.LESS_PREFERRED}


def test_a_newer_source_is_preferred_to_an_older_wheel() -> None:
    assert _name(choose((file("1.1.tar.gz"), file(f"1.0-{WHEEL}")), LINUX, "foo")) == (
        "foo-1.1.tar.gz"
    )


def test_the_most_specific_wheel_is_preferred() -> None:
    page = (
        file("1.0-cp312-cp312-manylinux_2_28_x86_64.whl"),
        file("1.0-cp312-cp312-manylinux_2_17_x86_64.whl"),
        file(f"1.0-{WHEEL}"),
    )

    assert _name(choose(page, LINUX, "foo")) == page[0].filename


def test_the_highest_build_number_wins_among_equal_tags() -> None:
    page = (file(f"1.0-10-{WHEEL}"), file(f"1.0-9-{WHEEL}"), file(f"1.0-{WHEEL}"))
    chosen = choose(page, LINUX, "foo")

    assert _name(chosen) == page[0].filename
    assert "higher build number" in chosen.rejected[0].text


def test_equal_files_are_taken_from_the_end_of_the_page() -> None:
    page = (file("1.0.zip"), file("1.0.tar.gz"))

    assert _name(choose(page, LINUX, "foo")) == "foo-1.0.tar.gz"
    assert _name(choose(page[::-1], LINUX, "foo")) == "foo-1.0.zip"


def test_a_yanked_file_is_not_chosen_unpinned() -> None:
    chosen = choose((file("2.0.tar.gz", yanked=True), file("1.0.tar.gz")), LINUX, "foo")

    assert _name(chosen) == "foo-1.0.tar.gz"
    assert _reasons(chosen) == {"foo-2.0.tar.gz": RejectionCode.YANKED}
    assert chosen.reason == "1.0 is the newest release that fits; 2.0 was passed over (yanked)"


def test_a_pin_takes_a_yanked_file_only_if_nothing_else_satisfies_it() -> None:
    yanked, other = file("1.0.tar.gz", yanked=True), file("1.0.zip")

    assert _name(choose((yanked,), LINUX, "foo", pin="1.0")) == "foo-1.0.tar.gz"
    assert _name(choose((other, yanked), LINUX, "foo", pin="1.0")) == "foo-1.0.zip"
    assert choose((yanked,), LINUX, "foo").choice is Choice.NOTHING


def test_a_pin_compares_versions_and_not_texts() -> None:
    page = (file("1.0.0.tar.gz"), file("1.1.tar.gz"))

    assert _name(choose(page, LINUX, "foo", pin="v1")) == "foo-1.0.0.tar.gz"
    assert choose(page, LINUX, "foo", pin="1.0.1").choice is Choice.NOTHING


def test_a_pin_without_local_label_takes_the_highest_label() -> None:
    page = (file("1.0+cpu.tar.gz"), file("1.0.tar.gz"), file("1.0+gpu.tar.gz"))

    assert _name(choose(page, LINUX, "foo", pin="1.0")) == "foo-1.0+gpu.tar.gz"
    assert _name(choose(page, LINUX, "foo", pin="1.0+cpu")) == "foo-1.0+cpu.tar.gz"


def test_a_pin_that_is_no_version_is_refused() -> None:
    with pytest.raises(ValueError, match=r"'1\.0\.\*' is not a version"):
        choose((), LINUX, "foo", pin="1.0.*")


def test_prereleases_are_chosen_only_if_no_final_release_fits() -> None:
    page = (file("2.0rc1.tar.gz"), file("1.0.tar.gz"), file("3.0.dev1.tar.gz"))
    chosen = choose(page, LINUX, "foo")

    assert _name(chosen) == "foo-1.0.tar.gz"
    assert _reasons(chosen)["foo-2.0rc1.tar.gz"] is RejectionCode.PRERELEASE
    assert _name(choose((page[0], page[2]), LINUX, "foo")) == "foo-3.0.dev1.tar.gz"


def test_a_yanked_final_release_still_hides_prereleases() -> None:
    chosen = choose((file("1.0.tar.gz", yanked=True), file("2.0rc1.tar.gz")), LINUX, "foo")

    assert chosen.choice is Choice.NOTHING
    assert chosen.reason == "every final release that fits is yanked, and hides the pre-releases"


def test_requires_python_is_compared_with_the_whole_version_of_the_interpreter() -> None:
    page = (file("2.0.tar.gz", requires_python=">=3.9.2,<3.12"), file("1.0.tar.gz"))

    assert _name(choose(page, OLD_PYTHON, "foo")) == "foo-2.0.tar.gz"
    rejected = choose(page, LINUX, "foo").rejected[0]
    assert rejected.code is RejectionCode.REQUIRES_PYTHON
    assert ">=3.9.2,<3.12" in rejected.text
    assert LINUX.python_full_version in rejected.text


def test_an_invalid_requires_python_is_ignored_as_pip_does() -> None:
    assert _name(choose((file("1.0.tar.gz", requires_python="~3"),), LINUX, "foo")) is not None


def test_environments_choose_apart_and_share_their_explanations() -> None:
    page = (
        file("1.0-cp312-cp312-win_amd64.whl"),
        file("1.0-cp312-cp312-macosx_11_0_arm64.whl"),
        file("0.9.tar.gz"),
    )
    chosen = choose_all(page, (LINUX, WINDOWS, MAC, OLD_PYTHON), "foo")

    assert [_name(c) for c in chosen.values()] == [
        "foo-0.9.tar.gz",
        "foo-1.0-cp312-cp312-win_amd64.whl",
        "foo-1.0-cp312-cp312-macosx_11_0_arm64.whl",
        "foo-0.9.tar.gz",
    ]
    assert chosen[LINUX.id].rejected is chosen[OLD_PYTHON.id].rejected
    assert [c.applicable for c in chosen.values()] == [1, 2, 2, 1]


def test_applicable_files_are_those_that_could_be_asked_for() -> None:
    page = (
        file("2.0.tar.gz", yanked=True),
        file("1.0rc1.tar.gz"),
        file("1.0-cp312-cp312-win_amd64.whl"),
        file("1.0.tar.gz", requires_python="<3"),
        file("1.0.exe"),
    )

    assert applicable(page, LINUX, "foo") == {"foo-2.0.tar.gz", "foo-1.0rc1.tar.gz"}


def test_the_first_of_equal_addresses_counts() -> None:
    first = file("1.0.tar.gz")
    again = msgspec.structs.replace(
        file("1.0.tar.gz", yanked=True), url="https://files.example/foo%2D1.0.tar.gz"
    )
    chosen = choose((first, again), LINUX, "foo")

    assert chosen.candidate is first
    assert [r.code for r in chosen.rejected] == [RejectionCode.DUPLICATE]


def test_an_empty_page_gives_nothing() -> None:
    chosen = choose((), LINUX, "foo")

    assert (chosen.choice, chosen.seen, chosen.rejected) == (Choice.NOTHING, 0, ())
    assert chosen.reason == "the page lists no file"


def test_every_file_but_the_chosen_one_has_exactly_one_reason() -> None:
    page = (
        *(file(f"{v}.tar.gz", yanked=v == "1.3") for v in ("1.0", "1.1", "1.2", "1.3", "2.0b1")),
        *(file(f"{v}-{tag}.whl") for v in ("1.2", "1.4") for tag in ("py2-none-any", "x")),
        *(file("9.tar.gz", project="bar"), file("x.tar.gz"), file("1.0.rpm")),
    )
    for chosen in choose_all(page, default_matrix(), "foo").values():
        names = sorted([r.filename for r in chosen.rejected] + [str(_name(chosen))])
        assert names == sorted(c.filename for c in page)
        assert all(r.text for r in chosen.rejected)


@pytest.mark.parametrize("pin", [None, "1.0"])
def test_a_project_in_another_spelling_is_the_same(pin: str | None) -> None:
    page: list[Candidate] = [file(f"1.0-{WHEEL}", project="Zope_Interface")]

    assert _name(choose(page, LINUX, "zope.interface", pin=pin)) is None
    page = [msgspec.structs.replace(page[0], version="1.0")]
    assert _name(choose(page, LINUX, "zope.interface", pin=pin)) == page[0].filename


def test_hostile_texts_are_cut_in_reasons() -> None:
    page = (file("1.0.tar.gz", requires_python="!=3.12.12," * 60 + "<3"),)
    (rejected,) = choose(page, LINUX, "foo").rejected

    assert len(rejected.text) < 300
