"""Threads that use one session, one set of options or one message at once: an error or an answer, never a crash."""

import asyncio
import contextlib
import sys
import threading

import pytest
import smtpclient
from conftest import MESSAGE, server
from smtpclient import Message, Session, aio, sendmessage, smtplib


@pytest.fixture
def hasty():
    """Threads take turns as often as they can."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_threads_hammer_one_session(sink):
    """Of one message each, while others send, ask and look."""
    token, sent, wrong = Message.from_bytes(MESSAGE), [], []
    # The other one, as the standard one, is for one thread: it refuses the others.
    closing = contextlib.closing(smtplib.SMTP("127.0.0.1", sink.port))
    with Session("127.0.0.1", sink.port) as session, closing as other:

        def call(n):
            for k in range(40):
                try:
                    if (n + k) % 3 == 0:
                        sent.append(session.send_message(token).complete)
                    elif (n + k) % 3 == 1:
                        assert session.noop().ok and session.server_options()
                    else:
                        assert session.is_open and list(session.send_many([token])) != []
                        sent.append(True)
                    other.noop()
                except (smtpclient.UsageError, RuntimeError):
                    pass  # another thread has it
                except BaseException as error:
                    wrong.append(error)

        threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert session.noop().ok
    assert not wrong and all(sent) and sink.count >= len(sent) > 0


@pytest.mark.usefixtures("hasty")
def test_threads_share_options_that_one_of_them_changes(sink):
    options = {
        "servers": ["127.0.0.1"], "ports": [sink.port], "client": "c.example", "header": [("A", "b")],
        "recipients": ["b@s.example"],
    }
    over, wrong = threading.Event(), []

    def change():
        while not over.is_set():
            options["recipients"].append("c@s.example")
            options["header"].append(("B", "c"))
            options["recipients"].pop()
            options["header"].clear()

    def call():
        for _ in range(60):
            try:
                assert sendmessage(MESSAGE, **options).complete
            except smtpclient.UsageError:
                pass  # no recipient, for a moment
            except BaseException as error:
                wrong.append(error)

    changer, threads = threading.Thread(target=change), [threading.Thread(target=call) for _ in range(6)]
    for thread in (changer, *threads):
        thread.start()
    for thread in threads:
        thread.join()
    over.set()
    changer.join()
    assert not wrong and sink.count > 100


@pytest.mark.usefixtures("hasty")
def test_threads_share_one_message(sink, to):
    message, wrong = Message("Hello\n"), []
    message["From"], message["To"] = "a@c.example", "b@s.example"

    def call(n):
        try:
            for k in range(30):
                message[f"X-{n}"] = str(k)
                message.attach_bytes("a", b"x" * 100)
                assert sendmessage(message, **to).complete
                del message[f"X-{n}"]
                bytes(message), message.parts, message.header_names()
        except RuntimeError:
            pass  # it is being read or changed by another thread
        except BaseException as error:
            wrong.append(error)

    threads = [threading.Thread(target=call, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def test_a_session_that_another_thread_closes():
    for _ in range(5):
        with server(b"220 s\r\n") as (port, _):
            session = Session("127.0.0.1", port, timeout=0.5)
        raised = []

        def call(session=session, raised=raised):
            try:
                session.noop()
            except Exception as error:
                raised.append(error)

        thread = threading.Thread(target=call)
        thread.start()
        try:
            session.close()
        except smtpclient.SMTPException:
            pass
        thread.join(10)
        assert not thread.is_alive() and all(isinstance(error, smtpclient.SMTPException) for error in raised)


# Others who only look, and others who must not come between.

SENT = b"From: a@c.example\r\nTo: b@s.example\r\nSubject: %d\r\n\r\nHello.\r\n"


@contextlib.contextmanager
def beside(act):
    """Another thread that does it over and over; what it raised."""
    raised, over = [], threading.Event()

    def run():
        while not over.is_set():
            try:
                act()
            except Exception as error:
                raised.append(error)

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield raised
    finally:
        over.set()
        thread.join()


def numbers(sink):
    return sorted(int(content.split(b"Subject: ")[1].split()[0]) for _, content in sink.messages())


@pytest.mark.usefixtures("hasty")
@pytest.mark.parametrize("look", ["is_open", "is_encrypted", "sock", "__repr__"])
@pytest.mark.parametrize("many", [False, True])
def test_who_only_looks_at_a_session_is_in_nobodys_way(sink, look, many):
    with smtpclient.Session("127.0.0.1", sink.port) as session:
        act = session.__repr__ if look == "__repr__" else lambda: getattr(session, look)
        with beside(act) as raised:
            if many:
                reports = list(session.send_many(SENT % number for number in range(300)))
            else:
                reports = [session.send_message(SENT % number) for number in range(300)]
    assert all(report.complete for report in reports) and numbers(sink) == list(range(300))
    assert {type(error) for error in raised} <= {smtpclient.UsageError}


@pytest.mark.usefixtures("hasty")
def test_messages_under_way_are_of_the_thread_that_sends_them(sink):
    with smtpclient.Session("127.0.0.1", sink.port) as session:
        reports = session.send_many(SENT % number for number in range(300))
        first = next(reports)
        with beside(session.noop) as raised:
            assert first.complete and all(report.complete for report in reports)
    assert numbers(sink) == list(range(300))
    assert raised and {type(error) for error in raised} == {smtpclient.UsageError}


@pytest.mark.usefixtures("hasty")
def test_no_command_comes_between_those_of_a_message_by_smtplib(sink):
    with smtplib.SMTP("127.0.0.1", sink.port) as session:
        session.ehlo()
        done = 0
        with beside(session.noop):
            for number in range(600):
                try:
                    refused = session.sendmail("a@c.example", ["bad@s.example", "b@s.example"], SENT % number)
                except smtpclient.UsageError:
                    continue  # that of the other thread was first
                assert refused == {"bad@s.example": (550, b"5.1.1 no such user")}
                done += 1
        assert session.noop()[0] == 250
    assert done == sink.count > 0
    assert all([line.upper() for line in lines[1:]] == ["RCPT TO:<B@S.EXAMPLE>"] for lines, _ in sink.messages())


@pytest.mark.usefixtures("hasty")
def test_two_messages_by_smtplib_are_never_mixed(sink):
    with smtplib.SMTP("127.0.0.1", sink.port) as session:
        session.ehlo()

        def send(who):
            session.sendmail(f"{who}@c.example", [f"{who}@s.example"], f"Subject: x\r\n\r\n{who}")

        with beside(lambda: send("one")) as raised:
            for _ in range(600):
                with contextlib.suppress(smtpclient.UsageError):
                    send("two")
    assert {type(error) for error in raised} <= {smtpclient.UsageError}
    for (mail, *rcpts), content in sink.messages():
        who = content.split()[-1].decode()
        assert f"<{who}@c.example>" in mail and len(rcpts) == 1 and f"<{who}@s.example>" in rcpts[0]


def test_a_mailer_of_asyncio_is_for_one_loop_after_the_other(sink):
    mailer = aio.Mailer(servers="127.0.0.1", ports=sink.port)
    first = asyncio.new_event_loop()
    thread = threading.Thread(target=first.run_forever)
    thread.start()
    try:
        submitted = asyncio.run_coroutine_threadsafe(mailer.submit(MESSAGE), first)
        assert submitted.result(20).complete
        for call in (lambda: mailer.submit(MESSAGE), mailer.drain, mailer.close):
            with pytest.raises(smtpclient.UsageError, match="another event loop"):
                asyncio.run(call())
    finally:
        first.call_soon_threadsafe(first.stop)
        thread.join()
        first.close()

    async def second():
        assert (await mailer.submit(MESSAGE)).complete
        assert await mailer.close(20)

    asyncio.run(second())
    assert sink.count == 2
