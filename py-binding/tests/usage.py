"""What a caller's program looks like to mypy: checked, not run."""

from __future__ import annotations

import asyncio
import smtplib as standard
import ssl
from collections.abc import AsyncIterator, Iterator
from email.message import EmailMessage
from typing import Literal

import smtpclient
from smtpclient import aio, smtplib
from smtpclient.django import EmailBackend
from smtpclient.testing import Sink


def policy(code: int, diagnostic: str) -> Literal["secure", "insecure"]:
    return "secure" if code else "insecure"


def pieces() -> Iterator[bytes]:
    yield b"x"


async def asynchronous() -> AsyncIterator[bytes]:
    yield b"x"


def blocking(message: EmailMessage) -> list[str]:
    report: smtpclient.Report = smtpclient.sendmessage(
        message, servers=["a", "b"], ports=[25], tlspolicy=policy, header=[("A", "b")], password=b"x"
    )
    for address, code, diagnostic in report:
        print(address, code + 1, diagnostic.upper())
    smtpclient.sendmessage(pieces(), smtpclient.Options(deadline=5.0), recipients="a@b")
    smtpclient.sendmessage("path.eml", header={"A": "b"})
    try:
        with smtpclient.Session("host", 25, timeout=5) as session:
            reply: smtpclient.Reply = session.noop()
            extensions: dict[str, str] = session.server_options()
            for each in session.send_many([message, (b"x", smtpclient.OptionDict(recipients="a@b"))]):
                print(each.sent, reply.code, extensions)
        with smtpclient.Mailer(servers="a", connections=2, rate=0.5) as mailer:
            future = mailer.submit(b"x", recipients="a@b")
            print(future.result().sent, mailer.counts.accepted + 1, mailer.drain(1.5))
    except smtpclient.RecipientsRefused as error:
        return [refused.address for refused in error.refused]
    except smtpclient.SMTPException as error:
        print(error.code, error.transient, error.step, [attempt.server for attempt in error.attempts])
    return []


def old(message: EmailMessage) -> dict[str, tuple[int, bytes]]:
    context = ssl.create_default_context()
    with smtplib.SMTP("host", 587, timeout=5, source_address=("", 0)) as server:
        code, text = server.starttls(context=context)
        server.login("user", "password")
        takes_the_standard_one(server)
        try:
            server.sendmail("a@b", ["c@d"], b"x", ["BODY=8BITMIME"])
        except smtplib.SMTPSenderRefused as error:
            print(error.smtp_code + code, error.sender.upper(), error.transient, text.decode())
        except standard.SMTPRecipientsRefused as error:
            print(error.recipients.items())
        return server.send_message(message)


def takes_the_standard_one(server: standard.SMTP) -> None:
    server.noop()


def backend() -> type[smtplib.SMTP]:
    return EmailBackend(use_ssl=True).connection_class


async def main() -> None:
    report = await aio.sendmessage(asynchronous(), servers="a")
    print(report.queue_id)
    async with aio.Session("host", port_of_a_sink()) as session:
        async for each in session.send_many([b"x"]):
            print(each.complete)
    async with aio.Mailer(servers="a") as many:
        print((await many.submit(b"x")).complete, await many.drain())


def port_of_a_sink() -> int:
    with Sink() as sink:
        return sink.port


def wrong() -> None:
    smtpclient.sendmessage(5)  # type: ignore[arg-type]
    smtpclient.sendmessage(b"", recipient="x")  # type: ignore[call-arg]
    smtpclient.sendmessage(b"", queue="yes")  # type: ignore[arg-type]


if __name__ == "__main__":
    asyncio.run(main())
