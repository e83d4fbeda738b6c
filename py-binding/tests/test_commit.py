"""Option ``commit``: who is asked, when, and what follows."""

import asyncio
import contextlib
import functools
import os
import socket
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE, server, serving
from smtpclient import CommitError, Mailer, Session, _commit, aio, sendmessage, smtplib
from smtpclient.testing import Sink


class Asked:
    """A commit that notes what it was asked, and fails for messages with these tags."""

    def __init__(self, fails=()):
        self.calls, self.fails = [], fails

    def __call__(self, ready):
        self.calls.append(ready)
        if any(one.tag in self.fails for one in ready):
            raise OSError("the disk is full")

    @property
    def all(self):
        return [one for call in self.calls for one in call]


def later(function):
    """The same for asyncio, after a while."""

    async def commit(ready):
        await asyncio.sleep(0.01)
        function(ready)

    return commit


def run(way, message, commit, to, **options):
    if way == "sendmessage":
        return sendmessage(message, commit=commit, **options, **to)
    if way == "session":
        with Session("127.0.0.1", to["ports"][0], client="c", commit=commit) as session:
            return session.send_message(message, **options)
    if way == "mailer":
        with Mailer(commit=commit, **to) as mailer:
            return mailer.submit(message, **options).result()
    return asyncio.run(run_aio(way, message, commit, to, options))


async def run_aio(way, message, commit, to, options):
    if "awaited" in way:
        commit = later(commit)
    if "sendmessage" in way:
        return await aio.sendmessage(message, commit=commit, **options, **to)
    if "session" in way:
        async with aio.Session("127.0.0.1", to["ports"][0], client="c", commit=commit) as session:
            return await session.send_message(message, **options)
    async with aio.Mailer(commit=commit, **to) as mailer:
        return await mailer.submit(message, **options)


def looped(test):
    """Runs a test in an event loop."""

    @functools.wraps(test)
    def run(*args, **named):
        asyncio.run(test(*args, **named))

    return run


WAYS = ["sendmessage", "session", "mailer"]
WAYS += [f"{kind} {way}" for kind in ("aio", "awaited") for way in ("sendmessage", "session", "mailer")]


@pytest.mark.parametrize("way", WAYS)
def test_it_is_asked_once_and_told_what_is_ready(way, sink, to):
    asked = Asked()
    report = run(way, MESSAGE, asked, to, recipients="b@s.example, bad@s.example", atleastone=True, tag="job 7")
    assert report.sent
    [[ready]] = asked.calls
    assert ready.recipients == ("b@s.example",)
    assert (ready.tag, ready.attempt, ready.index) == ("job 7", 1, 1 if "mailer" in way else 0)
    assert ready.server == f"127.0.0.1:{sink.port}"
    [(_, octets)] = sink.messages()
    assert ready.message_id.startswith("<") and ready.message_id.encode() in octets


@pytest.mark.parametrize("way", WAYS)
def test_one_that_fails_is_not_sent(way, sink, to):
    asked = Asked(fails=["job"])
    with pytest.raises(CommitError, match="the disk is full") as caught:
        run(way, MESSAGE, asked, to, tag="job")
    error = caught.value
    assert (error.step, error.transient, len(asked.all)) == ("commit", False, 1)
    assert [recipient.outcome for recipient in error.report.recipients] == ["not_sent"]
    assert type(error.__cause__) is OSError and error.__cause__.__traceback__ is not None
    assert sink.count == 0


@pytest.mark.parametrize("way", ["sendmessage", "session", "aio sendmessage", "aio session", "awaited sendmessage"])
@pytest.mark.parametrize("error", [KeyboardInterrupt, SystemExit])
def test_what_is_not_an_exception_ends_the_call(way, error, sink, to):
    def commit(ready):
        raise error

    with pytest.raises(error) as caught:
        run(way, MESSAGE, commit, to)
    if "awaited" not in way:  # which the loop itself raises
        assert [recipient.outcome for recipient in caught.value.report.recipients] == ["not_sent"]
    assert sink.count == 0


