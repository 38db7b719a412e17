"""What to look for and where: read from a file, the environment and the command line.

`read_document` or `parse_document` gives a `Document`; `apply_environment` and the command line
lay their values over it; `resolve` checks everything at once and returns plan and credentials.
"""

from auditor.config.document import Document, parse_document, read_document
from auditor.config.environment import apply_environment
from auditor.config.resolve import Options, Resolved, resolve

__all__ = [
    "Document",
    "Options",
    "Resolved",
    "apply_environment",
    "parse_document",
    "read_document",
    "resolve",
]
