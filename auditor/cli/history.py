"""`auditor history`: what past runs saw."""

from __future__ import annotations

import argparse
import os
import sys
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING

from auditor.errors import UsageError

if TYPE_CHECKING:
    import sqlite3

    from auditor.history.reading import IncidentEntry

__all__ = ["SUMMARY", "WORDS", "add_arguments", "run"]

SUMMARY = "List, show, compare and sum up past runs, or forget old ones."
WORDS = {
    "list": "every incident, and its newest runs",
    "show": "how each place stands, and every change that led there",
    "compare": "what is different between two moments",
    "trends": "how long the fix took, who lost it again, who fell silent",
    "prune": "forget what ended long ago",
}
_SHOWN_RUNS = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """Declare the options."""
    words = "; ".join(f"{word}: {meaning}" for word, meaning in WORDS.items())
    parser.add_argument(
        "what", nargs="?", choices=tuple(WORDS), default="list", help=f"{words} (default: list)"
    )
    place = parser.add_mutually_exclusive_group(required=True)
    place.add_argument("--history", metavar="FILE", help="the history")
    place.add_argument("--config", metavar="FILE", help="a configuration that names it")
    parser.add_argument(
        "--incident",
        action="append",
        default=[],
        metavar="ID",
        help="only this incident; repeat for several",
    )
    parser.add_argument(
        "--from",
        dest="since",
        metavar="TIME",
        help="compare: the first moment, such as 2026-11-20T10:00Z or 24h ago as 24h "
        "(default: the last run but one)",
    )
    parser.add_argument(
        "--to", dest="until", metavar="TIME", help="compare: the second one (default: the last run)"
    )
    parser.add_argument(
        "--older-than", metavar="TIME", default="90d", help="prune: how old (default: 90d)"
    )
    parser.add_argument(
        "--format", choices=("text", "json"), default="text", help="what to print (default: text)"
    )


def run(args: argparse.Namespace) -> int:
    """Print; return 0."""
    path = _path(args)
    if args.what == "prune":
        _prune(args, path)
        return 0
    from auditor.history.database import explained, open_readable
    from auditor.history.reading import find_incident, incidents_of

    with closing(open_readable(path)) as connection, explained(path):
        entries = incidents_of(connection)
        if args.incident:
            entries = tuple(find_incident(connection, name) for name in args.incident)
        found = [_ANSWERS[args.what](args, connection, entry) for entry in entries]
    _print(args, found)
    return 0


def _path(args: argparse.Namespace) -> Path:
    if args.history is not None:
        return Path(args.history)
    from auditor.config import Options, apply_environment, read_document, resolve
    from auditor.registry import load_kinds

    document = apply_environment(read_document(Path(args.config)), os.environ)
    resolved = resolve(document, load_kinds(), Options(needs_incident=False), environ=os.environ)
    if resolved.history is None:
        raise UsageError(f"{args.config} names no history; set history in [audit]")
    return resolved.history


def _list(
    args: argparse.Namespace, connection: sqlite3.Connection, entry: IncidentEntry
) -> dict[str, object]:
    from auditor.history.reading import runs_of

    return {"incident": entry, "runs": runs_of(connection, entry.number, newest=_SHOWN_RUNS)}


def _show(
    args: argparse.Namespace, connection: sqlite3.Connection, entry: IncidentEntry
) -> dict[str, object]:
    from auditor.history.reading import changes_of, series_of

    series = series_of(connection, entry.number)
    return {
        "incident": entry,
        "rows": [
            {
                "location": row.location,
                "vantage": row.vantage,
                "since": row.spans[-1].first_seen,
                "last_seen": row.last_seen,
                "state": row.spans[-1].state,
            }
            for row in series
        ],
        "changes": changes_of(series),
    }


def _compare(
    args: argparse.Namespace, connection: sqlite3.Connection, entry: IncidentEntry
) -> dict[str, object]:
    from auditor.history.reading import changes_between, runs_of, series_of

    last = [each.finished_at for each in runs_of(connection, entry.number, newest=2)]
    now = datetime.now(UTC)
    first = _moment("--from", args.since, now) if args.since else (last or [now])[0]
    second = _moment("--to", args.until, now) if args.until else (last or [now])[-1]
    if first > second:
        raise UsageError("--from is later than --to; exchange them")
    changes = changes_between(series_of(connection, entry.number), first, second)
    return {"incident": entry, "from": first, "to": second, "changes": changes}


def _trends(
    args: argparse.Namespace, connection: sqlite3.Connection, entry: IncidentEntry
) -> dict[str, object]:
    from auditor.history.reading import series_of
    from auditor.history.trends import trends_of  # loads pandas, which nothing else here needs

    return {"incident": entry, "trends": trends_of(entry, series_of(connection, entry.number))}


_Answer = Callable[
    [argparse.Namespace, "sqlite3.Connection", "IncidentEntry"], Mapping[str, object]
]
_ANSWERS: Mapping[str, _Answer] = {
    "list": _list,
    "show": _show,
    "compare": _compare,
    "trends": _trends,
}


def _moment(option: str, text: str, now: datetime) -> datetime:
    """A time, or how long ago."""
    from auditor.config.values import parse_duration

    try:
        return now - timedelta(seconds=parse_duration(text))
    except (ValueError, OverflowError):
        pass
    try:
        moment = datetime.fromisoformat(text)
    except ValueError as error:
        raise UsageError(
            f"{option}: {text!r} is no time; write such as 2026-11-20T10:00Z, or 24h"
        ) from error
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def _prune(args: argparse.Namespace, path: Path) -> None:
    from auditor.cli.messages import say
    from auditor.history import History
    from auditor.history.database import explained
    from auditor.history.reading import prune

    if not path.exists():
        raise UsageError(f"history {path}: there is no such file; nothing to forget")
    before = _moment("--older-than", args.older_than, datetime.now(UTC))
    with History(path) as history:
        with history.writing() as connection:
            gone = prune(connection, before)
        with explained(path):
            # Gives the space back to the file system; the rows are gone in any case.
            history.connection.execute("VACUUM")
    told = ", ".join(f"{count} {name}" for name, count in gone.items() if count) or "nothing"
    if not args.quiet:
        say(f"forgot what ended before {before:%Y-%m-%d %H:%M} UTC: {told}")


def _print(args: argparse.Namespace, found: list[Mapping[str, object]]) -> None:
    if args.format == "json":
        import msgspec

        text = msgspec.json.format(msgspec.json.encode(found), indent=2).decode()
        sys.stdout.write(f"{text}\n")
        return
    from auditor.cli.history_text import text_of

    sys.stdout.write(text_of(args.what, found))
