"""Messages by way of Celery, Django and huey; and the examples, with workers that are killed."""

import json
import subprocess
import sys
import time
from pathlib import Path

import pytest
import smtpclient
from conftest import MESSAGE

pytest.importorskip("celery")
pytest.importorskip("huey")

import celery  # noqa: E402
import celery.exceptions  # noqa: E402
import huey  # noqa: E402
import smtpclient.celery  # noqa: E402
import smtpclient.huey  # noqa: E402
from celery.contrib.testing.worker import start_worker  # noqa: E402
from smtpclient.testing import Sink  # noqa: E402

EXAMPLES = Path(__file__).parents[2] / "examples-python" / "jobs"


# Celery, in memory.


@pytest.fixture
def app(to, tmp_path):
    made = celery.Celery("jobs", broker="memory://", backend="cache+memory://", set_as_current=True)
    settings = {"ledger": f"sqlite://{tmp_path}/l.db", "mailers": {"default": to}, "backoff": 0.2, "lifetime": 30}
    made.conf.update(smtpclient=settings, task_default_queue=tmp_path.name)
    made.finalize()
    yield made
    smtpclient.celery._close()


@pytest.fixture
def worker(app):
    with start_worker(app, pool="threads", concurrency=4, perform_ping_check=False, shutdown_timeout=30):
        yield


def test_celery(worker, sink):
    results = [smtpclient.celery.submit(MESSAGE) for _ in range(20)]
    for result in results:
        assert result.get(timeout=30)["recipients"]["b@s.example"]["outcome"] == "accepted"
    smtpclient.celery.publish(results[0].id, smtpclient.jobs.encode(MESSAGE)).get(timeout=30)
    assert sink.count == 20


def test_celery_refused(worker, sink):
    with pytest.raises(smtpclient.RecipientsRefused, match="550 5.1.1 no such user"):
        smtpclient.celery.submit(MESSAGE, recipients=["bad@s.example"]).get(timeout=30)
    assert sink.count == 0


def test_celery_unknown(worker, app, sink):
    job = "00000000-0000-0000-0000-000000000001"
    courier = smtpclient.celery.courier(app)
    courier._patience = 0.2
    courier.ledger.commit([smtpclient.ledger.Claim(job, "host:1:x", 0)])
    with pytest.raises(smtpclient.OutcomeUnknown, match="host:1:x"):
        smtpclient.celery.publish(job, smtpclient.jobs.encode(MESSAGE)).get(timeout=30)
    assert sink.count == 0


def test_celery_comes_back(worker, sink):
    result = smtpclient.celery.submit(MESSAGE, recipients=["good@s.example", "later@s.example"])
    seen = set()
    while result.state not in ("SUCCESS", "FAILURE") and "451 later" not in str(result.result):
        seen.add(result.state)
    assert result.state == "RETRY" and seen <= {"PENDING", "STARTED", "RETRY"}
    [(envelope, _)] = sink.messages()
    assert len(envelope) == 2


def test_celery_without_settings(tmp_path):
    made = celery.Celery("none", broker="memory://", set_as_current=True)
    with pytest.raises(ValueError, match="setting smtpclient is missing"):
        smtpclient.celery.courier(made)


def test_celery_puts_the_job_back_where_the_broker_does_not_take_the_next(app, sink, monkeypatch):
    """What ``Task.retry`` drops."""

    def reject(**_):
        raise celery.exceptions.Reject(OSError("no broker"), requeue=False)

    task = app.tasks["smtpclient.deliver"]
    monkeypatch.setattr(task, "retry", reject)
    payload = smtpclient.jobs.encode(MESSAGE, recipients=["later@s.example"])
    task.push_request(id="1")
    try:
        with pytest.raises(celery.exceptions.Reject) as caught:
            task.run(payload["message"], payload["options"])
    finally:
        task.pop_request()
    assert caught.value.requeue is True


def test_celery_at_once(app, sink):
    payload = smtpclient.jobs.encode(MESSAGE)
    task = app.tasks["smtpclient.deliver"]
    assert task.apply(args=(payload["message"], payload["options"])).get()["status"] == "accepted"
    later = smtpclient.jobs.encode(MESSAGE, recipients=["later@s.example"])
    with pytest.raises(smtpclient.RecipientsRefused, match="451"):
        task.apply(args=(later["message"], later["options"])).get()
    assert sink.count == 1


def test_celery_with_a_namespace(to, tmp_path):
    made = celery.Celery("named", broker="memory://")
    made.config_from_object({"CELERY_SMTPCLIENT": {"ledger": f"sqlite://{tmp_path}/l.db", "mailers": {"default": to}}}, namespace="CELERY")
    assert smtpclient.celery.courier(made).outcome("1") == {}


def test_the_task_is_acknowledged_late(app):
    task = app.tasks["smtpclient.deliver"]
    assert task.acks_late and task.reject_on_worker_lost and task.serializer == "json"


def test_celery_resubmits(app, worker, sink):
    courier = smtpclient.celery.courier(app)
    courier._keep = True
    smtpclient.celery.keep("lost", smtpclient.jobs.encode(MESSAGE))
    assert smtpclient.celery.resubmit(3600) == 0 and smtpclient.celery.resubmit(-1) == 1
    assert celery.result.AsyncResult("lost").get(timeout=30)["status"] == "accepted"
    assert smtpclient.celery.resubmit(-1) == 0 and sink.count == 1


