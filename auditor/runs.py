"""Stored runs: read one back from its JSON report, to render it again or to compare with it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from auditor.errors import ObservationsError
from auditor.model import Run
from auditor.model.document import run_to_document
from auditor.model.stored_run import document_to_run

__all__ = ["MAX_RUN_BYTES", "document_to_run", "load_run", "run_to_document"]

# A run over 500 locations with the default environments is about 60 MB. What is far larger is
# no run of ours, and would only fill the memory.
MAX_RUN_BYTES = 1 << 30


def load_run(path: Path) -> Run:
    """Read a stored run.

    Raises:
        ObservationsError: the file cannot be read, is too large, or is not a stored run of this
            schema version; the text names the file, the cause and the next step.
    """
    try:
        return document_to_run(msgspec.json.decode(_content(path)))
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ObservationsError(
            f"{path}: not JSON ({error}); give a file that `--report json=FILE` wrote"
        ) from error
    except ObservationsError as error:
        raise ObservationsError(f"{path}: {error}") from error


def _content(path: Path) -> bytes:
    try:
        if path.stat().st_size > MAX_RUN_BYTES:
            raise ObservationsError(f"more than {MAX_RUN_BYTES} bytes; this is no stored run")
        return path.read_bytes()
    except OSError as error:
        cause = error.strerror or "cannot be read"
        raise ObservationsError(f"{cause}; give a file that `--report json=FILE` wrote") from error
