"""Remedies name what is there: a command without its directory or its address is no command."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import HeldState, Observation, RemedyTemplate, Status

from .stage import KINDS, OLD, held, location, observe, page, plan, run


def test_a_command_is_printed_only_where_what_it_names_is_known() -> None:
    templates = tuple(
        RemedyTemplate(command=command, effect="e", statuses=tuple(Status))
        for command in ("look at {path}", "ask {url}", "ask {page}")
    )
    kinds = {**KINDS, "simple": replace(KINDS["simple"], remedies=templates)}

    def commands(path: str | None, url: str | None) -> list[str]:
        place = replace(location("mirror"), path=path, url=url)
        found = run(plan(place, kinds=kinds), observe("mirror", page(OLD)))
        return [remedy.command for remedy in found.verdicts[0].remedies]

    assert commands("/srv/wheels", None) == ["look at /srv/wheels"]
    asked = ["ask https://m.example/", "ask https://m.example/brokenpkg/"]
    assert commands(None, "https://m.example/") == asked


def offered(seen: Observation, *templates: RemedyTemplate, **settings: str) -> list[str]:
    kinds = {**KINDS, "simple": replace(KINDS["simple"], remedies=templates)}
    place = replace(location("mirror"), url="https://m.example/", settings=settings)
    found = run(plan(place, kinds=kinds), seen)
    return [remedy.command for remedy in found.verdicts[0].remedies]


def test_a_remedy_is_for_the_program_that_was_recognised_and_all_are_for_none() -> None:
    templates = [
        RemedyTemplate(command=name, effect="e", statuses=tuple(Status), traits=traits)
        for name, traits in (("a", ("nginx",)), ("b", ("squid", "apache")), ("c", ()))
    ]
    seen = observe("mirror", page(OLD))
    assert offered(replace(seen, traits=("nginx",)), *templates) == ["a", "c"]
    assert offered(replace(seen, traits=("apache", "else")), *templates) == ["b", "c"]
    assert offered(replace(seen, traits=("else",)), *templates) == ["a", "b", "c"]


def test_a_remedy_is_for_bytes_that_lie_as_they_do_here() -> None:
    template = RemedyTemplate(
        command="rm", effect="e", statuses=tuple(Status), states=(HeldState.HELD,)
    )
    seen = {state: observe("mirror", page(OLD), holdings=(held(state),)) for state in HeldState}
    assert [state for state in HeldState if offered(seen[state], template)] == [HeldState.HELD]


def test_a_command_goes_to_the_server_that_was_audited() -> None:
    template = RemedyTemplate(
        command="aws {endpoint_option}s3 rm {url}", effect="e", statuses=tuple(Status)
    )
    seen = observe("mirror", page(OLD))
    assert offered(seen, template) == ["aws s3 rm https://m.example/"]
    assert offered(seen, template, endpoint_url="http://127.0.0.1:9000/a b") == [
        "aws --endpoint-url 'http://127.0.0.1:9000/a b' s3 rm https://m.example/"
    ]