def test_a_batch_by_bdat_goes_on_after_one_that_fails():
    with Sink(chunking=True) as sink:
        asked = Asked(fails=["2"])
        messages = [(MESSAGE, {"tag": str(n)}) for n in range(5)]
        with Session("127.0.0.1", sink.port, client="c", commit=asked, chunking="on") as session:
            reports = list(session.send_many(messages))
        assert [report.error and report.error.kind for report in reports] == [None, None, "commit", None, None]
        assert [(one.index, one.tag) for one in asked.all] == [(n, str(n)) for n in range(5)]
        assert sink.count == 4


def test_a_mailer_goes_on_after_one_that_fails(sink, to):
    asked = Asked(fails=["2"])
    with Mailer(commit=asked, connections=1, **to) as mailer:
        futures = [mailer.submit(MESSAGE, tag=str(n)) for n in range(5)]
    assert [type(future.exception()) for future in futures] == [type(None)] * 2 + [CommitError] + [type(None)] * 2
    assert type(futures[2].exception().__cause__) is OSError
    assert sorted(one.tag for one in asked.all) == ["0", "1", "2", "3", "4"]
    assert all(one.attempt == 1 for one in asked.all)
    assert sink.count == 4


def test_a_mailer_asks_for_many_at_once():
    begun, go, asked = threading.Event(), threading.Event(), Asked()

    def commit(ready):
        asked(ready)
        begun.set()
        assert go.wait(30)

    with Sink() as sink, Mailer(servers=f"127.0.0.1:{sink.port}", client="c", commit=commit, connections=8) as mailer:
        futures = [mailer.submit(MESSAGE) for _ in range(200)]
        assert begun.wait(30)
        go.set()
        assert mailer.drain() and all(future.result().sent for future in futures)
        assert sorted(one.index for one in asked.all) == list(range(1, 201))
        assert len(asked.calls) < 200 and max(map(len, asked.calls)) > 1


def test_a_window_is_asked_for_together():
    with Sink(chunking=True) as sink:
        asked = Asked(fails=["70"])
        messages = [(MESSAGE, {"tag": str(n)}) for n in range(100)]
        with Session("127.0.0.1", sink.port, client="c", commit=asked, pipelining="full") as session:
            reports = list(session.send_many(messages))
        assert sorted(one.index for one in asked.all) == list(range(100)) and all(one.attempt == 1 for one in asked.all)
        assert len(asked.calls) < 20 and max(map(len, asked.calls)) > 32
        [withdrawn] = [call for call in asked.calls if any(one.tag == "70" for one in call)]
        failed = [n for n, report in enumerate(reports) if report.error]
        assert failed == [one.index for one in withdrawn] and all(reports[n].error.kind == "commit" for n in failed)
        assert sink.count == 100 - len(failed)


@looped
async def test_others_have_their_turn_while_it_is_awaited(to):
    release = asyncio.Event()
    asked = asyncio.Event()

    async def commit(ready):
        asked.set()
        await release.wait()

    async with aio.Mailer(commit=commit, **to) as mailer:
        tasks = [asyncio.ensure_future(aio.sendmessage(MESSAGE, commit=commit, **to)), asyncio.ensure_future(mailer.submit(MESSAGE))]
        await asyncio.wait_for(asked.wait(), 30)
        assert (await aio.sendmessage(MESSAGE, **to)).sent
        assert not any(task.done() for task in tasks)
        release.set()
        assert all(report.sent for report in await asyncio.gather(*tasks))


@looped
async def test_a_task_that_is_cancelled_cancels_its_commit(sink, to):
    begun, ended = asyncio.Event(), []

    async def commit(ready):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(True)
            raise

    task = asyncio.ensure_future(aio.sendmessage(MESSAGE, commit=commit, **to))
    await asyncio.wait_for(begun.wait(), 30)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    await asyncio.sleep(0)
    assert ended and sink.count == 0


