"""A worker of one vantage: `celery -A auditor.vantages.worker worker`.

It is told by its environment: `AUDITOR_WORKER_VANTAGE` where it is, `AUDITOR_WORKER_CONFIG` what it
may look at and with which secrets, `AUDITOR_BROKER_URL` who hands out the questions.
"""

from __future__ import annotations

import logging
import os
from collections.abc import Mapping
from pathlib import Path

from auditor.config import Options, apply_environment, read_document, resolve
from auditor.errors import UsageError
from auditor.registry import load_kinds
from auditor.vantages.broker import (
    HARD_LIMIT_AFTER_S,
    TASK,
    Application,
    open_application,
)
from auditor.vantages.looking import Outlook
from auditor.vantages.messages import Answer, pack_answer

__all__ = ["make_worker", "outlook_of"]

CONFIG_VARIABLE = "AUDITOR_WORKER_CONFIG"
VANTAGE_VARIABLE = "AUDITOR_WORKER_VANTAGE"
VISIBILITY_VARIABLE = "AUDITOR_WORKER_VISIBILITY_S"

logger = logging.getLogger("auditor.vantages")


def outlook_of(environ: Mapping[str, str]) -> Outlook:
    """Read what the environment says of this worker.

    Raises:
        UsageError: a variable is missing.
        ConfigError: something is wrong with the configuration.
    """
    for name, meaning in ((CONFIG_VARIABLE, "a configuration"), (VANTAGE_VARIABLE, "a name")):
        if not environ.get(name):
            raise UsageError(f"{name} is not set; give it {meaning} (of what this worker sees)")
    vantage, kinds = environ[VANTAGE_VARIABLE], load_kinds()
    document = apply_environment(read_document(Path(environ[CONFIG_VARIABLE])), environ)
    options = Options(vantage=vantage, needs_incident=False)
    resolved = resolve(document, kinds, options, environ=environ)
    for warning in resolved.warnings:
        logger.warning("%s", warning)
    return Outlook(vantage=vantage, resolved=resolved, kinds=kinds)


def make_worker(environ: Mapping[str, str]) -> Application:
    """Make the application that `celery worker` runs.

    Raises:
        UsageError, ConfigError: see `outlook_of`.
    """
    outlook = outlook_of(environ)
    application = open_application(
        environ, vantage=outlook.vantage, visibility_s=_visibility_s(environ, outlook)
    )

    # `self` is the task that Celery runs: its request tells whether it was given out before.
    def look(self: Application, packed: object) -> dict[str, str | int]:
        again = bool((self.request.delivery_info or {}).get("redelivered"))
        try:
            answer = outlook.answer(packed, again=again)
        except Exception as error:  # noqa: BLE001 - its text may quote what nobody may see
            answer = Answer(refused=f"the worker failed ({type(error).__name__}); see its log")
            logger.error("a look failed with %s", type(error).__name__)
        return pack_answer(answer)

    # What was seen is nothing for the log.
    application.task(look, name=TASK, bind=True, resultrepr_maxsize=40)
    return application


def _visibility_s(environ: Mapping[str, str], outlook: Outlook) -> float:
    """Seconds after which what a lost worker had taken is given to another one.

    Shorter than a look may take, and a slow place would be asked twice.
    """
    text = environ.get(VISIBILITY_VARIABLE, "")
    try:
        return float(text) if text else outlook.longest_s + 2 * HARD_LIMIT_AFTER_S
    except ValueError as error:
        raise UsageError(f"{VISIBILITY_VARIABLE}: {text!r} is no number of seconds") from error


def __getattr__(name: str) -> Application:
    # Made when `celery -A` asks for it: importing this module for its functions needs no broker.
    if name != "app":
        raise AttributeError(name)
    application = make_worker(os.environ)
    globals()["app"] = application
    return application
