"""What a bucket is like, in the words of its remedies."""

from __future__ import annotations

__all__ = ["UNVERSIONED", "VERSIONED"]

# Whether a deletion leaves the bytes where they are, as an older version.
VERSIONED, UNVERSIONED = "versioned", "unversioned"
