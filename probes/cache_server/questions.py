"""What can be asked of a cache without making it fetch anything, and how its answers read: pure.

squid and Apache heed `only-if-cached` (RFC 9111, section 5.2.1.7): they answer 504 for what they do
not keep, and ask nobody. With `max-stale` they also give what has expired; without it an expired
entry is a 504 although its bytes are there. nginx and Varnish ignore both directives and fetch and
store what they are asked for, so they are never asked; Varnish can be taught to let one peek.

Whoever is nearest answers, and what others in the way do with that answer is not ours to risk: an
nginx in front of squid passes the question on and may keep the 504 for everybody. Hence the canary:
the same question for a name beside the file that nobody has. Only the 504 of the very program that
was recognised, under its own name, opens the way to the next question.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import assert_never
from urllib.parse import urljoin

from probes.cache_server.signs import Program, Signs, gather, signs_of
from probes.kit.answer import Answer

__all__ = ["CANARY", "Question", "Reading", "canary_url", "choose_question", "read_answer"]

# A name that no index has. It is the same each time, so that a cache which should not have been
# asked keeps one refusal at most.
CANARY = "propagation-auditor-canary"
_DEFAULT_PEEK = "X-Peek"
_ONLY_IF_CACHED = ("Cache-Control", "only-if-cached, max-stale=31536000")
_NOT_CACHED = 504
_FIRST_REFUSAL = 400

# Accept and Accept-Encoding of file requests, captured from pip and uv, Poetry, PDM: a file that is
# sent with `Vary` is kept once for each of them.
_FILE_HEADERS = (
    (("Accept", "*/*"), ("Accept-Encoding", "identity")),
    (("Accept", "*/*"), ("Accept-Encoding", "Identity")),
    (("Accept", "*/*"), ("Accept-Encoding", "gzip, deflate")),
)


class Reading(StrEnum):
    """What an answer to a safe question means."""

    KEPT = "kept"
    NOT_KEPT = "not-kept"
    REFUSED = "refused"  # a refusal is kept, such as the 404 that the upstream once gave
    FOREIGN = "foreign"  # not the answer of the program that was asked: ask nothing more


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """A safe question to one program.

    Attributes:
        program: that answers it.
        headers: what is sent beside the User-Agent; one set for each way in which clients ask.
        name: in words.
    """

    program: Program
    headers: tuple[tuple[tuple[str, str], ...], ...]
    name: str


def choose_question(signs: Sequence[Signs], peek: str | bool | None) -> Question | str:
    """Choose the safe question for the cache that pages came through, or say why there is none.

    Args:
        signs: of each page.
        peek: name of the header by which Varnish lets one peek, True for `X-Peek`; None: it does
            not.
    """
    programs = gather(signs)
    if any(one.intermediaries > 1 for one in signs):
        return "not asked: several caches are in the way (Via), and one of them may store the file"
    if peek:
        return _peek(programs, peek)
    if Program.VARNISH in programs:
        return (
            "not asked: Varnish fetches and keeps what it is asked for; its operator can add four "
            "lines of VCL that let one peek (see the setting `peek`)"
        )
    if Program.SQUID in programs:
        return _only_if_cached(Program.SQUID)
    if Program.NGINX in programs:
        return "not asked: nginx fetches and keeps what it is asked for, by HEAD and Range as well"
    # Apache shows itself on hits alone. The canary tells whether it is Apache.
    return _only_if_cached(Program.APACHE)


def _peek(programs: frozenset[Program], peek: str | bool) -> Question | str:
    if Program.VARNISH not in programs or Program.SQUID in programs:
        return "not asked: `peek` is set, and the pages do not come from Varnish alone"
    header = _DEFAULT_PEEK if peek is True else str(peek)
    asked = tuple((*headers, (header, "1")) for headers in _FILE_HEADERS)
    return Question(program=Program.VARNISH, headers=asked, name=f"HEAD with {header}")


def _only_if_cached(program: Program) -> Question:
    asked = tuple((*headers, _ONLY_IF_CACHED) for headers in _FILE_HEADERS)
    return Question(program=program, headers=asked, name="HEAD with only-if-cached, max-stale")


def canary_url(file_url: str) -> str:
    """Return an address beside a file that nobody has anything at."""
    return urljoin(file_url, CANARY)


def read_answer(question: Question, answer: Answer) -> Reading:
    """Say what an answer means, if it is that of the program that was asked."""
    signs = signs_of(answer.headers)
    if signs.intermediaries > 1:
        return Reading.FOREIGN
    if answer.status == _NOT_CACHED and _is_own_refusal(question.program, answer, signs):
        return Reading.NOT_KEPT
    if not _is_own_hit(question.program, answer, signs):
        return Reading.FOREIGN
    if answer.status == 200:
        return Reading.KEPT
    return Reading.REFUSED if answer.status >= _FIRST_REFUSAL else Reading.FOREIGN


def _is_own_refusal(program: Program, answer: Answer, signs: Signs) -> bool:
    """Whether a 504 is the program's own word: it then bears its own name in `Server`.

    nginx in front would put its own there, and squid, Varnish and Apache in front leave a mark.
    """
    match program:
        case Program.SQUID:
            error = answer.headers.get("x-squid-error") or ""
            return signs.server == "squid" and error.startswith("ERR_ONLY_IF_CACHED_MISS")
        case Program.APACHE:
            # 2.4.71 sends nothing with it but Date, Server and Content-Type.
            alone = signs.programs <= {Program.APACHE} and not signs.intermediaries
            return signs.server == "apache" and alone and signs.age_s is None
        case Program.VARNISH:
            return signs.server == "varnish" and len((_varnish(answer)).split()) == 1
        case Program.NGINX:
            return False
        case _:
            assert_never(program)


def _is_own_hit(program: Program, answer: Answer, signs: Signs) -> bool:
    """Whether an answer was given from what is kept, and not fetched: each of them says so."""
    match program:
        case Program.SQUID:
            return Program.SQUID in signs.programs and signs.age_s is not None
        case Program.APACHE:
            return signs.server == "apache" and signs.age_s is not None
        case Program.VARNISH:
            return len(_varnish(answer).split()) == 2
        case Program.NGINX:
            return False
        case _:
            assert_never(program)


def _varnish(answer: Answer) -> str:
    return answer.headers.get("x-varnish") or ""
