"""Messages as tasks of Django's own interface (``django.tasks``, Django 6, or its backport ``django-tasks``), whatever runs them.

Setting ``SMTPCLIENT`` has the arguments of ``smtpclient.jobs.Courier``: ``mailers`` at least. The ledger is in Django's default
database, and keeps jobs until they are done, if nothing else is said: interface and backends promise nothing of tasks whose worker dies.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from django.conf import settings  # type: ignore[import-untyped]
from django.utils import timezone  # type: ignore[import-untyped]

from .jobs import Courier

try:
    from django.tasks import task  # type: ignore[import-untyped]
except ImportError:
    from django_tasks import task  # type: ignore[import-untyped,import-not-found,unused-ignore]

__all__ = ["courier", "deliver", "keep", "publish", "resubmit"]

_couriers: dict[int, Courier] = {}


def courier() -> Courier:
    """This process's courier, by setting ``SMTPCLIENT``."""
    if os.getpid() not in _couriers:
        _couriers.setdefault(os.getpid(), Courier(**{"ledger": "django:default", "keep": True, **settings.SMTPCLIENT}))
    return _couriers[os.getpid()]


def keep(job: str, payload: Mapping[str, Any]) -> None:
    """Write a job that is about to be published into the ledger."""
    courier().submitted(job, payload)


def publish(job: str, payload: Mapping[str, Any]) -> Any:
    """Give what ``encode`` made to the tasks, under a name. The same name twice is sent once."""
    return deliver.enqueue(job, payload["message"], payload["options"])


@task()  # type: ignore[untyped-decorator,unused-ignore]
def deliver(job: str, message: str, options: dict[str, Any]) -> dict[str, Any]:
    """Send a message, by what ``smtpclient.jobs.encode`` made of it."""
    verdict = courier().deliver(job, {"message": message, "options": options})
    if verdict.after is None:
        return verdict.result()
    if deliver.get_backend().supports_defer:
        later = timezone.now() + timedelta(seconds=verdict.after)
        deliver.using(run_after=later).enqueue(job, message, options)
    # Without a backend that defers, the job is kept, and resubmit finds it.
    return {"status": verdict.status, "after": verdict.after, "text": str(verdict.error)}


def resubmit(age: float = 3600.0) -> int:
    """Give the tasks again what is kept and was not heard of for ``age`` seconds; how many there were."""
    overdue = courier().overdue(age)
    for job, payload in overdue:
        publish(job, payload)
    return len(overdue)
