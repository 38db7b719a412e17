"""The rules of the judge, in one table: each looks at a row and rules, or keeps silent.

A ruling carries a reason and, where the rule decides, a status; the worst status of all rulings is
the verdict. No rule rules *by default*: a row on which nothing decides is `unknown`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass

from auditor.model import Reason, Status
from auditor.verdict import (
    rules_bundles,
    rules_held,
    rules_hints,
    rules_index,
    rules_notes,
    rules_pin,
    rules_serials,
    rules_settings,
    rules_source,
    rules_store,
    rules_vantages,
)
from auditor.verdict.row import Row
from auditor.verdict.ruling import Rule, Ruling

__all__ = ["RULES", "Judgement", "Rule", "Ruling", "apply_rules"]

# Worst first; this is also the order in which reasons of equal weight are shown.
RULES: dict[str, Rule] = {
    "tampered": rules_index.tampered,
    "hash-conflict": rules_index.hash_conflict,
    "exposed": rules_index.exposed,
    "pinned": rules_pin.pinned,
    "behind": rules_index.behind,
    "fix-undelivered": rules_index.undelivered,
    "pin-behind": rules_pin.behind,
    "required-absent": rules_index.required_absent,
    "digest-missing": rules_index.digest_missing,
    "facts-missing": rules_index.facts_missing,
    "not-observed": rules_index.not_observed,
    "constraints-unread": rules_settings.constraints_unread,
    "undecided": rules_index.undecided,
    "store-exposed": rules_store.exposed,
    "store-doubtful": rules_store.doubtful,
    "store-unread": rules_store.unread,
    "pin-unread": rules_pin.unread,
    "local-build": rules_pin.local_build,
    "other-code": rules_pin.other_code,
    "suspect-cache": rules_bundles.suspect,
    "store-latent": rules_store.latent,
    "pin-latent": rules_pin.shadowed,
    "rolled-forward": rules_index.rolled_forward,
    "absent": rules_index.absent,
    "clean": rules_index.clean,
    "store-clean": rules_store.clean,
    "pin-clean": rules_pin.clean,
    "outside-environments": rules_pin.outside,
    "cache-too-old": rules_bundles.excluded,
    "flapping": rules_notes.flapping,
    "split-view": rules_notes.split_view,
    "split-vantage": rules_vantages.split_vantage,
    "source-deleted": rules_source.source_deleted,
    "source-project-gone": rules_source.source_project_gone,
    "source-quarantined": rules_source.source_quarantined,
    "source-archived": rules_source.source_archived,
    "surfaces-disagree": rules_source.surfaces_disagree,
    "source-stale": rules_notes.source_stale,
    "surface-stale": rules_source.surface_stale,
    "headers-stripped": rules_source.headers_stripped,
    "serial-ahead": rules_serials.serial_ahead,
    "serial-behind": rules_notes.serial_behind,
    "serial-fake": rules_notes.serial_fake,
    "serial-missing": rules_notes.serial_missing,
    "stale-page": rules_notes.stale_page,
    "fix-not-listed": rules_notes.fix_not_listed,
    "fix-rejected": rules_notes.fix_rejected,
    "fix-cooling-down": rules_settings.cooling_down,
    "fix-capped": rules_settings.capped,
    "client-settings": rules_settings.client_settings,
    "yank-lost": rules_notes.yank_lost,
    "broken-listed": rules_notes.broken_listed,
    "broken-held": rules_held.broken_held,
    "held-unknown": rules_held.held_unknown,
    "corrupt": rules_held.corrupt,
    "redirected": rules_notes.redirected,
    "hinted": rules_hints.hinted,
}


# Where the bytes are in doubt, no sentence may say in the same breath that all is well.
_DOUBTS = frozenset({"tampered", "hash-conflict", "digest-missing"})
_PRAISE = frozenset({"clean", "rolled-forward"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Judgement:
    """What the rules made of one row.

    Attributes:
        status: the worst that applies.
        reasons: those that decided first, worst first; then the rest in the table's order.
    """

    status: Status
    reasons: tuple[Reason, ...]


def apply_rules(row: Row, rules: Iterable[Callable[[Row], Iterator[Ruling]]]) -> Judgement:
    """Let every rule look at a row, and take the worst of what they say."""
    rulings = [ruling for rule in rules for ruling in rule(row)]
    if any(r.reason.code in _DOUBTS and r.status is not None for r in rulings):
        rulings = [r for r in rulings if r.reason.code not in _PRAISE]
    decisive = [r for r in rulings if r.status is not None]
    if not decisive:
        rulings.append(_undetermined())
        decisive = rulings[-1:]
    rulings.sort(key=lambda r: r.status.rank if r.status else len(Status))
    reasons = dict.fromkeys(r.reason for r in rulings)
    worst = min((r.status for r in decisive if r.status), key=lambda s: s.rank)
    return Judgement(status=worst, reasons=tuple(reasons))


def _undetermined() -> Ruling:
    return Ruling(
        status=Status.UNKNOWN,
        reason=Reason(
            code="undetermined",
            text="The facts at hand decide nothing here.",
            expected="facts that one of the rules can decide on",
            observed="none",
        ),
    )
