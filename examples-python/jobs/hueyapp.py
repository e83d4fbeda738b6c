"""The huey of the examples: ``huey_consumer hueyapp.huey``. What it needs is in the environment."""

import os

from huey import SqliteHuey
from smtpclient.huey import Queue

huey = SqliteHuey("jobs", filename=os.environ.get("QUEUE", "/tmp/queue.db"), timeout=60, strict_fifo=True)
mail = Queue(
    huey,
    ledger=os.environ.get("LEDGER", "sqlite:////tmp/jobs.db"),
    mailers={"default": {"servers": [f"127.0.0.1:{os.environ.get('PORT', 25)}"], "connections": 4}},
    patience=float(os.environ.get("PATIENCE", 60)),
    backoff=float(os.environ.get("BACKOFF", 60)),
)
