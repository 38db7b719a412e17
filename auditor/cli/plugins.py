"""`auditor plugins`: the kinds of places and the report formats that are installed."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.registry import PluginInfo

__all__ = ["SUMMARY", "add_arguments", "run"]

SUMMARY = "List the kinds of places and the report formats that are installed."
EXIT_PROBLEM = 2


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """It has no options of its own."""


def run(args: argparse.Namespace) -> int:
    """Print; return 2 if a plugin cannot be used."""
    from auditor.registry import PROBES, describe_plugins

    plugins = describe_plugins()
    lines: list[str] = ["kinds of places:"]
    for plugin in plugins:
        if plugin.group == PROBES:
            lines += _kind(plugin)
    lines += ["", "report formats:"]
    for plugin in plugins:
        if plugin.group != PROBES:
            lines += _format(plugin)
    sys.stdout.write("\n".join([*lines, ""]))
    return 0 if all(plugin.ok for plugin in plugins) else EXIT_PROBLEM


def _kind(plugin: PluginInfo) -> Iterator[str]:
    from auditor.contracts import ProbeKind

    kind = plugin.loaded
    if not isinstance(kind, ProbeKind):
        yield f"  {plugin.name} ({plugin.distribution}) cannot be used: {plugin.problem}"
        return
    verified = f"verified with {kind.verified}" if kind.verified else "unverified"
    yield f"  {kind.name} ({kind.role.value}; {verified}; {plugin.distribution})"
    yield f"    {kind.summary}"
    for setting in kind.settings:
        required = "required" if setting.required else "optional"
        yield f"    {setting.key} ({required}): {setting.meaning}"
    for touch in kind.touches:
        yield f"    {touch.request}: {touch.touch.value}; {touch.proof}"
    for claim in kind.unverified:
        yield f"    unverified: {claim}"


def _format(plugin: PluginInfo) -> Iterator[str]:
    from auditor.contracts import ReportFormat

    report_format = plugin.loaded
    if not isinstance(report_format, ReportFormat):
        yield f"  {plugin.name} ({plugin.distribution}) cannot be used: {plugin.problem}"
        return
    yield f"  {report_format.name} ({report_format.suffix or 'no suffix'}; {plugin.distribution})"
    yield f"    {report_format.summary}"
