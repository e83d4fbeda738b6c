"""Sends messages by way of a queue while its workers are killed and its broker is stopped, and compares what the server got with
what the jobs say.

    python crash.py --engine celery --broker rabbitmq --messages 10000 --workers 4
    python crash.py --engine celery --broker redis --plain      what late acknowledgement alone comes to

The exit status is 0 where no message was lost or came twice, and ``unknown`` is only what was on its way in a killed process.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from recorder import Recorder
from services import RabbitMQ, Redis, Service
from smtpclient import jobs
from smtpclient.ledger import Fate, Ledger, open_ledger

HERE = Path(__file__).parent
PATIENCE, VISIBILITY = 4, 6


@dataclass
class Totals:
    """A row of the table."""

    run: str
    messages: int
    recipients: int = 0
    kills: int = 0
    stops: int = 0
    accepted: int = 0
    unknown: int = 0
    #: Of these, how many the server had got.
    unknown_delivered: int = 0
    #: How many the server took from a process that was gone before the answer: each must be unknown.
    in_window: int = 0
    twice: int = 0
    lost: int = 0
    #: Those called unknown whose process was not killed, those in a window that are not unknown, and what is neither accepted nor unknown.
    wrong: int = 0
    resubmitted: int = 0
    #: How many the server saw.
    connections: int = 0
    seconds: float = 0.0
    examples: list[str] = field(default_factory=list)

    def blame(self, what: str) -> None:
        if len(self.examples) < 5:
            self.examples.append(what)


class Workers:
    """Processes that are started again when they end, and killed now and then."""

    def __init__(self, commands: list[list[str]], environment: dict[str, str], folder: Path, *, forks: bool) -> None:
        self._commands, self._environment, self._folder, self._forks = commands, environment, folder, forks
        self._running: list[subprocess.Popen[bytes]] = [self._start(number) for number in range(len(commands))]
        #: Processes that were killed, and those that ended with one that was.
        self.killed: set[int] = set()
        self.kills = 0
        self._below: list[set[int]] = [set() for _ in commands]
        #: Two threads look after the processes: one must not start what the other has started.
        self._lock = threading.Lock()

    def _start(self, number: int) -> subprocess.Popen[bytes]:
        with (self._folder / f"worker{number}.log").open("ab") as log:
            return subprocess.Popen(
                self._commands[number], cwd=HERE, env={**os.environ, **self._environment},
                stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True,
            )

    def restart(self) -> None:
        with self._lock:
            for number, process in enumerate(self._running):
                self._below[number].update(children(process.pid))
                if process.poll() is not None:  # killed, or it could not go on without the child that was
                    self.killed.update(self._below[number])
                    self._below[number] = set()
                    self._running[number] = self._start(number)

    def kill(self, chosen: random.Random) -> None:
        """SIGKILL for a worker, or for one of its own workers, and for what cannot live without it."""
        number = chosen.randrange(len(self._running))
        parent = self._running[number]
        below = children(parent.pid)
        if self._forks and not below:
            return  # it is being started
        victim = chosen.choice(below) if below and chosen.random() < 0.9 else parent.pid
        gone = [victim] if victim != parent.pid else [*children(parent.pid), parent.pid]
        self.killed.update(gone)
        self.kills += 1
        for process in gone:
            try:
                os.kill(process, signal.SIGKILL)
            except ProcessLookupError:
                pass

    def end(self) -> None:
        for process in self._running:
            self.killed.update([process.pid, *children(process.pid)])
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                pass
            process.wait()


def children(process: int) -> list[int]:
    try:
        return [int(child) for child in Path(f"/proc/{process}/task/{process}/children").read_text().split()]
    except OSError:
        return []


@dataclass
class Sent:
    """A job as it was submitted."""

    job: str
    message_id: str
    recipients: list[str]
    payload: dict[str, Any]


def message(number: int) -> Sent:
    recipients = [f"to{number}@s.example"] + ([f"later{number}@s.example"] if number % 10 == 0 else [])
    message_id = f"<{number}@c.example>"
    octets = f"From: a@c.example\nTo: {', '.join(recipients)}\nMessage-ID: {message_id}\nSubject: {number}\n\nHello.\n"
    return Sent(jobs.new_id(), message_id, recipients, jobs.encode(octets.encode()))


def commands(settings: argparse.Namespace) -> list[list[str]]:
    if settings.engine == "huey":
        worker = "-m huey.bin.huey_consumer hueyapp.huey --worker-type thread --no-periodic --quiet --workers".split()
        return [[sys.executable, *worker, str(settings.threads)] for _ in range(settings.workers)]
    worker = "-m celery -A celeryapp worker --loglevel WARNING --without-gossip --without-mingle --without-heartbeat".split()
    if settings.pool == "prefork":  # its own parent, and a child for each job
        return [[sys.executable, *worker, "--pool", "prefork", "--concurrency", str(settings.workers), "--hostname", "w@localhost"]]
    pool = ["--pool", settings.pool, "--concurrency", str(settings.threads)]
    return [[sys.executable, *worker, *pool, "--hostname", f"w{number}@localhost"] for number in range(settings.workers)]


def run(settings: argparse.Namespace) -> Totals:
    name = " ".join(filter(None, [settings.engine, settings.broker, settings.pool, "plain" if settings.plain else ""]))
    totals = Totals(name, settings.messages)
    with tempfile.TemporaryDirectory(prefix="smtpclient-jobs-") as made:
        folder, services = Path(made), list[Service]()
        recorder = Recorder()
        try:
            environment = {"PORT": str(recorder.port), "PATIENCE": str(PATIENCE), "VISIBILITY": str(VISIBILITY), "BACKOFF": "1", "KEEP": "1"}
            environment |= {"LEDGER": f"sqlite://{folder}/ledger.db", "RESULTS": f"file://{folder}/results", "QUEUE": f"{folder}/queue.db"}
            environment |= {"PYTHONPATH": str(HERE)}
            (folder / "results").mkdir()
            if settings.broker == "rabbitmq":
                services.append(RabbitMQ(folder / "rabbitmq"))
                environment["BROKER"] = services[0].url()  # type: ignore[attr-defined]
            elif settings.broker == "redis":
                redis = Redis(folder / "redis")
                services.append(redis)
                environment |= {"BROKER": redis.url(0), "RESULTS": redis.url(1), "LEDGER": redis.url(2)}
            for service in services:
                service.start()
            os.environ.update(environment)
            rest(settings, totals, folder, services, recorder, environment)
        finally:
            for service in services:
                service.end()
            recorder.close()
    return totals


def rest(
    settings: argparse.Namespace, totals: Totals, folder: Path, services: list[Service], recorder: Recorder, environment: dict[str, str]
) -> None:
    queue = __import__("hueyapp").mail if settings.engine == "huey" else __import__("smtpclient.celery").celery
    if settings.engine == "celery":
        import celeryapp

    def publish(sent: Sent) -> None:
        if settings.plain:
            octets = f"From: a@c.example\nMessage-ID: {sent.message_id}\n\nHello.\n"
            celeryapp.plain.apply_async(args=(octets, "a@c.example", sent.recipients), task_id=sent.job)
        else:
            queue.keep(sent.job, sent.payload)
            queue.publish(sent.job, sent.payload)

    everything = [message(number) for number in range(settings.messages)]
    if settings.plain:  # which does not know of recipients that are refused for now
        for sent in everything:
            sent.recipients = sent.recipients[:1]
    totals.recipients = sum(len(sent.recipients) for sent in everything)
    for sent in everything[: settings.messages // 2]:
        publish(sent)
    begun = time.monotonic()
    workers = Workers(commands(settings), environment, folder, forks=settings.pool == "prefork")
    over = threading.Event()
    threads = [
        threading.Thread(target=kill_some, args=(settings, workers, over)),
        threading.Thread(target=stop_some, args=(settings, services, totals, over)),
    ]
    try:
        for thread in threads:
            thread.start()
        for sent in everything[settings.messages // 2 :]:
            persist(publish, sent)
        if settings.plain:
            wait_plain(recorder, everything, workers)
        else:
            wait(open_ledger(environment["LEDGER"]), everything, workers, queue, totals)
        totals.seconds = round(time.monotonic() - begun, 1)
    finally:
        over.set()
        for thread in threads:
            thread.join()
        totals.kills, totals.connections = workers.kills, recorder.connections
        before = set(workers.killed)
        workers.end()
    judge(settings, totals, recorder, everything, before, None if settings.plain else open_ledger(environment["LEDGER"]))
    if totals.examples and settings.keep_logs:
        for log in folder.glob("worker*.log"):
            Path(settings.keep_logs, log.name).write_bytes(log.read_bytes())


def persist(publish: Any, sent: Sent) -> None:
    """Publish, again where the broker was away: under the same name, the job is done once."""
    for _ in range(60):
        try:
            return publish(sent)
        except Exception as error:
            print(f"published again, {type(error).__name__}: {error}", file=sys.stderr)
            time.sleep(1)
    raise RuntimeError("the broker does not come back")


def kill_some(settings: argparse.Namespace, workers: Workers, over: threading.Event) -> None:
    chosen = random.Random(settings.seed)
    while not over.wait(chosen.uniform(0.5, 1.5) * settings.every):
        workers.restart()
        workers.kill(chosen)


def stop_some(settings: argparse.Namespace, services: list[Service], totals: Totals, over: threading.Event) -> None:
    for _ in range(settings.stops):
        if over.wait(settings.stop_every) or not services:
            return
        services[0].stop()
        time.sleep(1)
        services[0].start()
        totals.stops += 1


def wait(ledger: Ledger, everything: list[Sent], workers: Workers, queue: Any, totals: Totals) -> None:
    """Until every job is done. What nobody has heard of for long enough is lost by the engine, and submitted again."""
    waiting, changed = list(everything), time.monotonic()
    while waiting:
        time.sleep(0.5)
        workers.restart()
        try:
            asked = random.sample(waiting, min(len(waiting), 200))
            done = {sent.job for sent in asked if ledger.read(sent.job).fates.keys() >= set(sent.recipients)}
            waiting = [sent for sent in waiting if sent.job not in done]
            if done:
                changed = time.monotonic()
            elif time.monotonic() - changed > 5 * VISIBILITY:
                totals.resubmitted += len([queue.publish(job, payload) for job, payload in queue_overdue(queue)])
                changed = time.monotonic()
        except Exception as error:
            print(f"asked again, {type(error).__name__}: {error}", file=sys.stderr)
        if time.monotonic() - changed > 600:
            return


def queue_overdue(queue: Any) -> list[tuple[str, Any]]:
    courier = queue.courier() if callable(queue.courier) else queue.courier
    found: list[tuple[str, Any]] = courier.overdue(3 * VISIBILITY)
    return found


def wait_plain(recorder: Recorder, everything: list[Sent], workers: Workers) -> None:
    seen, changed = -1, time.monotonic()
    while time.monotonic() - changed < 4 * VISIBILITY:
        time.sleep(0.5)
        workers.restart()
        if recorder.taken.total() != seen:
            seen, changed = recorder.taken.total(), time.monotonic()


def judge(
    settings: argparse.Namespace, totals: Totals, recorder: Recorder, everything: list[Sent], killed: set[int], ledger: Ledger | None
) -> None:
    for sent in everything:
        fates = ledger.read(sent.job).fates if ledger else {}
        for recipient in sent.recipients:
            count = recorder.taken[sent.message_id, recipient]
            fate = fates.get(recipient) or Fate("accepted" if settings.plain and count else "nothing")
            totals.accepted += fate.outcome == "accepted"
            if (sent.message_id, recipient) in recorder.unanswered:
                totals.in_window += 1
                if not settings.plain and fate.outcome != "unknown":
                    totals.wrong += 1
                    totals.blame(f"{sent.message_id} {recipient}: its process died in the window, and it is {fate}")
            if count > 1:
                totals.twice += 1
                totals.blame(f"{sent.message_id} {recipient}: {count} times")
            if fate.outcome == "unknown":
                totals.unknown += 1
                totals.unknown_delivered += count
                if int(fate.text.split(":")[1]) not in killed:
                    totals.wrong += 1
                    totals.blame(f"{sent.message_id} {recipient}: unknown, and nobody was killed: {fate.text}")
            elif count == 0:
                totals.lost += 1
                totals.blame(f"{sent.message_id} {recipient}: lost, {fate}")
            elif fate.outcome != "accepted":
                totals.wrong += 1
                totals.blame(f"{sent.message_id} {recipient}: came, and is {fate}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--engine", choices=["celery", "huey"], default="celery")
    parser.add_argument("--broker", choices=["rabbitmq", "redis", ""], default="")
    parser.add_argument("--pool", choices=["threads", "prefork", "solo"], default="threads")
    parser.add_argument("--messages", type=int, default=1000)
    parser.add_argument("--workers", type=int, default=4)
    parser.add_argument("--threads", type=int, default=8, help="of each worker")
    parser.add_argument("--every", type=float, default=1.0, help="seconds between two kills")
    parser.add_argument("--stops", type=int, default=2, help="how often the broker is stopped and started")
    parser.add_argument("--stop-every", type=float, default=10.0)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--plain", action="store_true", help="smtplib and late acknowledgement alone")
    parser.add_argument("--keep-logs", metavar="FOLDER", help="where the workers' logs go after a failure")
    settings = parser.parse_args()
    if settings.engine == "huey":
        settings.broker = settings.pool = ""
    totals = run(settings)
    print(json.dumps(asdict(totals)))
    return 0 if settings.plain or not (totals.twice or totals.lost or totals.wrong) else 1


if __name__ == "__main__":
    sys.exit(main())
