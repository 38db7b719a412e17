"""What travels between the coordinator and its workers: JSON, bounded, and without a secret."""

from __future__ import annotations

import base64
import hashlib
import uuid
import zlib
from dataclasses import dataclass
from typing import cast

import msgspec

from auditor.config.values import parse_name, parse_project, parse_version_rule
from auditor.contracts import GuardPolicy, Hop, SourceFacts
from auditor.errors import ObservationsError
from auditor.model import Incident, Location, Observation
from auditor.model.stored_times import find_bad_time
from auditor.observations import encode

__all__ = [
    "FORMAT",
    "MAX_ANSWER_BYTES",
    "MAX_QUESTION_BYTES",
    "Answer",
    "Question",
    "describe",
    "pack_answer",
    "pack_question",
    "queue_of",
    "unpack_answer",
    "unpack_question",
]

# Raised when an older worker could no longer answer.
FORMAT = 1
# A question names some hundred files at most; all that is larger is none of ours.
MAX_QUESTION_BYTES = 4 << 20
# PyPI's largest pages in all views are some 20 MB as JSON, a tenth of it packed. Redis keeps every
# answer in memory until it is fetched.
MAX_ANSWER_BYTES = 64 << 20
_QUEUE_PREFIX = "propagation-audit."


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One look that is asked of a vantage.

    Attributes:
        format: `FORMAT` of the one who asks.
        run: of which it is a part.
        vantage: whose worker is to look.
        location, kind, locator: where. The worker knows the place by name from a configuration of
            its own and looks nowhere else; it refuses if kind or locator are others there.
        incident: what to look for.
        source, upstreams: what is known of the places above.
        policy: what requests may do.
        timeout_s: seconds for the look.
        user_agent_suffix: goes into every User-Agent.
    """

    format: int
    run: str
    vantage: str
    location: str
    kind: str
    locator: str
    incident: Incident
    source: SourceFacts | None
    upstreams: tuple[Hop, ...]
    policy: GuardPolicy
    timeout_s: float
    user_agent_suffix: str

    @property
    def id(self) -> str:
        """The same for whoever asks it again: an answer that comes twice is one answer."""
        parts = (self.run, self.vantage, self.incident.id, self.location)
        digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).digest()
        return str(uuid.UUID(bytes=digest[:16]))


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """What a worker says.

    Attributes:
        observation: what it saw; None if it did not look.
        refused: why it did not look; "" if it did.
    """

    observation: Observation | None = None
    refused: str = ""


def queue_of(vantage: str) -> str:
    """Name the queue of a vantage."""
    return f"{_QUEUE_PREFIX}{vantage}"


def describe(location: Location) -> str:
    """Say which place a location is, so that two configurations can be compared.

    A path says nothing: it is on each vantage's own machine.
    """
    parts = (location.url, location.settings.get("bucket"), location.settings.get("endpoint_url"))
    return " ".join(str(part) for part in parts if part)


def pack_question(question: Question) -> str:
    """Write a question as JSON.

    Raises:
        ObservationsError: it is too large to be sent.
    """
    packed = msgspec.json.encode(question)
    if len(packed) > MAX_QUESTION_BYTES:
        raise ObservationsError(
            f"the question is {len(packed)} bytes, more than the {MAX_QUESTION_BYTES} that may "
            "travel; look from there with `auditor probe`"
        )
    return packed.decode()


def unpack_question(packed: object) -> Question:
    """Read a question, which anybody who reaches the broker may have written.

    Raises:
        ObservationsError: it is none, or too large.
    """
    if not isinstance(packed, str) or len(packed) > MAX_QUESTION_BYTES:
        raise ObservationsError("this is no question of an auditor")
    try:
        question = msgspec.json.decode(packed, type=Question)
        parse_name(question.vantage)
        if question.incident.project != parse_project(question.incident.project):
            raise ValueError("the name of the project is not normalised")
        if fault := find_bad_time(question.incident, "incident"):
            raise ValueError(fault)
        if len(question.user_agent_suffix) > 300 or not question.user_agent_suffix.isprintable():
            raise ValueError("the user agent is none")
        for text in (*question.incident.broken, *question.incident.fixed):
            parse_version_rule(text)
    except (msgspec.MsgspecError, ValueError, RecursionError) as error:
        raise ObservationsError(f"this is no question that this worker reads: {error}") from error
    if question.format != FORMAT:
        raise ObservationsError(
            f"the question is in format {question.format}, this worker reads {FORMAT}; install "
            "the same auditor at both ends"
        )
    return question


def pack_answer(answer: Answer) -> dict[str, str | int]:
    """Write an answer as what JSON can hold; one that is too large says so in place of itself."""
    if answer.observation is None:
        return {"format": FORMAT, "refused": answer.refused}
    plain = encode(answer.observation)
    if len(plain) > MAX_ANSWER_BYTES:
        return {
            "format": FORMAT,
            "refused": f"what was seen is {len(plain)} bytes, more than the {MAX_ANSWER_BYTES} "
            "that may travel; look from there with `auditor probe`",
        }
    return {"format": FORMAT, "seen": base64.b64encode(zlib.compress(plain, 1)).decode()}


def unpack_answer(packed: object, question: Question) -> Answer:
    """Read the answer to a question.

    Raises:
        ObservationsError: it is none, too large, or the answer to another question.
    """
    if not isinstance(packed, dict):
        raise ObservationsError("this is no answer of an auditor")
    message = cast("dict[str, object]", packed)
    if message.get("format") != FORMAT:
        raise ObservationsError(
            f"the answer is not in format {FORMAT}; install the same auditor at both ends"
        )
    seen = message.get("seen")
    if not isinstance(seen, str):
        return Answer(refused=str(message.get("refused", ""))[:500] or "no cause was given")
    try:
        observation = msgspec.json.decode(_unpacked(seen), type=Observation)
        if fault := find_bad_time(observation, "observation"):
            raise ValueError(fault)
    except (ValueError, zlib.error, RecursionError, msgspec.MsgspecError) as error:
        raise ObservationsError(f"the answer is damaged: {error}") from error
    named = (observation.vantage, observation.incident, observation.location)
    if named != (question.vantage, question.incident.id, question.location):
        raise ObservationsError("this is the answer to another question")
    return Answer(observation=observation)


def _unpacked(text: str) -> bytes:
    unpacker = zlib.decompressobj()
    plain = unpacker.decompress(base64.b64decode(text, validate=True), MAX_ANSWER_BYTES + 1)
    if len(plain) > MAX_ANSWER_BYTES or not unpacker.eof:
        raise ValueError("it is cut off or too large")
    return plain
