"""What every status, reason and lag means, for `auditor explain CODE`."""

from __future__ import annotations

from dataclasses import dataclass

from auditor.verdict.explain_bundles import BUNDLE_CODES
from auditor.verdict.explain_pins import PIN_CODES
from auditor.verdict.explain_release import RELEASE_CODES
from auditor.verdict.explain_settings import SETTINGS_CODES
from auditor.verdict.explain_statuses import STATUS_CODES
from auditor.verdict.rules_vantages import VANTAGE_CODES

__all__ = ["Explanation", "explain", "explanations"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """One code in words.

    Attributes:
        code: as it stands in reports.
        group: `status`, `reason`, `lag` or `release`.
        meaning: what it says.
        cause: what usually leads to it.
        remedy: what to do.
    """

    code: str
    group: str
    meaning: str
    cause: str
    remedy: str


_REASONS = {
    "split-view": (
        "Clients that ask in different ways are served different pages.",
        "A cache keeps one page per Accept header (Vary: Accept), and they age apart.",
        "Purge every variant of the page; ask again with each client's own headers.",
    ),
    "flapping": (
        "The same question gets different answers.",
        "Several nodes behind one name, of which some are stale.",
        "Tell the operator which answers alternate; every node must be synced.",
    ),
    "yank-lost": (
        "The broken release is yanked at the source but not here.",
        "Software that drops the yank marker, or a local copy of the file.",
        "Yank it here as well, or rely on the higher version: unpinned installs get it anyway.",
    ),
    "held-unknown": (
        "It is not known whether the broken bytes are here.",
        "Asking a cache for a file can make it fetch and keep that file, so nobody asked.",
        "Look on the machine itself: search its storage for the file name and digest.",
    ),
    "hash-conflict": (
        "Places disagree about the bytes of one file name, and no reference says who is right.",
        "The source no longer lists the file, and one of the places has another one.",
        "Put the digest of the true file into broken_hashes.",
    ),
    "stale-page": (
        "The page here is an older one: the source has listed the fix since.",
        "A mirror between two syncs, or a cache within its lifetime.",
        "Wait until the time shown under lag; then sync or refresh.",
    ),
    "serial-behind": (
        "The page carries an older serial than the source.",
        "The mirror has not seen the latest change of this project.",
        "Sync it; if it stays behind, its sync is stuck.",
    ),
    "serial-ahead": (
        "The page carries a serial that the source has not reached.",
        "The place copied from somewhere else before, or numbers its changes itself; or the "
        "source's own page is an older one.",
        "Judge by the files; if they are old, refresh: devpi keeps the page of the higher serial.",
    ),
    "serial-fake": (
        "The serial is a constant that says nothing.",
        "Software that fills the field without following the source.",
        "Ignore the serial; judge by the files.",
    ),
    "serial-missing": (
        "The source shows serials, this place does not.",
        "Software that drops them, or a gateway that strips headers.",
        "Nothing: the files themselves are compared.",
    ),
    "fix-not-listed": (
        "A page that was read lists no file of the fix.",
        "It has not arrived yet, or is filtered out.",
        "Sync this place, or add the fix where files are put by hand.",
    ),
    "fix-yanked": (
        "The fix is yanked, so unpinned installs pass over it.",
        "It was yanked together with the broken release, or is broken itself.",
        "Publish a higher version that is not yanked.",
    ),
    "fix-prerelease": (
        "The fix is a pre-release, which installers pass over while a final release exists.",
        "A version such as 1.2.4rc1.",
        "Publish the final version.",
    ),
    "fix-requires-python": (
        "The fix does not install on some Python that the broken release installs on.",
        "requires-python was raised in the fix.",
        "Publish a fix with the broken release's requires-python.",
    ),
    "fix-no-matching-file": (
        "The fix has no file for some environment.",
        "A wheel is missing that the broken release has.",
        "Publish a higher version with all wheels; old releases take no new files after 14 days.",
    ),
    "fix-hidden-by-local-files": (
        "Files uploaded here hide the fix that the upstream has.",
        "Index servers that stop asking upstream once they have a file of their own.",
        "Upload the fix here as well, or remove the local files.",
    ),
    "broken-listed": (
        "The broken release is on offer here.",
        "It was not deleted, which is as it should be.",
        "Yank it at the source; unpinned installs get the higher version.",
    ),
    "broken-held": (
        "The broken bytes are here.",
        "Files are kept long after indexes change.",
        "Remove the file here if you can reach it.",
    ),
    "broken-orphaned": (
        "The broken bytes are here though nothing lists them.",
        "A deletion upstream removed the entry and left the file.",
        "Remove the file; lock files with its URL still install it.",
    ),
    "surfaces-disagree": (
        "Surfaces of one index say different things: simple JSON and HTML, each with and without "
        "compression, the legacy JSON, a metadata sidecar.",
        "PyPI keeps and purges each of them apart; a lost purge leaves one of them old.",
        "Believe the simple pages: installers read nothing else. Any change to the project, such "
        "as another upload, purges all of them again.",
    ),
    "headers-stripped": (
        "A gateway in front of the index strips validators, serials and delivery network headers.",
        "A company's proxy, or a sandbox, that passes on type, length and date alone.",
        "Audit from a network without it to learn how old the pages are; the files on them are "
        "judged all the same.",
    ),
    "source-deleted": (
        "The broken release was deleted at the source, and its file is gone there as well.",
        "Somebody deleted it instead of yanking it.",
        "Publish a higher version: every copy elsewhere is untouched by a deletion. Its file name "
        "cannot be used again on PyPI.",
    ),
    "source-deleted-file-served": (
        "The broken release was deleted at the source, and its file host still serves the file.",
        "Deleting takes a release off the pages; on PyPI files keep their URL.",
        "Publish a higher version: lock files that name the URL go on installing the broken one.",
    ),
    "source-deleted-file-unknown": (
        "The broken release was deleted at the source; whether its file is still served is not "
        "known.",
        "Asking for the file could make a cache store it, or nobody knows its URL any more.",
        "Publish a higher version; that is the cure in either case.",
    ),
    "source-project-gone": (
        "The whole project is gone from the source, while other places still carry it.",
        "Its owner deleted it, or the index's staff removed it.",
        "If it is yours, register the name again before somebody else does; those who install "
        "from a copy keep the broken release until they get a higher one.",
    ),
    "source-quarantined": (
        "The index's staff has put the project in quarantine: it lists no file (PEP 792).",
        "A report of malware, or of a compromised account.",
        "Talk to the index's staff; installs from the source fail meanwhile, and those from "
        "copies do not.",
    ),
    "source-archived": (
        "The project is archived at the source: it takes no new releases (PEP 792).",
        "Its owner ended it.",
        "Undo the archiving to publish a fix.",
    ),
    "source-stale": (
        "The source's own page is older than what others have.",
        "A lost purge at the source's CDN.",
        "Wait or make any change to the project at the source; do not blame the mirrors.",
    ),
    "unreachable": (
        "Nothing answered, or not in time.",
        "A wrong address, a closed port, a host that is down, or no network here.",
        "Check the address; audit again from a machine that reaches it.",
    ),
    "denied": (
        "The server refuses these credentials, or wants some.",
        "A private index without credentials, or expired ones.",
        "Give username and password or token for this location.",
    ),
    "malformed": (
        "The answer, or a part of it, cannot be read as an index page.",
        "A URL that is no index, a damaged page, or a server error shown as a page.",
        "Open the URL shown in the evidence; check that it is what pip's --index-url takes.",
    ),
    "unreadable": (
        "A file or directory could not be read.",
        "Missing rights, or a path that does not exist.",
        "Run the audit as a user who may read it.",
    ),
    "redirected": (
        "The answer came from another place than the one asked.",
        "A mirror that sends its clients elsewhere.",
        "Name the place it points to as a location of its own.",
    ),
    "no-safe-probe": (
        "There is no way to learn this without risking that a cache stores the artifact.",
        "A cache that fetches what it is asked for.",
        "Declare the chain of upstreams, or look on the machine itself.",
    ),
    "replica-behind": (
        "This is a replica that has not copied all that its primary has.",
        "A broken connection between the two, or a replica that has just been started.",
        "Look at the replica's log; a refresh of the page goes to the primary anyway.",
    ),
    "listed-but-missing": (
        "An index page lists a file that is not there any more.",
        "A file was deleted, and the static index was not made anew.",
        "Make the index anew: installers that choose such a file fail, and try no other.",
    ),
    "misspelt-page": (
        "A bucket has an index page under a spelling that no installer asks for.",
        "The page was uploaded under the project's own capitals; a bucket compares case.",
        "Upload it under the normalised name: until then installers get 404 here.",
    ),
    "stored-bytes-differ": (
        "A cache lists a file with one digest, and keeps other bytes under its name.",
        "A file that was replaced under the same URL: the page was fetched again, the file not.",
        "Remove the kept file, restart the cache, and audit again: until then installs of that "
        "file fail with a hash mismatch.",
    ),
    "stale-variant": (
        "A cache keeps variants of the project's page that list no file of the fix.",
        "Each Accept header has a variant of its own, they age apart, and a purge may leave some.",
        "Purge every variant (see the remedies of its kind), then look again after another client "
        "has installed from there.",
    ),
    "fix-undelivered": (
        "The fix is chosen here, and its file is refused: installs fail.",
        "A cache keeps a 404 from before the upload, or an index lists what its store lost.",
        "Purge that URL, or put the file where the index says that it is; then look again.",
    ),
    "kept-refusal": (
        "A cache keeps a refusal, such as 404 or 504, and gives it to everybody who asks.",
        "Somebody asked for a file before the upstream had it, or while the upstream was down.",
        "Wait until it expires, or purge that URL.",
    ),
    "waived": (
        "A waiver silences this failure for now.",
        "Somebody decided so; the reason is shown.",
        "Nothing until it expires.",
    ),
    "view-missing": (
        "A client class was not asked, or its answer is not among the observations.",
        "A damaged or cut file of observations, or a probe that was stopped.",
        "Look again; a view that nobody saw proves nothing.",
    ),
    "digest-missing": (
        "A broken or fixed file has no digest here, though other files here have one.",
        "Something between the file and its page lost the digest, or took it away.",
        "Compare the bytes themselves with the release before trusting this place.",
    ),
    "facts-missing": (
        "Versions, digests or sizes were stated when this place was observed, and are gone.",
        "The stored observation was edited, or a program between lost a part of it.",
        "Look again, and judge what that writes.",
    ),
    "corrupt": (
        "A copy here is damaged or cut short.",
        "A download or an upload that did not finish.",
        "Replace it; a damaged file is no sign of tampering.",
    ),
    "undecided": (
        "A fact is missing that decides what an installer gets.",
        "A page that does not say whether a file is yanked, or which Python it needs.",
        "Look at the evidence; other views of the same place may say it.",
    ),
    "undetermined": (
        "No rule could decide anything from the facts at hand.",
        "A place of which nothing was learnt.",
        "Look at its evidence and at its other reasons.",
    ),
    "skipped": (
        "This place was not looked at.",
        "It was forbidden (--inert), interrupted, or there is no probe for its kind.",
        "Look at the text of the reason.",
    ),
    "required-absent": (
        "A place that must carry the project does not.",
        "A mirror that filters, or a wrong URL.",
        "Set required = false if it need not carry it.",
    ),
    "reused-name": (
        "The source offers different bytes under one file name.",
        "A file was replaced instead of published as a higher version.",
        "Publish a higher version; never reuse a name.",
    ),
}

_LAGS = {
    "current": ("Every view lists the fix.", "It has arrived.", "Nothing."),
    "within-lag": (
        "The fix is not here yet, and that is normal for this hop.",
        "A mirror between two syncs.",
        "Wait until the time shown; --grace keeps such rows from failing.",
    ),
    "stuck": (
        "The fix should be here by now and is not.",
        "A sync that fails or does not run.",
        "Tell the operator, with the serials and times of the evidence.",
    ),
    "never": (
        "Nothing ever syncs this place by itself.",
        "Files are put here by hand or by a job that nobody declared.",
        "Put the fix here, or declare upstream and expected_lag.",
    ),
}


def explanations() -> tuple[Explanation, ...]:
    """Every code: statuses worst first, then reasons, lags, and findings on a release."""
    groups = (
        ("status", STATUS_CODES),
        ("reason", {**_REASONS, **PIN_CODES, **BUNDLE_CODES, **SETTINGS_CODES, **VANTAGE_CODES}),
        ("lag", _LAGS),
        ("release", RELEASE_CODES),
    )
    return tuple(
        Explanation(code=code, group=group, meaning=meaning, cause=cause, remedy=remedy)
        for group, codes in groups
        for code, (meaning, cause, remedy) in codes.items()
    )


def explain(code: str) -> Explanation | None:
    """Explain one code; None if there is no such code."""
    return next((e for e in explanations() if e.code == code), None)
