"""The digests that identify a broken artifact under any name, and how much is hashed for them."""

from __future__ import annotations

from auditor.model import Fingerprint, Incident

__all__ = ["Sought"]

# A digest whose size nobody knows makes every file a suspect. So many bytes are hashed in some ten
# seconds, within the time that a location usually has; what is beyond is said not to be searched.
MAX_SUSPECT_BYTES = 8 * 2**30


class Sought:
    """The known digests of an incident, for one pass over a directory or cache.

    Attributes:
        by_sha256: what each digest identifies.
    """

    def __init__(self, incident: Incident) -> None:
        sized = [f for f in incident.fingerprints if f.sha256 and f.size is not None]
        bare = [f for f in incident.fingerprints if f.sha256 and f.size is None]
        self.by_sha256: dict[str, Fingerprint] = {
            f.sha256: f for f in (*bare, *sized) if f.sha256 is not None
        }
        self._sizes = frozenset(f.size for f in sized)
        self._any_size = not {f.sha256 for f in bare} <= {f.sha256 for f in sized}
        self._left = MAX_SUSPECT_BYTES

    def may_have(self, size: int) -> bool:
        """Whether a file of so many bytes could be one of them."""
        return self._any_size or size in self._sizes

    def spend(self, size: int) -> bool:
        """Count so many bytes to be hashed; False if that is more than what is left.

        A size that is known singles a file out, which costs nothing of the bound.
        """
        if size in self._sizes:
            return True
        self._left -= size
        return self._left >= 0
