"""What stores state in place of a SHA-256: MD5 and CRC-32 convict where they can be compared."""

from __future__ import annotations

from dataclasses import replace

import pytest

from auditor.model import Fingerprint, HeldState, Hint, Observation, Status
from tests.verdict.stage import BROKEN, INCIDENT, codes, held, location, observe, plan, run, verdict

MD5, CRC32 = "0123456789abcdef0123456789abcdef", "89abcdef"
KNOWN = Fingerprint(filename=BROKEN.filename, version="1.2.3", md5=MD5, crc32=CRC32)


def judged(*facts: dict[str, str]) -> Status:
    """Judge a store whose copies of the broken file state these digests."""
    holdings = tuple(held(HeldState.HELD, **each) for each in facts)
    seen = observe("store", holdings=holdings, holdings_complete=True)
    incident = replace(INCIDENT, fingerprints=(KNOWN,))
    place = location("store", "box", required=False)
    found = run(plan(place, incident=incident), seen)
    return next(v.status for v in found.verdicts if v.location.name == "store")


@pytest.mark.parametrize(
    ("facts", "status"),
    [
        ({"md5": MD5}, Status.LATENT),
        ({"md5": MD5, "crc32": CRC32}, Status.LATENT),
        ({"md5": "f" * 32}, Status.TAMPERED),
        ({"crc32": "f" * 8}, Status.TAMPERED),
        ({"crc32": CRC32}, Status.LATENT),
        ({}, Status.LATENT),
    ],
)
def test_a_digest_of_another_kind_convicts_where_it_differs(
    facts: dict[str, str], status: Status
) -> None:
    assert judged(facts) is status


def test_each_version_of_a_file_is_compared() -> None:
    assert judged({"md5": MD5}, {"md5": "f" * 32}) is Status.TAMPERED


def hinted(*hints: Hint) -> Observation:
    return observe("mirror", hints=hints)


def test_an_index_that_lists_what_is_gone_says_so() -> None:
    hint = Hint(code="listed-but-missing", text="gone", expected="there", observed="404")

    assert "listed-but-missing" in codes(verdict(hinted(hint)))
    assert "listed-but-missing" not in codes(verdict(hinted()))
