"""Bugs seeded on purpose, each in a copy of the packages of its own: the fuzzer must find them all.

Each takes away one guard that the readers have, of the sorts that are forgotten most easily.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from tests.fuzz.driver import ROOT, Outcome, fuzz

__all__ = ["SEEDED", "SeededBug", "copied_with", "find", "find_all"]

_PACKAGES = ("auditor", "probes", "reports")
_LIMIT_S = 60.0
# Each begins anew: what the fuzzer follows at first may lead nowhere for long.
_ATTEMPTS = 3


@dataclass(frozen=True, slots=True)
class SeededBug:
    """One change of the source that makes a reader wrong.

    Attributes:
        name: what is missing.
        target: by which it must be found.
        path: of the module.
        old, new: the text that is replaced, which stands in it once.
    """

    name: str
    target: str
    path: str
    old: str
    new: str

    def text(self, root: Path = ROOT) -> str:
        """Return the module's text with the bug in it.

        Raises:
            ValueError: the module no longer has that text, or has it twice.
        """
        text = (root / self.path).read_text(encoding="utf-8")
        if text.count(self.old) != 1:
            raise ValueError(
                f"{self.name}: {self.path} has {self.old!r} {text.count(self.old)} times"
            )
        return text.replace(self.old, self.new)


SEEDED = (
    SeededBug(
        "a bound that is off: archive read past its end",
        "caches.uv_page",
        "probes/uv_store/rkyv.py",
        "or at + size > len(self._content):",
        "or at > len(self._content):",
    ),
    SeededBug(
        "a missing bound: a body that begins behind the file's end",
        "caches.kept",
        "probes/cache_server/formats.py",
        "key_at < header_at < body_at <= len(head)",
        "key_at < header_at < body_at",
    ),
    SeededBug(
        "a negative length: fields that are read for ever",
        "caches.kept",
        "probes/cache_server/formats.py",
        "if size < 0 or at + 5 + size > len(meta):",
        "if at + 5 + size > len(meta):",
    ),
    SeededBug(
        "an error of another class: text that is no JSON",
        "pages.devpi",
        "probes/devpi_server/client.py",
        "except (ValueError, RecursionError):",
        "except RecursionError:",
    ),
    SeededBug(
        "unchecked recursion: JSON as deep as the stack",
        "pages.devpi",
        "probes/devpi_server/topology.py",
        "except (msgspec.DecodeError, ValueError, RecursionError) as error:",
        "except (msgspec.DecodeError, ValueError) as error:",
    ),
    SeededBug(
        "unchecked recursion: documents of an image",
        "archives.image_documents",
        "probes/images/opening.py",
        "    except (ValueError, RecursionError) as error:",
        "    except ValueError as error:",
    ),
    SeededBug(
        "a regular expression that goes back without end",
        "pages.html",
        "probes/kit/pages/html_page.py",
        r'rb"\s*+(?:<!doctype[^<>]*+>\s*+)?+<html',
        r'rb"(?:\s+)*(?:<!doctype[^<>]*+>\s*+)?+<html',
    ),
    SeededBug(
        "a list that grows without bound: faults of a page",
        "pages.json",
        "probes/kit/pages/parsed.py",
        "if len(self._faults) >= MAX_FAULTS - 1:",
        "if len(self._faults) < 0:",
    ),
    SeededBug(
        "a short cut that disagrees: addresses that are not plain",
        "pages.json",
        "probes/kit/pages/columns.py",
        'return _only("".join(urls), _HARMLESS)',
        "return True",
    ),
    SeededBug(
        "a missing clamp: pages that expired before they came",
        "names.headers",
        "probes/kit/freshness.py",
        "timedelta(seconds=max(0, min(seconds, _MAX_SECONDS)))",
        "timedelta(seconds=min(seconds, _MAX_SECONDS))",
    ),
    SeededBug(
        "digits that are no numbers: a superscript in Retry-After",
        "names.headers",
        "probes/kit/freshness.py",
        "    if digits.isascii() and digits.isdigit():\n        return float(",
        "    if digits.isdigit():\n        return float(",
    ),
    SeededBug(
        "a missing escape: a login in an address that is none",
        "names.secrets",
        "probes/kit/redaction.py",
        'bare = re.sub(r"((?:^|:)/{2,})(?:[^/@]*@/*)+", r"\\1", url)',
        "bare = url",
    ),
    SeededBug(
        "versions in the wrong order: zeros that count",
        "names.version",
        "auditor/model/version.py",
        "    while end and release[end - 1] == 0:",
        "    while end > 3 and release[end - 1] == 0:",
    ),
    SeededBug(
        "a wrong digest: zeros at the end do not count",
        "caches.files",
        "probes/kit/disk.py",
        "        while chunk := file.read(_CHUNK_BYTES):\n            if stop.is_set() or read >",
        "        while chunk := file.read(_CHUNK_BYTES).rstrip(b'\\0'):\n"
        "            if stop.is_set() or read >",
    ),
    SeededBug(
        "an error of another class: a zip file with a wrong checksum",
        "archives.any",
        "probes/archives/members.py",
        "    zipfile.BadZipFile,\n",
        "",
    ),
    SeededBug(
        "an error of another class: a RECORD with a field too large",
        "locks.metadata",
        "probes/installed/record.py",
        "    except csv.Error as error:",
        "    except LookupError as error:",
    ),
    SeededBug(
        "an error of another class: a lock that is no UTF-8",
        "locks.uv",
        "probes/locks/formats.py",
        "    except (NotReadable, UnknownCoding, UnicodeDecodeError) as error:",
        "    except (NotReadable, UnknownCoding) as error:",
    ),
)


def copied_with(bug: SeededBug, directory: Path) -> Path:
    """Copy the packages into a directory and put the bug there; the tests are those of here."""
    for package in _PACKAGES:
        unwanted = shutil.ignore_patterns("__pycache__")
        shutil.copytree(ROOT / package, directory / package, ignore=unwanted)
    (directory / "tests").symlink_to(ROOT / "tests", target_is_directory=True)
    (directory / bug.path).write_text(bug.text(), encoding="utf-8")
    return directory


def find(bug: SeededBug, work: Path, limit_s: float = _LIMIT_S) -> Outcome:
    """Fuzz a copy that has the bug, from an empty corpus, until something is found.

    Args:
        bug: that is in the copy.
        work: where corpus and findings are kept.
        limit_s: seconds for each of a few attempts.
    """
    with tempfile.TemporaryDirectory(prefix="seeded-") as directory:
        copy = copied_with(bug, Path(directory))
        for _ in range(_ATTEMPTS):
            shutil.rmtree(work, ignore_errors=True)
            outcome = fuzz(bug.target, limit_s, work, root=copy, first=True)
            if outcome.found:
                break
        return outcome


def _found(work: Path, workers: int) -> Iterator[tuple[SeededBug, Outcome]]:
    with ThreadPoolExecutor(max_workers=workers) as pool:
        numbered = list(enumerate(SEEDED))
        outcomes = pool.map(lambda each: find(each[1], work / str(each[0])), numbered)
        yield from zip(SEEDED, outcomes, strict=True)


def find_all(work: Path, workers: int) -> int:
    """Look for each; return 1 if one was missed."""
    missed = 0
    print("\nbugs seeded on purpose", flush=True)
    for bug, outcome in _found(work, workers):
        missed += not outcome.found
        said = f"found after {outcome.executions:,} inputs" if outcome.found else "NOT FOUND"
        print(f"  {said:28}{bug.target:26}{bug.name}{outcome.problem}", flush=True)
    print(f"{len(SEEDED) - missed} of {len(SEEDED)} were found")
    return int(missed > 0)
