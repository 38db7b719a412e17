"""What an index knows of a project at one moment: frozen, so that an old page is an old value."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum

from packaging.version import Version

from auditor.lab.artifacts import Artifact

__all__ = ["ProjectState", "ProjectStatus", "PublishedFile"]


class ProjectStatus(StrEnum):
    """The markers of PEP 792."""

    ACTIVE = "active"
    ARCHIVED = "archived"
    QUARANTINED = "quarantined"
    DEPRECATED = "deprecated"


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedFile:
    """One file that a project offers.

    Attributes:
        artifact: the file.
        uploaded_at: UTC.
        yanked: whether it is marked as yanked (PEP 592).
        yank_reason: the maintainer's text; empty if there is none.
    """

    artifact: Artifact
    uploaded_at: datetime
    yanked: bool = False
    yank_reason: str = ""

    @property
    def yank_value(self) -> bool | str:
        """The value of `yanked` in JSON: the reason where there is one."""
        return self.yank_reason if self.yanked and self.yank_reason else self.yanked


@dataclass(frozen=True, slots=True, kw_only=True)
class ProjectState:
    """A project as its pages show it.

    Attributes:
        name: normalised.
        serial: of the last change that the pages show; None: this server has no serials.
        files: by version, then file name, as PyPI sorts them.
        status: PEP 792 marker.
    """

    name: str
    serial: int | None
    files: tuple[PublishedFile, ...] = ()
    status: ProjectStatus = ProjectStatus.ACTIVE

    @property
    def listed(self) -> tuple[PublishedFile, ...]:
        """The files that pages may offer: a quarantined project offers none (PEP 792)."""
        return () if self.status is ProjectStatus.QUARANTINED else self.files

    @property
    def versions(self) -> tuple[str, ...]:
        """The versions that have a listed file, in the order of PEP 440, as PyPI lists them."""
        return tuple(sorted({f.artifact.version for f in self.listed}, key=Version))

    def adding(self, *files: PublishedFile) -> ProjectState:
        """Return it with more files."""
        return replace(self, files=tuple(sorted((*self.files, *files), key=_page_order)))

    def without(self, *versions: str) -> ProjectState:
        """Return it without these releases."""
        kept = tuple(f for f in self.files if f.artifact.version not in versions)
        return replace(self, files=kept)

    def changing(
        self, version: str, change: Callable[[PublishedFile], PublishedFile]
    ) -> ProjectState:
        """Return it with each file of one release changed."""
        files = tuple(change(f) if f.artifact.version == version else f for f in self.files)
        return replace(self, files=files)

    def yanking(self, version: str, reason: str = "") -> ProjectState:
        """Return it with one release yanked: on PyPI a yank covers the whole release."""
        return self.changing(version, lambda f: replace(f, yanked=True, yank_reason=reason))

    def unyanking(self, version: str) -> ProjectState:
        """Return it with the yank of one release withdrawn or lost."""
        return self.changing(version, lambda f: replace(f, yanked=False, yank_reason=""))

    def substituting(self, artifact: Artifact) -> ProjectState:
        """Return it with other bytes under the same file name."""

        def substitute(file: PublishedFile) -> PublishedFile:
            same = file.artifact.filename == artifact.filename
            return replace(file, artifact=artifact) if same else file

        return self.changing(artifact.version, substitute)

    def at_serial(self, serial: int | None) -> ProjectState:
        """Return it with another serial, or none."""
        return replace(self, serial=serial)


def _page_order(file: PublishedFile) -> tuple[Version, str]:
    return Version(file.artifact.version), file.artifact.filename
