"""Everybody who could install what came before: the matrix, and what old wheels were built for."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain

from auditor.model import Candidate, Environment
from auditor.model.filename import NamedFile, read_filename
from auditor.model.tag_triple import TagTriple
from auditor.selection.environments import MICRO_RELEASES, tags_of

__all__ = ["environment_of", "everybody", "other_interpreters", "wheel_tags"]

# The last micro release of each Python that installers no longer run on, but whose users keep old
# pips: whoever is left out by `requires-python` is mostly among them.
_RETIRED = {
    "cp34": "3.4.10",
    "cp35": "3.5.10",
    "cp36": "3.6.15",
    "cp37": "3.7.17",
    "cp38": "3.8.20",
}
_PLAIN_PLATFORM = "manylinux_2_17_x86_64"
_CPYTHON = re.compile(r"cp3(\d{1,2})t?")
_UNIVERSAL2 = re.compile(r"macosx_(\d+)_(\d+)_universal2")
# A hostile file name can stand for billions of tags; real releases have some hundred.
MAX_ENVIRONMENTS = 300
_MAX_TAGS_OF_A_FILE = 64


def everybody(
    matrix: Sequence[Environment], before: Iterable[Candidate], project: str
) -> tuple[Environment, ...]:
    """Return the matrix, retired Pythons, and whatever else has a wheel of its own.

    Args:
        matrix: the configured or default environments.
        before: the files of the broken and of the last good release.
        project: normalised name.
    """
    found = {(e.interpreter, e.platform): e for e in matrix}
    retired = ((interpreter, _PLAIN_PLATFORM) for interpreter in _RETIRED)
    for pair in chain(retired, _pairs(before, project)):
        if pair not in found and len(found) < MAX_ENVIRONMENTS and (made := environment_of(*pair)):
            found[pair] = made
    return tuple(found.values())


def wheel_tags(candidate: Candidate, project: str) -> TagTriple | None:
    """Return the tags of a wheel; None for anything else."""
    named = read_filename(candidate.filename, project)
    return named.tags if isinstance(named, NamedFile) else None


def other_interpreters(files: Iterable[Candidate], project: str) -> set[tuple[str, str]]:
    """Return interpreter and platform tag of wheels for anything but CPython, such as PyPy."""
    return {
        (python, platform)
        for tags in _all_tags(files, project)
        for python in tags.pythons
        for platform in tags.platforms
        if not python.startswith(("cp", "py"))
    }


def _pairs(files: Iterable[Candidate], project: str) -> Iterator[tuple[str, str]]:
    """Yield what CPython wheels were built for."""
    for tags in _all_tags(files, project):
        for python in sorted(tags.pythons):
            if _CPYTHON.fullmatch(python):
                for platform in sorted(tags.platforms):
                    yield from ((_interpreter(python, tags), each) for each in _machines(platform))


def _all_tags(files: Iterable[Candidate], project: str) -> Iterator[TagTriple]:
    for file in files:
        tags = wheel_tags(file, project)
        if tags and len(tags.pythons) * len(tags.platforms) <= _MAX_TAGS_OF_A_FILE:
            yield tags


def _interpreter(python: str, tags: TagTriple) -> str:
    """Free-threaded wheels have the interpreter `cp313` and the ABI `cp313t`."""
    return f"{python}t" if f"{python}t" in tags.abis else python


def _machines(platform: str) -> tuple[str, ...]:
    found = _UNIVERSAL2.fullmatch(platform)
    if found is None:
        return (platform,)
    # The first macOS on arm64 was 11.
    arm = f"macosx_{max(int(found[1]), 11)}_0_arm64"
    return f"macosx_{found[1]}_{found[2]}_x86_64", arm


def environment_of(interpreter: str, platform: str) -> Environment | None:
    """Make an environment of interpreter and platform tag; None if nobody knows what it takes."""
    plain = interpreter.removesuffix("t")
    version = MICRO_RELEASES.get(plain) or _RETIRED.get(plain)
    if version is None:
        return None
    made = Environment(
        id=f"{interpreter}-{platform}",
        interpreter=interpreter,
        platform=platform,
        python_full_version=version,
    )
    try:
        tags_of(made)
    except ValueError:
        return None
    return made
