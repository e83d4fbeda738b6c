"""Reports, whose fields are made when they are asked for."""

import asyncio
import copy
import dataclasses
import json
import pickle

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
    if name not in ("reply", "queue_id", "recipients", "octets"):  # the server's words, and the time
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
