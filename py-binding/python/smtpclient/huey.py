"""Messages as jobs of huey, which needs nothing but a file (``SqliteHuey``).

    huey = SqliteHuey("app", filename="/var/lib/app/queue.db")
    mail = smtpclient.huey.Queue(huey, ledger="sqlite:///var/lib/app/ledger.db", mailers={"default": {...}})
    mail.submit(message)

huey forgets a job when a consumer takes it. So the ledger keeps it until it is done, and what was lost is submitted again.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import huey as engine  # type: ignore[import-untyped]
from huey.exceptions import RetryTask  # type: ignore[import-untyped]

from ._tokens import AnyMessage
from .jobs import Courier, encode, new_id

__all__ = ["Queue"]


class Queue:
    """The tasks of a huey. ``every`` has the times at which lost jobs are looked for (``huey.crontab``), which are those not
    heard of for ``age`` seconds. The other arguments are those of ``smtpclient.jobs.Courier``."""

    def __init__(self, huey: Any, *, age: float = 3600.0, every: Any = None, **settings: Any) -> None:
        self.courier, self._age, self._huey = Courier(**{"keep": True, **settings}), age, huey
        self._deliver = huey.task(name="smtpclient_deliver")(self._run)
        huey.periodic_task(every or engine.crontab(minute="*/10"), name="smtpclient_resubmit")(self.resubmit)
        huey.on_shutdown(name="smtpclient")(lambda: self.courier.close(30.0))

    def submit(
        self, message: AnyMessage, base: Mapping[str, Any] | None = None, /, *, mailer: str = "default", **options: Any
    ) -> Any:
        """Give a message to the queue; huey's result, whose ``id`` is the name of the job in the ledger. Options are those of
        ``smtpclient.jobs.encode``."""
        job, payload = new_id(), encode(message, base, mailer=mailer, **options)
        self.keep(job, payload)
        return self.publish(job, payload)

    def keep(self, job: str, payload: Mapping[str, Any]) -> None:
        """Write a job that is about to be published into the ledger."""
        self.courier.submitted(job, payload)

    def publish(self, job: str, payload: Mapping[str, Any]) -> Any:
        """Give what ``encode`` made to the queue, under a name, which is also that of huey's result. The same name twice is sent
        once."""
        task = self._deliver.s(job, payload)
        task.id = job  # so that a job that is submitted again answers whoever waits for the first
        return self._huey.enqueue(task)

    def resubmit(self) -> int:
        """Give the queue again what it has lost; how many there were."""
        overdue = self.courier.overdue(self._age)
        for job, payload in overdue:
            self.publish(job, payload)
        return len(overdue)

    def _run(self, job: str, payload: Mapping[str, Any]) -> dict[str, Any]:
        verdict = self.courier.deliver(job, payload)
        if verdict.after is None:
            return verdict.result()
        raise RetryTask(str(verdict.error), delay=verdict.after)
