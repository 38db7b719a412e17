"""What the findings of `auditor check-release` mean, for `auditor explain CODE`."""

from __future__ import annotations

from collections.abc import Mapping

__all__ = ["RELEASE_CODES"]

# Code to meaning, usual cause and remedy. What an audit finds as well stands with its reasons.
RELEASE_CODES: Mapping[str, tuple[str, str, str]] = {
    "fix-not-chosen": (
        "The fix fits, and installers prefer something else to it.",
        "A broken or unrelated release with a higher number.",
        "Publish the fix above everything that is broken.",
    ),
    "fix-builds-from-source": (
        "Somebody who had a wheel before has to build the fix from source.",
        "A wheel that was not built this time, or not uploaded yet.",
        "Add the wheel while the index still takes files for the release, else publish a higher "
        "version with all of them.",
    ),
    "fix-local-version": (
        "The fix has a local label, such as 1.2.3+fixed.",
        "A build of one's own, meant for one's own index.",
        "Publish the next patch release; PyPI refuses local labels.",
    ),
    "fix-postrelease": (
        "The fix is a post-release, such as 1.2.3.post1.",
        "Post-releases are meant for mistakes in the metadata; >1.2.3 leaves them out.",
        "Publish the next patch release.",
    ),
    "fix-not-patch": (
        "The fix is not the next patch of the broken release, so that caps leave it out.",
        "The fix went out with the next feature release, or in a new epoch.",
        "Publish a patch release with nothing but the fix as well.",
    ),
    "fix-arrived-in-parts": (
        "The files of the fix were uploaded at different times, and installs in between got "
        "something else.",
        "Jobs for several platforms that upload on their own, as soon as each is done.",
        "Build everything first, then upload it in one go.",
    ),
    "reused-number": (
        "The number of the fix was used before; some place still knows it.",
        "A release that was deleted and is published anew.",
        "Skip that number. File names of deleted files are burnt on PyPI, and caches keep theirs.",
    ),
    "already-published": (
        "A file that is going to be uploaded is there already, with the same bytes.",
        "An upload that was interrupted and is started again.",
        "Leave the file out.",
    ),
    "candidate-not-fix": (
        "A file that is going to be uploaded is none of the fix.",
        "An old file left in the build directory.",
        "Clean the directory and build anew.",
    ),
    "candidate-metadata": (
        "A file's own metadata contradicts its name, or cannot be read.",
        "A renamed file, or a build from a tree with another version.",
        "Build it anew from a clean tree.",
    ),
    "broken-not-yanked": (
        "The broken release is not yanked.",
        "It was forgotten, or the fix came first, as it should.",
        "Yank it once the fix is chosen, with a reason that names the fix.",
    ),
    "yanked-before-fix": (
        "The broken release is yanked, and there is no fix yet.",
        "The yank was quicker than the fix.",
        "Publish the fix: a yank moves nobody forward who has the broken release.",
    ),
    "yank-reason": (
        "The reason of the yank does not say which version to use.",
        "The field was left empty, or tells what is wrong and not where to go.",
        "Yank again with a reason such as 'broken: use 1.2.4 or later'.",
    ),
    "cap-excludes-fix": (
        "A dependant's requirement admits the broken release and not the fix.",
        "An upper bound, or a pin.",
        "Have the cap raised, or publish the fix as a patch that it admits.",
    ),
    "source-unread": (
        "The place where the fix is published could not be read, so nothing is known of it.",
        "No connection, missing rights, or a wrong address.",
        "Check again when it answers.",
    ),
    "tempting-delete": (
        "Deleting the broken release would not take it away from those who have it.",
        "Mirrors, caches and stores keep their copies; pins on it break.",
        "Roll forward: publish the fix, then yank.",
    ),
    "tempting-reupload": (
        "Uploading other files under the broken release's name would not reach anybody.",
        "An index refuses a name that was used; caches keep the bytes they have.",
        "Publish a new number.",
    ),
    "tempting-reuse": (
        "A number that was ever used must not stand for other files.",
        "It seems free after a deletion; copies of the old files say otherwise.",
        "Publish the next number.",
    ),
}
