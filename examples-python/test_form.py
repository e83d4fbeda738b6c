"""Tests of form.py that send nothing to anybody: `pytest test_form.py`. The fixtures come with the package smtpclient."""

import importlib

import pytest


@pytest.fixture
def visit(monkeypatch, smtp_sinks):
    """Starts the form for a server with these faults, and gives the server and who visits it."""

    def start(**faults):
        sink = smtp_sinks(**faults)
        monkeypatch.setenv("RELAY", f"smtp://127.0.0.1:{sink.port}")
        monkeypatch.setenv("FORM_TO", "office@example.org")
        monkeypatch.setenv("FORM_FROM", "form@example.org")
        form = importlib.import_module("form")
        importlib.reload(form)
        return sink, form.app.test_client()

    return start


def test_a_message_arrives(visit):
    sink, visitor = visit()
    page = visitor.post("/", data={"email": "ann@example.net", "text": "Grüße"})
    [(envelope, content)] = sink.messages()
    assert "Thank you" in page.text and envelope[-1].startswith("RCPT TO:<office@example.org>")
    assert b"\r\nReply-To: ann@example.net\r\n" in content and "Grüße".encode() in content


@pytest.mark.parametrize("email", ["a@b\r\nBcc: everybody@example.net", "a@b\n\nBuy now"])
def test_nothing_is_injected(visit, email):
    sink, visitor = visit()
    assert visitor.post("/", data={"email": email, "text": "x"}).status_code == 400
    assert sink.count == 0


def test_what_is_not_sent_may_be_sent_again(visit):
    sink, visitor = visit(faults=["mail#1=451 4.3.0 Later"])
    page = visitor.post("/", data={"email": "ann@example.net", "text": "My long text"})
    assert page.status_code == 503 and "My long text" in page.text
    assert "Thank you" in visitor.post("/", data={"email": "ann@example.net", "text": "My long text"}).text
    assert sink.count == 1


def test_what_may_have_arrived_is_not(visit):
    sink, visitor = visit(faults=["final=close"])
    page = visitor.post("/", data={"email": "ann@example.net", "text": "My long text"})
    assert "do not send it again" in page.text and "My long text" not in page.text
    assert sink.count == 1