@pytest.mark.parametrize("way", ["sendmessage", "session"])
@pytest.mark.parametrize("by", ["deadline", "cancel"])
@looped
async def test_what_ends_the_call_ends_a_commit_that_waits(way, by, sink, to):
    begun, ended, cancel = asyncio.Event(), [], smtpclient.Cancel()

    async def commit(ready):
        begun.set()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            ended.append(ready[0].attempt)
            raise

    ends = {"deadline": 0.5} if by == "deadline" else {"cancel": cancel}

    async def send():
        if way == "sendmessage":
            return await aio.sendmessage(MESSAGE, commit=commit, **ends, **to)
        async with aio.Session("127.0.0.1", sink.port, client="c", commit=commit, **ends) as session:
            return await session.send_message(MESSAGE)

    task = asyncio.ensure_future(send())
    await asyncio.wait_for(begun.wait(), 30)
    cancel.trigger()
    with pytest.raises(smtpclient.Timeout if by == "deadline" else smtpclient.Cancelled) as caught:
        await task
    assert [recipient.outcome for recipient in caught.value.report.recipients] == ["not_sent"]
    assert ended == [1] and sink.count == 0


@looped
async def test_the_answer_for_a_message_that_was_decided_without_it_is_for_no_other():
    calls = []

    async def function(ready):
        calls.append(ready)

    commit = _commit.Awaited(function)
    ready = [_commit.Ready(None, None, 0, "s", ("b@s.example",), 1)]
    for _ in range(2):
        assert commit.ask(ready)
        await commit.over(ended=False)
    assert len(calls) == 2


@looped
async def test_a_commit_cannot_wait_for_its_own_mailer(sink, to):
    faults, tasks = [], []

    async def commit(ready):
        waits = [
            lambda: mailer.submit(MESSAGE), lambda: asyncio.gather(mailer.submit(MESSAGE)), mailer.drain, mailer.close,
        ]
        for wait in waits if ready[0].tag == "first" else []:
            try:
                await wait()
            except smtpclient.UsageError as error:
                faults.append(str(error))
        tasks.append(asyncio.ensure_future(later()))

    async def later():
        await asyncio.sleep(0.05)
        return await mailer.submit(MESSAGE) if len(tasks) == 1 else None

    async with aio.Mailer(commit=commit, **to) as mailer:
        assert (await mailer.submit(MESSAGE, tag="first")).sent
        assert (await tasks[0]).sent, "the commit that has begun it has returned"
    assert len(faults) == 4 and all("after the commit has returned" in fault for fault in faults), faults
    assert sink.count == 2


def test_nor_can_that_of_a_mailer_with_threads(sink, to):
    futures = []

    def commit(ready):
        if ready[0].tag == "first":
            futures.append(mailer.submit(MESSAGE))
            for wait in (futures[0].result, futures[0].exception, mailer.drain, mailer.close):
                with pytest.raises(smtpclient.UsageError, match="in another thread"):
                    wait()

    with Mailer(commit=commit, **to) as mailer:
        assert mailer.submit(MESSAGE, tag="first").result(30).sent
        assert futures[0].result(30).sent


@looped
async def test_a_server_that_goes_meanwhile_is_told_when_the_commit_has_ended():
    replies = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", None]
    done = []

    async def commit(ready):
        await asyncio.sleep(0.2)
        done.append(ready)

    with server(*replies) as (port, heard):
        with pytest.raises(smtpclient.ConnectionClosed) as caught:
            await aio.sendmessage(MESSAGE, servers="127.0.0.1", ports=port, client="c", commit=commit)
        assert len(done) == 1 and caught.value.report.recipients[0].outcome == "not_sent"
        assert not heard.endswith(b"\r\n.\r\n")


def test_an_awaitable_is_for_asyncio(sink, to):
    async def commit(ready):
        pass

    with pytest.raises(CommitError, match=r"only smtpclient\.aio awaits it"):
        sendmessage(MESSAGE, commit=commit, **to)
    assert sink.count == 0


def test_it_belongs_to_the_session_or_mailer(sink, to):
    own, other = Asked(), Asked()
    with Session("127.0.0.1", sink.port, client="c", commit=own) as session, Mailer(commit=own, **to) as mailer:
        for send in (session.send_message, mailer.submit):
            with pytest.raises(smtpclient.UsageError, match="option `commit` belongs to the"):
                send(MESSAGE, commit=other)
            send(MESSAGE, commit=own)
    with Session("127.0.0.1", sink.port, client="c") as session, pytest.raises(smtpclient.UsageError, match="`commit`"):
        session.send_message(MESSAGE, commit=other)
    assert len(own.all) == 2 and not other.calls and sink.count == 2


