"""Interpreters on platforms, and the wheels that each of them takes, best first."""

from __future__ import annotations

import re
import sys
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import groupby

from packaging import tags as packaging_tags
from packaging.tags import Tag

from auditor.model.selection import Environment
from auditor.selection.tag_ranks import TagRow

__all__ = [
    "default_matrix",
    "parse_environment",
    "rows_on",
    "running_environment",
    "tag_rows",
    "tags_of",
]

# The newest micro release of each minor one at the time of writing; a minor one that is not out
# yet counts as its .0. `requires-python` is often finer than a minor version (`>=3.9.2`,
# `!=3.11.0`), and hardly anybody runs a .0: comparing with `3.9.0` would reject files that users
# do get. Minor releases 3.0 to 3.8 are left out: current installers no longer run on them.
MICRO_RELEASES = {
    "cp39": "3.9.25",
    "cp310": "3.10.19",
    "cp311": "3.11.14",
    "cp312": "3.12.12",
    "cp313": "3.13.11",
    "cp314": "3.14.2",
    "cp315": "3.15.0",
}

MATRIX_INTERPRETERS = ("cp39", "cp310", "cp311", "cp312", "cp313", "cp314")
# What users of Linux, macOS and Windows run: an old and a newer glibc, Alpine, both processors.
MATRIX_PLATFORMS = (
    "manylinux_2_17_x86_64",
    "manylinux_2_28_x86_64",
    "manylinux_2_17_aarch64",
    "manylinux_2_28_aarch64",
    "musllinux_1_2_x86_64",
    "macosx_14_0_arm64",
    "macosx_14_0_x86_64",
    "win_amd64",
)

EXAMPLE = "cp312-manylinux_2_28_x86_64"

# glibc 2.N that an old platform name stands for (PEP 513, 571, 599).
_LEGACY_MANYLINUX = {"manylinux1": 5, "manylinux2010": 12, "manylinux2014": 17}
_LEGACY_OF_GLIBC = {minor: name for name, minor in _LEGACY_MANYLINUX.items()}
# Below these no wheel was ever tagged; on x86 manylinux1 (glibc 2.5) came first, elsewhere
# manylinux2014 (PEP 599).
_OLDEST_GLIBC_X86 = 5
_OLDEST_GLIBC = 17
_X86 = frozenset({"x86_64", "i686"})

_LINUX_ARCH = "(x86_64|i686|aarch64|armv7l|ppc64le|ppc64|s390x|riscv64|loongarch64)"
_MANYLINUX = re.compile(rf"manylinux_2_(\d{{1,2}})_{_LINUX_ARCH}")
_OLD_MANYLINUX = re.compile(rf"(manylinux1|manylinux2010|manylinux2014)_{_LINUX_ARCH}")
_MUSLLINUX = re.compile(rf"musllinux_1_(\d{{1,2}})_{_LINUX_ARCH}")
_LINUX = re.compile(rf"linux_{_LINUX_ARCH}")
_MACOS = re.compile(r"macosx_(\d{1,2})_(\d{1,2})_(arm64|x86_64)")
_CPYTHON = re.compile(r"cp3\d{1,2}t?")
# Stands for every platform in turn; none is called so.
_EACH = "*"
_WINDOWS = frozenset({"win_amd64", "win32", "win_arm64"})


def parse_environment(text: str) -> Environment:
    """Read `interpreter-platform`, such as `cp312-manylinux_2_28_x86_64`.

    Raises:
        ValueError: with the cause and an example.
    """
    interpreter, dash, platform = text.strip().lower().partition("-")
    if not dash:
        raise ValueError(f"{text!r} has no '-' between interpreter and platform; try {EXAMPLE!r}")
    if interpreter not in MICRO_RELEASES:
        known = ", ".join(MICRO_RELEASES)
        raise ValueError(f"{text!r}: unknown interpreter {interpreter!r}; take one of {known}")
    if not _platforms_of(platform):
        raise ValueError(
            f"{text!r}: unknown platform {platform!r}; take one such as "
            f"{', '.join(MATRIX_PLATFORMS)}: {EXAMPLE!r}"
        )
    return _environment(interpreter, platform)


def running_environment() -> Environment:
    """Return the interpreter that runs this program, on this machine."""
    return _running(tuple(packaging_tags.platform_tags()))


def _running(platforms: tuple[str, ...]) -> Environment:
    interpreter = packaging_tags.interpreter_name() + packaging_tags.interpreter_version()
    # `linux_x86_64` says nothing of the C library, which is what decides between wheels.
    telling = (p for p in platforms if p.startswith(("manylinux", "musllinux")))
    platform = next(telling, platforms[0])
    return Environment(
        id=f"{interpreter}-{platform}",
        interpreter=interpreter,
        platform=platform,
        # Three numbers, as pip compares them: 3.15.0rc1 counts as 3.15.0.
        python_full_version=".".join(map(str, sys.version_info[:3])),
        running=True,
    )


def default_matrix() -> tuple[Environment, ...]:
    """Return the running interpreter, then every usual one on every usual platform."""
    running = running_environment()
    usual = (_environment(i, p) for i in MATRIX_INTERPRETERS for p in MATRIX_PLATFORMS)
    return (running, *(environment for environment in usual if environment.id != running.id))


