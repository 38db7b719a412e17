"""Finds probes and report formats by entry point; the built-in ones register like anybody's."""

from __future__ import annotations

import difflib
import sys
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import lru_cache, partial
from importlib.metadata import EntryPoint, EntryPoints, distribution, entry_points
from typing import TypeVar, cast

from auditor.contracts import API_REVISION, ProbeKind, ReportFormat
from auditor.errors import RegistryError

__all__ = [
    "PROBES",
    "RENDERERS",
    "PluginInfo",
    "describe_plugins",
    "find_format",
    "format_names",
    "load_format",
    "load_formats",
    "load_kinds",
]

PROBES = f"propagation_auditor.probes.v{API_REVISION}"
_Plugin = TypeVar("_Plugin", ProbeKind, ReportFormat)

RENDERERS = f"propagation_auditor.renderers.v{API_REVISION}"
_DISTRIBUTION = "propagation-auditor"
_FAMILIES = ("propagation_auditor.probes", "propagation_auditor.renderers")


@dataclass(frozen=True, slots=True, kw_only=True)
class PluginInfo:
    """One registered entry point.

    Attributes:
        group, name, value: of the entry point.
        distribution: name and version of what installed it.
        problem: why it cannot be used; "" if it can.
        loaded: the kind or format itself; None if it cannot be used.
    """

    group: str
    name: str
    value: str
    distribution: str
    problem: str
    loaded: ProbeKind | ReportFormat | None = None

    @property
    def ok(self) -> bool:
        """Whether it can be used."""
        return not self.problem


class _Kinds(Mapping[str, ProbeKind]):
    """Kinds by name, each loaded when it is first looked at: most audits need two or three."""

    def __init__(self, points: Mapping[str, EntryPoint]) -> None:
        self._points = points
        self._loaded: dict[str, ProbeKind] = {}

    def __getitem__(self, name: str) -> ProbeKind:
        if name not in self._loaded:
            self._loaded[name] = _load(self._points[name], ProbeKind)
        return self._loaded[name]

    def __contains__(self, name: object) -> bool:
        return name in self._points

    def __iter__(self) -> Iterator[str]:
        return iter(self._points)

    def __len__(self) -> int:
        return len(self._points)


def load_kinds() -> Mapping[str, ProbeKind]:
    """Find every kind of location that is installed.

    Looking one up loads it, and raises RegistryError if it cannot be loaded or its revision does
    not fit. What an audit does not need cannot hinder it.

    Raises:
        RegistryError: two distributions claim one name.
    """
    return _Kinds(_unique(PROBES))


def load_formats() -> Mapping[str, ReportFormat]:
    """Load every report format that is installed. Raises RegistryError as `load_kinds`."""
    return {name: _load(point, ReportFormat) for name, point in _unique(RENDERERS).items()}


def format_names() -> tuple[str, ...]:
    """Names of the installed report formats, without loading any of them."""
    return tuple(_unique(RENDERERS))


def load_format(name: str) -> ReportFormat:
    """Load one report format.

    Raises:
        RegistryError: there is none of that name, or it cannot be loaded.
    """
    return _load(_format_point(name), ReportFormat)


def find_format(name: str) -> Callable[[], ReportFormat]:
    """Find one report format; what is returned loads it, which for one of ours never fails.

    Another's is loaded at once: nobody shall look for minutes and then not get the report.

    Raises:
        RegistryError: as `load_format`.
    """
    point = _format_point(name)
    late = partial(_load, point, ReportFormat)
    if point not in distribution(_DISTRIBUTION).entry_points:
        late()
    return late


def _format_point(name: str) -> EntryPoint:
    points = _unique(RENDERERS)
    if name not in points:
        close = difflib.get_close_matches(name, points, n=1)
        hint = f"did you mean {close[0]!r}? " if close else ""
        raise RegistryError(
            f"no report format is called {name!r}; {hint}known: {', '.join(sorted(points))}"
        )
    return points[name]


