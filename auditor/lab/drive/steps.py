"""The steps of the incident, as the maintainer of the embedded PyPI takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.catalogue import PublishedFile
from auditor.lab.drive.upstream import Upstream
from auditor.lab.story import BROKEN, FIXED, GOOD, PROJECT, YANK_REASON, tampered_wheel

__all__ = ["REFRESHED_AFTER", "Script", "Step"]


class Step(StrEnum):
    """One step of the incident, in the order in which they are taken."""

    WARM = "warm"  # the good release alone, held wherever it can be
    BROKEN = "broken"  # the broken release is out
    FIX_PUBLISHED = "fix published"  # and nobody has been told
    REFRESHED = "refreshed"
    YANKED = "yanked"
    DELETED = "deleted"
    BYTES_REPLACED = "bytes replaced"  # the broken file's name comes back with other bytes
    UPSTREAM_DOWN = "upstream down"


# After these the program catches up. FIX_PUBLISHED shows it before it did.
REFRESHED_AFTER = frozenset(Step) - {Step.FIX_PUBLISHED, Step.UPSTREAM_DOWN}


@dataclass(frozen=True, slots=True)
class Script:
    """What each step does at the upstream.

    Attributes:
        upstream: to be changed.
        releases: the artifacts of each version, the wheel first.
    """

    upstream: Upstream
    releases: Mapping[str, tuple[Artifact, Artifact]]

    @classmethod
    def at(cls, upstream: Upstream) -> Script:
        """Make the artifacts; nothing is published yet."""
        return cls(upstream, {v: build_release(PROJECT, v) for v in (GOOD, BROKEN, FIXED)})

    async def take(self, step: Step) -> None:
        """Take one step. Every one but `UPSTREAM_DOWN` shows on the very next answer."""
        if step is Step.UPSTREAM_DOWN:
            await self.upstream.stop()
            return
        index = self.upstream.index
        changes: Mapping[Step, Callable[[], None]] = {
            Step.WARM: lambda: self._publish(GOOD),
            Step.BROKEN: lambda: self._publish(BROKEN),
            Step.FIX_PUBLISHED: lambda: self._publish(FIXED),
            Step.YANKED: lambda: index.yank(BROKEN, YANK_REASON, project=PROJECT),
            Step.DELETED: lambda: index.delete_release(BROKEN, project=PROJECT),
            Step.BYTES_REPLACED: self._replace_bytes,
        }
        if step in changes:
            changes[step]()

    def _publish(self, version: str) -> None:
        self.upstream.index.publish(*self.releases[version], at=datetime.now(UTC))

    def _replace_bytes(self) -> None:
        """Offer other bytes under a name that was used before, which PyPI itself never does."""
        index = self.upstream.index
        other = PublishedFile(artifact=tampered_wheel(), uploaded_at=datetime.now(UTC))
        state = index.state(PROJECT).adding(other)
        index.adopt(state.at_serial(index.serial + 1))
