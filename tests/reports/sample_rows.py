"""The fifteen rows of the embedded world, each with what differs from row to row."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

from auditor.model import (
    BrokenFacts,
    Counterfactual,
    Evidence,
    FixChosen,
    FixFacts,
    Gets,
    HeldState,
    Lag,
    LagState,
    Outcome,
    Reason,
    Remedy,
    Role,
    Selection,
    Status,
    View,
    When,
    YankState,
)
from tests.reports.world_cells import everywhere, file_of, flapping, split

NOW = datetime(2026, 11, 20, 13, 0, 4, tzinfo=UTC)
PUBLISHED = datetime(2026, 11, 20, 10, 0, tzinfo=UTC)
BROKEN_SHA256 = "5" * 64

_LISTED = BrokenFacts(
    listed=True, yanked=YankState.REASON, held=HeldState.HELD, files=(file_of("1.2.3"),)
)
_OLD = replace(_LISTED, yanked=YankState.NO)
_NONE = BrokenFacts(listed=False, yanked=None, held=HeldState.NOT_HELD)
_ALL = FixFacts(listed=True, chosen=FixChosen.ALL)
_MISSING = FixFacts(listed=False, chosen=FixChosen.NONE, missing_files=(file_of("1.2.4"),))
_CURRENT = Lag(state=LagState.CURRENT)
_UNKNOWN_LAG = Lag(state=LagState.UNKNOWN)


@dataclass(frozen=True, kw_only=True)
class Row:
    """What differs from row to row."""

    name: str
    status: Status
    broken: BrokenFacts = _LISTED
    fix: FixFacts = _ALL
    lag: Lag = _CURRENT
    cells: tuple[Selection, ...] = ()
    reasons: tuple[Reason, ...] = ()
    remedies: tuple[Remedy, ...] = ()
    deleted: Counterfactual = field(default_factory=Counterfactual)
    kind: str = "simple"
    role: Role = Role.INDEX
    outcome: Outcome = Outcome.OBSERVED
    detail: str = ""
    samples: int = 1


def gone(when: When | datetime, because: str) -> Counterfactual:
    return Counterfactual(
        listed=False,
        held=HeldState.NOT_HELD,
        unpinned_gets=Gets.FIX,
        pinned_gets=Gets.ERROR,
        hash_locked_gets=Gets.ERROR,
        offline_gets=Gets.NOTHING,
        when=when,
        because=because,
    )


def stays(listed: bool | None, unpinned: Gets, because: str) -> Counterfactual:
    return Counterfactual(
        listed=listed,
        held=HeldState.HELD,
        unpinned_gets=unpinned,
        pinned_gets=Gets.BROKEN,
        hash_locked_gets=Gets.BROKEN,
        offline_gets=Gets.BROKEN,
        when=When.NEVER,
        because=because,
    )


def evidence(name: str) -> tuple[Evidence, ...]:
    url = f"http://{name}.example/simple/brokenpkg/"
    return (
        Evidence(
            id="e1",
            request=f"GET {url}",
            response={"status": "200", "etag": '"41d8"', "last-modified": "2026-11-20 09:12 UTC"},
            digest="sha256:" + "a" * 64,
            excerpt=f'<a href="../../files/{file_of("1.2.3")}">{file_of("1.2.3")}</a>',
            reproduce=f"curl -H 'Accept: application/vnd.pypi.simple.v1+json' {url}",
        ),
    )


def reason(code: str, text: str, expected: str, observed: str) -> Reason:
    return Reason(code=code, text=text, expected=expected, observed=observed, evidence=("e1",))


_LISTS = reason(
    "broken-listed", "The broken release is still listed.", "1.2.3 not listed", "1.2.3, yanked"
)
_NO_FIX = reason("fix-not-listed", "The fix is not listed here.", "1.2.4 listed", "newest is 1.2.3")
_REFRESH = Remedy(
    command="bandersnatch --config mirror.conf sync brokenpkg",
    effect="fetches this project's page and files again, now",
)
_PURGE = Remedy(
    command="pip cache remove brokenpkg",
    effect="drops every stored file of brokenpkg from this user's cache",
    caution="the next install downloads again",
)
_AFTER_SYNC = gone(
    NOW + timedelta(hours=6), "a mirror that syncs drops what its upstream no longer lists"
)


def world_rows() -> tuple[Row, ...]:
    """The fifteen rows of the embedded world."""
    latest = PUBLISHED + timedelta(hours=6)
    within = Lag(state=LagState.WITHIN_LAG, latest_by=latest, basis="expected lag 6 h (config)")
    stuck = Lag(
        state=LagState.STUCK,
        latest_by=PUBLISHED + timedelta(hours=1),
        basis="expected lag 1 h (config)",
    )
    never = Lag(state=LagState.NEVER, basis="nothing ever syncs a directory")
    good, old = everywhere("1.2.4"), everywhere("1.2.3")
    half_old = FixFacts(listed=True, chosen=FixChosen.SOME)
    return (
        Row(name="source", status=Status.ROLLED_FORWARD, cells=good, reasons=(_LISTS,), kind="pypi",
            deleted=replace(gone(When.AT_ONCE, "the file host keeps serving the URL"),
                            held=HeldState.HELD)),
        Row(name="fresh-mirror", status=Status.ROLLED_FORWARD, cells=good, reasons=(_LISTS,),
            deleted=stays(False, Gets.FIX, "its files stay on disk until somebody removes them")),
        Row(name="clean-mirror", status=Status.CLEAN, broken=_NONE, cells=good,
            deleted=gone(When.ALREADY, "it never carried the broken release")),
        Row(name="late-mirror", status=Status.EXPOSED, broken=_OLD, fix=_MISSING, lag=within,
            cells=old, deleted=_AFTER_SYNC, remedies=(_REFRESH,),
            reasons=(reason("stale-page", "The page is older than the fix.",
                            "a page fetched after 10:00 UTC", "a page of 09:12 UTC"), _NO_FIX)),
        Row(name="stuck-mirror", status=Status.EXPOSED, broken=_OLD, fix=_MISSING, lag=stuck,
            cells=old, remedies=(_REFRESH,),
            deleted=stays(True, Gets.BROKEN, "a mirror that is stuck copies nothing"),
            reasons=(reason("serial-behind", "Its serial is behind the source's.",
                            "serial 1042 or higher", "serial 977"), _NO_FIX)),
        Row(name="behind-mirror", status=Status.BEHIND, fix=_MISSING, cells=everywhere("1.2.2"),
            lag=replace(stuck, state=LagState.UNKNOWN), reasons=(_NO_FIX,), remedies=(_REFRESH,),
            deleted=_AFTER_SYNC),
        Row(name="split-mirror", status=Status.EXPOSED, broken=replace(_LISTED,
            yanked=YankState.MIXED), fix=half_old, cells=split(View.PIP_HTML),
            reasons=(reason("split-view", "Views of one place disagree.", "one answer for all",
                            "pip-html gets 1.2.3, the others 1.2.4"),),
            remedies=(_REFRESH,), deleted=_AFTER_SYNC),
        Row(name="flapping-mirror", status=Status.EXPOSED, broken=replace(_LISTED,
            yanked=YankState.MIXED), fix=half_old, cells=flapping(4), samples=4,
            reasons=(reason("flapping", "The same question gets different answers.",
                            "4 equal answers", "2 of 4 answers are old"),),
            remedies=(_REFRESH,), deleted=_AFTER_SYNC),
        Row(name="yank-lost-mirror", status=Status.ROLLED_FORWARD, broken=_OLD, cells=good,
            reasons=(reason("yank-lost", "The yank did not arrive here.", "1.2.3 yanked",
                            "1.2.3 not yanked"),),
            deleted=stays(False, Gets.FIX, "its files stay on disk until somebody removes them")),
        Row(name="tampered-mirror", status=Status.TAMPERED, cells=good,
            reasons=(reason("tampered", "A file here has other bytes than its reference.",
                            f"sha256:{BROKEN_SHA256}", "sha256:" + "6" * 64),),
            remedies=(Remedy(command="bandersnatch --config mirror.conf verify",
                             effect="compares every file with its digest"),),
            deleted=stays(False, Gets.FIX, "its files stay on disk until somebody removes them")),
        Row(name="fake-serial-mirror", status=Status.ROLLED_FORWARD, cells=good,
            reasons=(reason("serial-fake", "Its serial says nothing.", "a serial that moves",
                            "always 10000000000"), _LISTS),
            deleted=stays(False, Gets.FIX, "its files stay on disk until somebody removes them")),
        Row(name="broken-page", status=Status.UNKNOWN, lag=_UNKNOWN_LAG, cells=everywhere(None),
            broken=BrokenFacts(listed=None, yanked=None, held=HeldState.UNKNOWN),
            fix=FixFacts(listed=True, chosen=FixChosen.UNKNOWN),
            reasons=(reason("malformed", "Half of the entries cannot be read.",
                            "every entry readable", "4 of 8 entries readable"),)),
        Row(name="wheelhouse", kind="wheelhouse", status=Status.EXPOSED, broken=_OLD, fix=_MISSING,
            lag=never, cells=old, reasons=(_NO_FIX,),
            remedies=(Remedy(command=f"rm wheelhouse/{file_of('1.2.3')}",
                             effect="removes the broken file",
                             caution="builds that pin 1.2.3 and look only here fail"),),
            deleted=stays(True, Gets.BROKEN, "nothing ever syncs a directory")),
        Row(name="pip-cache", kind="pip-cache", role=Role.STORE, status=Status.LATENT,
            broken=replace(_OLD, listed=None, yanked=None), lag=never,
            fix=FixFacts(listed=None, chosen=None), remedies=(_PURGE,),
            reasons=(reason("broken-held", "The broken bytes are in this cache.", "none",
                            f"{file_of('1.2.3')}, 41,207 bytes"),),
            deleted=stays(None, Gets.UNKNOWN, "no server can reach into a client's cache")),
        Row(name="down", status=Status.UNKNOWN, outcome=Outcome.UNREACHABLE, lag=_UNKNOWN_LAG,
            detail="connection refused by 127.0.0.1", fix=FixFacts(listed=None,
            chosen=FixChosen.UNKNOWN),
            broken=BrokenFacts(listed=None, yanked=None, held=HeldState.UNKNOWN),
            reasons=(reason("unreachable", "Nothing answers there.", "an answer within 30 s",
                            "connection refused"),)),
    )  # fmt: skip  # a line for each would be a page