@lru_cache(maxsize=256)
def tags_of(environment: Environment) -> tuple[Tag, ...]:
    """Return every wheel tag that the environment takes, the most preferred first.

    Raises:
        ValueError: the environment is not this one, and its interpreter or platform is not known.
    """
    if environment.running and environment == running_environment():
        return tuple(packaging_tags.sys_tags())
    # A running environment that another machine recorded is read like any other.
    return tuple(_cpython_tags(environment.interpreter, _known_platforms(environment)))


@lru_cache(maxsize=256)
def tag_rows(environment: Environment) -> tuple[TagRow, ...]:
    """Return what `tags_of` does in rows, without a tag object for each of some thousand.

    Raises:
        ValueError: as `tags_of`.
    """
    if environment.running:
        platforms = tuple(packaging_tags.platform_tags())
        if environment == _running(platforms):
            return _running_rows(platforms)
    return rows_on(environment.interpreter, _known_platforms(environment))


def rows_on(interpreter: str, platforms: tuple[str, ...]) -> tuple[TagRow, ...]:
    """Return the tags that a CPython takes on these platforms, both as in `tags_of`."""
    return _in_rows(_tags_on_each(interpreter), platforms)


def _running_rows(platforms: tuple[str, ...]) -> tuple[TagRow, ...]:
    if packaging_tags.interpreter_name() != "cp":
        rows = groupby(packaging_tags.sys_tags(), key=lambda tag: (tag.interpreter, tag.abi))
        return tuple(TagRow(*names, tuple(tag.platform for tag in tags)) for names, tags in rows)
    # `sys_tags`, for a single platform that stands for each of this machine's.
    interpreter = f"cp{packaging_tags.interpreter_version()}"
    tags = (
        *packaging_tags.cpython_tags(platforms=(_EACH,)),
        *packaging_tags.compatible_tags(interpreter=interpreter, platforms=(_EACH,)),
    )
    return _in_rows(tags, platforms)


def _in_rows(tags: Iterable[Tag], platforms: tuple[str, ...]) -> tuple[TagRow, ...]:
    return tuple(
        TagRow(tag.interpreter, tag.abi, platforms if tag.platform == _EACH else (tag.platform,))
        for tag in tags
    )


@lru_cache(maxsize=64)
def _tags_on_each(interpreter: str) -> tuple[Tag, ...]:
    """Return what packaging lists for a single platform, which it repeats for each of several."""
    return tuple(_cpython_tags(interpreter, (_EACH,)))


def _known_platforms(environment: Environment) -> tuple[str, ...]:
    platforms = _platforms_of(environment.platform)
    if _CPYTHON.fullmatch(environment.interpreter) is None or not platforms:
        raise ValueError(f"the wheel tags of {environment.id!r} are not known; try {EXAMPLE!r}")
    return platforms


def _environment(interpreter: str, platform: str) -> Environment:
    return Environment(
        id=f"{interpreter}-{platform}",
        interpreter=interpreter,
        platform=platform,
        python_full_version=MICRO_RELEASES[interpreter],
    )


def _cpython_tags(interpreter: str, platforms: tuple[str, ...]) -> Iterator[Tag]:
    version = (3, int(interpreter.removeprefix("cp3").removesuffix("t")))
    # The ABI is named: left out, packaging would ask the interpreter that runs this.
    abis = [interpreter]
    yield from packaging_tags.cpython_tags(version, abis=abis, platforms=platforms)
    yield from packaging_tags.compatible_tags(
        version, interpreter=interpreter.removesuffix("t"), platforms=platforms
    )


def _platforms_of(platform: str) -> tuple[str, ...]:
    """Return every platform tag that such a machine reports, best first; empty if unknown."""
    if platform in _WINDOWS:
        return (platform,)
    if match := _MACOS.fullmatch(platform):
        version = (int(match[1]), int(match[2]))
        return tuple(packaging_tags.mac_platforms(version, match[3]))
    if match := _LINUX.fullmatch(platform):
        return (platform,)
    return _linux_platforms(platform)


def _linux_platforms(platform: str) -> tuple[str, ...]:
    """Expand a C library's version to every older one, in the order of `packaging.tags`."""
    if match := _MUSLLINUX.fullmatch(platform):
        minors = range(int(match[1]), -1, -1)
        return (f"linux_{match[2]}", *(f"musllinux_1_{minor}_{match[2]}" for minor in minors))
    if match := _OLD_MANYLINUX.fullmatch(platform):
        return _manylinux_platforms(_LEGACY_MANYLINUX[match[1]], match[2])
    if match := _MANYLINUX.fullmatch(platform):
        return _manylinux_platforms(int(match[1]), match[2])
    return ()


def _manylinux_platforms(glibc_minor: int, arch: str) -> tuple[str, ...]:
    oldest = _OLDEST_GLIBC_X86 if arch in _X86 else _OLDEST_GLIBC
    if glibc_minor < oldest:
        return ()
    platforms = [f"linux_{arch}"]
    for minor in range(glibc_minor, oldest - 1, -1):
        platforms.append(f"manylinux_2_{minor}_{arch}")
        if minor in _LEGACY_OF_GLIBC:
            platforms.append(f"{_LEGACY_OF_GLIBC[minor]}_{arch}")
    return tuple(platforms)
