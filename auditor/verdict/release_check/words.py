"""Environments in words: `CPython 3.9 and 3.10 on musllinux x86_64`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from itertools import chain

from auditor.model import Environment

__all__ = [
    "interpreter_words",
    "joined",
    "platform_words",
    "tell_environments",
    "tell_pairs",
    "verb",
]

_LINUX = re.compile(r"(manylinux|musllinux)_(\d+)_(\d+)_(\w+)")
_OLD_LINUX = re.compile(r"(manylinux)(1|2010|2014)_(\w+)")
# What the old names of platforms stand for (PEP 513, 571, 599).
_OLD_GLIBC = {"1": "2.5", "2010": "2.12", "2014": "2.17"}
_MACOS = re.compile(r"macosx_(\d+)_(\d+)_(\w+)")
_INTERPRETER = re.compile(r"(cp|pp|py|ip|jy)(\d)(\d*)(t?)")
_IMPLEMENTATIONS = {"cp": "CPython", "pp": "PyPy", "py": "Python", "ip": "IronPython"}
_WINDOWS = {"win32": "Windows x86", "win_amd64": "Windows x86_64", "win_arm64": "Windows arm64"}
# More than this, and a sentence is none any more.
_MOST_GROUPS = 6

# The family of a platform, and what tells it from others of its family; "" if nothing does.
_Platform = tuple[str, str]


def joined(words: Iterable[str], *, most: int = 12) -> str:
    """Join words for a sentence: `a, b and c`; says how many more there are."""
    listed = list(dict.fromkeys(words))
    if len(listed) > most:
        return f"{', '.join(listed[:most])} and {len(listed) - most} more"
    return " and ".join(filter(None, (", ".join(listed[:-1]), *listed[-1:])))


def verb(who: str, one: str, many: str) -> str:
    """Return the verb that fits who was told of by `tell_environments`."""
    return many if any(sign in who for sign in (" and ", " to ", ", ", "; ")) else one


def interpreter_words(tag: str) -> tuple[str, str]:
    """Return implementation and version of an interpreter tag: `("CPython", "3.9")`."""
    found = _INTERPRETER.fullmatch(tag)
    if found is None:
        return tag, ""
    version = f"{found[2]}.{found[3]}" if found[3] else found[2]
    threads = " free-threaded" if found[4] else ""
    return _IMPLEMENTATIONS.get(found[1], found[1]), version + threads


def platform_words(tag: str) -> _Platform:
    """Return the family of a platform tag, and its version: `("musllinux x86_64", "musl 1.2")`."""
    if found := _LINUX.fullmatch(tag):
        library = "glibc" if found[1] == "manylinux" else "musl"
        return f"{found[1]} {found[4]}", f"{library} {found[2]}.{found[3]}"
    if found := _OLD_LINUX.fullmatch(tag):
        return f"{found[1]} {found[3]}", f"glibc {_OLD_GLIBC[found[2]]}"
    if found := _MACOS.fullmatch(tag):
        return f"macOS {found[3]}", f"{found[1]}.{found[2]}"
    return _WINDOWS.get(tag, tag.replace("_", " ", 1)), ""


def tell_environments(some: Iterable[Environment], of: Iterable[Environment]) -> str:
    """Name environments among those that were looked at."""
    return tell_pairs(
        [(e.interpreter, e.platform) for e in some], [(e.interpreter, e.platform) for e in of]
    )


def tell_pairs(some: Sequence[tuple[str, str]], of: Sequence[tuple[str, str]]) -> str:
    """Name pairs of interpreter and platform tag, those with equal platforms together."""
    known = _by_interpreter(of)
    groups: dict[tuple[str, ...], list[str]] = {}
    for interpreter, platforms in _by_interpreter(some).items():
        labels = _labels(platforms, known.get(interpreter, platforms))
        groups.setdefault(labels, []).append(interpreter)
    texts = [_group(interpreters, labels) for labels, interpreters in groups.items()]
    return joined(texts, most=_MOST_GROUPS) if len(texts) < 3 else "; ".join(_bounded(texts))


def _bounded(texts: list[str]) -> list[str]:
    more = len(texts) - _MOST_GROUPS
    return texts if more <= 0 else [*texts[:_MOST_GROUPS], f"{more} more groups"]


def _by_interpreter(pairs: Sequence[tuple[str, str]]) -> dict[str, list[_Platform]]:
    found: dict[str, list[_Platform]] = {}
    for interpreter, platform in sorted(set(pairs), key=_order):
        found.setdefault(interpreter, []).append(platform_words(platform))
    return found


def _order(pair: tuple[str, str]) -> tuple[str, int, str]:
    match = _INTERPRETER.fullmatch(pair[0])
    minor = int(match[3] or 0) if match else 0
    return pair[0][:2], minor, pair[1]


def _labels(some: Sequence[_Platform], known: Sequence[_Platform]) -> tuple[str, ...]:
    """Name platforms, by family alone where the whole family is meant; () if all are."""
    if set(some) >= set(known):
        return ()
    labels: list[str] = []
    for family in dict.fromkeys(family for family, _ in some):
        of_family = {version for name, version in known if name == family}
        here = [version for name, version in some if name == family]
        whole = set(here) >= of_family
        labels.append(family if whole else f"{family} ({', '.join(dict.fromkeys(here))})")
    return tuple(labels)


def _group(interpreters: Sequence[str], labels: tuple[str, ...]) -> str:
    by_name: dict[str, list[str]] = {}
    for tag in interpreters:
        name, version = interpreter_words(tag)
        by_name.setdefault(name, []).append(version)
    who = joined(f"{name} {_versions(versions)}".rstrip() for name, versions in by_name.items())
    return f"{who} on {joined(labels)}" if labels else who


def _versions(versions: Sequence[str]) -> str:
    """`3.4 to 3.9, 3.12 and 3.13`: where none is left out in between, the ends are enough."""
    runs: list[list[str]] = []
    for version in versions:
        if runs and _minor(version) == _minor(runs[-1][-1]) + 1:
            runs[-1].append(version)
        else:
            runs.append([version])
    told = ([f"{run[0]} to {run[-1]}"] if len(run) > 2 else run for run in runs)
    return joined(chain.from_iterable(told))


def _minor(version: str) -> int:
    """The minor number; one that follows no other where there is none, as for free threads."""
    minor = version.partition(".")[2]
    return int(minor) if minor.isdigit() else -2
