"""The incident on OpenStack Swift, the second S3 server, which `make lab` installs."""

from __future__ import annotations

import shutil
from pathlib import Path

import msgspec
import pytest

from auditor.lab.drive.driver import play_story
from auditor.lab.drive.s3 import SECRET_KEY
from auditor.lab.drive.swift import SwiftBucket
from auditor.lab.experiment.programs import find_programs
from auditor.model import HeldState, Status

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.heavy]


@pytest.fixture
def swift() -> SwiftBucket:
    command, memcached = find_programs().found.get("swift"), shutil.which("memcached")
    if command is None or memcached is None:
        pytest.skip("Swift is not installed; get it with: LAB=true tools/debian_packages.sh")
    return SwiftBucket(command=command, memcached=Path(memcached))


async def test_the_whole_story_agrees_with_pip_and_with_swift(
    swift: SwiftBucket, tmp_path: Path
) -> None:
    played = await play_story(swift, tmp_path)

    assert (played.disagreements, played.harm) == ((), ())
    expected = [
        (Status.BEHIND, HeldState.NOT_HELD),  # warm
        (Status.EXPOSED, HeldState.HELD),  # broken
        (Status.EXPOSED, HeldState.HELD),  # fix published, not uploaded
        (Status.ROLLED_FORWARD, HeldState.HELD),
        (Status.ROLLED_FORWARD, HeldState.HELD),  # yanked
        (Status.ROLLED_FORWARD, HeldState.SHADOWED),  # deleted: the versions stay
        (Status.TAMPERED, HeldState.HELD),  # bytes replaced
        (Status.TAMPERED, HeldState.HELD),  # upstream down
    ]
    assert expected == [(r.said.status, r.said.held) for r in played.records]
    assert SECRET_KEY not in msgspec.json.encode([*played.runs.values()]).decode()
