"""A path as somebody wrote it, into a configuration, a file or a command line."""

from __future__ import annotations

from contextlib import suppress
from pathlib import Path

__all__ = ["written_path"]


def written_path(text: str | Path) -> Path:
    """Return the path that a text means, `~` and `~user` replaced.

    The home of a user who does not exist is not known: that path is taken as it stands, and is not
    there for whoever opens it.
    """
    with suppress(RuntimeError):
        return Path(text).expanduser()
    return Path(text)
