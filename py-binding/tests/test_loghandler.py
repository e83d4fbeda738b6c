"""``MailHandler``: what is logged arrives, and no logger waits."""

import logging
import os
import socket
import threading
import time

import pytest
import smtpclient
from smtpclient.loghandler import MailHandler
from smtpclient.testing import Sink


@pytest.fixture
def logger():
    made = logging.Logger("test")
    yield made
    for handler in list(made.handlers):
        made.removeHandler(handler)
        handler.close()


def handler(port, **more):
    return MailHandler("app@c.example", ["ops@s.example"], servers="127.0.0.1", ports=port, interval=60, **more)


def test_the_records_of_one_moment_are_one_message(sink, logger):
    logger.addHandler(handler(sink.port))
    logger.warning("disk %s", "full")
    logger.error("Grüße\nfrom the disk")
    logger.info("x" * 300)
    logger.handlers[0].flush()
    [(envelope, content)] = sink.messages()
    assert envelope[0].startswith("MAIL FROM:<app@c.example>") and envelope[1] == "RCPT TO:<ops@s.example>"
    assert b"Auto-Submitted: auto-generated" in content
    assert b"disk full" in content and b"Gr=C3=BC=C3=9Fe" in content and b"more)" in content
    logger.error("again")
    logger.handlers[0].flush()
    assert len(sink.messages()) == 2


def test_close_sends_what_waits(sink, logger):
    mine = handler(sink.port)
    logger.addHandler(mine)
    logger.error("last words")
    mine.close()
    assert sink.count == 1
    logger.error("too late")
    mine.flush()
    assert sink.count == 1


def test_no_logger_waits_for_a_server_that_is_silent(silent, logger):
    mine = handler(silent, capacity=5, flushtime=0)
    mine.handleNotSent = lambda records, error: None
    logger.addHandler(mine)
    for number in range(100):
        logger.error("record %d", number)
    mine.flush()
    # It is on its way, to nobody: what comes next is taken, and no more than the capacity.
    for _ in range(2000):
        with mine._news:
            if mine._busy:
                break
        time.sleep(0.01)
    else:
        pytest.fail("the handler's thread did not begin to send")
    for number in range(100):
        logger.error("record %d", number)
    with mine._news:
        assert len(mine._records) <= 5 and mine._lost >= 90


def test_records_beyond_the_capacity_are_counted(sink, logger):
    mine = handler(sink.port, capacity=3)
    logger.addHandler(mine)
    for number in range(10):
        logger.error("record %d", number)
    mine.flush()
    [(_, content)] = sink.messages()
    assert b"record 2" in content and b"record 3" not in content and b"7 more records did not fit." in content


def test_a_server_that_refuses_is_told(logger):
    told = threading.Event()

    class Mine(MailHandler):
        def handleNotSent(self, records, error):
            assert [record.getMessage() for record in records] == ["x"]
            assert isinstance(error, smtpclient.RecipientsRefused)
            told.set()

    with Sink(rejects=["ops*=550 5.1.1 no"]) as sink:
        mine = Mine("app@c.example", "ops@s.example", servers="127.0.0.1", ports=sink.port, interval=0)
        logger.addHandler(mine)
        logger.error("x")
        mine.flush()
        assert told.wait(10)


def test_wrong_options_raise_at_once():
    with pytest.raises(TypeError, match="colour"):
        MailHandler("a@b", "c@d", colour="red")
    with pytest.raises(ValueError, match="capacity must be at least 1"):
        MailHandler("a@b", "c@d", capacity=0)


def test_a_record_that_cannot_be_shown_takes_no_other_with_it(sink, logger, capsys):
    mine = handler(sink.port)
    logger.addHandler(mine)
    kept = ["a"]
    logger.error("list %s", kept)
    kept.clear()
    logger.error("bad %d", "x")
    logger.error("half \udcff and \0 nothing")
    mine.flush()
    [(_, content)] = sink.messages()
    assert b"list ['a']" in content and b"half ?" in content
    assert "bad %d" in capsys.readouterr().err


def test_a_handler_that_raises_goes_on(logger, capsys):
    class Mine(MailHandler):
        def handleNotSent(self, records, error):
            raise RuntimeError("mine")

    with Sink(rejects=["ops*=550 5.1.1 no"]) as sink:
        mine = Mine("app@c.example", "ops@s.example", servers="127.0.0.1", ports=sink.port, interval=0)
        logger.addHandler(mine)
        for _ in range(2):
            logger.error("x")
            mine.flush()
    assert capsys.readouterr().err.count("RuntimeError: mine") == 2


@pytest.mark.parametrize(
    ("who", "more", "wanted"),
    [(("a b", "c@d"), {}, "a b"), (("a@b", []), {}, "no recipient"), (("a@b", "c@d"), {"subject": "%(nope)s"}, "nope")],
)
def test_what_can_never_be_sent_is_told_at_once(who, more, wanted):
    with pytest.raises(ValueError, match=wanted):
        MailHandler(*who, **more)


def test_a_child_by_fork_sends_its_own(sink, logger):
    mine = handler(sink.port)
    logger.addHandler(mine)
    logger.error("of the parent")
    child = os.fork()
    if child == 0:
        logger.error("of the child")
        mine.flush()
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0
    mine.flush()
    contents = sorted(content.rsplit(b"\r\n\r\n")[1].strip() for _, content in sink.messages())
    assert contents == [b"of the child", b"of the parent"]


def test_a_port_where_nobody_listens(logger, capsys):
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    mine = handler(port, retries=0)
    logger.addHandler(mine)
    logger.error("x")
    mine.flush()
    assert "ConnectError" in capsys.readouterr().err


def test_an_originator_that_is_not_a_mailbox():
    with pytest.raises(ValueError, match="option `originator`: .*app@.*no domain"):
        MailHandler("app@", "ops@s.example")
