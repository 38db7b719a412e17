"""How keys of one project may begin: by these a bucket is searched that is too large to list."""

from __future__ import annotations

from collections.abc import Iterator

from auditor.model import Incident, normalise_project
from auditor.model.filename import version_in

__all__ = ["key_beginnings", "spellings"]

# A name of more parts than this would have too many spellings with separators mixed; it is
# searched with one separator throughout, as tools write it.
_SEPARATORS = ("-", "_", ".")
# A few more than any real project has been seen with.
MAX_SPELLINGS = 12


def spellings(incident: Incident) -> tuple[str, ...]:
    """Return how the project may be written: normalised first, then as tools and people do.

    S3 compares case, so that a name with capitals inside is found only as somebody wrote it: the
    known file names of the incident tell how its maintainers do.
    """
    parts = [part for part in incident.project.split("-") if part]
    found = [separator.join(parts) for separator in _SEPARATORS]
    found += _written(incident)
    found += [separator.join(part.capitalize() for part in parts) for separator in _SEPARATORS]
    return tuple(dict.fromkeys(found))[:MAX_SPELLINGS]


def _written(incident: Incident) -> Iterator[str]:
    for known in incident.fingerprints:
        version = version_in(known.filename or "", incident.project)
        head, found, _ = (known.filename or "").partition(f"-{version}")
        if version is not None and found and normalise_project(head) == incident.project:
            yield head


def key_beginnings(incident: Incident) -> tuple[str, ...]:
    """Return how keys of the project's files and directories begin, below any directory."""
    return tuple(f"{name}{sign}" for name in spellings(incident) for sign in ("-", "/"))
