"""The few shapes of rkyv 0.8 archives that uv's pages consist of: little-endian, 32-bit offsets.

An archive is read from its end: the root is last, and everything points backwards. Nothing is
trusted: each place is checked to be inside, so that a damaged or foreign file raises instead of
yielding nonsense.
Source: the format chapter of rkyv's book, and bytes that uv 0.13.9 wrote.
"""

from __future__ import annotations

import struct

__all__ = ["Archive", "NotArchived"]

# Longer than any URL or reason that a page holds.
_MAX_TEXT_BYTES = 2**16
_INLINE_BYTES = 8


class NotArchived(Exception):
    """The bytes are not the archive that they were taken for; the text says why."""


class Archive:
    """A read-only view of an archive."""

    def __init__(self, content: bytes) -> None:
        self._content = content

    def __len__(self) -> int:
        return len(self._content)

    def part(self, at: int, size: int) -> bytes:
        """Return bytes from a place.

        Raises:
            NotArchived: they are not all inside.
        """
        if at < 0 or size < 0 or at + size > len(self._content):
            raise NotArchived(f"an offset leads outside, to {at}")
        return self._content[at : at + size]

    def u8(self, at: int) -> int:
        """Read one byte."""
        return self.part(at, 1)[0]

    def u16(self, at: int) -> int:
        """Read an unsigned number of two bytes."""
        return int.from_bytes(self.part(at, 2), "little")

    def u32(self, at: int) -> int:
        """Read an unsigned number of four bytes."""
        return int.from_bytes(self.part(at, 4), "little")

    def u64(self, at: int) -> int:
        """Read an unsigned number of eight bytes."""
        return int.from_bytes(self.part(at, 8), "little")

    def i64(self, at: int) -> int:
        """Read a signed number of eight bytes."""
        return int.from_bytes(self.part(at, 8), "little", signed=True)

    def target(self, at: int) -> int:
        """Follow an offset, which counts from its own place."""
        (offset,) = struct.unpack("<i", self.part(at, 4))
        return at + int(offset)

    def optional_target(self, at: int) -> int | None:
        """Follow an offset to something that may be missing, which an offset of 1 says."""
        return None if self.u32(at) == 1 else self.target(at)

    def sequence(self, at: int, stride: int) -> range:
        """Return the places of the members of a sequence, each of so many bytes."""
        start, count = self.target(at), self.u32(at + 4)
        self.part(start, count * stride)
        return range(start, start + count * stride, stride)

    def text(self, at: int) -> str:
        """Read a text: up to eight bytes in place, a longer one elsewhere."""
        place = self.part(at, _INLINE_BYTES)
        if place[0] & 0xC0 != 0x80:
            return _decoded(place.split(b"\xff")[0])
        length = self.u32(at)
        length = (length & 0x3F) | ((length & ~0xFF) >> 2)
        (offset,) = struct.unpack("<i", place[4:])
        if length > _MAX_TEXT_BYTES:
            raise NotArchived(f"a text of {length} bytes")
        return _decoded(self.part(at + int(offset), length))


def _decoded(text: bytes) -> str:
    try:
        return text.decode()
    except UnicodeDecodeError as error:
        raise NotArchived("a text that is no UTF-8") from error
