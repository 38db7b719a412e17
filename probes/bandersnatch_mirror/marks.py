"""The mirror's global marks: hints for a reader, and never evidence for one project.

`status` advances past projects whose page it could not refresh, and stays behind after `sync`;
`last-modified` is written by runs without errors only; the exit code of `mirror` is 0 for a refused
package. Only the serial of the project's own page is evidence.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from probes.bandersnatch_mirror.layout import Tree
from probes.kit.answer import shown
from probes.kit.disk import NotReadable, read_regular

__all__ = ["last_modified_note", "read_marks"]

_MAX_MARK_BYTES = 200
_MAX_TODO_BYTES = 64 * 2**20
# bandersnatch 6.8 starts over when it finds another one.
_GENERATION = "5"
_HINT = "a hint about the whole mirror that proves nothing about this project"


def read_marks(tree: Tree, project: str) -> Iterator[str]:
    """Tell what the mirror says of its own runs."""
    yield from _mark(tree.web / "last-modified", "last run without errors began")
    if tree.home is None:
        return
    yield from _mark(tree.home / "status", "status, the serial of its last good run, is")
    yield from _generation(tree.home / "generation")
    yield from _todo(tree.home / "todo", project)


def last_modified_note(text: str) -> str:
    """Tell what `last-modified` says."""
    return f"last run without errors began {shown(text.strip(), 60)}: {_HINT}"


def _mark(path: Path, words: str) -> Iterator[str]:
    text, problem = _read(path, _MAX_MARK_BYTES)
    if problem:
        yield problem
    elif text is not None:
        yield f"{words} {shown(text.strip(), 60)}: {_HINT}"


def _generation(path: Path) -> Iterator[str]:
    text, problem = _read(path, _MAX_MARK_BYTES)
    if problem:
        yield problem
    elif text is not None and text.strip() != _GENERATION:
        yield (
            f"generation is {shown(text.strip(), 20)}, not {_GENERATION}: written by another "
            "version of bandersnatch; the next run starts over"
        )


def _todo(path: Path, project: str) -> Iterator[str]:
    text, problem = _read(path, _MAX_TODO_BYTES)
    if problem:
        yield problem
    if text is None:
        return
    target, *rest = text.splitlines() or [""]
    names = [line.split()[0] for line in rest if line.strip()]
    ours = project in names
    yield (
        f"an unfinished run: todo aims at serial {shown(target.strip(), 30)} and has "
        f"{len(names)} projects left, {project} {'among' if ours else 'not among'} them"
    )


def _read(path: Path, limit: int) -> tuple[str | None, str]:
    """Return the text, or the problem; neither if there is no such file."""
    try:
        return read_regular(path, limit).decode("utf-8", "replace"), ""
    except FileNotFoundError:
        return None, ""
    except PermissionError:
        return None, f"{path.name} may not be read by this user (bandersnatch makes it 0600)"
    except (OSError, NotReadable) as error:
        return None, f"{path.name} cannot be read: {getattr(error, 'strerror', None) or error}"
