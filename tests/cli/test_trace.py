"""`auditor trace`: from a copy to the places that can have given it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from auditor.lab.story import BROKEN, PROJECT
from auditor.lab.world import World
from auditor.model import HeldState, Integrity, Observation, Outcome, Pin, PinState
from auditor.tracing import Bytes, Copy, Trace, trace
from tests.verdict.stage import FIX, held, location, observe, page, source

from .conftest import Run


@pytest.fixture
def places(world: World) -> Callable[..., list[str]]:
    """Options that name places of the world, in the order in which a client asks them."""

    def options(*names: str) -> list[str]:
        words: list[str] = []
        for name in names:
            kind = "pypi" if name == "source" else "simple"
            words += ["--location", f"{name}:{kind}={world.servers[name].simple_url}"]
        return words

    return options


def wheel_of(world: World, directory: Path) -> Path:
    """The broken wheel, as a user has it on disk."""
    found = next(Path(world.directory).rglob(f"{PROJECT}-{BROKEN}-*.whl"))
    copy = directory / found.name
    copy.write_bytes(found.read_bytes())
    return copy


def traced(run: Run, *words: object) -> dict[str, dict[str, object]]:
    done = run("trace", *words, "--format", "json")
    assert done.code == 0, done.err
    document = json.loads(done.out)
    return {place["name"]: place for place in document["places"]} | {"": document}


def test_a_file_is_traced_to_those_who_list_its_bytes(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    found = traced(
        run, wheel_of(world, tmp_path), *places("tampered-mirror", "stuck-mirror", "source")
    )
    assert found["tampered-mirror"]["lists"] == "other bytes"
    assert found["tampered-mirror"]["rank"] is None
    assert (found["stuck-mirror"]["lists"], found["stuck-mirror"]["rank"]) == ("same bytes", 1)
    assert found["source"]["rank"] == 2
    assert "stuck-mirror" in str(found[""]["sentence"])
    assert found[""]["at_source"] == "source still lists it"


def test_the_only_place_with_other_bytes_is_named_for_a_tampered_copy(
    run: Run, world: World, places: Callable[..., list[str]]
) -> None:
    pages = traced(run, f"{PROJECT}=={BROKEN}", *places("tampered-mirror", "source"))
    assert {pages["source"]["lists"], pages["tampered-mirror"]["lists"]} == {
        "that version, bytes not compared"
    }


def test_a_digest_is_enough_with_a_project(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    digest = hashlib.sha256(wheel_of(world, tmp_path).read_bytes()).hexdigest()
    found = traced(
        run, f"sha256:{digest}", "--project", PROJECT, *places("clean-mirror", "fresh-mirror")
    )
    assert (found["fresh-mirror"]["lists"], found["clean-mirror"]["lists"]) == ("same bytes", "no")
    assert "only this place has these bytes" in str(found["fresh-mirror"]["why"])


def test_a_client_cache_comes_before_every_index(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    cache = next(p for p in world.placements if p.name == "pip-cache")
    path = cache.path
    found = traced(
        run,
        wheel_of(world, tmp_path),
        *places("source"),
        *("--location", f"mine:pip-cache={path}"),
    )
    assert (found["mine"]["rank"], found["source"]["rank"]) == (1, 2)
    assert "may have asked nobody" in str(found[""]["sentence"])


def test_what_cannot_be_read_is_named_and_never_excluded(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    down = next(p for p in world.placements if p.name == "down").url
    found = traced(run, f"{PROJECT}==9.9", *places("source"), "--location", f"down:simple={down}")
    assert found["down"]["lists"] == "unknown"
    assert "not known of down" in str(found[""]["sentence"])


def test_the_text_names_the_source_and_every_place(
    run: Run, world: World, places: Callable[..., list[str]]
) -> None:
    done = run("trace", f"{PROJECT}=={BROKEN}", *places("source", "stuck-mirror"))
    assert done.code == 0
    assert "At the source: source still lists it." in done.out
    assert "stuck-mirror (simple)" in done.out


@pytest.mark.parametrize(
    ("words", "cause"),
    [
        (["no such thing"], "no file here"),
        (["sha256:123"], "no file here"),
        (["brokenpkg==not.a.version.at.all!"], "no version"),
    ],
)
def test_what_cannot_be_understood_is_a_mistake(run: Run, words: list[str], cause: str) -> None:
    done = run("trace", *words)
    assert done.code == 2
    assert cause in done.err


def test_a_digest_alone_is_searched_in_stores_and_the_others_say_what_they_need(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    cache = next(p for p in world.placements if p.name == "pip-cache").path
    copy = wheel_of(world, tmp_path)
    (tmp_path / "copy.bin").write_bytes(copy.read_bytes())
    digest = hashlib.sha256(copy.read_bytes()).hexdigest()
    for subject in (f"sha256:{digest}", tmp_path / "copy.bin"):
        words = (*places("source"), "--location", f"mine:pip-cache={cache}")
        found = traced(run, subject, *words)
        assert (found["mine"]["holds"], found["mine"]["rank"]) == ("same bytes", 1)
        assert "only be searched by a project's name" in str(found["source"]["why"])
        assert found[""]["copy"] == {
            "project": None,
            "version": None,
            "filename": None,
            "sha256": digest,
            "fault": "",
        }


def test_a_digest_alone_is_searched_in_the_places_that_pip_is_configured_with(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PIP_CACHE_DIR", str(tmp_path / "cache"))
    found = traced(run, "sha256:" + "0" * 64)
    assert {"pip-cache", "uv-cache"} <= found.keys()
    assert found["pip-cache"]["holds"] == "no"
    assert "only be searched by a project's name" in str(found["pypi"]["why"])
    assert "not known of pypi" in str(found[""]["sentence"])


def test_a_digest_alone_is_searched_for_under_each_project_of_the_configuration(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    config = tmp_path / "audit.toml"
    config.write_text(
        "".join(
            f'[[incidents]]\nproject = "{project}"\nbroken = ["1"]\nfixed = ["2"]\n'
            for project in ("otherpkg", PROJECT)
        )
    )
    digest = hashlib.sha256(wheel_of(world, tmp_path).read_bytes()).hexdigest()
    found = traced(run, f"sha256:{digest}", "--config", config, *places("fresh-mirror"))
    assert (found["fresh-mirror"]["lists"], found["fresh-mirror"]["rank"]) == ("same bytes", 1)


def test_a_digest_alone_is_named_by_the_place_that_has_it_and_then_asked_for_everywhere(
    run: Run, world: World, places: Callable[..., list[str]], tmp_path: Path
) -> None:
    wheel = wheel_of(world, tmp_path)
    digest = hashlib.sha256(wheel.read_bytes()).hexdigest()
    (tmp_path / "lock").mkdir()
    (tmp_path / "lock/requirements.txt").write_text(f"{PROJECT}=={BROKEN}\n")
    found = traced(
        *(run, f"sha256:{digest}", *places("tampered-mirror", "fresh-mirror")),
        *("--location", f"wheels:wheelhouse={tmp_path}"),
        *("--location", f"lock:lockfile={tmp_path / 'lock/requirements.txt'}"),
    )
    assert found["fresh-mirror"]["lists"] == "same bytes"
    assert found["tampered-mirror"]["lists"] == "other bytes"
    assert found["lock"]["forced_by"] != []
    assert wheel.name in str(found[""]["copy"])


def test_an_environment_with_code_that_nobody_knows_may_have_any_version(tmp_path: Path) -> None:
    pin = Pin(
        where="site-packages/x",
        state=PinState.INSTALLED,
        version="1.2.4",
        integrity=Integrity.PATCHED,
    )
    seen = observe("cache", pins=(pin,), holdings=(held(HeldState.HELD, "1.2.4"),))
    (place,) = told(replace(seen, holdings_complete=True)).places
    assert place.holds is Bytes.UNKNOWN
    code = replace(seen, holdings_complete=True, pins=(replace(pin, code=BROKEN),))
    (place,) = told(code).places
    assert place.forced_by == ("site-packages/x",)


@pytest.mark.parametrize(
    ("keep", "fault"), [(0, "The given file is empty."), (-30, "The given file does not open")]
)
def test_a_file_that_nobody_can_install_is_said_to_be_one_first(
    run: Run,
    world: World,
    places: Callable[..., list[str]],
    tmp_path: Path,
    keep: int,
    fault: str,
) -> None:
    copy = wheel_of(world, tmp_path)
    copy.write_bytes(copy.read_bytes()[:keep])
    found = traced(run, copy, *places("source"))
    assert str(found[""]["sentence"]).startswith(fault)


def test_a_lock_or_an_environment_is_never_called_the_origin(run: Run, tmp_path: Path) -> None:
    (tmp_path / "requirements.txt").write_text(f"{PROJECT}=={BROKEN}\n")
    found = traced(
        run, f"{PROJECT}=={BROKEN}", "--location", f"lock:lockfile={tmp_path / 'requirements.txt'}"
    )
    assert found["lock"]["rank"] is None
    assert "it came through here, named by" in str(found["lock"]["why"])
    assert "it came through lock" in str(found[""]["sentence"])


def test_with_a_digest_what_cannot_be_compared_is_no_origin_and_is_named() -> None:
    copy = Copy(project=PROJECT, version=BROKEN, sha256="0" * 64)
    found = told(observe("cache", holdings=(held(HeldState.HELD),)), copy=copy)
    assert [place.rank for place in found.places] == [None]
    assert "not known of cache" in found.sentence


def test_a_store_with_other_bytes_of_that_version_says_so() -> None:
    copy = Copy(project=PROJECT, version=BROKEN, sha256="0" * 64)
    other = replace(held(HeldState.HELD), sha256="1" * 64)
    (place,) = told(observe("cache", holdings=(other,)), copy=copy).places
    assert (place.holds, place.rank) == (Bytes.OTHER, None)
    assert place.why == "it holds other bytes of that version: not from here"


# --- what places tell, without a server ----------------------------------------------------------

ORIGIN, CACHE = location("source", "pypi"), location("cache", "box")


def told(*seen: Observation, copy: Copy | None = None) -> Trace:
    places = [place for place in (ORIGIN, CACHE) if place.name in {o.location for o in seen}]
    copy = copy or Copy(project=PROJECT, version=BROKEN)
    return trace(copy, places, seen, ORIGIN)


def test_a_source_that_may_still_serve_an_unlisted_file_is_not_called_empty() -> None:
    page_without = page((FIX,))
    unknown = told(observe("source", page_without)).at_source
    assert unknown == "source does not list it; whether it still serves the file is not known"
    gone = told(observe("source", page_without, holdings_complete=True)).at_source
    assert "no longer has it" in gone
    unread = told(observe("source", replace(page_without, complete=False))).at_source
    assert unread == "it is not known whether source lists it"
    (place,) = told(observe("source", replace(page_without, complete=False))).places
    assert place.why == "what it lists could not be read to its end"


def test_a_cache_without_the_project_is_known_to_hold_nothing() -> None:
    found = told(observe("source", page((FIX,))), observe("cache", outcome=Outcome.ABSENT))
    cache = next(p for p in found.places if p.location.name == "cache")
    assert (cache.holds, cache.state) == (Bytes.NONE, HeldState.NOT_HELD)
    assert cache.why == "it has none of it"
    assert "not known of" not in found.sentence


def test_a_cache_that_was_not_read_to_its_end_is_named() -> None:
    found = told(observe("cache", holdings_complete=False))
    assert "not known of cache" in found.sentence


def test_a_version_alone_is_told_to_have_no_digest_to_compare() -> None:
    (by_version,) = told(source()).places
    assert "no digest was given" in by_version.why
    copy = Copy(project=PROJECT, version=BROKEN, sha256="0" * 64)
    (by_digest,) = told(observe("cache", holdings=(held(HeldState.HELD),)), copy=copy).places
    assert "states no digest" in by_digest.why
