"""The Celery app of the examples: ``celery -A celeryapp worker``. What it needs is in the environment."""

import os
import smtplib

from celery import Celery
from smtpclient.celery import deliver, submit

broker = os.environ.get("BROKER", "memory://")
app = Celery("jobs", broker=broker, backend=os.environ.get("RESULTS", "cache+memory://"))
app.conf.update(
    # RabbitMQ says when it has a job; Redis gives a job out again when nobody has acknowledged it for so many seconds.
    broker_transport_options=(
        {"confirm_publish": True} if broker.startswith("amqp") else {"visibility_timeout": float(os.environ.get("VISIBILITY", 3600))}
    ),
    broker_connection_retry_on_startup=True,
    worker_prefetch_multiplier=1,
    smtpclient={
        "ledger": os.environ.get("LEDGER", "sqlite:////tmp/jobs.db"),
        "mailers": {"default": {"servers": [f"127.0.0.1:{os.environ.get('PORT', 25)}"], "connections": 4}},
        "patience": float(os.environ.get("PATIENCE", 60)),
        "backoff": float(os.environ.get("BACKOFF", 60)),
        "keep": bool(os.environ.get("KEEP")),
    },
)


@app.task(name="plain", acks_late=True, reject_on_worker_lost=True)
def plain(content: str, originator: str, recipients: list[str]) -> None:
    """What most programs do: late acknowledgement, and smtplib."""
    with smtplib.SMTP("127.0.0.1", int(os.environ["PORT"])) as server:
        server.sendmail(originator, recipients, content)


__all__ = ["app", "deliver", "plain", "submit"]
