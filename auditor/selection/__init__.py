"""What an installer would choose: candidates, environments, policies."""

from auditor.selection.choosing import Chosen, applicable, choose, choose_all
from auditor.selection.environments import default_matrix, parse_environment, running_environment

__all__ = [
    "Chosen",
    "applicable",
    "choose",
    "choose_all",
    "default_matrix",
    "parse_environment",
    "running_environment",
]
