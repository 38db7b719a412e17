"""What `auditor config init` writes: the least that works, and what this machine uses."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.config.machine import Proposal

__all__ = ["STARTER", "starter_for"]

_INCIDENT = """\
# Which release is broken, and which one fixes it.
[[incidents]]
project = "brokenpkg"
broken = ["1.2.3"]          # versions, or specifiers such as ">=1.2.0,<1.2.4"
fixed = ["1.2.4"]

"""

_NO_LOCATIONS = """\
# Where copies may live. Without any [[locations]]: PyPI as pip is configured on this machine.
#
# [[locations]]
# name = "PyPI"
# kind = "pypi"             # no url: the index that pip asks here
#
"""

_LOCATIONS = """\
# Where copies may live, as the programs of this machine are configured. Take out what no longer
# matters, and add what they do not know of.

"""

_SAMPLES = """\
# [[locations]]
# name = "office mirror"
# kind = "simple"           # `auditor plugins` lists the kinds
# url = "https://mirror.example/simple/"
# upstream = "PyPI"         # what it copies from
# expected_lag = "2h"       # how far it may normally be behind
# username = {env = "MIRROR_USER"}
# password = {env = "MIRROR_PASSWORD"}
#
# [[locations]]
# name = "wheels"
# kind = "wheelhouse"
# path = "/srv/wheels"

# Silences a failure until a day; it stays visible in the report.
#
# [[waivers]]
# location = "office mirror"
# until = 2026-12-31
# reason = "is switched off on that day"
"""

STARTER = _INCIDENT + _NO_LOCATIONS + _SAMPLES


def starter_for(proposal: Proposal, variables: Collection[str]) -> str:
    """Return a configuration with the places that were found; the bare one if there are none.

    Args:
        proposal: the places.
        variables: those of the environment that have a value.
    """
    from auditor.config.machine.writing import location_tables

    if not proposal.places:
        return STARTER
    return f"{_INCIDENT}{_LOCATIONS}{location_tables(proposal, variables)}\n{_SAMPLES}"
