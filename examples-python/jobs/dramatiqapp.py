"""The same with dramatiq: ``dramatiq dramatiqapp``. It acknowledges late, and its brokers give a dead worker's jobs to another.

    from dramatiqapp import submit
    submit(message, recipients=["bob@example.org"])
"""

import os
from typing import Any

import dramatiq
from dramatiq.brokers.rabbitmq import RabbitmqBroker
from smtpclient.jobs import Courier, encode, new_id

if "BROKER" in os.environ:
    dramatiq.set_broker(RabbitmqBroker(url=os.environ["BROKER"], confirm_delivery=True))

courier = Courier(
    os.environ.get("LEDGER", "sqlite:////tmp/jobs.db"),
    {"default": {"servers": [f"127.0.0.1:{os.environ.get('PORT', 25)}"]}},
)


@dramatiq.actor(actor_name="smtpclient_deliver", max_retries=0)
def deliver(job: str, payload: dict[str, Any]) -> None:
    verdict = courier.deliver(job, payload)
    if verdict.after is None:
        verdict.result()  # raises, so that dramatiq's middleware sees what went wrong
    else:
        deliver.send_with_options(args=(job, payload), delay=int(verdict.after * 1000))


def submit(message: Any, **options: Any) -> str:
    """Give a message to the queue; the job's name."""
    job, payload = new_id(), encode(message, **options)
    courier.submitted(job, payload)
    deliver.send(job, payload)
    return job
