"""Why uv took one file and no other, in words; written only when somebody asks."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from functools import cached_property, lru_cache

from packaging.version import Version

from auditor.model.observation import Yank
from auditor.model.orders import PRERELEASE
from auditor.model.selection import Choice, Rejection, RejectionCode
from auditor.selection.uv_listing import UvConditions, UvEntry, UvListing
from auditor.selection.uv_policy import UvDecision, fits, preference
from auditor.selection.uv_specifiers import lower_end, uv_admits
from auditor.selection.uv_tags import UvSupport

__all__ = ["UvExplainer"]

_Why = tuple[RejectionCode, str]
# Exclusions and refusals by conditions, contenders, and whether one of them is certain.
_Key = tuple[
    tuple[_Why | None, ...], tuple[str | None, ...], tuple[int, ...], bool, tuple[str, ...]
]

# What a hostile page can make us print of one value, and how many of them in a sentence.
_SHOWN_CHARS = 120
_SHOWN_FILES = 3


class UvExplainer:
    """Words for the choices made from one listing.

    Attributes:
        listing: the page.
        pin: the version that was asked for; None: any.
    """

    def __init__(self, listing: UvListing, pin: Version | None) -> None:
        self.listing = listing
        self.pin = pin
        self._shared: dict[_Key, tuple[Rejection, ...]] = {}
        self._lower: dict[tuple[str, str], tuple[Rejection, ...]] = {}

    def applicable(self, support: UvSupport) -> int:
        """Return how many files may be installed if asked for by version."""
        return sum(
            count
            for conditions, count in self._counts.items()
            if fits(conditions, support) and _refusal(conditions, support) is None
        )

    def undecided(self, support: UvSupport, decision: UvDecision) -> tuple[str, ...]:
        """Return the names of the files of which a fact is missing, and that may matter."""
        floor = None if decision.nothing else decision.contenders[-1].named.order
        return tuple(
            entry.filename
            for order in self._orders
            if floor is None or order >= floor or floor[-1] == PRERELEASE
            for entry in self.listing.entries(order)
            if fits(entry.conditions, support) and _is_unsure(entry.conditions)
        )

    def rejected(
        self, support: UvSupport, decision: UvDecision, choice: Choice
    ) -> tuple[Rejection, ...]:
        """Return every file that certainly lost, with its reason; newest version first."""
        winner = decision.contenders[-1] if choice is Choice.CHOSEN else None
        key = self._key(support, decision, winner)
        if key not in self._shared:
            self._shared[key] = tuple(self._losers(support, decision, winner))
        return self._shared[key]

    def _key(self, support: UvSupport, decision: UvDecision, winner: UvEntry | None) -> _Key:
        """Return what is equal where the same files lose for the same reasons."""
        pinned = self.pin is not None
        excluded = tuple(_exclusion(each, support, pinned=pinned) for each in self._counts)
        refused = tuple(_refusal(each, support) for each in self._counts)
        contenders = tuple(entry.position for entry in decision.contenders)
        # Which file stands for a release that is refused is up to what is preferred there.
        ranks = self._preferred(support) if any(refused) else ()
        return (excluded, refused, contenders, winner is None, ranks)

    def _preferred(self, support: UvSupport) -> tuple[str, ...]:
        """Return the tag sets that fit an environment, the most preferred first."""
        tags = {each.tags for each in self._counts if each.tags is not None}
        ranked = ((rank, each.text) for each in tags if (rank := support.rank(each)) is not None)
        return tuple(text for _, text in sorted(ranked))

    def _losers(
        self, support: UvSupport, decision: UvDecision, winner: UvEntry | None
    ) -> Iterator[Rejection]:
        if self.pin is None:
            yield from self._faults
        for order in self._before(winner):
            yield from self._of_release(order, support, decision, winner)
        if winner is not None and self.pin is None:
            yield from self._below(winner)

    def reason(self, support: UvSupport, decision: UvDecision, choice: Choice) -> str:
        """Return one sentence on the whole choice."""
        match choice:
            case Choice.UNKNOWN:
                names = self.undecided(support, decision)
                shown = ", ".join(name[:_SHOWN_CHARS] for name in names[:_SHOWN_FILES])
                more = f" and {len(names) - _SHOWN_FILES} more" if names[_SHOWN_FILES:] else ""
                return f"version, yank or requires-python of {shown}{more} is not known and decides"
            case Choice.CHOSEN:
                return self._why_chosen(support, decision)
            case _:
                return self._why_nothing(support)

    @cached_property
    def _orders(self) -> list[str]:
        """The releases in the order in which uv tries them."""
        if self.pin is not None:
            return self.listing.pinned(self.pin)
        return [*self.listing.finals(), *self.listing.prereleases()]

    @cached_property
    def _counts(self) -> Counter[UvConditions]:
        orders = self.listing.all_orders()
        return Counter(e.conditions for order in orders for e in self.listing.entries(order))

    @cached_property
    def _faults(self) -> tuple[Rejection, ...]:
        return tuple(self.listing.faults())

    def _before(self, winner: UvEntry | None) -> Iterator[str]:
        """Yield what uv tried, the release of the winner last."""
        for order in self._orders:
            yield order
            if winner is not None and order == winner.named.order:
                return

    def _below(self, winner: UvEntry) -> tuple[Rejection, ...]:
        """Every file of the releases that uv did not get to; the same for all that take this."""
        order, version = winner.named.order or "", winner.named.version or ""
        if (order, version) not in self._lower:
            rest = self._orders[self._orders.index(order) + 1 :]
            self._lower[order, version] = tuple(
                _rejection(entry.filename, entry.named.version, *_not_reached(each, order, version))
                for each in rest
                for entry in self.listing.entries(each)
            )
        return self._lower[order, version]

    def _of_release(
        self, order: str, support: UvSupport, decision: UvDecision, winner: UvEntry | None
    ) -> Iterator[Rejection]:
        contenders = {entry.position for entry in decision.contenders}
        picked = None if winner and order == winner.named.order else self._picked(order, support)
        for entry in self.listing.entries(order):
            why = _exclusion(entry.conditions, support, pinned=self.pin is not None)
            if entry.position in contenders or (why is None and _is_unsure(entry.conditions)):
                continue
            if why is None and picked is not None:
                why = _why_refused(entry, picked, support)
            if why is None and winner is not None:
                why = RejectionCode.LESS_PREFERRED, f"{winner.filename[:_SHOWN_CHARS]} is preferred"
            if why is not None:
                yield _rejection(entry.filename, entry.named.version, *why)

    def _picked(self, order: str, support: UvSupport) -> UvEntry | None:
        """Return the file that stands for its release; None if there is none, or it is not known.

        Where facts are missing, nothing is said of the whole release.
        """
        entries = [
            entry
            for entry in self.listing.entries(order)
            if _exclusion(entry.conditions, support, pinned=self.pin is not None) is None
        ]
        if any(_is_unsure(entry.conditions) for entry in entries):
            return None
        return min(entries, key=lambda entry: preference(entry, support), default=None)

    def _why_chosen(self, support: UvSupport, decision: UvDecision) -> str:
        winner = decision.contenders[-1]
        version = winner.named.version
        if self.pin is not None:
            return f"{version} is what the pin asks for"
        newest = self.listing.all_orders()[0]
        if newest == winner.named.order:
            return f"{version} is the newest release listed"
        passed = self.listing.entries(newest)[0]
        why = f"{passed.named.version} was passed over ({self._why_passed(newest, support)})"
        if (winner.named.order or "")[-1] == PRERELEASE:
            return f"{version} is the newest that fits, and only pre-releases do; {why}"
        return f"{version} is the newest release that fits; {why}"

    def _why_passed(self, order: str, support: UvSupport) -> str:
        picked = self._picked(order, support)
        if picked is not None and order[-1] == PRERELEASE:
            return "pre-release"
        last = picked or self.listing.entries(order)[-1]
        why = _exclusion(last.conditions, support, pinned=False)
        return why[1] if why else _refusal(last.conditions, support) or "excluded"

    def _why_nothing(self, support: UvSupport) -> str:
        seen = len(self.listing.candidates)
        if not seen:
            return "the page lists no file"
        if self.pin is not None:
            return "no file of the pinned version fits"
        if any(fits(conditions, support) for conditions in self._counts):
            return "of every version, the file that uv picks is yanked or for another Python"
        return f"none of the {seen} files listed fits this environment"


def _not_reached(order: str, winners: str, version: str) -> _Why:
    if order[-1] == PRERELEASE and winners[-1] != PRERELEASE:
        return RejectionCode.PRERELEASE, "a pre-release, and a final release is installable"
    return RejectionCode.LOWER_VERSION, f"lower than {version}, which is chosen"


def _exclusion(conditions: UvConditions, support: UvSupport, *, pinned: bool) -> _Why | None:
    """Say why uv does not even consider such files there; None if it does, or may."""
    tags, wanted = conditions.tags, conditions.requires_python
    if tags is not None and support.rank(tags) is None:
        text = f"its tags {tags.text[:_SHOWN_CHARS]} do not fit"
        return RejectionCode.NO_MATCHING_TAG, text
    if wanted is not None and lower_end(wanted) is None:
        text = f"requires-python {wanted[:_SHOWN_CHARS]!r} is no specifier: uv skips the file"
        return RejectionCode.REQUIRES_PYTHON, text
    if conditions.yanked is Yank.YES and not pinned:
        return RejectionCode.YANKED, "yanked; only a pin to this very version takes it"
    return None


def _refusal(conditions: UvConditions, support: UvSupport) -> str | None:
    wanted = conditions.requires_python
    if wanted is None or uv_admits(wanted, support.full_version) is not False:
        return None
    return f"requires Python {wanted[:_SHOWN_CHARS]}, and this is {support.full_version}"


def _why_refused(entry: UvEntry, picked: UvEntry, support: UvSupport) -> _Why | None:
    refusal = _refusal(picked.conditions, support)
    if refusal is None:
        return None
    if entry.position == picked.position:
        return RejectionCode.REQUIRES_PYTHON, refusal
    text = f"uv picks {picked.filename[:_SHOWN_CHARS]} of this version, which {refusal}"
    return RejectionCode.REQUIRES_PYTHON, text


def _is_unsure(conditions: UvConditions) -> bool:
    unsaid = conditions.yanked is Yank.UNKNOWN or conditions.requires_python is None
    return unsaid or not conditions.certain


@lru_cache(maxsize=1 << 12)
def _rejection(filename: str, version: str | None, code: RejectionCode, text: str) -> Rejection:
    return Rejection(filename=filename, version=version, code=code, text=text)
