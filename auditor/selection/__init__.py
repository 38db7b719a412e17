"""What an installer would choose: candidates, environments, policies.

Imported when first used: a plan needs the environments long before anything is chosen.
"""

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from auditor.selection.choosing import Chosen, applicable, choose, choose_all
    from auditor.selection.environments import (
        default_matrix,
        parse_environment,
        running_environment,
    )

__all__ = [
    "Chosen",
    "applicable",
    "choose",
    "choose_all",
    "default_matrix",
    "parse_environment",
    "running_environment",
]


def __getattr__(name: str) -> object:
    """Import what is asked for (PEP 562)."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    chooses = name in ("Chosen", "applicable", "choose", "choose_all")
    home = import_module(f"{__name__}.{'choosing' if chooses else 'environments'}")
    return getattr(home, name)
