"""One line, written anew in place, that names the places which have not answered yet."""

from __future__ import annotations

import asyncio
import os
import shutil
import sys
import time

from auditor.cli.messages import one_line

__all__ = ["Awaited", "can_rewrite"]

# An audit that is over sooner shows no such line.
PATIENCE_S = 1.0
_EVERY_S = 0.5
_NAMED = 3
_ERASE = "\r\x1b[2K"


def can_rewrite() -> bool:
    """Say whether stderr is a terminal on which a line can be written over."""
    return sys.stderr.isatty() and os.environ.get("TERM", "dumb") != "dumb"


class Awaited:
    """Follows what was asked and has not answered, the longest first."""

    def __init__(self) -> None:
        self._since_s: dict[str, float] = {}
        self._is_drawn = False
        self._timer: asyncio.TimerHandle | None = None

    def started(self, name: str) -> None:
        """A place is being looked at."""
        self._since_s.setdefault(name, time.monotonic())
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._tick)

    def finished(self, name: str) -> None:
        """It has been looked at."""
        self._since_s.pop(name, None)

    def erase(self) -> None:
        """Make room for another line."""
        if self._is_drawn:
            sys.stderr.write(_ERASE)
            self._is_drawn = False

    def end(self) -> None:
        """Take the line away for good."""
        if self._timer is not None:
            self._timer.cancel()
        self.erase()
        sys.stderr.flush()

    def line(self, now_s: float) -> str:
        """Name those that have been awaited for longest; "" if nobody has for long."""
        late = [(now_s - since_s, name) for name, since_s in self._since_s.items()]
        late = sorted((wait for wait in late if wait[0] >= PATIENCE_S), reverse=True)
        if not late:
            return ""
        named = ", ".join(f"{name} ({wait_s:.0f} s)" for wait_s, name in late[:_NAMED])
        more = f" and {len(late) - _NAMED} more" if len(late) > _NAMED else ""
        return one_line(f"waiting for {named}{more}")

    def _tick(self) -> None:
        self._timer = asyncio.get_running_loop().call_later(_EVERY_S, self._tick)
        text = self.line(time.monotonic())
        self.erase()
        if text:
            width = shutil.get_terminal_size().columns - 1
            sys.stderr.write(text if len(text) <= width else f"{text[: width - 1]}…")
            self._is_drawn = True
        sys.stderr.flush()
