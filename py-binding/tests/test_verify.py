"""``verify`` and ``aio.verify``."""

import asyncio

import pytest
import smtpclient
from conftest import server
from smtpclient import aio


def waiting(**options):
    return asyncio.run(aio.verify(**options))


@pytest.mark.parametrize("verify", [smtpclient.verify, waiting])
def test_what_a_server_offers(verify, sink, to):
    report = verify(**to)
    assert (report.status, report.sent, report.recipients) == ("ok", False, ())
    [attempt] = report.attempts
    assert attempt.error is None and attempt.offered.greeting.code == 220
    assert "PIPELINING" in [extension.keyword for extension in attempt.offered.extensions]
    assert report.to_dict()["attempts"][0]["offered"]["mechanisms"] == []
    assert not sink.messages()


@pytest.mark.parametrize("verify", [smtpclient.verify, waiting])
def test_a_server_that_cannot_be_used(verify):
    with server(b"554 5.3.2 no\r\n") as (port, heard):
        with pytest.raises(smtpclient.RefusedError) as refused:
            verify(servers="127.0.0.1", ports=port)
    assert heard == b"QUIT\r\n"
    [attempt] = refused.value.report.attempts
    assert attempt.error.kind == "refused" and attempt.error.reply.code == 554
    with pytest.raises(smtpclient.UsageError, match="connections"):
        verify(servers="127.0.0.1", ports=port, connections=2)
