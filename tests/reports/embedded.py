"""The run that a page carries, unpacked as its footer says."""

from __future__ import annotations

import base64
import json
import re
import zlib
from typing import Any


def embedded(page: str) -> dict[str, Any]:
    """Read it: JSON, deflated (zlib), in Base64."""
    block = re.search(r'<script type="application/zlib" id="run">([\w+/=]*)</script>', page)
    assert block
    document: dict[str, Any] = json.loads(zlib.decompress(base64.b64decode(block[1])))
    return document