def test_the_next_server_asks_again(sink):
    asked = Asked()
    replies = [b"220 s\r\n", b"250 s\r\n", b"250 ok\r\n", b"250 ok\r\n", b"354 go\r\n", b"421 bye\r\n"]
    with server(*replies) as (port, _):
        report = sendmessage(MESSAGE, servers=["127.0.0.1"] * 2, ports=[port, sink.port], client="c", commit=asked)
    assert report.sent and len(report.attempts) == 2
    assert asked.all[-1].attempt == len(asked.all) and asked.all[-1].server.endswith(str(sink.port))


def test_a_child_of_the_function_sends_nothing(sink, to):
    children = []

    def commit(ready):
        pid = os.fork()
        if pid == 0:
            return  # comes back from the call that the parent is in
        children.append(pid)

    parent = os.getpid()
    try:
        report = sendmessage(MESSAGE, commit=commit, **to)
    except BaseException:
        if os.getpid() != parent:
            os._exit(7)
        raise
    if os.getpid() != parent:
        os._exit(8)
    _, status = os.waitpid(children[0], 0)
    assert os.waitstatus_to_exitcode(status) == 7
    assert report.sent and sink.count == 1


@contextlib.contextmanager
def chunking():
    """A server that offers CHUNKING, and takes all that it gets: its port, the contents that it has, and its connections."""
    listener = socket.create_server(("127.0.0.1", 0))
    taken, connections = [], []

    def serve():
        with contextlib.suppress(OSError):
            connection, _ = listener.accept()
            connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            connections.append(connection)
            lines = connection.makefile("rb")
            connection.sendall(b"220 s\r\n")
            while line := lines.readline():
                if line.startswith(b"BDAT"):
                    taken.append(lines.read(int(line.split()[1])))
                hello = line.startswith(b"EHLO")
                connection.sendall(b"250-s\r\n250-PIPELINING\r\n250 CHUNKING\r\n" if hello else b"250 ok\r\n")

    with serving(serve, listener, connections):
        yield listener.getsockname()[1], taken, connections


WINDOW = {"pipelining": "full", "client": "c", "timeout": 5}


@pytest.mark.parametrize("send", [smtpclient.sendmessage, lambda *words, **options: asyncio.run(aio.sendmessage(*words, **options))])
def test_replies_that_come_while_it_runs_decide_nothing(send):
    """Not even in a window, where replies to MAIL and RCPT are still due."""
    with chunking() as (port, taken, connections):

        def commit(ready):
            connections[0].sendall(b"250 stray\r\n" * 3)

        with pytest.raises(smtpclient.ProtocolError) as failed:
            send(MESSAGE, servers="127.0.0.1", ports=port, commit=commit, **WINDOW)
    assert [one.outcome for one in failed.value.report.recipients] == ["not_sent"] and taken == []


def test_a_child_of_a_mailers_function_takes_no_replies():
    calls = []

    def commit(ready):
        calls.append(len(ready))
        if len(calls) == 1:
            if os.fork() == 0:
                threading.Timer(1.0, lambda: os._exit(0)).start()
                return  # into the mailer of the parent
            time.sleep(0.3)  # the child is there first

    with chunking() as (port, taken, _), Mailer(servers="127.0.0.1", ports=port, commit=commit, connections=1, **WINDOW) as mailer:
        futures = [mailer.submit(MESSAGE) for _ in range(4)]
        assert all(future.result(20).complete for future in futures)
    assert len(taken) == 4 and sum(calls) == 4


def test_verbs_and_smtplib_are_asked_for_too(sink, to):
    asked = Asked()
    with Session("127.0.0.1", sink.port, client="c", commit=asked) as session:
        session.ehlo()
        session.mail("a@c.example")
        session.rcpt("b@s.example")
        assert session.data(b"x\r\n").code == 250
    [ready] = asked.all
    assert (ready.message_id, ready.recipients) == (None, ("b@s.example",))
    assert not hasattr(smtplib.SMTP, "commit")


def test_what_it_says_is_typed():
    with pytest.raises(TypeError, match="option `commit` takes a function"):
        smtpclient.Options(commit="yes")
    function = Asked()
    assert smtpclient.Options(smtpclient.Options(commit=function)).commit is function
