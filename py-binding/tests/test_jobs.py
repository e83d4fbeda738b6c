"""``smtpclient.jobs`` and its ledgers: what a run of a job does, whatever happened to the runs before it."""

import base64
import concurrent.futures
import contextlib
import json
import os
import shutil
import subprocess
import sys
import time

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import jobs
from smtpclient.ledger import Claim, Entry, Fate, SQLiteLedger, Taken, open_ledger


@contextlib.contextmanager
def redis_server(folder):
    """A Redis on a Unix socket; its URL."""
    if shutil.which("redis-server") is None:
        pytest.skip("redis-server is not installed")
    redis = pytest.importorskip("redis")
    path = folder / "redis.sock"
    process = subprocess.Popen(
        ["redis-server", "--port", "0", "--unixsocket", path, "--save", "", "--dir", folder], stdout=subprocess.DEVNULL
    )
    try:
        client = redis.Redis(unix_socket_path=str(path))
        for _ in range(200):
            with contextlib.suppress(redis.ConnectionError):
                if client.ping():
                    break
            time.sleep(0.05)
        client.close()
        yield f"unix://{path}"
    finally:
        process.terminate()
        process.wait()


@pytest.fixture(params=["sqlite", "redis"])
def ledger(request, tmp_path):
    if request.param == "sqlite":
        yield open_ledger(f"sqlite://{tmp_path}/ledger.db")
    else:
        with redis_server(tmp_path) as url:
            yield open_ledger(url)


@pytest.fixture
def courier(ledger, to):
    made = jobs.Courier(ledger, {"default": to}, patience=0.5, keep=True)
    yield made
    made.close()


ACCEPTED, REFUSED = Fate("accepted", 250, "ok"), Fate("rejected", 550, "no")


# The ledger.


def test_one_run_commits(ledger):
    assert ledger.read("1") == Entry()
    ledger.commit([Claim("1", "a", 0)])
    entry = ledger.read("1")
    assert (entry.version, entry.run, entry.fates) == (1, "a", {}) and abs(entry.since - time.time()) < 60
    with pytest.raises(Taken):
        ledger.commit([Claim("1", "b", 0)])
    ledger.commit([Claim("1", "a", 0)])  # its first attempt came to nothing
    assert not ledger.settle(Claim("1", "b", 0), {}, after=None)
    assert ledger.settle(Claim("1", "a", 0), {"x@y": REFUSED}, after=5)
    entry = ledger.read("1")
    assert (entry.run, entry.fates) == (None, {"x@y": REFUSED})
    ledger.commit([Claim("1", "b", entry.version)])
    assert ledger.read("1").fates == {"x@y": REFUSED}


def test_all_of_a_group_or_none(ledger):
    ledger.commit([Claim("2", "a", 0)])
    with pytest.raises(Taken):
        ledger.commit([Claim("1", "b", 0), Claim("2", "b", 0), Claim("3", "b", 0)])
    assert ledger.read("1") == ledger.read("3") == Entry()
    ledger.commit([Claim("1", "b", 0), Claim("3", "b", 0)])
    assert ledger.read("1").run == ledger.read("3").run == "b"


def test_of_many_at_once_one_is_let_through(ledger):
    def commit(run):
        try:
            ledger.commit([Claim("1", str(run), 0)])
        except Taken:
            return False
        return True

    with concurrent.futures.ThreadPoolExecutor(8) as pool:
        assert sum(pool.map(commit, range(40))) == 1


def test_unknown_gives_way_to_the_truth(ledger):
    ledger.commit([Claim("1", "a", 0)])
    entry = ledger.read("1")
    assert ledger.settle(Claim("1", "b", entry.version), {"x@y": Fate("unknown")}, after=None, run="a")
    assert ledger.settle(Claim("1", "a", 0), {"x@y": ACCEPTED}, after=None)
    assert ledger.read("1").fates == {"x@y": ACCEPTED}


def test_kept_until_it_is_done(ledger):
    ledger.add("1", "first")
    ledger.add("1", "second")
    ledger.add("2", "other")
    assert ledger.overdue(60) == []
    time.sleep(0.05)
    assert sorted(ledger.overdue(0.02)) == [("1", "first"), ("2", "other")]
    assert ledger.overdue(0.5) == []
    version = ledger.read("1").version
    ledger.commit([Claim("1", "a", version)])
    assert ledger.settle(Claim("1", "a", version), {}, after=600)  # comes again in ten minutes
    ledger.commit([Claim("2", "a", version)])
    assert ledger.settle(Claim("2", "a", version), {"x@y": ACCEPTED}, after=None)
    time.sleep(0.05)
    assert ledger.overdue(0.02) == []
    assert ledger.overdue(-700) == [("1", "first")]


