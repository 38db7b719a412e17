"""What travels: read back whole, bounded, and refused where it is none of ours."""

from __future__ import annotations

import base64
import json
import zlib
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from auditor.config import Options, resolve
from auditor.config.document import Document
from auditor.contracts import GuardPolicy, Hop, ProbeKind, SourceFacts
from auditor.errors import ObservationsError
from auditor.model import Incident, Observation, Outcome, Role
from auditor.registry import load_kinds
from auditor.vantages import messages
from auditor.vantages.looking import Outlook
from auditor.vantages.messages import (
    Answer,
    Question,
    pack_answer,
    pack_question,
    unpack_answer,
    unpack_question,
)
from tests.verdict import stage

INCIDENT = Incident(id="i", project="brokenpkg", broken=("1.2.3",), fixed=("1.2.4",))
QUESTION = Question(
    format=1,
    run="r",
    vantage="paris",
    location="mirror",
    kind="simple",
    locator="https://mirror.example/simple/",
    incident=INCIDENT,
    source=SourceFacts(name="source", lists_fix=True, gone=frozenset({"a.whl"})),
    upstreams=(Hop(name="source", kind="pypi", gone=frozenset({"a.whl"})),),
    policy=GuardPolicy(inert=True),
    timeout_s=3.0,
    user_agent_suffix="auditor/1",
)
SEEN = replace(stage.observe("mirror", stage.page()), vantage="paris", incident="i")


def test_a_question_is_read_back_whole() -> None:
    assert unpack_question(pack_question(QUESTION)) == QUESTION


def test_an_answer_is_read_back_whole_and_is_plain_json() -> None:
    packed = json.loads(json.dumps(pack_answer(Answer(observation=SEEN))))
    assert unpack_answer(packed, QUESTION) == Answer(observation=SEEN)


@pytest.mark.parametrize("part", ["run", "vantage", "location"])
def test_the_same_question_has_the_same_id_and_another_one_another(part: str) -> None:
    assert replace(QUESTION, timeout_s=9.0).id == QUESTION.id
    assert replace(QUESTION, **{part: "x"}).id != QUESTION.id
    assert replace(QUESTION, incident=replace(INCIDENT, id="j")).id != QUESTION.id


@pytest.mark.parametrize(
    "packed",
    [
        b"bytes",
        "{}",
        "[" * 10_000,
        pack_question(replace(QUESTION, incident=replace(INCIDENT, project="../../admin"))),
        pack_question(replace(QUESTION, incident=replace(INCIDENT, broken=("not a version",)))),
        pack_question(replace(QUESTION, format=2)),
        pack_question(replace(QUESTION, vantage="a\nb")),
        pack_question(replace(QUESTION, user_agent_suffix="x\r\nAuthorization: y")),
    ],
)
def test_what_is_no_question_is_refused(packed: object) -> None:
    with pytest.raises(ObservationsError):
        unpack_question(packed)


def test_a_question_that_is_too_large_is_not_sent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_QUESTION_BYTES", 100)
    with pytest.raises(ObservationsError, match="more than the 100 that may travel"):
        pack_question(QUESTION)


def test_an_answer_that_is_too_large_says_so_in_place_of_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(messages, "MAX_ANSWER_BYTES", 100)
    packed = pack_answer(Answer(observation=SEEN))
    assert "more than the 100" in unpack_answer(packed, QUESTION).refused


def test_an_answer_that_unpacks_to_too_much_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(messages, "MAX_ANSWER_BYTES", 1000)
    bomb = base64.b64encode(zlib.compress(b" " * 100_000)).decode()
    with pytest.raises(ObservationsError, match="too large"):
        unpack_answer({"format": 1, "seen": bomb}, QUESTION)


@pytest.mark.parametrize(
    ("packed", "told"),
    [
        (None, "no answer"),
        ({"format": 2}, "format"),
        ({"format": 1, "seen": "%"}, "damaged"),
        ({"format": 1, "seen": base64.b64encode(zlib.compress(b"{}")).decode()}, "damaged"),
        (pack_answer(Answer(observation=replace(SEEN, vantage="rome"))), "another question"),
        (pack_answer(Answer(observation=replace(SEEN, location="edge"))), "another question"),
    ],
)
def test_what_is_no_answer_to_this_question_is_refused(packed: object, told: str) -> None:
    with pytest.raises(ObservationsError, match=told):
        unpack_answer(packed, QUESTION)


async def look(assignment: object) -> Observation:
    raise AssertionError("nobody may look")


@pytest.fixture
def outlook() -> Outlook:
    """A worker in paris that knows one place."""
    kind = ProbeKind(name="simple", summary="s", role=Role.INDEX, observe=look)
    table = {"name": "mirror", "kind": "simple", "url": "https://mirror.example/simple/"}
    resolved = resolve(
        Document(data={"locations": [table]}),
        load_kinds(),
        Options(vantage="paris", needs_incident=False),
        environ={},
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )
    return Outlook(vantage="paris", resolved=resolved, kinds={"simple": kind})


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"vantage": "rome"}, "this worker is at paris"),
        ({"location": "passwd"}, "has no place called passwd"),
        ({"locator": "https://evil.example/simple/"}, "means another place by mirror"),
        ({"kind": "pypi"}, "means another place by mirror"),
    ],
)
def test_a_worker_looks_only_at_what_its_own_configuration_names(
    outlook: Outlook, changes: dict[str, str], told: str
) -> None:
    assert told in outlook.answer(pack_question(replace(QUESTION, **changes))).refused


def test_a_worker_that_looks_runs_the_probe_of_its_own_place(outlook: Outlook) -> None:
    # The probe of this fixture fails by its assertion: the engine makes an observation of that.
    answer = outlook.answer(pack_question(QUESTION))
    assert answer.observation is not None
    assert answer.observation.outcome is Outcome.MALFORMED
    assert answer.observation.vantage == "paris"


def test_what_is_no_question_is_answered_not_raised(outlook: Outlook) -> None:
    assert "no question" in outlook.answer({"rm": "-rf"}).refused


def test_nothing_imports_celery_but_the_application() -> None:
    root = Path(messages.__file__).parents[1]
    naming = [
        path.name
        for path in root.rglob("*.py")
        if 'import_module("celery")' in (text := path.read_text(encoding="utf-8"))
        or "import celery" in text
        or "from celery" in text
    ]
    assert naming == ["broker.py"]
