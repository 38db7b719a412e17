"""Whose rules choose from which page: pip's, or uv's for the page that uv is served."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from auditor.model.observation import Candidate, View
from auditor.model.selection import Choice, Environment, Rejection
from auditor.selection.choosing import applicable as applicable_to_pip
from auditor.selection.choosing import choose_all
from auditor.selection.uv_choosing import applicable_to_uv, choose_uv_all

__all__ = ["PIP", "UV", "Picked", "applicable_to", "choose_as", "client_of"]

PIP = "pip"
UV = "uv"


class Picked(Protocol):
    """What an installer takes from one page in one environment, whichever installer it is."""

    @property
    def choice(self) -> Choice:
        """How the selection ended."""

    @property
    def candidate(self) -> Candidate | None:
        """The chosen file; None unless one was chosen."""

    @property
    def seen(self) -> int:
        """Number of files on the page."""

    @property
    def applicable(self) -> int:
        """Number of files that it could install if asked for them by version."""

    @property
    def reason(self) -> str:
        """One sentence on why the choice is what it is."""

    @property
    def rejected(self) -> tuple[Rejection, ...]:
        """Every file that certainly lost."""


def client_of(view: View) -> str:
    """Name the installer whose rules choose from a page.

    Poetry's page is judged by pip's rules: Poetry takes `requires-python` from the metadata of a
    file that it picks without regard to the platform, and compares it with the Python range of a
    project that nobody tells us.
    """
    return UV if view is View.UV else PIP


def choose_as(
    client: str,
    candidates: Sequence[Candidate],
    environments: Sequence[Environment],
    project: str,
    *,
    pin: str | None = None,
) -> Mapping[str, Picked]:
    """Choose from one page in every environment by the rules of one client; by environment id.

    Args:
        client: `PIP` or `UV`.
        candidates: in page order.
        environments: interpreters and platforms.
        project: its name, in any spelling.
        pin: the version that is asked for; None: any.
    """
    if client == UV:
        return choose_uv_all(candidates, environments, project, pin=pin)
    return choose_all(candidates, environments, project, pin=pin)


def applicable_to(
    client: str, candidates: Sequence[Candidate], environment: Environment, project: str
) -> frozenset[str]:
    """Return the names of the files that a client could install there if asked by version."""
    if client == UV:
        return applicable_to_uv(candidates, environment, project)
    return applicable_to_pip(candidates, environment, project)
