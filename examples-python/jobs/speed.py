"""Messages a second by the number of workers, beside the same task over smtplib: a line of JSON each.

    python speed.py --broker redis --messages 2000

A machine that has other work to do is slower now and then, so the two are measured one after the other, several times: ``ratio`` is the
median of what one is to the other within a pair.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import tempfile
import time
from pathlib import Path

import crash
from services import RabbitMQ, Redis, Service
from smtpclient.testing import Sink


def measure(settings: argparse.Namespace, workers: int, plain: bool) -> float:
    with tempfile.TemporaryDirectory(prefix="smtpclient-jobs-") as made, Sink(keep=False) as sink:
        folder = Path(made)
        service: Service = RabbitMQ(folder / "rabbitmq") if settings.broker == "rabbitmq" else Redis(folder / "redis")
        running = None
        try:
            service.start()
            environment = {"PORT": str(sink.port), "PYTHONPATH": str(crash.HERE)}
            environment |= {"LEDGER": f"sqlite://{folder}/ledger.db", "RESULTS": f"file://{folder}"}
            environment["BROKER"] = service.url()  # type: ignore[attr-defined]
            if settings.broker == "redis":
                environment |= {"LEDGER": service.url(2), "RESULTS": service.url(1)}  # type: ignore[attr-defined]
            os.environ.update(environment)
            publish(settings.messages + 50 * workers, plain)
            chosen = argparse.Namespace(engine="celery", pool="threads", threads=settings.threads, workers=workers)
            running = crash.Workers(crash.commands(chosen), environment, folder, forks=False)
            # The start of the workers does not count.
            while sink.count < 50 * workers:
                time.sleep(0.01)
            begun, first = time.monotonic(), sink.count
            while sink.count < settings.messages + 50 * workers:
                time.sleep(0.01)
            return (sink.count - first) / (time.monotonic() - begun)
        finally:
            if running is not None:
                running.end()
            service.end()


def publish(count: int, plain: bool) -> None:
    """By a process of its own, since an app keeps its connections."""
    child = os.fork()
    if child:
        if os.waitpid(child, 0)[1]:
            raise RuntimeError("the messages could not be published")
        return
    status = 1
    try:
        import celeryapp
        from smtpclient import celery

        with celeryapp.app.producer_pool.acquire(block=True) as producer:
            for number in range(count):
                sent = crash.message(10 * number + 1)
                if plain:
                    octets = f"From: a@c.example\nMessage-ID: {sent.message_id}\nSubject: x\n\nHello.\n"
                    celeryapp.plain.apply_async(args=(octets, "a@c.example", sent.recipients), producer=producer)
                else:
                    celery.deliver.apply_async(args=(sent.payload["message"], sent.payload["options"]), task_id=sent.job, producer=producer)
        status = 0
    finally:
        os._exit(status)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--broker", choices=["rabbitmq", "redis"], default="redis")
    parser.add_argument("--messages", type=int, default=2000)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=3)
    settings = parser.parse_args()
    for workers in (1, 2, 4):
        pairs = [[measure(settings, workers, plain) for plain in (False, True)] for _ in range(settings.rounds)]
        rates = {name: [round(pair[at]) for pair in pairs] for at, name in enumerate(("jobs", "smtplib"))}
        ratio = round(statistics.median(jobs / plain for jobs, plain in pairs), 2)
        print(json.dumps({"broker": settings.broker, "workers": workers, **rates, "ratio": ratio}), flush=True)


if __name__ == "__main__":
    main()
