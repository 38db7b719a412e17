"""What is played at the source, each from the same beginning: a good and a broken release."""

from __future__ import annotations

from datetime import UTC, datetime

from auditor.lab.artifacts import Artifact, build_release
from auditor.lab.catalogue import PublishedFile
from auditor.lab.drive.upstream import Upstream
from auditor.lab.index import EmbeddedIndex
from auditor.lab.story import BROKEN, FIXED, GOOD, PROJECT, YANK_REASON, tampered_wheel
from auditor.verdict.behaviour import Deed

__all__ = ["SCENARIOS", "begin", "broken_wheel", "play"]

# The name by which a scenario is asked for, what happens, and how it is told.
SCENARIOS = {
    "roll-forward": (Deed.ROLLED_FORWARD, "a higher version with the fix is published"),
    "yank": (Deed.YANKED, "the broken release is yanked, with a reason"),
    "fix-then-yank": (Deed.FIXED_THEN_YANKED, "the fix is published, then the release is yanked"),
    "delete": (Deed.DELETED_FILE_SERVED, "the release is deleted; its files are still served"),
    "delete-with-file": (Deed.DELETED_FILE_GONE, "the release is deleted, and its files with it"),
    "delete-project": (Deed.PROJECT_DELETED, "the whole project is deleted, with all its files"),
    "re-upload": (Deed.REPLACED, "other bytes are uploaded under the same file name"),
    "upstream-down": (Deed.UPSTREAM_DOWN, "the source stops answering"),
}


def begin(index: EmbeddedIndex) -> None:
    """Publish the good release and the broken one."""
    for version in (GOOD, BROKEN):
        index.publish(*build_release(PROJECT, version), at=datetime.now(UTC))


def broken_wheel() -> Artifact:
    """Return the file that pip chooses of the broken release."""
    return build_release(PROJECT, BROKEN)[0]


async def play(deed: Deed, upstream: Upstream) -> None:
    """Do it; it shows on the source's very next answer."""
    index = upstream.index
    if deed in (Deed.ROLLED_FORWARD, Deed.FIXED_THEN_YANKED):
        index.publish(*build_release(PROJECT, FIXED), at=datetime.now(UTC))
    if deed in (Deed.YANKED, Deed.FIXED_THEN_YANKED):
        index.yank(BROKEN, YANK_REASON, project=PROJECT)
    if deed is Deed.DELETED_FILE_SERVED:
        index.delete_release(BROKEN, keep_files=True, project=PROJECT)
    if deed in (Deed.DELETED_FILE_GONE, Deed.REPLACED):
        index.delete_release(BROKEN, keep_files=False, project=PROJECT)
    if deed is Deed.PROJECT_DELETED:
        index.delete_project(keep_files=False, project=PROJECT)
    if deed is Deed.REPLACED:
        other = PublishedFile(artifact=tampered_wheel(), uploaded_at=datetime.now(UTC))
        index.adopt(index.state(PROJECT).adding(other).at_serial(index.serial + 1))
    if deed is Deed.UPSTREAM_DOWN:
        await upstream.stop()
