"""``smtpclient.django.QueueBackend``, its ledger, and ``smtpclient.django_tasks``."""

import importlib
import types

import pytest

pytest.importorskip("django")

import django_settings  # noqa: E402
from django.core import mail  # noqa: E402
from django.db import connections, transaction  # noqa: E402
from django.test import override_settings  # noqa: E402
from smtpclient import UsageError, jobs  # noqa: E402
from smtpclient.django import DjangoLedger, QueueBackend, _queue  # noqa: E402
from smtpclient.ledger import Claim, Entry, Fate, Taken, open_ledger  # noqa: E402

@pytest.fixture(autouse=True)
def backend(to):
    with override_settings(EMAIL_BACKEND="smtpclient.django.QueueBackend", SMTPCLIENT={"mailers": {"default": to}}):
        yield
    with connections["default"].cursor() as cursor:
        cursor.execute(f"DROP TABLE IF EXISTS {DjangoLedger.TABLE}")


@pytest.fixture
def queue():
    made = types.SimpleNamespace(kept=[], published=[])
    made.keep = lambda job, payload: made.kept.append(job)
    made.publish = lambda job, payload: made.published.append((job, payload))
    with override_settings(EMAIL_QUEUE=made):
        yield made


def test_within_the_transaction(queue):
    with transaction.atomic():
        assert mail.EmailMessage("Grüße", "Hällo", "Web <web@c.example>", ["b@s.example"], bcc=["c@s.example"]).send() == 1
        assert len(queue.kept) == 1 and not queue.published
    [(job, payload)] = queue.published
    assert [job] == queue.kept and payload["options"]["recipients"] == ["b@s.example", "c@s.example"]
    assert payload["options"]["originator"] == "web@c.example"


def test_rolled_back(queue):
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        mail.send_mail("x", "x", None, ["b@s.example"])
        raise ZeroDivisionError
    assert not queue.published


def test_nobody_and_nonsense(queue):
    assert mail.EmailMessage("x", "x").send() == 0
    with pytest.raises(UsageError):
        mail.EmailMessage("x", "x", "a@c.example", ["not an address"]).send()
    assert QueueBackend(fail_silently=True).send_messages([mail.EmailMessage("x", "x", "a@c.example", ["not an address"])]) == 0
    assert not queue.published


def test_names_of_queues():
    with override_settings(EMAIL_QUEUE="smtpclient.jobs"):
        assert _queue() is jobs
    with override_settings(EMAIL_QUEUE="smtpclient.jobs.Courier"):
        assert _queue() is jobs.Courier
    with override_settings(EMAIL_QUEUE="smtpclient.nothing"), pytest.raises(ImportError):
        _queue()


def test_a_ledger_in_the_database():
    ledger = open_ledger("django:default")
    assert isinstance(ledger, DjangoLedger) and ledger.read("1") == Entry()
    with pytest.raises(ZeroDivisionError), transaction.atomic():
        ledger.add("1", "kept")
        raise ZeroDivisionError
    assert ledger.read("1") == Entry()
    with transaction.atomic():
        ledger.add("1", "kept")
    assert ledger.overdue(-1) == [("1", "kept")]
    ledger.commit([Claim("1", "a", 1)])
    with pytest.raises(Taken):
        ledger.commit([Claim("2", "b", 0), Claim("1", "b", 1)])
    assert ledger.read("2") == Entry()
    assert ledger.settle(Claim("1", "a", 1), {"x@y": Fate("accepted", 250, "ok")}, after=None)
    assert DjangoLedger().read("1").fates["x@y"].outcome == "accepted" and ledger.overdue(-1) == []


@pytest.mark.skipif(django_settings.TASKS is None, reason="Django has no tasks here, and django-tasks is not installed")
def test_djangos_tasks(sink):
    tasks = importlib.import_module("smtpclient.django_tasks")
    with override_settings(EMAIL_QUEUE="smtpclient.django_tasks"):
        with transaction.atomic():
            assert mail.send_mail("x", "x", None, ["b@s.example"]) == 1
            assert sink.count == 0
        assert sink.count == 1
        assert mail.send_mail("x", "x", None, ["later@s.example", "c@s.example"]) == 1
        assert sink.count == 2 and tasks.resubmit(3600) == 0
        assert tasks.resubmit(-3600) == 1 and sink.count == 2
    tasks._couriers.popitem()[1].close()
