"""In which audited environments the entry of a lock holds, by its marker (PEP 508)."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

from packaging.markers import InvalidMarker, Marker, UndefinedComparison

from auditor.model import Environment

__all__ = ["holds_in", "is_decided"]

_VARIABLE = re.compile(r"\b[a-z][a-z_.]*\b")
_TEXT = re.compile(r"'[^']*'|\"[^\"]*\"")
_OPERAND = r"""(?:"[^"]*"|'[^']*'|[a-z][a-z_.]*)"""
# One comparison, as packaging writes a marker.
_COMPARISON = re.compile(rf"{_OPERAND} (?:===|==|<=|>=|!=|~=|<|>|not in|in) {_OPERAND}")
_TRUE = 'os_name != ""'
_WORDS = frozenset({"and", "or", "not", "in"})
# What a marker may be long, so that judging it takes no time to speak of.
_MAX_CHARS = 4_000
# The implementations that a tag names, as PEP 508 and PEP 425 call them.
_IMPLEMENTATIONS = {"cp": ("cpython", "CPython"), "pp": ("pypy", "PyPy")}


def holds_in(marker: str, environments: Sequence[Environment]) -> tuple[Environment, ...]:
    """Return the environments in which an entry holds; one that cannot be told holds in all.

    Args:
        marker: as the lock writes it; "" for everywhere.
        environments: that are audited.
    """
    everywhere = tuple(environments)
    return _holds(marker, everywhere) if marker else everywhere


@lru_cache(maxsize=1024)
def is_decided(marker: str, environment: Environment) -> bool:
    """Say whether an environment tells if a marker holds in it: nothing else is asked for."""
    if not marker:
        return True
    known = _values(environment)
    try:
        if len(marker) > _MAX_CHARS or not _variables(str(Marker(marker))) <= set(known):
            return False
        Marker(marker).evaluate(known)
    except (InvalidMarker, UndefinedComparison, KeyError, RecursionError):
        return False
    return True


@lru_cache(maxsize=1024)
def _holds(marker: str, environments: tuple[Environment, ...]) -> tuple[Environment, ...]:
    if len(marker) > _MAX_CHARS:
        return environments
    try:
        return tuple(e for e in environments if _may_hold(marker, _values(e)))
    except (InvalidMarker, UndefinedComparison, KeyError, RecursionError):
        return environments


def _may_hold(marker: str, known: dict[str, str]) -> bool:
    parsed = _decidable(marker, frozenset(known))
    return parsed is None or parsed.evaluate(known)


@lru_cache(maxsize=1024)
def _decidable(marker: str, known: frozenset[str]) -> Marker | None:
    """A marker with each comparison made true that no environment decides; None if one is left.

    Whatever is not decided, such as an extra, a group or the kernel, may be so: packaging would
    fill it in from the interpreter that runs the audit. Markers negate nothing but comparisons
    (PEP 508), so that what is false then is false whatever that is.
    """
    text = _COMPARISON.sub(
        lambda found: found[0] if _variables(found[0]) <= known else _TRUE, str(Marker(marker))
    )
    return Marker(text) if _variables(text) <= known else None


@lru_cache(maxsize=1024)
def _variables(marker: str) -> frozenset[str]:
    return frozenset(_VARIABLE.findall(_TEXT.sub("", marker))) - _WORDS


@lru_cache(maxsize=1024)
def _values(environment: Environment) -> dict[str, str]:
    """The marker variables that an environment's id decides (PEP 508)."""
    platform = environment.platform
    windows, mac = platform.startswith("win"), platform.startswith("macosx")
    system = "Windows" if windows else "Darwin" if mac else "Linux"
    machine = platform.rpartition("win_")[2] if windows else platform
    python = environment.python_full_version
    values = {
        "python_version": ".".join(python.split(".")[:2]),
        "python_full_version": python,
        "os_name": "nt" if windows else "posix",
        "sys_platform": "win32" if windows else "darwin" if mac else "linux",
        "platform_system": system,
        "platform_machine": _machine(machine),
    }
    named = _IMPLEMENTATIONS.get(environment.interpreter[:2])
    if named is not None:
        values["implementation_name"], values["platform_python_implementation"] = named
    if named == _IMPLEMENTATIONS["cp"]:
        values["implementation_version"] = python
    return values


def _machine(platform: str) -> str:
    known = ("x86_64", "aarch64", "arm64", "i686", "armv7l", "ppc64le", "s390x", "riscv64")
    found = next((name for name in known if platform.endswith(name)), "")
    return found or {"amd64": "AMD64", "win32": "x86", "arm64": "ARM64"}.get(platform, platform)
