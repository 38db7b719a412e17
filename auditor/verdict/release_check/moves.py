"""The moves that tempt a maintainer now, and what each would do by this audit's own facts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from auditor.model import Action, Gets, Run
from auditor.verdict.release_check.finding import Level, ReleaseFinding
from auditor.verdict.release_check.offer import Offer

__all__ = ["warn_of_moves"]


def warn_of_moves(offer: Offer, run: Run) -> Iterator[ReleaseFinding]:
    """Warn of deleting, re-uploading and reusing a number.

    Args:
        offer: the facts of the release.
        run: the same observations, judged.
    """
    broken = offer.context.line.broken_text
    yield _note(
        "tempting-delete",
        f"Do not delete {broken}. {run.deletion.sentence}",
        f"{run.deletion.would_remain} of {_places(run)} keep it, "
        f"{run.deletion.would_break_pins} audited pins break, "
        f"{run.deletion.undetermined} not determined",
        "publish the fix, then yank",
    )
    yield _note(
        "tempting-reupload",
        f"Do not upload other files as {broken}. {_reupload(run)}",
        _counted(run, Action.REUPLOADED),
        f"publish {offer.fix_text}: a new number is the only thing that every cache fetches",
    )
    yield _note(
        "tempting-reuse",
        f"Do not give {broken}, or any number that was ever used, to other files. PyPI burns a "
        "file name for ever once it was used, also that of a deleted file; every other place "
        "keeps what it has under that name.",
        f"{broken} is known to {_knowing(run)} of {_places(run)}",
        f"keep {offer.fix_text} for good as well: what is wrong with it is mended by the next one",
    )


def _note(code: str, text: str, observed: str, step: str) -> ReleaseFinding:
    return ReleaseFinding(code=code, level=Level.NOTE, text=text, observed=observed, next_step=step)


def _places(run: Run) -> str:
    count = len(run.verdicts)
    return f"{count} place" if count == 1 else f"{count} places"


def _knowing(run: Run) -> int:
    return sum(1 for v in run.verdicts if v.broken.listed or v.broken.files)


def _gets(run: Run, action: Action) -> Counter[tuple[str, Gets]]:
    """What pinned and hash-locked installs would get, over all places."""
    found: Counter[tuple[str, Gets]] = Counter()
    for verdict in run.verdicts:
        what = verdict.counterfactuals.get(action)
        if what is not None:
            found["pinned", what.pinned_gets] += 1
            found["hash-locked", what.hash_locked_gets] += 1
    return found


def _reupload(run: Run) -> str:
    found = _gets(run, Action.REUPLOADED)
    fails, keeps = found["hash-locked", Gets.ERROR], found["pinned", Gets.BROKEN]
    facts = []
    if keeps:
        facts.append(f"pinned installs would still get the broken bytes at {keeps}")
    if fails:
        facts.append(f"installs by hash would fail at {fails}")
    told = f" Of {_places(run)}, {' and '.join(facts)}." if facts else ""
    return f"PyPI refuses a file name that was used before.{told}"


def _counted(run: Run, action: Action) -> str:
    found = _gets(run, action)
    parts = (f"{who} {gets.value} at {number}" for (who, gets), number in sorted(found.items()))
    return ", ".join(parts)
