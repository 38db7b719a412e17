"""A name for one run, the same whenever the same observations are judged again."""

from __future__ import annotations

import hashlib
from datetime import UTC

from auditor.model.run import Run

__all__ = ["run_id"]


def run_id(run: Run) -> str:
    """Return such as `20261120T130004Z-1f3a9c20`: when it ended, and a digest of what it is.

    The digest covers the incident, the times and the vantages. It sorts by time, and is safe in a
    file name whatever a stored run says.
    """
    about = "\0".join(
        (
            run.incident.id,
            run.started_at.isoformat(),
            run.finished_at.isoformat(),
            *sorted(vantage.id for vantage in run.vantages),
        )
    )
    digest = hashlib.sha256(about.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{run.finished_at.astimezone(UTC):%Y%m%dT%H%M%SZ}-{digest[:8]}"
