"""The Celery application, the same at both ends: what it accepts, and what a lost worker costs."""

from __future__ import annotations

import importlib
from collections.abc import Mapping
from typing import Any

from auditor.errors import UsageError
from auditor.vantages.messages import queue_of

__all__ = [
    "BROKER_VARIABLE",
    "RESULTS_VARIABLE",
    "TASK",
    "Application",
    "close_application",
    "open_application",
]

BROKER_VARIABLE = "AUDITOR_BROKER_URL"
RESULTS_VARIABLE = "AUDITOR_RESULTS_URL"
TASK = "propagation_auditor.look"

# Answers that nobody fetched, as of a coordinator that was killed.
RESULTS_EXPIRE_S = 3600
# Beside the look itself: starting it, packing its answer.
HARD_LIMIT_AFTER_S = 5.0
# How often a worker on Redis looks for what a lost one left (kombu's own default: 10 s × 10).
RESTORE_EVERY_S = 2.0
CONNECT_WITHIN_S = 5.0
# What a process has learnt is forgotten with it.
TASKS_PER_PROCESS = 500

# Celery has no types of its own; what it gives is used in this package only.
Application = Any


def open_application(
    environ: Mapping[str, str], *, vantage: str | None = None, visibility_s: float | None = None
) -> Application:
    """Make the application; its addresses come from the environment and are shown to nobody.

    Args:
        environ: with `AUDITOR_BROKER_URL` and, where results go elsewhere, `AUDITOR_RESULTS_URL`.
        vantage: whose queue this process reads; None: it reads none.
        visibility_s: seconds after which what a worker took and did not finish is given to
            another one, on Redis; None: this process reads no queue.

    Raises:
        UsageError: Celery is not installed, or no broker is named.
    """
    try:
        celery = importlib.import_module("celery")
    except ImportError as error:
        raise UsageError(
            "Celery is not installed; install it with `pip install 'propagation-auditor[celery]'`"
        ) from error
    broker = environ.get(BROKER_VARIABLE, "")
    if not broker:
        raise UsageError(f"no broker is named; set {BROKER_VARIABLE}, such as redis://HOST:6379/0")
    transport: dict[str, float] = {
        "socket_connect_timeout": CONNECT_WITHIN_S,
        "unacked_restore_interval": RESTORE_EVERY_S,
        "unacked_restore_throttle": 1,
    }
    if visibility_s is not None:
        transport["visibility_timeout"] = visibility_s
    application = celery.Celery(
        "propagation-auditor", broker=broker, backend=environ.get(RESULTS_VARIABLE) or broker
    )
    application.conf.update(
        # Only JSON: what is unpickled is executed.
        accept_content=["json"],
        result_accept_content=["json"],
        task_serializer="json",
        result_serializer="json",
        event_serializer="json",
        # A message is done when its answer is stored, not when it is taken: one that was taken by
        # a worker that died is given to the next. Nothing is taken in advance.
        task_acks_late=True,
        task_reject_on_worker_lost=True,
        worker_prefetch_multiplier=1,
        worker_cancel_long_running_tasks_on_connection_loss=True,
        worker_max_tasks_per_child=TASKS_PER_PROCESS,
        broker_connection_retry_on_startup=vantage is not None,
        broker_connection_timeout=CONNECT_WITHIN_S,
        broker_transport_options=transport,
        result_backend_transport_options={"socket_connect_timeout": CONNECT_WITHIN_S},
        result_expires=RESULTS_EXPIRE_S,
        task_default_queue=queue_of(vantage or "nobody"),
        # Addresses of probed places are nobody's business beside the one who asked.
        worker_send_task_events=False,
        task_publish_retry=False,
    )
    return application


def close_application(application: Application) -> None:
    """Close the connections that Celery would keep until the process ends.

    A watch opens an application for each look: what nobody uses for minutes, some network cuts.
    """
    # Of Redis; what other stores of results keep open ends with the application.
    pool = getattr(getattr(application.backend, "client", None), "connection_pool", None)
    if pool is not None:
        pool.disconnect()
    application.close()
    importlib.import_module("kombu.pools").reset()
