"""Past runs in one SQLite file: what changed, when, and what was first seen."""

from auditor.history.recall import recall, with_first_sight
from auditor.history.state import Change, State
from auditor.history.store import History, Recorded

__all__ = ["Change", "History", "Recorded", "State", "recall", "with_first_sight"]
