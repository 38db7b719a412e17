"""Why each file lost, in words; written only when somebody asks."""

from __future__ import annotations

from collections.abc import Iterator
from functools import lru_cache

from packaging.version import Version

from auditor.model.filename import NameFault, read_filename
from auditor.model.selection import Choice, Rejection, RejectionCode
from auditor.model.version import parse_version
from auditor.selection.listing import Listing
from auditor.selection.pip_policy import LOST, TAKEN, YANKED, Decision, View
from auditor.selection.releases import Conditions, Entry, Release
from auditor.selection.support import Support

__all__ = ["Explainer"]

_Why = tuple[RejectionCode, str]
# Exclusions by conditions, positions of the contenders, and two facts of the decision.
_Key = tuple[tuple[_Why | None, ...], tuple[int, ...], bool, bool]

# What a hostile page can make us print of one value.
_SHOWN_CHARS = 120
# A reason is one sentence, not a list of a thousand files.
_SHOWN_FILES = 3


class Explainer:
    """Words for the choices made from one listing; equal explanations are one object."""

    def __init__(self, listing: Listing) -> None:
        self.listing = listing
        self._shared: dict[_Key, tuple[Rejection, ...]] = {}

    def rejected(self, view: View, decision: Decision, choice: Choice) -> tuple[Rejection, ...]:
        """Return every file that certainly lost, in page order, with its reason."""
        excluded = tuple(
            _exclusion(conditions, mask, view.support)
            for conditions, mask in zip(self.listing.conditions, view.masks, strict=True)
        )
        positions = tuple(entry.position for entry in decision.contenders)
        key = (excluded, positions, decision.nothing, decision.final_certain)
        if key not in self._shared:
            self._shared[key] = self._write(view, decision, choice, excluded)
        return self._shared[key]

    def reason(
        self, view: View, decision: Decision, choice: Choice, undecided: tuple[str, ...]
    ) -> str:
        """Return one sentence on the whole choice."""
        if choice is Choice.UNKNOWN:
            names = ", ".join(name[:_SHOWN_CHARS] for name in undecided[:_SHOWN_FILES])
            more = f" and {len(undecided) - _SHOWN_FILES} more" if undecided[_SHOWN_FILES:] else ""
            return f"version, yank or requires-python of {names}{more} is not known and decides"
        if choice is Choice.NOTHING:
            return self._why_nothing(view, decision)
        return self._why_chosen(view, decision)

    def _write(
        self,
        view: View,
        decision: Decision,
        choice: Choice,
        excluded: tuple[_Why | None, ...],
    ) -> tuple[Rejection, ...]:
        reasons: dict[int, _Why] = {}
        if decision.pinned is None:
            reasons = {at: (fault.code, fault.text) for at, fault in self.listing.faults.items()}
        judge = _Judge(view, decision, choice, excluded)
        releases = self.listing.releases if decision.pinned is None else decision.pinned
        for release in releases:
            reasons.update(judge.losers(release))
        candidates, project = self.listing.candidates, self.listing.project
        return tuple(
            _rejection(candidates[at].filename, project, *reasons[at]) for at in sorted(reasons)
        )

    def _why_chosen(self, view: View, decision: Decision) -> str:
        chosen = decision.contenders[-1].named.version
        if decision.pinned is not None:
            return f"{chosen} is what the pin asks for"
        newest = self.listing.newest()
        if newest.version == parse_version(chosen):
            return f"{chosen} is the newest release listed"
        passed_over = f"{newest.version} was passed over ({self._why_passed(view, newest)})"
        if decision.final_certain:
            return f"{chosen} is the newest release that fits; {passed_over}"
        return f"{chosen} is the newest that fits, and only pre-releases do; {passed_over}"

    def _why_passed(self, view: View, release: Release) -> str:
        fitting = [entry for entry in release.entries if view.mask(entry) != LOST]
        if fitting and release.version.is_prerelease:
            return "pre-release"
        if fitting:
            return "yanked"
        last = release.entries[-1]
        conditions = self.listing.conditions[last.conditions]
        why = _exclusion(conditions, view.mask(last), view.support)
        return why[1] if why else "excluded"

    def _why_nothing(self, view: View, decision: Decision) -> str:
        seen = len(self.listing.candidates)
        if not seen:
            return "the page lists no file"
        if decision.pinned is not None:
            return "no file of the pinned version fits"
        if not view.possible:
            return f"none of the {seen} files listed fits this environment"
        if decision.final_certain and any(
            entry.conditions in view.possible
            for release in self.listing.prereleases()
            for entry in release.entries
        ):
            return "every final release that fits is yanked, and hides the pre-releases"
        return "every file that fits is yanked"


