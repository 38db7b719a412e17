"""One target under atheris, in a process of its own: `python -m tests.fuzz.child TARGET …`.

A finding is kept and told, and the search goes on: one run shows more than the first defect. Only
what nothing survives (an endless loop, the end of memory, a crash of an extension) ends it.
"""

from __future__ import annotations

import gc
import json
import os
import random
import sys
from collections.abc import Callable
from functools import _lru_cache_wrapper
from pathlib import Path

import atheris  # type: ignore[import-untyped,import-not-found,unused-ignore]  # no stubs, Linux only

from tests.fuzz.changes import grown

with atheris.instrument_imports(include=["auditor", "probes"]):
    from tests.fuzz.registry import find_target
    from tests.fuzz.target import Target, scratch
    from tests.fuzz.trial import MAX_CPU_S, MAX_INPUT_BYTES, Finding, attempt

# Counting every branch makes Python so many times slower. What is slow under it is tried again
# without (see the driver).
_INSTRUMENTED_SLOWDOWN = 2.0
_MAX_FINDINGS = 20
# One in so many inputs is made large, by repeating a piece of it: what takes quadratic time shows
# in nothing small.
_LARGE_ONE_IN = 151
_LARGE_BYTES = 2**14
_MARK = "fuzz-finding "
# What is remembered between inputs is bounded by number; inputs of a megabyte are no names.
_FORGET_EVERY = 200


class Search:
    """Keeps each defect once."""

    def __init__(self, target: Target, kept: Path, *, stops_at_first: bool) -> None:
        self._target = target
        self._kept = kept
        self._stops_at_first = stops_at_first
        self._seen: set[str] = set()
        self._runs = 0
        self._memories = [o for o in gc.get_objects() if isinstance(o, _lru_cache_wrapper)]

    def __call__(self, data: bytes) -> None:
        """Run one input."""
        self._runs += 1
        if self._runs % _FORGET_EVERY == 0:
            for memory in self._memories:
                if memory.__module__.startswith(("auditor", "probes", "packaging")):
                    memory.cache_clear()
        found = attempt(self._target, data, max_cpu_s=MAX_CPU_S * _INSTRUMENTED_SLOWDOWN)
        if found is None or found.where in self._seen:
            return
        self._seen.add(found.where)
        self._keep(found, data)
        if self._stops_at_first or len(self._seen) >= _MAX_FINDINGS:
            os._exit(0)  # libFuzzer would take any other end for a crash, and keep the input twice

    def _keep(self, found: Finding, data: bytes) -> None:
        path = self._kept / found.name
        path.write_bytes(data)
        told = {"kind": found.kind, "where": found.where, "text": found.text, "path": str(path)}
        print(f"\n{_MARK}{json.dumps(told)}", file=sys.stderr, flush=True)


def mutator(target: Target) -> Callable[[bytes, int, int], bytes]:
    """Return what changes an input: as libFuzzer does, or so that it stays well-formed."""

    seeds = list(target.seeds())

    def mutated(data: bytes, max_size: int, seed: int) -> bytes:
        chance = random.Random(seed)  # nothing secret
        draw = chance.randrange(_LARGE_ONE_IN)
        if draw == 0:
            return grown(data, chance)[:MAX_INPUT_BYTES]
        if len(data) > _LARGE_BYTES and draw % 4 < 2:  # what is small is tried more often
            data = data[: chance.choice((2**8, 2**10, 2**12))]
        if target.change is not None and draw % 2:
            if draw % 4 == 1:  # what is kept grows odder all the time, and odd is refused soon
                data = chance.choice(seeds)
            return target.change(data, chance)[:MAX_INPUT_BYTES]
        changed: bytes = atheris.Mutate(data, max_size)
        return changed

    return mutated


def main(arguments: list[str]) -> None:
    """Fuzz until libFuzzer's time is over.

    Args:
        arguments: name of the target, `first` or `all`, directory of the corpus, that of what is
            found, options of libFuzzer.
    """
    name, extent, corpus, kept, *options = arguments
    with atheris.instrument_imports(include=["auditor", "probes"]):
        target = find_target(name)
    for number, seed in enumerate(target.seeds()):
        (Path(corpus) / f"seed-{number}").write_bytes(seed)
    search = Search(target, Path(kept), stops_at_first=extent == "first")
    told = [*_dictionary(target), f"-artifact_prefix={kept}/", *options, corpus]
    atheris.Setup([sys.argv[0], *told], search, custom_mutator=mutator(target))
    atheris.Fuzz()


def _dictionary(target: Target) -> list[str]:
    if not target.tokens:
        return []
    words = scratch("words") / "tokens.dict"
    words.write_text("".join(f'"{_escaped(token)}"\n' for token in target.tokens))
    return [f"-dict={words}"]


def _escaped(token: bytes) -> str:
    return "".join(f"\\x{byte:02x}" for byte in token)


if __name__ == "__main__":
    main(sys.argv[1:])
