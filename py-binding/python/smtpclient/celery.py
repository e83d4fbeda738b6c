"""Messages as jobs of Celery: ``submit(message, ...)`` in the program, ``smtpclient.deliver`` in the workers.

The setting ``smtpclient`` of the Celery app has the arguments of ``smtpclient.jobs.Courier``, a dict with ``ledger`` and
``mailers`` at least. Servers and passwords are there, and never in the broker.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from celery import current_app, shared_task, signals  # type: ignore[import-untyped]
from celery.exceptions import Reject  # type: ignore[import-untyped]
from celery.result import AsyncResult  # type: ignore[import-untyped]

from ._tokens import AnyMessage
from .jobs import Courier, encode, new_id

__all__ = ["courier", "deliver", "keep", "publish", "resubmit", "submit"]

_couriers: dict[tuple[int, int], Courier] = {}


def courier(app: Any = None) -> Courier:
    """This process's courier, by the setting ``smtpclient`` of an app, by default the current one."""
    app = app or current_app._get_current_object()
    key = os.getpid(), id(app)
    if key not in _couriers:
        settings = app.conf.get("smtpclient")
        if not settings:
            example = '{"ledger": "redis://...", "mailers": {"default": {...}}}'
            raise ValueError(f"Celery's setting smtpclient is missing: app.conf.smtpclient = {example}")
        _couriers.setdefault(key, Courier(**settings))
    return _couriers[key]


def submit(
    message: AnyMessage, base: Mapping[str, Any] | None = None, /, *, mailer: str = "default", **options: Any
) -> AsyncResult:
    """Give a message to the queue. Options are those of ``smtpclient.jobs.encode``.

    The result is that of ``deliver``: ``get()`` returns status and recipients, or raises ``OutcomeUnknown``, or what kept the
    message from everybody.
    """
    job, payload = new_id(), encode(message, base, mailer=mailer, **options)
    keep(job, payload)
    return publish(job, payload)


def keep(job: str, payload: Mapping[str, Any]) -> None:
    """Write a job that is about to be published into the ledger, if the settings have ``keep``."""
    courier().submitted(job, payload)


def publish(job: str, payload: Mapping[str, Any]) -> AsyncResult:
    """Give what ``encode`` made to the queue, under a name: its task id. The same name twice is sent once."""
    return deliver.apply_async(args=(payload["message"], payload["options"]), task_id=job)


@shared_task(  # type: ignore[untyped-decorator]
    bind=True, name="smtpclient.deliver", serializer="json", max_retries=None,
    acks_late=True, reject_on_worker_lost=True, acks_on_failure_or_timeout=True, acks_on_timeout=False,
)
def deliver(self: Any, message: str, options: Mapping[str, Any]) -> dict[str, Any]:
    """Send a message, by what ``smtpclient.jobs.encode`` made of it."""
    verdict = courier(self.app).deliver(self.request.id, {"message": message, "options": options})
    if verdict.after is None:
        return verdict.result()
    if self.request.is_eager and verdict.error is not None:
        raise verdict.error  # nobody is there to wait
    try:
        raise self.retry(exc=verdict.error, countdown=verdict.after)
    except Reject as lost:  # the broker did not take the job, and must give this one again
        raise Reject(lost.reason, requeue=True) from lost


@shared_task(name="smtpclient.resubmit", ignore_result=True)  # type: ignore[untyped-decorator]
def resubmit(age: float = 3600.0) -> int:
    """Give the queue again what is kept and was not heard of for ``age`` seconds, which is longer than the queue ever is; how many
    there were. To be run from time to time if the settings have ``keep``."""
    overdue = courier().overdue(age)
    for job, payload in overdue:
        publish(job, payload)
    return len(overdue)


@signals.worker_process_shutdown.connect  # type: ignore[untyped-decorator]
@signals.worker_shutdown.connect  # type: ignore[untyped-decorator]
def _close(**_: Any) -> None:
    """What is submitted is sent before the worker ends."""
    for key in [key for key in _couriers if key[0] == os.getpid()]:
        _couriers.pop(key).close(30.0)