class _Judge:
    """The reasons of one decision, release by release."""

    def __init__(
        self,
        view: View,
        decision: Decision,
        choice: Choice,
        excluded: tuple[_Why | None, ...],
    ) -> None:
        self._masks = view.masks
        self._excluded = excluded
        self._hidden = decision.final_certain and decision.pinned is None
        self._contenders = {entry.position for entry in decision.contenders}
        # Without this, nothing is certain to be better than anything else.
        self._winner: Entry | None = None
        if decision.contenders and not decision.nothing:
            self._winner = decision.contenders[-1]
        self._version = parse_version(self._winner.named.version) if self._winner else None
        self._verb = "is chosen" if choice is Choice.CHOSEN else "is installable"

    def losers(self, release: Release) -> Iterator[tuple[int, _Why]]:
        """Yield the position and the reason of every file of a release that certainly lost."""
        general = self._of_release(release.version)
        for entry in release.entries:
            if entry.position in self._contenders:
                continue
            why = self._excluded[entry.conditions] or general or self._of_file(entry)
            if why is not None:
                yield entry.position, why

    def _of_release(self, version: Version) -> _Why | None:
        if self._hidden and version.is_prerelease:
            text = "a pre-release, and a final release fits"
            return RejectionCode.PRERELEASE, text
        return None

    def _of_file(self, entry: Entry) -> _Why | None:
        winner = self._winner
        yank_is_no_matter = winner is not None and self._masks[winner.conditions] == YANKED
        if not (self._masks[entry.conditions] & TAKEN or yank_is_no_matter):
            return RejectionCode.YANKED, "yanked; only a pin that nothing else satisfies takes it"
        if winner is None or self._version is None:
            return None
        version = parse_version(entry.named.version)
        if version is not None and version < self._version:
            text = f"lower than {winner.named.version}, which {self._verb}"
            return RejectionCode.LOWER_VERSION, text
        if version == self._version:
            return RejectionCode.LESS_PREFERRED, _preference(entry, winner)
        return None


def _preference(loser: Entry, winner: Entry) -> str:
    """Say by which rule another file of the same version is preferred."""
    if winner.named.tags is None or loser.named.tags is None:
        if loser.named.tags is winner.named.tags:
            return "another source distribution of this version is listed later"
        return "a wheel of this version fits"
    if winner.named.build > loser.named.build and winner.named.tags == loser.named.tags:
        return "a wheel of this version has a higher build number"
    if winner.named.build == loser.named.build and winner.named.tags == loser.named.tags:
        return "the same wheel is listed again later"
    return f"a wheel tagged {winner.named.tags.text[:_SHOWN_CHARS]} is preferred"


def _exclusion(conditions: Conditions, mask: int, support: Support) -> _Why | None:
    """Say why such files do not count in this environment; None if they do, or may."""
    if mask != LOST:
        return None
    tags = conditions.tags
    if tags is not None and support.rank(tags) is None:
        text = f"its tags {tags.text[:_SHOWN_CHARS]} do not fit"
        return RejectionCode.NO_MATCHING_TAG, text
    if conditions.py_version not in (None, support.py_version):
        text = f"its name restricts it to Python {conditions.py_version}"
        return RejectionCode.NO_MATCHING_TAG, text
    wanted = (conditions.requires_python or "")[:_SHOWN_CHARS]
    text = f"requires Python {wanted}, and this is {support.full_version}"
    return RejectionCode.REQUIRES_PYTHON, text


@lru_cache(maxsize=1 << 12)
def _rejection(filename: str, project: str, code: RejectionCode, text: str) -> Rejection:
    named = read_filename(filename, project)
    version = None if isinstance(named, NameFault) else named.version
    return Rejection(filename=filename, version=version, code=code, text=text)
