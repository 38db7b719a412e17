"""The incident on a bucket of moto's real server, from whose index pip installs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from auditor.lab.drive.driver import play_story
from auditor.lab.drive.s3 import ACCESS_KEY, SECRET_KEY, S3Bucket
from auditor.lab.drive.steps import Step
from auditor.model import HeldState, Status
from tests.real_programs import require

pytestmark = [
    pytest.mark.real,
    pytest.mark.slow,
    pytest.mark.real_program("moto", "pip"),
]


async def test_the_whole_story_agrees_with_pip_and_with_the_bucket(tmp_path: Path) -> None:
    played = await play_story(S3Bucket(command=require("moto")), tmp_path)

    assert played.disagreements == ()
    assert played.harm == ()
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
    written = msgspec.json.encode([*played.runs.values()]).decode()
    assert ACCESS_KEY not in written
    assert SECRET_KEY not in written


@pytest.mark.heavy
async def test_what_is_deleted_from_a_bucket_without_versions_is_gone(tmp_path: Path) -> None:
    steps = (Step.BROKEN, Step.FIX_PUBLISHED, Step.DELETED)
    subject = S3Bucket(command=require("moto"), versioned=False, checksum=None)

    played = await play_story(subject, tmp_path, steps=steps)

    assert (played.disagreements, played.harm) == ((), ())
    last = played.records[-1].said
    assert (last.status, last.held) == (Status.CLEAN, HeldState.NOT_HELD)
