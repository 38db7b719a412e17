"""The pages of a source, or of what copies it faithfully, as each deed leaves them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence

from msgspec import structs

from auditor.model import Candidate, Yank
from auditor.verdict.behaviour import Deed
from auditor.verdict.context import Context
from auditor.verdict.gets import NEW_BYTES

__all__ = ["Candidates", "changed_by", "with_fix"]

Candidates = Sequence[Candidate]


def changed_by(deed: Deed, candidates: Candidates, context: Context) -> Candidates:
    """Return the page after the deed. Places share pages, and what is above them: done once."""
    known, key = context.changed_pages, (deed, id(candidates))
    if key not in known:
        # The page is kept too, so that no other one gets its id.
        known[key] = (candidates, _changed(deed, candidates, context))
    return known[key][1]


def _changed(deed: Deed, candidates: Candidates, context: Context) -> Candidates:
    for change in _CHANGES[deed]:
        candidates = change(candidates, context)
    return candidates


def _without_broken(candidates: Candidates, context: Context) -> Candidates:
    return tuple(c for c in candidates if not context.is_broken_file(c))


def _yanked(candidates: Candidates, context: Context) -> Candidates:
    return _each_broken(candidates, context, lambda c: structs.replace(c, yanked=Yank.YES))


def _replaced(candidates: Candidates, context: Context) -> Candidates:
    new = {"sha256": NEW_BYTES}
    return _each_broken(candidates, context, lambda c: structs.replace(c, hashes=new))


def _each_broken(
    candidates: Candidates, context: Context, change: Callable[[Candidate], Candidate]
) -> Candidates:
    return tuple(change(c) if context.is_broken_file(c) else c for c in candidates)


def with_fix(candidates: Candidates, context: Context) -> Candidates:
    """Add a fix with the same files as the broken release, unless the page has one."""
    line = context.line
    if not line.fixed or any(line.is_fix(c.version) for c in candidates):
        return candidates
    fixed, broken = str(line.fixed[0]), [c for c in candidates if context.is_broken_file(c)]
    return (*candidates, *(_renamed(c, fixed) for c in broken if c.version))


def _renamed(file: Candidate, version: str) -> Candidate:
    name = file.filename.replace(f"-{file.version}", f"-{version}", 1)
    return structs.replace(file, filename=name, version=version, hashes={}, yanked=Yank.NO)


_CHANGES: Mapping[Deed, Sequence[Callable[[Candidates, Context], Candidates]]] = {
    Deed.ROLLED_FORWARD: (with_fix,),
    Deed.YANKED: (_yanked,),
    Deed.FIXED_THEN_YANKED: (with_fix, _yanked),
    Deed.DELETED_FILE_SERVED: (_without_broken,),
    Deed.DELETED_FILE_GONE: (_without_broken,),
    Deed.PROJECT_DELETED: (),
    Deed.REPLACED: (_replaced,),
    Deed.UPSTREAM_DOWN: (),
}
