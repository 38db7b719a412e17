"""For authors of probes: a test that every kind of location must pass, ours included.

    from auditor.testing import check_kind

    async def test_my_kind_keeps_the_contract() -> None:
        await check_kind(KIND, lambda stage: {"url": stage.simple_url})

Needs no network beyond loopback, and no test framework.
"""

from auditor.testing.contract import ACTS, ContractBroken, check_kind
from auditor.testing.stage import Stage

__all__ = ["ACTS", "ContractBroken", "Stage", "check_kind"]
