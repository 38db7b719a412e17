"""A small PyPI whose state changes while it serves, so that an incident can be played on it."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Protocol

from auditor.lab.artifacts import Artifact
from auditor.lab.catalogue import ProjectState, ProjectStatus, PublishedFile
from auditor.lab.files import FileStore
from auditor.lab.negotiation import PageFormat
from auditor.model import normalise_project

__all__ = ["ConstantSerial", "EmbeddedIndex", "PageSource"]

# Serials are ids of journal rows. Far below the constant that Pulp sends, far above zero.
FIRST_SERIAL = 4_000_000


class PageSource(Protocol):
    """Decides what a server shows to whom."""

    def project(self, name: str, form: PageFormat, accept: str) -> ProjectState | None:
        """Return what this client is shown; None if there is no such project."""
        ...

    def projects(self) -> Iterable[ProjectState]:
        """Return every project."""
        ...

    @property
    def serial(self) -> int | None:
        """Of the last change of all; None if this server has no serials."""
        ...


class EmbeddedIndex:
    """The state of an index. Each change raises the serial and shows on the very next answer.

    Attributes:
        files: the bytes, which outlive their release unless told otherwise, as on PyPI.
    """

    def __init__(
        self, default_project: str = "brokenpkg", *, clock: Callable[[], datetime] | None = None
    ) -> None:
        """Start without any project.

        Args:
            default_project: the one that is meant where none is named.
            clock: gives upload times, UTC; None: the system's clock.
        """
        self.files = FileStore()
        self._default = normalise_project(default_project)
        self._clock = clock or (lambda: datetime.now(UTC))
        self._projects: dict[str, ProjectState] = {}
        self._filenames: set[str] = set()
        self._serial = FIRST_SERIAL

    @property
    def serial(self) -> int:
        """Of the last change of all."""
        return self._serial

    def project(
        self, name: str, form: PageFormat = PageFormat.V1_JSON, accept: str = ""
    ) -> ProjectState | None:
        """Return the state of a project, which is the same for every client; None: no such one."""
        return self._projects.get(name)

    def projects(self) -> Iterable[ProjectState]:
        """Return every project."""
        return list(self._projects.values())

    def state(self, project: str | None = None) -> ProjectState:
        """Return a project as it is now. The value is frozen: an old page, once things change.

        Raises:
            LookupError: there is no such project (any more).
        """
        name = normalise_project(project or self._default)
        if name not in self._projects:
            raise LookupError(f"the index has no project {name!r}; publish a file of it first")
        return self._projects[name]

    def adopt(self, state: ProjectState, *, with_files: bool = True) -> None:
        """Take over a project as another index showed it, its serial included: one mirror's sync.

        Args:
            state: of the other index.
            with_files: whether the bytes are copied as well.
        """
        self._projects[state.name] = state
        self._serial = max(self._serial, state.serial or 0)
        for file in state.files if with_files else ():
            self.files.put(file.artifact, file.uploaded_at)

    def publish(self, *artifacts: Artifact, at: datetime | None = None) -> None:
        """Upload files, one change each; the project comes into being with its first.

        Args:
            artifacts: the files.
            at: upload time, UTC; None: now.

        Raises:
            ValueError: the file name was used before. PyPI never allows it again, not even after
                the file was deleted.
        """
        for artifact in artifacts:
            if artifact.filename in self._filenames:
                raise ValueError(f"{artifact.filename} was used before; build another version")
            self._filenames.add(artifact.filename)
            uploaded_at = at or self._clock()
            self.files.put(artifact, uploaded_at)
            name = artifact.project
            state = self._projects.get(name, ProjectState(name=name, serial=None))
            self._change(state.adding(PublishedFile(artifact=artifact, uploaded_at=uploaded_at)))

    def yank(self, version: str, reason: str = "", *, project: str | None = None) -> None:
        """Mark every file of a release as yanked."""
        self._change(self.state(project).yanking(version, reason))

    def unyank(self, version: str, *, project: str | None = None) -> None:
        """Withdraw a yank."""
        self._change(self.state(project).unyanking(version))

    def delete_release(
        self, version: str, *, keep_files: bool = True, project: str | None = None
    ) -> None:
        """Take a release off the pages.

        Args:
            version: of the release.
            keep_files: whether its URLs go on working, which is what PyPI does.
            project: None: the default one.
        """
        state = self.state(project)
        if not keep_files:
            self._remove_files(f for f in state.files if f.artifact.version == version)
        self._change(state.without(version))

    def delete_project(self, *, keep_files: bool = True, project: str | None = None) -> None:
        """Take a whole project off the index; see `delete_release` for `keep_files`."""
        state = self.state(project)
        if not keep_files:
            self._remove_files(state.files)
        self._serial += 1
        del self._projects[state.name]

    def quarantine(self, *, project: str | None = None) -> None:
        """Hide every file of a project, as PyPI's staff does with malware (PEP 792)."""
        self.mark(ProjectStatus.QUARANTINED, project=project)

    def archive(self, *, project: str | None = None) -> None:
        """Mark a project as archived: its files stay on offer (PEP 792)."""
        self.mark(ProjectStatus.ARCHIVED, project=project)

    def activate(self, *, project: str | None = None) -> None:
        """Lift any quarantine or archive mark."""
        self.mark(ProjectStatus.ACTIVE, project=project)

    def mark(self, status: ProjectStatus, *, project: str | None = None) -> None:
        """Give a project a status (PEP 792)."""
        self._change(replace(self.state(project), status=status))

    def _remove_files(self, files: Iterable[PublishedFile]) -> None:
        for file in files:
            self.files.remove(file.artifact)

    def _change(self, state: ProjectState) -> None:
        self._serial += 1
        self._projects[state.name] = state.at_serial(self._serial)


class ConstantSerial:
    """Shows another source's pages with one serial that never moves, or with none at all."""

    def __init__(self, inner: PageSource, serial: int | None) -> None:
        self._inner = inner
        self._serial = serial

    @property
    def serial(self) -> int | None:
        """The constant."""
        return self._serial

    def project(self, name: str, form: PageFormat, accept: str) -> ProjectState | None:
        """Return the other source's answer with this serial."""
        state = self._inner.project(name, form, accept)
        return state and state.at_serial(self._serial)

    def projects(self) -> Iterable[ProjectState]:
        """Return the other source's projects with this serial."""
        return [state.at_serial(self._serial) for state in self._inner.projects()]
