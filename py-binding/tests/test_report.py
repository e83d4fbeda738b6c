"""Reports, whose fields are made when they are asked for."""

import asyncio
import copy
import dataclasses
import json
import pickle
import socket
import threading
import time

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import Report, Session, aio

FIELDS = [field.name for field in dataclasses.fields(Report)]


def whole(report):
    """The same report, made of its fields at once."""
    return Report(**{name: getattr(report, name) for name in FIELDS})


@pytest.fixture(params=["good", "partial", "refused", "failed"])
def make(request, sink):
    """Sends the same message each time it is called."""
    options = {
        "good": {},
        "partial": {"recipients": "b@s.example, bad@s.example", "atleastone": True},
        "refused": {"recipients": "bad@s.example"},
        "failed": {"requiretls": True},
    }[request.param]
    with Session("127.0.0.1", sink.port) as session:
        yield lambda: next(session.send_many([(MESSAGE, options)]))


@pytest.mark.parametrize("name", FIELDS)
def test_each_field_alone_is_that_of_the_whole(make, name):
    one, other = make(), make()
    assert type(getattr(one, name)) is type(getattr(whole(other), name))
    if name not in ("reply", "queue_id", "recipients", "octets", "times"):  # the server's words, and the time
        assert getattr(one, name) == getattr(whole(other), name)
    assert getattr(one, name) is getattr(one, name)


def test_a_report_is_what_it_was_when_all_was_made_at_once(make):
    for look in (repr, hash, len, bool, list, Report.to_dict, lambda r: (r.sent, r.complete, r.unknown, r.refused)):
        report = make()
        found = look(report)
        assert found == look(whole(report)) == look(report)
    report = make()
    assert report == whole(report) and whole(report) == report and report != Report()
    assert dataclasses.replace(report, octets=1) == dataclasses.replace(whole(report), octets=1) != report
    json.dumps(report.to_dict())


def test_times(sink):
    report = smtpclient.sendmessage(MESSAGE, servers="localhost", ports=sink.port)
    [attempt], times = report.attempts, report.times
    assert None not in (attempt.times.resolve, attempt.times.connect, attempt.times.greeting)
    assert attempt.times.tls is None and attempt.times.login is None
    assert times.envelope + times.body + times.reply <= times.total
    assert attempt.times.resolve + attempt.times.connect + attempt.times.greeting <= times.total
    before = {"resolve", "connect", "greeting"}
    with pytest.raises(smtpclient.RecipientsRefused) as refused:
        smtpclient.sendmessage(MESSAGE, servers="127.0.0.1", ports=sink.port, recipients="bad@s.example")
    times = refused.value.report.times
    assert (times.envelope, times.body, times.reply) == (None, None, None) and times.total
    assert {name for name, value in dataclasses.asdict(refused.value.report.attempts[0].times).items() if value is not None} == before
    with pytest.raises(smtpclient.ConnectError) as failed:
        smtpclient.sendmessage(MESSAGE, servers="127.0.0.1", ports=1)
    assert failed.value.report.times.total and failed.value.report.attempts[0].times == smtpclient.ConnectionTimes()
    with Session("127.0.0.1", sink.port) as session:
        one, other = session.send_many([MESSAGE, MESSAGE])
    assert one.attempts[0].times == other.attempts[0].times and one.attempts[0].times.greeting
    assert other.times.total >= other.times.reply


def test_times_of_tls_and_login(tls_server, certificate):
    report = smtpclient.sendmessage(
        MESSAGE, servers="localhost", ports=tls_server.port, tlscafile=certificate[0], tlsrequired=True
    )
    [attempt] = report.attempts
    assert attempt.times.tls and attempt.times.tls + attempt.times.greeting <= report.times.total
    assert dataclasses.replace(attempt, times=smtpclient.ConnectionTimes()) == attempt


def test_a_slow_server_is_told_from_a_slow_message():
    def body():
        yield MESSAGE
        time.sleep(0.3)
        yield b"more\r\n"

    listener = socket.create_server(("127.0.0.1", 0))

    def serve():
        connection, _ = listener.accept()
        with connection, connection.makefile("rwb", buffering=0) as lines:
            time.sleep(0.2)
            lines.write(b"220 s\r\n")
            for reply in (b"250 s", b"250 ok", b"250 ok", b"354 go"):
                lines.readline()
                if reply == b"354 go":
                    time.sleep(0.2)
                lines.write(reply + b"\r\n")
            while lines.readline() != b".\r\n":
                pass
            time.sleep(0.4)
            lines.write(b"250 done\r\n")
            lines.readline()

    server = threading.Thread(target=serve)
    server.start()
    with listener:
        report = smtpclient.sendmessage(body(), servers="127.0.0.1", ports=listener.getsockname()[1], originator="a@b.c", recipients="d@e.f")
        server.join()
    assert report.attempts[0].times.greeting >= 200_000
    assert report.times.envelope >= 200_000 and report.times.body >= 300_000 and report.times.reply >= 400_000
    assert report.times.total >= 1_100_000


def native(report):
    return report.__dict__["_native"].to_dict()


def test_classes_have_every_field_that_the_library_knows(make):
    report = make()
    assert list(native(report).items()) == list(report.to_dict().items())
    assert report.to_dict() == whole(report).to_dict()


def test_so_it_is_of_tls(tls_server, certificate):
    options = {"servers": "localhost", "ports": tls_server.port, "client": "c.example", "tlscafile": certificate[0]}
    for own in ({"tlsrequired": True}, {}):
        report = smtpclient.sendmessage(MESSAGE, **options | own)
        assert list(native(report)["attempts"][0]["tls"]) == list(report.to_dict()["attempts"][0]["tls"])
        assert native(report) == report.to_dict() and report.attempts[0].tls.certificate_sha256


@pytest.mark.parametrize("duplicate", [copy.copy, copy.deepcopy, lambda r: pickle.loads(pickle.dumps(r))])
def test_copies_are_equal_and_hold_nothing_native(make, duplicate):
    report = make()
    other = duplicate(report)
    assert other == report and repr(other) == repr(report) and sorted(vars(other)) == sorted(FIELDS)
    assert duplicate(whole(report)) == report


def test_a_report_cannot_be_changed(make):
    report = make()
    for name in FIELDS:
        with pytest.raises(dataclasses.FrozenInstanceError):
            setattr(report, name, None)
    assert Report() == Report(recipients=()) and Report.recipients == ()


def test_exceptions_bear_such_reports(sink, to):
    with pytest.raises(smtpclient.RecipientsRefused) as caught:
        smtpclient.sendmessage(MESSAGE, recipients="bad@s.example", **to)
    again = pickle.loads(pickle.dumps(caught.value))
    assert again.report == caught.value.report == whole(caught.value.report) and again.refused[0].code == 550
    with pytest.raises(smtpclient.TLSError) as caught:
        asyncio.run(aio.sendmessage(MESSAGE, requiretls=True, usetls=False, **to))
    assert caught.value.report == whole(caught.value.report) and caught.value.attempts
