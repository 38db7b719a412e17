"""Wheels with any one byte wrong, in every compression that zip knows: read, or said to be damaged.

What the decoders raise is no closed set, and each of them adds errors of its own.
"""

from __future__ import annotations

import io
import threading
import zipfile
from contextlib import suppress
from pathlib import Path

import pytest

from auditor.releasing import _stated
from probes.installed.record import NoRecord, released_in
from probes.kit.distribution import Unreadable, read_metadata

pytestmark = pytest.mark.slow

METHODS = {
    "stored": zipfile.ZIP_STORED,
    "deflate": zipfile.ZIP_DEFLATED,
    "bzip2": zipfile.ZIP_BZIP2,
    "lzma": zipfile.ZIP_LZMA,
}


def wheel(method: int) -> bytes:
    stream = io.BytesIO()
    with zipfile.ZipFile(stream, "w", method) as archive:
        for name, text in (("METADATA", "Name: a\nVersion: 1\n"), ("RECORD", "a.py,sha256=AA,1\n")):
            archive.writestr(zipfile.ZipInfo(f"a-1.dist-info/{name}"), text, method)
    return stream.getvalue()


@pytest.mark.parametrize("method", METHODS.values(), ids=METHODS.keys())
def test_a_wrong_byte_anywhere_is_damage_at_worst(method: int, tmp_path: Path) -> None:
    whole = wheel(method)
    path = tmp_path / "a-1-py3-none-any.whl"
    path.write_bytes(whole)
    assert released_in(path, "a").record
    assert read_metadata(path, threading.Event()).version == "1"
    for at in range(len(whole)):
        for flip in (0x01, 0xFF):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ flip]) + whole[at + 1 :])
            with suppress(NoRecord):
                released_in(path, "a")
            with suppress(Unreadable):
                read_metadata(path, threading.Event())
            _stated(path)
