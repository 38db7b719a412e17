"""What the installers and mirrors of this machine are configured to ask, as proposed locations.

Each program has a reader of its own. A reader returns what it found and what it could not read;
secrets are dropped as soon as they are seen, so that nothing behind the readers could show one.
"""

from auditor.config.machine.found import Found, Machine, Note
from auditor.config.machine.proposal import Proposal, propose
from auditor.config.machine.reading import READERS, look_around

__all__ = ["READERS", "Found", "Machine", "Note", "Proposal", "look_around", "propose"]
