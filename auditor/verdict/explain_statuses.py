"""What the statuses mean, for `auditor explain CODE`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["STATUS_CODES"]

# Status to meaning, usual cause and remedy, the worst first.
STATUS_CODES: Mapping[str, tuple[str, str, str]] = {
    "tampered": (
        "A file here has the name of a known artifact but other bytes.",
        "A replaced upload, a rebuilt wheel, a damaged copy, or an attack.",
        "Stop installing from here; compare the digests shown with the release; set rebuilds = "
        "true if this place builds its own wheels.",
    ),
    "exposed": (
        "At least one client in one environment would get the broken release from an unpinned "
        "install here.",
        "The page here is older than the fix, or the fix is not installable there.",
        "Refresh or sync this place (see its remedies), then audit again.",
    ),
    "pinned": (
        "A lock file, constraint, image or environment forces or already contains the broken "
        "release.",
        "A pin written before the fix came out.",
        "Upgrade the pin to the fixed version and rebuild.",
    ),
    "behind": (
        "Nobody gets the broken release unpinned, but somebody does not get the fix either.",
        "The fix has not arrived here, or has no file for that environment.",
        "Sync this place; if the fix lacks files, publish them in a higher version.",
    ),
    "unknown": (
        "It could not be determined; the reason says why.",
        "A place that did not answer, refused, or answered nonsense; a fact nobody can learn "
        "safely.",
        "Follow the reason; an unknown is never a success.",
    ),
    "latent": (
        "A store holds the broken bytes; only a pinned request or a hash gets them.",
        "Caches and wheelhouses keep files that no index lists any more.",
        "Purge the file where you can; roll pins forward where you cannot.",
    ),
    "rolled-forward": (
        "Every counting client gets the fix; the broken release is still listed or held, or that "
        "is not known.",
        "The fix was published as a higher version, and has arrived here.",
        "Nothing: this is the cure. Yank the broken release if it is not yanked yet.",
    ),
    "absent": (
        "The project is not carried here at all.",
        "A filtered mirror, or a project nobody has asked for here.",
        "Nothing, unless this place should carry it (required = true).",
    ),
    "clean": (
        "Every counting client gets the fix, and no trace of the broken artifact is here.",
        "The broken release never came here, or was removed completely.",
        "Nothing.",
    ),
}
