"""The mirrors around the source, and what an audit must say of each (design section 13)."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.lab.catalogue import ProjectState
from auditor.lab.index import ConstantSerial, EmbeddedIndex, PageSource
from auditor.lab.mirrors import Flapping, SplitByForm, break_half_of, mirror_of
from auditor.lab.placement import Expected
from auditor.lab.site import Spoil
from auditor.lab.story import BROKEN, Story, tampered_wheel
from auditor.model import LagState, Status

__all__ = ["MirrorPlan", "plan_mirrors"]

# Pulp sends this instead of a serial.
PULP_SERIAL = 1_000_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class MirrorPlan:
    """One mirror before it has a port.

    Attributes:
        pages: what it shows to whom.
        holdings: the index whose bytes it serves itself; None: its pages link to the source's
            file host, and it holds nothing.
        expected: what an audit must say of it.
        expected_lag, samples: as in `[[locations]]`; None: left out.
        spoil: last hand on its pages; None: they are whole.
    """

    pages: PageSource
    holdings: EmbeddedIndex | None
    expected: Expected
    expected_lag: str | None = None
    samples: int | None = None
    spoil: Spoil | None = None


def plan_mirrors(story: Story) -> dict[str, MirrorPlan]:
    """Return every mirror by name."""
    return {**_in_step(story), **_lagging(story), **_inconsistent(story), **_damaged(story)}


def _showing(
    state: ProjectState,
    status: Status,
    *reasons: str,
    lag: LagState | None = None,
    expected_lag: str | None = None,
) -> MirrorPlan:
    """A mirror with files of its own that shows one state to everybody."""
    index = mirror_of(state)
    expected = Expected(status, reasons, lag)
    return MirrorPlan(pages=index, holdings=index, expected=expected, expected_lag=expected_lag)


def _in_step(story: Story) -> dict[str, MirrorPlan]:
    """Mirrors on which the fix is chosen."""
    identical = mirror_of(story.fixed)
    return {
        "fresh-mirror": _showing(story.fixed, Status.ROLLED_FORWARD, "broken-listed"),
        "clean-mirror": MirrorPlan(
            pages=mirror_of(story.fixed.without(BROKEN), with_files=False),
            holdings=None,
            expected=Expected(Status.CLEAN),
        ),
        "yank-lost-mirror": _showing(
            story.fixed.unyanking(BROKEN), Status.ROLLED_FORWARD, "yank-lost"
        ),
        "fake-serial-mirror": MirrorPlan(
            pages=ConstantSerial(identical, PULP_SERIAL),
            holdings=identical,
            expected=Expected(Status.ROLLED_FORWARD, ("serial-fake",)),
        ),
    }


def _lagging(story: Story) -> dict[str, MirrorPlan]:
    """Mirrors that show an earlier step. The fix is three hours old: one is late, one is stuck."""
    return {
        "late-mirror": _showing(
            story.before_yank,
            Status.EXPOSED,
            "stale-page",
            lag=LagState.WITHIN_LAG,
            expected_lag="6h",
        ),
        "stuck-mirror": _showing(
            story.before_yank,
            Status.EXPOSED,
            "serial-behind",
            lag=LagState.STUCK,
            expected_lag="1h",
        ),
        "behind-mirror": _showing(story.before_fix, Status.BEHIND, "fix-not-listed"),
    }


def _inconsistent(story: Story) -> dict[str, MirrorPlan]:
    """Mirrors that tell one client this and another one that. They hold all the files."""
    new, old = mirror_of(story.fixed), mirror_of(story.before_yank)
    return {
        "split-mirror": MirrorPlan(
            pages=SplitByForm(in_json=new, in_html=old),
            holdings=new,
            expected=Expected(Status.EXPOSED, ("split-view",)),
        ),
        "flapping-mirror": MirrorPlan(
            pages=Flapping(new, old),
            holdings=new,
            expected=Expected(Status.EXPOSED, ("flapping",)),
            samples=4,
        ),
    }


def _damaged(story: Story) -> dict[str, MirrorPlan]:
    """A mirror with other bytes, and one with a page that nobody can read to its end."""
    whole = mirror_of(story.fixed)
    return {
        "tampered-mirror": _showing(story.fixed.substituting(tampered_wheel()), Status.TAMPERED),
        "broken-page": MirrorPlan(
            pages=whole,
            holdings=whole,
            expected=Expected(Status.UNKNOWN, ("malformed",)),
            spoil=break_half_of,
        ),
    }
