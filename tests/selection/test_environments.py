"""Environments are what real machines report."""

from __future__ import annotations

import dataclasses
import sys
from collections.abc import Callable

import pytest
from packaging import _manylinux, _musllinux, tags

from auditor.model import Environment
from auditor.selection import default_matrix, parse_environment, running_environment
from auditor.selection.environments import MICRO_RELEASES, tags_of


def _platforms(environment: Environment) -> list[str]:
    """The platforms of the wheels that it takes, in order and each once."""
    return [p for p in dict.fromkeys(t.platform for t in tags_of(environment)) if p != "any"]


def test_the_running_interpreter_is_the_first_of_the_matrix() -> None:
    running, *others = default_matrix()

    assert running == running_environment()
    assert running.running
    assert not any(environment.running for environment in others)
    assert ".".join(map(str, sys.version_info[:3])) == running.python_full_version


def test_the_matrix_has_each_environment_once() -> None:
    matrix = default_matrix()

    assert len(matrix) == len({environment.id for environment in matrix})
    assert len(matrix) in {48, 49}


def test_the_running_interpreter_takes_what_it_reports() -> None:
    assert tuple(tags.sys_tags()) == tags_of(running_environment())


def test_a_running_environment_of_another_machine_is_read_from_its_id() -> None:
    recorded = dataclasses.replace(parse_environment("cp312-win_amd64"), running=True)

    assert _platforms(recorded) == ["win_amd64"]


@pytest.mark.parametrize("arch", ["x86_64", "aarch64"])
@pytest.mark.parametrize("minor", [17, 28])
def test_a_glibc_platform_is_expanded_as_such_a_machine_does(
    monkeypatch: pytest.MonkeyPatch, arch: str, minor: int
) -> None:
    monkeypatch.setattr(_manylinux, "_get_glibc_version", lambda: (2, minor))
    monkeypatch.setattr(_manylinux, "_have_compatible_abi", lambda executable, archs: True)
    monkeypatch.setattr(_musllinux, "_get_musl_version", lambda executable: None)
    monkeypatch.setattr("sysconfig.get_platform", lambda: f"linux-{arch}")

    reported = list(tags._linux_platforms(is_32bit=False))

    assert reported == _platforms(parse_environment(f"cp312-manylinux_2_{minor}_{arch}"))


def test_a_musl_platform_is_expanded_as_such_a_machine_does(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    musl = _musllinux._MuslVersion(1, 2)
    monkeypatch.setattr(_manylinux, "_have_compatible_abi", lambda executable, archs: False)
    monkeypatch.setattr(_musllinux, "_get_musl_version", lambda executable: musl)
    monkeypatch.setattr("sysconfig.get_platform", lambda: "linux-x86_64")

    reported = list(tags._linux_platforms(is_32bit=False))

    assert reported == _platforms(parse_environment("cp312-musllinux_1_2_x86_64"))


def test_an_old_platform_name_stands_for_its_glibc() -> None:
    assert _platforms(parse_environment("cp312-manylinux_2_17_x86_64")) == _platforms(
        parse_environment("cp312-manylinux2014_x86_64")
    )
    assert "manylinux1_x86_64" in _platforms(parse_environment("cp39-manylinux2014_x86_64"))
    assert "manylinux1_aarch64" not in _platforms(parse_environment("cp39-manylinux2014_aarch64"))


def test_a_mac_takes_older_and_universal_wheels() -> None:
    platforms = _platforms(parse_environment("cp312-macosx_14_0_arm64"))

    assert platforms[0] == "macosx_14_0_arm64"
    assert {"macosx_11_0_arm64", "macosx_10_9_universal2"} <= set(platforms)


def test_tags_name_the_interpreter_of_the_environment_and_not_the_running_one() -> None:
    texts = [str(tag) for tag in tags_of(parse_environment("cp39-win_amd64"))]

    assert texts[0] == "cp39-cp39-win_amd64"
    assert "cp39-abi3-win_amd64" in texts
    assert "py39-none-any" in texts
    assert not any(text.startswith(("cp310", "py310")) for text in texts)


@pytest.mark.parametrize("interpreter", MICRO_RELEASES)
@pytest.mark.parametrize(
    "platform",
    [
        *("manylinux2014_x86_64", "win32", "win_arm64", "linux_x86_64", "musllinux_1_1_aarch64"),
        *("macosx_11_0_arm64", "macosx_10_15_x86_64", "manylinux_2_39_x86_64"),
    ],
)
def test_what_people_write_is_read(interpreter: str, platform: str) -> None:
    environment = parse_environment(f" {interpreter.upper()}-{platform}")

    assert (f"{interpreter}-{platform}", False) == (environment.id, environment.running)
    assert environment.python_full_version.startswith(f"3.{interpreter[3:]}.")
    assert interpreter == tags_of(environment)[0].interpreter


@pytest.mark.parametrize(
    ("text", "cause"),
    [
        ("cp312", "no '-' between"),
        ("", "no '-' between"),
        ("cp27-win_amd64", "unknown interpreter 'cp27'"),
        ("pp310-win_amd64", "unknown interpreter 'pp310'"),
        ("cp312-amiga", "unknown platform 'amiga'"),
        ("cp312-manylinux_2_4_x86_64", "unknown platform"),
        ("cp312-manylinux_2_16_aarch64", "unknown platform"),
        ("cp312-macosx_14_arm64", "unknown platform"),
        ("cp312-manylinux_2_999999999_x86_64", "unknown platform"),
    ],
)
def test_a_malformed_environment_is_refused_with_cause_and_example(text: str, cause: str) -> None:
    with pytest.raises(ValueError, match=cause) as caught:
        parse_environment(text)
    assert any(example in str(caught.value) for example in ("cp312-manylinux_2_28", "cp39, cp310"))


def _with(field: str, value: str) -> Callable[[Environment], Environment]:
    return lambda environment: dataclasses.replace(environment, **{field: value})


@pytest.mark.parametrize("change", [_with("platform", "amiga"), _with("interpreter", "pp310")])
def test_an_environment_made_elsewhere_that_is_not_known_is_refused(
    change: Callable[[Environment], Environment],
) -> None:
    with pytest.raises(ValueError, match="are not known"):
        tags_of(change(parse_environment("cp312-win_amd64")))
