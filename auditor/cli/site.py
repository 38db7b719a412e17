"""`--site DIR`: a static folder with a page and the JSON of every run, and an index over them.

```
DIR/index.html                      incidents and their runs, the newest first
DIR/runs/INCIDENT/RUN.html          the report
DIR/runs/INCIDENT/RUN.json          the run
DIR/runs/INCIDENT/RUN.entry.json    what the index says of it
```
Each file appears whole or not at all, the index last, so that whoever serves the folder never shows
a link that leads nowhere. The index is made of the entries that are there: to forget a run, remove
its three files. Writing the same run again changes nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

from auditor.cli.site_index import Entry, index_page
from auditor.contracts import ReportFormat
from auditor.model import Run
from auditor.model.run_id import run_id
from auditor.observations import write_text

__all__ = ["Site", "check_site"]

INDEX = "index.html"
RUNS = "runs"
ENTRY = ".entry.json"
# An entry of ours is below a kilobyte; what is far larger is none.
MAX_ENTRY_BYTES = 100_000
_LONGEST_SLUG = 80


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """A static folder.

    Attributes:
        directory: of the folder.
        page, data: load the formats of the page and of the JSON.
    """

    directory: Path
    page: Callable[[], ReportFormat]
    data: Callable[[], ReportFormat]

    def write(self, runs: Sequence[Run]) -> Path:
        """Add the runs, then write the index anew; return its path. Raises OSError."""
        for run in runs:
            self.add(run)
        index = self.directory / INDEX
        write_text(index, index_page(self._entries()))
        return index

    def add(self, run: Run) -> None:
        """Add a run; the index does not show it yet. Raises OSError."""
        folder = self.directory / RUNS / slug(run.incident.id)
        folder.mkdir(parents=True, exist_ok=True)
        name = run_id(run)
        for load in (self.data, self.page):
            written = load()
            write_text(folder / f"{name}{written.suffix}", written.render(run, {}))
        entry = Entry.of(run, f"{RUNS}/{folder.name}/{name}")
        text = json.dumps(entry.document(), indent=1, sort_keys=True)
        write_text(folder / f"{name}{ENTRY}", f"{text}\n")

    def _entries(self) -> list[Entry]:
        """Every entry that is there; what is none of ours is passed over."""
        found = []
        for path in sorted((self.directory / RUNS).glob(f"*/*{ENTRY}")):
            link = f"{RUNS}/{path.parent.name}/{path.name.removesuffix(ENTRY)}"
            entry = _read(path, link)
            if entry is not None:
                found.append(entry)
        return found


def check_site(directory: str) -> Path:
    """Refuse a folder that could not be written to in the end. Raises ValueError."""
    path = Path(directory)
    if path.exists() and not path.is_dir():
        raise ValueError(f"{directory} is a file; name a directory")
    nearest = next(each for each in (path.absolute(), *path.absolute().parents) if each.exists())
    if not os.access(nearest, os.W_OK):
        raise ValueError(f"the directory {nearest} is not writable; name another")
    return path


def slug(incident_id: str) -> str:
    """A folder's name for an incident; ids that would look alike are told apart by a digest."""
    plain = re.sub(r"[^a-zA-Z0-9._-]+", "-", incident_id).strip("-.")[:_LONGEST_SLUG]
    if plain and plain == incident_id:
        return plain
    digest = hashlib.sha256(incident_id.encode("utf-8", "surrogatepass")).hexdigest()
    return f"{plain or 'incident'}-{digest[:8]}"


def _read(path: Path, link: str) -> Entry | None:
    try:
        if path.stat().st_size > MAX_ENTRY_BYTES:
            return None
        return Entry.from_document(json.loads(path.read_text("utf-8")), link)
    except (OSError, ValueError, RecursionError):
        return None
