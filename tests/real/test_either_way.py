"""What is foretold of software that nobody recognises is true, whether or not it follows."""

from __future__ import annotations

import tempfile
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import pytest

from auditor.lab.drive.caches.nginx import NginxCache
from auditor.lab.drive.caches.origin import Lifetime, serving_together
from auditor.lab.drive.preloaded_pip import preloaded_pip
from auditor.lab.drive.subject import Place
from auditor.lab.experiment.outcome import Mark
from auditor.lab.experiment.playing import play_variant
from auditor.lab.experiment.scenarios import SCENARIOS
from auditor.lab.experiment.variants import Variant
from auditor.verdict.behaviour import Deed

pytestmark = [pytest.mark.real, pytest.mark.slow, pytest.mark.real_program("nginx", "pip")]

# It takes the change over, or keeps its page for as long as anybody looks.
FOLLOWS, KEEPS = 1, 600
# Of who pins it a yank changes nothing; of a deletion it is only known that no network gives none.
KNOWN = {
    "yank": {"pinned", "by-hash", "by-url", "offline"},
    "roll-forward": {"pinned", "by-hash", "by-url", "offline"},
    "delete": {"offline"},
    "delete-with-file": {"offline"},
    "re-upload": {"offline"},
    "upstream-down": {"offline"},
}


@dataclass(kw_only=True)
class Unrecognised(NginxCache):
    """An nginx that is audited as any index."""

    def places(self) -> Sequence[Place]:
        table = {"kind": "simple", "url": self.simple_url}
        return [Place(name="index", table=table, index_url=self.simple_url, checks_held=False)]


@pytest.fixture
def directory() -> Iterator[Path]:
    """A directory that an unprivileged server may enter, which pytest's own are not."""
    with tempfile.TemporaryDirectory(prefix="auditor-either-") as name:
        path = Path(name)
        path.chmod(0o755)
        yield path


@pytest.mark.parametrize("pages_s", [FOLLOWS, pytest.param(KEEPS, marks=pytest.mark.heavy)])
@pytest.mark.parametrize(
    "scenario",
    ["yank", *(pytest.param(each, marks=pytest.mark.heavy) for each in [*KNOWN][1:])],
)
async def test_what_is_foretold_of_an_unrecognised_server_is_what_its_clients_get(
    scenario: str, pages_s: int, real_program: Callable[[str], Path], directory: Path
) -> None:
    deed: Deed = SCENARIOS[scenario][0]
    variant = Variant(
        program="nginx",
        settings="recognised by nobody",
        make=partial(Unrecognised, command=real_program("nginx")),
        serve=partial(serving_together, lifetime=Lifetime(pages_s=pages_s)),
        waits=pages_s == FOLLOWS,
    )
    async with preloaded_pip():
        (result,) = await play_variant(variant, scenario, deed, directory)
    marks = {cell.subject: cell.mark for cell in result.cells}
    assert Mark.WRONG not in marks.values(), result.cells
    assert KNOWN[scenario] <= {subject for subject, mark in marks.items() if mark is Mark.RIGHT}
