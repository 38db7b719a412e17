"""The names that `kind` may have, and the role that each of them plays by default.

The names are reserved: a configuration may use each of them before this installation has a probe
for it. The location is then skipped, and the report says so.
"""

from __future__ import annotations

from collections.abc import Mapping

from auditor.contracts import ProbeKind
from auditor.model import KindFacts, Role

__all__ = ["RESERVED_KINDS", "ROLE_IS_FREE", "facts_of", "role_of"]

_INDEXES = (
    "pypi simple devpi bandersnatch proxpi pypiserver pulp nexus artifactory http-cache wheelhouse"
)
_STORES = "s3 pip-cache uv-cache poetry-cache pdm-cache archive github-cache gitlab-cache"
_PINS = "image environment lockfile"

RESERVED_KINDS: Mapping[str, Role] = {
    **dict.fromkeys(_INDEXES.split(), Role.INDEX),
    **dict.fromkeys(_STORES.split(), Role.STORE),
    **dict.fromkeys(_PINS.split(), Role.PIN),
}

# Kinds of which some places decide what installers choose and others only hold bytes.
ROLE_IS_FREE = frozenset({"s3", "wheelhouse"})


def role_of(kind: str, kinds: Mapping[str, ProbeKind]) -> Role:
    """Return the default role of a kind that is installed or reserved."""
    return kinds[kind].role if kind in kinds else RESERVED_KINDS[kind]


def facts_of(kind: str, kinds: Mapping[str, ProbeKind]) -> KindFacts:
    """Return what the judge needs to know of a kind that is installed or reserved."""
    if kind in kinds:
        return kinds[kind].facts()
    return KindFacts(name=kind, role=RESERVED_KINDS[kind])
