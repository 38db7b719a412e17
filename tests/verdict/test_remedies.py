"""Remedies name what is there: a command without its directory or its address is no command."""

from __future__ import annotations

from dataclasses import replace

from auditor.model import RemedyTemplate, Status

from .stage import KINDS, OLD, location, observe, page, plan, run


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