# huey.


def test_huey(to, sink, tmp_path):
    engine = huey.SqliteHuey("jobs", filename=str(tmp_path / "queue.db"))
    mail = smtpclient.huey.Queue(engine, ledger=f"sqlite://{tmp_path}/l.db", mailers={"default": to}, backoff=0)
    sent, refused = mail.submit(MESSAGE), mail.submit(MESSAGE, recipients=["bad@s.example", "later@s.example"])
    for _ in range(2):
        engine.execute(engine.dequeue())
    assert sent.get()["status"] == "accepted" and sink.count == 1
    assert mail.courier.outcome(sent.id)["b@s.example"]["outcome"] == "accepted"
    assert [task.id for task in engine.pending() + engine.scheduled()] == [refused.id]  # which huey retries
    assert mail.resubmit() == 0
    mail._age = -3600.0
    assert mail.resubmit() == 1
    # A consumer that dies has lost its job; who waits for the result has it of the one that is submitted again.
    lost = mail.submit(MESSAGE)
    while task := engine.dequeue():
        if task.id != lost.id:
            engine.execute(task)
    mail.resubmit()
    while task := engine.dequeue():
        engine.execute(task)
    assert lost.get()["status"] == "accepted"
    mail.courier.close()


# The examples.


@pytest.fixture
def examples(monkeypatch):
    monkeypatch.syspath_prepend(EXAMPLES)


def test_dramatiq(examples, monkeypatch, sink, tmp_path):
    dramatiq = pytest.importorskip("dramatiq")
    from dramatiq.brokers.stub import StubBroker

    broker = StubBroker()
    dramatiq.set_broker(broker)
    monkeypatch.setenv("LEDGER", f"sqlite://{tmp_path}/l.db")
    monkeypatch.setenv("PORT", str(sink.port))
    import dramatiqapp

    worker = dramatiq.Worker(broker, worker_timeout=100)
    worker.start()
    try:
        job = dramatiqapp.submit(MESSAGE)
        broker.join(dramatiqapp.deliver.queue_name)
        worker.join()
    finally:
        worker.stop()
    assert dramatiqapp.courier.outcome(job)["b@s.example"]["outcome"] == "accepted" and sink.count == 1
    dramatiqapp.courier.close()


def test_an_executor_that_is_killed(tmp_path):
    """Killed again and again, it goes on from its ledger."""
    letters = []
    for number in range(200):
        letters.append(tmp_path / f"{number}.eml")
        letters[-1].write_bytes(MESSAGE + str(number).encode())
    program = [sys.executable, EXAMPLES / "executor.py", tmp_path / "l.db"]
    with Sink() as sink:
        server = f"127.0.0.1:{sink.port}"
        first = subprocess.Popen([*program, server, *letters], stdout=subprocess.PIPE)
        while sink.count < 20 and first.poll() is None:
            time.sleep(0.001)
        first.kill()
        first.communicate()
        seen = sink.count
        done = subprocess.run([*program, server], capture_output=True, text=True, timeout=300)
        assert done.returncode == 0, done
        statuses = [line.split()[1] for line in done.stdout.splitlines()]
        contents = [content for _, content in sink.messages()]
    assert len(contents) == len(set(contents)) and set(statuses) <= {"accepted", "unknown"}
    # What was done before is not listed again, and each that is unknown came, or did not.
    lost = 200 - len(contents)
    assert 20 <= seen < 200 and 0 <= lost <= statuses.count("unknown") <= 16


def crash(*arguments, stops=1):
    """The totals of a run of crash.py."""
    command = [sys.executable, EXAMPLES / "crash.py", "--stops", str(stops), "--stop-every", "4", *arguments]
    done = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert done.returncode == 0, done
    totals = json.loads(done.stdout)
    assert totals["recipients"] == totals["accepted"] + totals["unknown"] + totals["lost"] + totals["wrong"], totals
    return totals


def test_huey_while_workers_are_killed():
    assert crash("--engine", "huey", "--messages", "300", "--workers", "2")["kills"] > 0


@pytest.mark.parametrize("broker", ["redis", "rabbitmq"])
def test_celery_while_workers_are_killed(examples, broker):
    from services import RabbitMQ, Redis

    if not {"redis": Redis, "rabbitmq": RabbitMQ}[broker].is_installed():
        pytest.skip(f"Debian's package {broker}-server is not installed")
    totals = crash("--broker", broker, "--messages", "300", "--workers", "2")
    assert totals["kills"] > 0 and totals["stops"] == 1


def test_celery_with_processes_that_are_forked(examples):
    """Each of the four has a mailer of its own, which it made after the fork, and keeps its connection."""
    from services import Redis

    if not Redis.is_installed():
        pytest.skip("Debian's package redis-server is not installed")
    totals = crash("--broker", "redis", "--pool", "prefork", "--workers", "4", "--messages", "200", "--every", "600", stops=0)
    assert (totals["kills"], totals["accepted"], totals["unknown"]) == (0, totals["recipients"], 0)
    assert 1 <= totals["connections"] <= 4
