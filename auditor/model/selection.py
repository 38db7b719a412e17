"""What an installer would choose from one page, and why every other file lost."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from auditor.model.observation import View

__all__ = ["Choice", "Environment", "Rejection", "RejectionCode", "Selection"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Environment:
    """An interpreter on a platform.

    Attributes:
        id: interpreter tag and platform tag, such as `cp312-manylinux_2_28_x86_64`.
        interpreter: such as `cp312`.
        platform: such as `manylinux_2_28_x86_64`.
        python_full_version: what `requires-python` is compared with, such as `3.12.12`.
        running: whether it is the interpreter that runs the auditor.
    """

    id: str
    interpreter: str
    platform: str
    python_full_version: str
    running: bool = False


class RejectionCode(StrEnum):
    """Why a file was not chosen."""

    NOT_A_DISTRIBUTION = "not-a-distribution"  # extension that installers do not install
    OTHER_PROJECT = "other-project"
    INVALID_NAME = "invalid-name"
    INVALID_VERSION = "invalid-version"
    NO_MATCHING_TAG = "no-matching-tag"
    REQUIRES_PYTHON = "requires-python"
    PRERELEASE = "prerelease"
    YANKED = "yanked"
    LOWER_VERSION = "lower-version"
    LESS_PREFERRED = "less-preferred"  # same version, another file is preferred
    DUPLICATE = "duplicate"  # same URL listed again
    TOO_YOUNG = "too-young"  # those who install from here demand an age of uploads
    CONSTRAINED = "constrained"  # their constraints file does not admit it


@dataclass(frozen=True, slots=True, kw_only=True)
class Rejection:
    """One file that lost, and why.

    Attributes:
        filename: of the file.
        version: as text; None if its name carries none.
        code: the rule that rejected it.
        text: the rule with what was expected and seen.
    """

    filename: str
    version: str | None
    code: RejectionCode
    text: str


class Choice(StrEnum):
    """How a selection ended."""

    CHOSEN = "chosen"
    NOTHING = "nothing"  # the page was read, and nothing on it is installable here
    UNKNOWN = "unknown"  # a fact that decides is missing
    REFUSED = "refused"  # the server does not negotiate with this client


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What one client in one environment would install from one view.

    Attributes:
        client: whose rules were applied, such as `pip`.
        environment: id of the environment.
        view: whose page was read.
        sample: which time of asking.
        choice: how it ended.
        filename, version: of the chosen file; None if none was chosen.
        seen: number of files on the page.
        applicable: number of files that this client could install if asked for them by version.
        counts: whether a broken or fixed file is applicable in this environment at all (judged on
            the source's file list); False makes the cell `not-applicable`.
        is_fix, is_broken: of the chosen version; None if nothing was chosen or it is not known.
        reason: one sentence on why the choice is what it is.
        rejected: every file that lost.
    """

    client: str
    environment: str
    view: View
    sample: int
    choice: Choice
    filename: str | None = None
    version: str | None = None
    seen: int = 0
    applicable: int = 0
    counts: bool = True
    is_fix: bool | None = None
    is_broken: bool | None = None
    reason: str = ""
    rejected: tuple[Rejection, ...] = ()