def test_a_ledger_forgets(tmp_path):
    ledger = SQLiteLedger(tmp_path / "l.db")
    ledger.add("1", "kept")
    ledger.commit([Claim("2", "a", 0)])
    assert ledger.forget(60) == 0 and ledger.forget(-1) == 1
    assert ledger.read("2") == Entry() and ledger.read("1").version == 1


def test_a_ledger_in_a_child(tmp_path):
    ledger = SQLiteLedger(tmp_path / "l.db")
    ledger.commit([Claim("1", "a", 0)])
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            ledger.commit([Claim("2", "b", 0)])
            os._exit(0 if ledger.read("1").run == "a" else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0
    ledger.commit([Claim("3", "a", 0)])
    assert ledger.read("2").run == "b"


@pytest.mark.parametrize("where", ["sqlite:relative.db", "mysql://x", "", "/tmp/x.db"])
def test_no_such_ledger(where):
    with pytest.raises(ValueError, match="sqlite:///PATH"):
        open_ledger(where)


# What travels.


def test_octets_are_final():
    message = b"From: a@c\nTo: Bob <b@s>, c@s\nBcc: hidden@s\nSubject: x\n\nHello.\n"
    payload = json.loads(json.dumps(jobs.encode(message, mailer="bulk", dsnret="headers", mailparameters="XVERP", originator=None)))
    octets, options = base64.b64decode(payload["message"]), payload["options"]
    assert b"hidden" not in octets and b"Message-ID: <" in octets and b"Date: " in octets and octets.endswith(b"\r\n\r\nHello.\r\n")
    assert abs(options.pop("queued") - time.time()) < 60
    travels = {"mailer": "bulk", "dsnret": "headers", "mailparameters": "XVERP"}
    assert options == {"originator": "a@c", "recipients": ["b@s", "c@s", "hidden@s"], **travels}


def test_recipients_with_wishes():
    wishes = {"address": "b@s", "notify": "failure"}
    payload = jobs.encode(MESSAGE, recipients=[wishes, "Ann <a@s>, c@s"])
    assert payload["options"]["recipients"] == [wishes, "a@s", "c@s"]
    payload = jobs.encode(MESSAGE, recipients=[smtpclient.Rcpt("b@s", notify=["failure", "delay"])])
    assert payload["options"]["recipients"] == [{"address": "b@s", "notify": ["failure", "delay"]}]
    json.dumps(payload)


@pytest.mark.parametrize("option", ["password", "servers", "timeout", "nonsense", "atleastone"])
def test_what_does_not_travel(option):
    with pytest.raises(smtpclient.UsageError, match=f"option {option} does not travel with a job: .* mailer 'bulk'"):
        jobs.encode(MESSAGE, mailer="bulk", **{option: "x"})


def test_a_message_that_nobody_would_get():
    with pytest.raises(smtpclient.UsageError):
        jobs.encode(b"From: a@c\nSubject: x\n\n")


# What a run does.


def run(courier, message, job="1", **options):
    return courier.deliver(job, jobs.encode(message, **options))


def test_sent_once(courier, sink):
    payload = jobs.encode(MESSAGE)
    courier.submitted("1", payload)
    first, second = courier.deliver("1", payload), courier.deliver("1", payload)
    assert first.status == "accepted" and first.fates == second.fates and sink.count == 1
    assert first.result() == {"status": "accepted", "recipients": courier.outcome("1")}
    assert courier.overdue(-1) == []


def test_partly_accepted(courier, sink):
    payload = jobs.encode(b"From: a@c\nTo: good@s, bad@s, later@s\n\n")
    first = courier.deliver("1", payload)
    assert first.status == "retry" and first.after == 60 and "later@s: 451 later" in str(first.error)
    assert {address: fate.outcome for address, fate in first.fates.items()} == {"good@s": "accepted", "bad@s": "rejected"}
    second = courier.deliver("1", payload)
    assert second.status == "retry" and second.fates == first.fates
    [(envelope, _)] = sink.messages()
    assert len(envelope) == 2
    payload["options"]["queued"] -= 6 * 86400  # nobody waits any longer
    last = courier.deliver("1", payload)
    assert last.result()["recipients"]["later@s"] == {"outcome": "rejected", "code": 451, "text": "later"}
    assert last.status == "partial" and sink.count == 1


def test_pauses_grow(courier):
    payload = jobs.encode(b"From: a@c\nTo: later@s\n\n")
    for age, pause in [(0, 60), (1200, 600), (86400, 3600)]:
        aged = {**payload, "options": {**payload["options"], "queued": time.time() - age}}
        assert courier.deliver("1", aged).after == pytest.approx(pause, abs=5)


def test_refused_for_good(courier, sink):
    verdict = run(courier, b"From: a@c\nTo: bad@s\n\n")
    assert verdict.status == "rejected"
    with pytest.raises(smtpclient.RecipientsRefused, match="550"):
        verdict.result()
    with pytest.raises(smtpclient.RefusedError, match="bad@s: 550 no such user"):
        run(courier, b"From: a@c\nTo: bad@s\n\n").result()


def test_no_server(ledger):
    courier = jobs.Courier(ledger, {"default": lambda: {"servers": ["127.0.0.1:1"], "retries": 0}})
    verdict = run(courier, MESSAGE)
    assert verdict.status == "retry" and isinstance(verdict.error, smtpclient.ConnectError) and ledger.read("1").run is None


def test_no_such_mailer(courier, sink):
    verdict = run(courier, MESSAGE, mailer="bulk")
    assert verdict.status == "retry" and "no mailer 'bulk': there are 'default'" in str(verdict.error) and sink.count == 0


def test_killed_after_the_commit(courier, sink, ledger):
    ledger.commit([Claim("1", "host:1:x", 0)])
    first = run(courier, MESSAGE)
    assert first.status == "retry" and 0 < first.after <= 0.5
    time.sleep(first.after + 0.01)
    second = run(courier, MESSAGE)
    assert second.status == "unknown" and "host:1:x" in second.fates["b@s.example"].text
    for verdict in second, run(courier, MESSAGE):
        with pytest.raises(smtpclient.OutcomeUnknown, match="not sent again: b@s.example"):
            verdict.result()
    assert sink.count == 0


def test_two_runs_of_one_job_at_once(ledger, to, sink):
    couriers = [jobs.Courier(ledger, {"default": to}, patience=60) for _ in range(4)]
    payload = jobs.encode(MESSAGE)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        verdicts = list(pool.map(lambda number: couriers[number % 4].deliver("1", payload), range(32)))
    assert sink.count == 1 and "accepted" in {verdict.status for verdict in verdicts}
    assert {verdict.status for verdict in verdicts} <= {"accepted", "retry"}
    assert couriers[0].deliver("1", payload).status == "accepted"
    for courier in couriers:
        courier.close()


def test_a_ledger_that_is_away(to, sink, tmp_path):
    class Away(SQLiteLedger):
        away = set()

        def read(self, job):
            return self._or("read", super().read, job)

        def commit(self, claims):
            return self._or("commit", super().commit, claims)

        def settle(self, *values, **named):
            return self._or("settle", super().settle, *values, **named)

        def _or(self, name, function, *values, **named):
            if name in self.away:
                raise OSError(f"{name} is away")
            return function(*values, **named)

    ledger = Away(tmp_path / "l.db")
    courier = jobs.Courier(ledger, {"default": {**to, "retries": 0}}, patience=0.3)
    for name in "read", "commit":
        ledger.away = {name}
        verdict = run(courier, MESSAGE)
        assert verdict.status == "retry" and f"{name} is away" in str(verdict.error) and sink.count == 0
    ledger.away = {"settle"}
    assert run(courier, MESSAGE).status == "retry" and sink.count == 1
    ledger.away = set()
    time.sleep(0.4)
    assert run(courier, MESSAGE).status == "unknown" and sink.count == 1
    courier.close()


def test_no_reply_to_the_end_of_a_message(ledger):
    replies = b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"", None
    with server(*replies) as (port, heard):
        courier = jobs.Courier(ledger, {"default": {"servers": [f"127.0.0.1:{port}"], "retries": 0}})
        verdict = run(courier, MESSAGE)
    assert verdict.status == "unknown" and ledger.read("1").fates["b@s.example"].outcome == "unknown" and b"DATA" in heard


def test_in_a_child(courier, sink):
    assert run(courier, MESSAGE).status == "accepted"
    child = os.fork()
    if child == 0:
        with contextlib.suppress(BaseException):
            os._exit(0 if run(courier, MESSAGE, job="2").status == "accepted" else 1)
        os._exit(2)
    assert os.waitpid(child, 0)[1] == 0 and sink.count == 2


def test_nothing_else_is_imported():
    program = "import sys, smtpclient.jobs; sys.exit(bool({'celery', 'redis', 'huey', 'django'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", program]).returncode == 0
