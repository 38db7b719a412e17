"""A line that installs from an address: a URL, a version control link or a path."""

from __future__ import annotations

import re
from dataclasses import dataclass
from urllib.parse import unquote, urlsplit

from auditor.model import normalise_project
from auditor.model.filename import version_in
from probes.kit.redaction import redact_url
from probes.locks.entries import digests, is_file, is_named

__all__ = ["Address", "Whose"]

# `name-1.2.3.tar.gz`, with anything that begins with a digit for a version.
_SDIST = re.compile(r"^[A-Za-z0-9][A-Za-z0-9._-]*?-\d[^-/]*$")
_EXTRAS = re.compile(r"\[[^\[\]]*\]$")


@dataclass(frozen=True, slots=True)
class Address:
    """What an address says of the project that it installs.

    Attributes:
        text: as written.
        is_url: whether it has a scheme; else it is a path.
        is_vcs: whether it names a version control system.
        path: without scheme, host, query and the revision of a version control link.
        filename: last part of the path; "" if there is none.
        egg: the project that `#egg=` names; "" if it names none.
        hashes: digests in its fragment.
    """

    text: str
    is_url: bool
    is_vcs: bool
    path: str
    filename: str
    egg: str
    hashes: dict[str, str]

    @classmethod
    def of(cls, text: str) -> Address | None:
        """Read an address; None if it is no URL and no path that pip would take for one."""
        is_url = "://" in text or text.lower().startswith("file:")
        try:
            parts = urlsplit(text if is_url else text.partition("#")[0])
        except ValueError:
            return None
        fragment = (parts.fragment if is_url else text.partition("#")[2]).split("&")
        path = unquote(parts.path) if is_url else _EXTRAS.sub("", text.partition("#")[0].strip())
        is_vcs = "+" in parts.scheme
        if is_vcs:
            path = path.rpartition("@")[0] or path
        filename = path.rstrip("/").rpartition("/")[2].removesuffix(".git")
        if not is_url and not _is_path(path):
            return None
        egg = next((f[4:] for f in fragment if f.startswith("egg=")), "")
        return cls(text, is_url, is_vcs, path, filename, unquote(egg), digests(*fragment))

    @property
    def redacted(self) -> str:
        """As it may be shown."""
        return redact_url(self.text) if self.is_url else self.text[:300]

    def version(self, project: str) -> str | None:
        """The version that its file name says; None if it says none for the project."""
        return None if self.is_vcs else version_in(self.filename, project)

    def whose(self, project: str) -> Whose:
        """Say whether it installs the project, as far as its words tell."""
        if self.egg:
            name = _EXTRAS.sub("", self.egg)
            ours = is_named(name, project) or version_in(f"{name}.zip", project) is not None
            return Whose(ours=ours, known=True)
        if self.version(project) is not None:
            return Whose(ours=True, known=True)
        if not self.is_vcs and is_file(self.filename) and _names_another(self.filename):
            return Whose(ours=False, known=True)
        if any(_is_called(part, project) for part in self.path.split("/")):
            return Whose(ours=True, known=True)
        # A source tree beside the file: the project is what its directory is called.
        is_tree = not self.is_url and not is_file(self.filename)
        return Whose(ours=False, known=is_tree)


@dataclass(frozen=True, slots=True)
class Whose:
    """Whether an address installs the project, and whether that is known."""

    ours: bool
    known: bool


def _is_path(text: str) -> bool:
    """pip takes a text for a path if it has a slash, begins with a dot or names an archive."""
    return text.startswith(".") or "/" in text or "\\" in text or is_file(text)


def _names_another(filename: str) -> bool:
    if filename.lower().endswith(".whl"):
        return filename.count("-") >= 4
    return bool(len(filename) < 300 and _SDIST.match(filename))


def _is_called(part: str, project: str) -> bool:
    name = part.removesuffix(".git")
    return 0 < len(name) < 300 and normalise_project(name) == project
