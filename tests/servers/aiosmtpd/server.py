"""server.py BASE PORT: aiosmtpd on 127.0.0.1; start gives the names and replies in the environment.

+0 STARTTLS, no AUTH                    +1 STARTTLS, AUTH before and after TLS
+2 implicit TLS, AUTH                   +3 STARTTLS announced, refused with 454
+4 everything requires STARTTLS and AUTH   +5 LMTP
"""
import asyncio
import os
import ssl
import sys
from pathlib import Path

from aiosmtpd.lmtp import LMTP
from aiosmtpd.smtp import SMTP, AuthResult, syntax

BASE, PORT = Path(sys.argv[1]), int(sys.argv[2])
ENV = os.environ
REFUSED = {"bad": ENV["refused"], "later": ENV["later"], "full": ENV["full"]}


class Handler:
    serial = 0

    async def handle_RCPT(self, server, session, envelope, address, options):
        for start, reply in REFUSED.items():
            if address.startswith(start):
                return reply
        envelope.rcpt_tos.append(address)
        return "250 2.1.5 OK"

    async def handle_DATA(self, server, session, envelope):
        """Keep the octets as they came, for each recipient."""
        for recipient in envelope.rcpt_tos:
            local = recipient.rpartition("@")[0]
            box = BASE / "mail" / (local if local in ("user", "a", "b", "c") else "other") / "new"
            box.mkdir(parents=True, exist_ok=True)
            Handler.serial += 1
            part = box.parent / f"{Handler.serial}.part"
            part.write_bytes(envelope.original_content)
            part.rename(box / str(Handler.serial))
        if isinstance(server, LMTP):
            return "\r\n".join(f"250 2.0.0 OK <{r}>" for r in envelope.rcpt_tos)
        return "250 2.0.0 OK stored"


class RefusesTls(Handler):
    async def handle_EHLO(self, server, session, envelope, hostname, responses):
        session.host_name = hostname
        return responses[:-1] + ["250-STARTTLS", responses[-1]]


class RefusingSMTP(SMTP):
    @syntax("STARTTLS")
    async def smtp_STARTTLS(self, arg):
        await self.push("454 4.7.0 TLS not available")


def authenticator(server, session, envelope, mechanism, data):
    right = (f"{ENV['user']}@{ENV['domain']}".encode(), ENV["password"].encode())
    return AuthResult(success=(data.login, data.password) == right, handled=False)


async def main():
    tls = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    tls.load_cert_chain(BASE / f"tls/{ENV['CERT']}.pem", BASE / "tls/server.key")
    common = dict(hostname=ENV["host"], data_size_limit=int(ENV["SIZE_LIMIT"]), enable_SMTPUTF8=True, ident="aiosmtpd")
    auth = dict(common, authenticator=authenticator, auth_require_tls=False)
    ports = [
        (lambda: SMTP(Handler(), tls_context=tls, **common), None),
        (lambda: SMTP(Handler(), tls_context=tls, **auth), None),
        (lambda: SMTP(Handler(), **auth), tls),
        (lambda: RefusingSMTP(RefusesTls(), **common), None),
        (lambda: SMTP(Handler(), tls_context=tls, require_starttls=True, auth_required=True, **auth), None),
        (lambda: LMTP(Handler(), **common), None),
    ]
    loop = asyncio.get_running_loop()
    for offset, (factory, context) in enumerate(ports):
        await loop.create_server(factory, "127.0.0.1", PORT + offset, ssl=context)
    await asyncio.Event().wait()


asyncio.run(main())
