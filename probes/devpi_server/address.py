"""Where things are on a devpi server: indexes, project pages, and the entry of a file."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import quote, unquote, urlsplit

from auditor.errors import Malformed

__all__ = ["DevpiAddress", "is_index_name"]

_INDEX_NAME = re.compile(r"[^+/\s?#]{1,100}/[^+/\s?#]{1,100}")
_SHA256 = re.compile(r"[0-9a-f]{64}")


def is_index_name(text: str) -> bool:
    """Say whether a text can be the name of an index, such as `root/pypi`."""
    return _INDEX_NAME.fullmatch(text) is not None


@dataclass(frozen=True, slots=True)
class DevpiAddress:
    """A devpi server and the index on it that is looked at.

    Attributes:
        root: URL of the server, without a slash at its end; devpi may live below a path.
        index: name of the index, such as `root/pypi`.
    """

    root: str
    index: str

    @classmethod
    def of(cls, url: str) -> DevpiAddress:
        """Read what one gives to pip, `http://host/user/index/+simple/`.

        Raises:
            Malformed: it names no index of a devpi server.
        """
        parts = urlsplit(url)
        segments = [segment for segment in parts.path.split("/") if segment]
        if segments and segments[-1] == "+simple":
            segments.pop()
        index = "/".join(segments[-2:])
        if not is_index_name(index):
            raise Malformed(
                "the URL names no index of a devpi server; write http://HOST/USER/INDEX/+simple/"
            )
        netloc = parts.netloc.rpartition("@")[2]
        prefix = "".join(f"/{segment}" for segment in segments[:-2])
        return cls(f"{parts.scheme}://{netloc}{prefix}", index)

    @property
    def status_url(self) -> str:
        """Address of the server's status."""
        return f"{self.root}/+status"

    @property
    def login_url(self) -> str:
        """Address of the login: this server's own, whatever the server says of it."""
        return f"{self.root}/+login"

    @property
    def simple_url(self) -> str:
        """Address of the index as installers are given it."""
        return f"{self.root}/{self.index}/+simple/"

    def config_url(self, index: str) -> str:
        """Address of the settings of an index, without its list of projects."""
        return f"{self.root}/{index}?no_projects="

    def links_url(self, index: str, project: str) -> str:
        """Address of the links that an index itself has of a project."""
        return f"{self.root}/{index}/{quote(project)}?ignore_bases="

    def entry_url(self, index: str, sha256: str, filename: str) -> str | None:
        """Address of a file's entry, listed or not; None if the digest is none.

        It is made of the digest and the name alone, so it is known for releases that no page
        lists any more.
        """
        if not _SHA256.fullmatch(sha256):
            return None
        return f"{self.root}/{index}/+f/{sha256[:3]}/{sha256[3:16]}/{quote(filename)}"

    def owner_of(self, url: str | None) -> str | None:
        """Name the index that a file URL belongs to; None if it is none of this server."""
        if not url or not url.startswith(f"{self.root}/"):
            return None
        user, _, rest = url[len(self.root) + 1 :].partition("/")
        index, _, below = rest.partition("/")
        name = f"{unquote(user)}/{unquote(index)}"
        is_file = below.startswith(("+f/", "+e/"))
        return name if is_file and is_index_name(name) else None
