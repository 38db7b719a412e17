"""OCI layouts as tests lay them: the smallest that a reader accepts."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Mapping
from pathlib import Path

__all__ = ["Files", "Layout", "layer"]

Files = Mapping[str, bytes]


def layer(files: Files) -> bytes:
    """Pack files as one layer."""
    stream = io.BytesIO()
    with tarfile.open(fileobj=stream, mode="w") as archive:
        for name, content in files.items():
            header = tarfile.TarInfo(name)
            header.size = len(content)
            archive.addfile(header, io.BytesIO(content))
    return stream.getvalue()


class Layout:
    """An OCI layout in a directory."""

    def __init__(self, path: Path) -> None:
        self.path = path
        (path / "blobs/sha256").mkdir(parents=True)

    def blob(self, content: bytes) -> str:
        """Lay down a blob; its digest."""
        digest = hashlib.sha256(content).hexdigest()
        (self.path / "blobs/sha256" / digest).write_bytes(content)
        return f"sha256:{digest}"

    def document(self, value: object) -> str:
        """Lay down a JSON document; its digest."""
        return self.blob(json.dumps(value).encode())

    def image(self, *layers: bytes) -> str:
        """Lay down an image of these layers; the digest of its manifest."""
        return self.document({"layers": [{"digest": self.blob(content)} for content in layers]})

    def index(self, *manifests: Mapping[str, object]) -> Path:
        """Name the images that there are; the layout's path."""
        (self.path / "index.json").write_text(json.dumps({"manifests": list(manifests)}))
        return self.path