def describe_plugins() -> tuple[PluginInfo, ...]:
    """List every entry point of ours, those that cannot be used with the reason.

    Never raises: this is what tells a user which plugin to uninstall.
    """
    return (*_described(PROBES), *_described(RENDERERS), *_of_other_revisions())


def _described(group: str) -> Iterator[PluginInfo]:
    rivals: dict[str, dict[str, EntryPoint]] = {}
    for point in sorted(_registered(group), key=lambda p: (p.name, p.value)):
        rivals.setdefault(point.name, {}).setdefault(point.value, point)
    for points in rivals.values():
        first, *others = points.values()
        conflict = str(_conflict(first, others[0])) if others else ""
        yield from (_describe(point, conflict) for point in points.values())


def _describe(point: EntryPoint, conflict: str) -> PluginInfo:
    loaded: ProbeKind | ReportFormat | None = None
    problem = conflict
    try:
        is_probe = point.group == PROBES
        loaded = _load(point, ProbeKind) if is_probe else _load(point, ReportFormat)
    except RegistryError as error:
        problem = problem or str(error)
    return PluginInfo(
        group=point.group,
        name=point.name,
        value=point.value,
        distribution=_origin(point),
        problem=problem,
        loaded=None if problem else loaded,
    )


def _of_other_revisions() -> Iterator[PluginInfo]:
    """Name what registers only for another revision: nothing of it is ever loaded."""
    everything = _everything(tuple(sys.path))
    ours = {(p.name, _origin(p)) for group in (PROBES, RENDERERS) for p in _registered(group)}
    for group in sorted(everything.groups):
        family, _, revision = group.rpartition(".v")
        if family not in _FAMILIES or group in (PROBES, RENDERERS):
            continue
        for point in _registered(group):
            if (point.name, _origin(point)) not in ours:
                yield PluginInfo(
                    group=f"{family}.v{API_REVISION}",
                    name=point.name,
                    value=point.value,
                    distribution=_origin(point),
                    problem=f"{_origin(point)} registers it for revision {revision}, this auditor "
                    f"speaks {API_REVISION}; install a matching release of it",
                )


def _conflict(one: EntryPoint, other: EntryPoint) -> RegistryError:
    return RegistryError(
        f"two distributions claim {one.name!r} in {one.group}: {_origin(one)} and "
        f"{_origin(other)}; uninstall one of them"
    )


def _origin(point: EntryPoint) -> str:
    return f"{point.dist.name} {point.dist.version}" if point.dist else "unknown distribution"


def _unique(group: str) -> dict[str, EntryPoint]:
    points: dict[str, EntryPoint] = {}
    for point in sorted(_registered(group), key=lambda p: p.name):
        other = points.get(point.name)
        # An editable install beside an installed wheel lists the same entry point twice.
        if other is not None and other.value != point.value:
            raise _conflict(other, point)
        points[point.name] = point
    return points


def _registered(group: str) -> EntryPoints:
    return _everything(tuple(sys.path)).select(group=group)


@lru_cache(maxsize=4)
def _everything(path: tuple[str, ...]) -> EntryPoints:
    """Read what every installed distribution registers, once: each has a file of its own."""
    # Before Python 3.12 that is of another class, with the same `select` and `groups`.
    return cast(EntryPoints, entry_points())


def _load(point: EntryPoint, wanted: type[_Plugin]) -> _Plugin:
    try:
        loaded = point.load()
    except Exception as error:
        raise RegistryError(
            f"{point.name!r} of {_origin(point)} cannot be loaded from {point.value}: {error!r}; "
            "reinstall or uninstall it"
        ) from error
    if not isinstance(loaded, wanted):
        raise RegistryError(
            f"{point.value} of {_origin(point)} is no {wanted.__name__}; see `auditor plugins`"
        )
    if loaded.revision != API_REVISION:
        raise RegistryError(
            f"{point.value} of {_origin(point)} is written for revision {loaded.revision}, this "
            f"auditor speaks {API_REVISION}; install a matching release of it"
        )
    if loaded.name != point.name:
        raise RegistryError(
            f"{point.value} of {_origin(point)} calls itself {loaded.name!r} but is registered "
            f"as {point.name!r}"
        )
    return loaded
