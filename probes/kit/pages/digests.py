"""What a usable digest looks like."""

from __future__ import annotations

import re

__all__ = ["is_digest"]

_HEX = re.compile(r"(?:[0-9a-f]{2}){4,128}")
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]{0,39}")
# Hexadecimal characters of each. Kinds that are not known here may have any sensible length.
_DIGEST_CHARS = {"md5": 32, "sha1": 40, "sha224": 56, "sha256": 64, "sha384": 96, "sha512": 128}
_DIGEST_CHARS |= {"blake2b_256": 64}


def is_digest(algorithm: str, text: str) -> bool:
    """Say whether lower-case text is a digest of that kind."""
    return (
        len(text) == _DIGEST_CHARS.get(algorithm, len(text))
        and _NAME.fullmatch(algorithm) is not None
        and _HEX.fullmatch(text) is not None
    )
