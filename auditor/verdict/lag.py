"""Late or stuck: how long each hop may take, and whether that time is over."""

from __future__ import annotations

from datetime import datetime, timedelta

from auditor.model import Lag, LagState, Location, Outcome
from auditor.verdict.client_trust import with_trust
from auditor.verdict.context import Context
from auditor.verdict.row import Row

__all__ = ["hop_lag", "lag_of"]

# A longer one is no statement about time, and would overflow a date.
MAX_LAG_S = 3650 * 86_400.0
# Clocks differ by minutes. What a page calls further ahead than this would make any copy count as
# being in time.
MAX_AHEAD = timedelta(days=1)


def lag_of(row: Row) -> Lag:
    """The lag of an index row, judged at the time when it was observed."""
    lag = _lag_here(row)
    return with_trust(row, lag, _arrives_by(row, lag))


def _arrives_by(row: Row, lag: Lag) -> datetime | None:
    """Return when a place serves the fix at the latest, or has been serving it at the latest."""
    if lag.state is not LagState.CURRENT:
        return lag.latest_by
    seen, published = row.context.seen_at(row.observation), row.context.fix_published_at
    chain_s, _ = _chain_lag(row.location, row.context)
    if published is None or published > seen or chain_s is None or chain_s > MAX_LAG_S:
        return seen
    return min(seen, published + timedelta(seconds=chain_s))


def _lag_here(row: Row) -> Lag:
    if not row.is_index or row.observation.outcome not in (Outcome.OBSERVED, Outcome.ABSENT):
        return Lag(state=LagState.UNKNOWN, basis="this place could not be read")
    if row.everywhere_lists_fix:
        return Lag(state=LagState.CURRENT, basis="every view lists the fix")
    if row.unread_pages:
        return Lag(state=LagState.UNKNOWN, basis="not every view could be read")
    if row.is_source:
        return Lag(state=LagState.UNKNOWN, basis="the source itself does not list the fix")
    syncs = row.kind.syncs or row.observation.stated_lag is not None
    if not syncs and row.location.expected_lag_s is None:
        return Lag(state=LagState.NEVER, basis=f"nothing syncs a {row.kind.name} by itself")
    return _against_clock(row)


def _against_clock(row: Row) -> Lag:
    context = row.context
    published, seen = context.fix_published_at, context.seen_at(row.observation)
    if published is None:
        return Lag(state=LagState.UNKNOWN, basis="it is not known when the fix was published")
    if published - seen > MAX_AHEAD:
        basis = "the fix is said to be published in the future; check published_at and the clocks"
        return Lag(state=LagState.UNKNOWN, basis=basis)
    total_s, basis = _chain_lag(row.location, context)
    if total_s is None:
        return Lag(state=LagState.UNKNOWN, basis=basis)
    if total_s > MAX_LAG_S:
        return Lag(state=LagState.UNKNOWN, basis="a lag of more than ten years says nothing")
    latest_by = published + timedelta(seconds=total_s)
    state = LagState.STUCK if seen > latest_by else LagState.WITHIN_LAG
    return Lag(state=state, latest_by=latest_by, basis=basis)


def _chain_lag(location: Location, context: Context) -> tuple[float | None, str]:
    """Add up the hops from a location to the source; None if one of them is not known."""
    by_name = {loc.name: loc for loc in context.plan.locations}
    total_s, parts, seen = 0.0, [], set[str]()
    hop: Location | None = location
    while hop is not None and not context.is_source(hop) and hop.name not in seen:
        seen.add(hop.name)
        lag_s, basis = hop_lag(hop, context)
        if lag_s is None:
            return None, basis
        total_s += lag_s
        parts.append(basis)
        hop = by_name.get(hop.upstream or "")
    return total_s, "; ".join(parts)


def hop_lag(location: Location, context: Context) -> tuple[float | None, str]:
    """Return the seconds that one hop may take, None if not known, and who says so."""
    kind, stated = context.kind_of(location), context.stated_lags.get(location.name)
    if stated is not None:
        return stated.seconds, f"{location.name}: {stated.basis}"
    if location.expected_lag_s is not None:
        return location.expected_lag_s, f"{location.name}: expected_lag in the configuration"
    if kind.expected_lag_s is not None:
        return kind.expected_lag_s, f"{location.name}: {kind.expected_lag_source}"
    return None, f"{location.name}: no expected lag is configured, and a {kind.name} has none"
