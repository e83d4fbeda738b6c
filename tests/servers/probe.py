#!/usr/bin/env python3
"""probe.py NAME BASE PORT: does a started server do what README.md says? With Python's smtplib, not the library.

Sends over plain, STARTTLS, login, implicit TLS and LMTP, with refused recipients, and compares what was delivered.
Prints a line for each; exit status 1 if one failed.
"""
import smtplib
import ssl
import subprocess
import sys
import time
from pathlib import Path

from compare import difference

HERE = Path(__file__).parent
ACCOUNT = ("user@example.test", "pass")
REFUSED = {"bad1": 550, "later": 451, "full": 452}
ALL = dict.fromkeys(REFUSED, 250)
AT_THE_END = dict(REFUSED, full=250)  # quota is looked at when the message has come

# Port offsets of (plain, STARTTLS, login over STARTTLS, implicit TLS with login, LMTP), the replies to RCPT, those of LMTP.
SERVERS = {
    "postfix": ((0, 0, 1, 2, None), REFUSED, None),
    "smtp-sink": ((0, None, None, None, 1), ALL, ALL),
    "exim": ((0, 0, 1, 2, None), REFUSED, None),
    "opensmtpd": ((0, 0, 1, 2, None), REFUSED, None),
    "dovecot": ((None, None, 0, 1, 2), REFUSED, AT_THE_END),
    "dovecot24": ((None, None, 0, 1, 2), REFUSED, AT_THE_END),
    "sendmail": ((0, 0, 1, 2, None), REFUSED, None),
    "aiosmtpd": ((0, 0, 1, 2, 5), REFUSED, REFUSED),
    "tcllib": ((0, 1, None, None, None), {"bad1": 553, "later": 250, "full": 250}, None),
    "net-server-mail": ((0, None, None, None, None), REFUSED, None),
    "chasquid": ((0, 0, 1, 2, None), {"bad1": 550, "later": 250, "full": 250}, None),
    "nginx": ((0, 0, 1, 2, None), REFUSED, None),
}
BODY = (
    b".\r\n..\r\n.leading dot\r\nFrom at the start\r\n>From quoted\r\ntrailing blank \r\n\r\n\r\n\ttab\r\n"
    + "žluťoučký kůň 日本\r\n".encode() + b"x" * 998 + b"\r\nlast line\r\n"
)


OPTIONS = {"timeout": 20, "local_hostname": "client.example.test"}


class Failed(Exception):
    pass


def expect(what, got, *wanted):
    if got not in wanted:
        raise Failed(f"{what}: {got}, not {' or '.join(map(str, wanted))}")


def send(server, name, base, codes):
    identity = f"<{time.time_ns()}@client.example.test>"
    message = (
        f"From: A <sender@example.test>\r\nTo: user@example.test\r\nSubject: probe\r\nX-Folded: one\r\n\ttwo\r\n"
        f"Date: Sun, 22 Nov 2026 12:00:00 +0000\r\nMessage-ID: {identity}\r\nMIME-Version: 1.0\r\n"
        "Content-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: 8bit\r\n\r\n"
    ).encode() + BODY
    expect("MAIL", server.mail("sender@example.test")[0], 250)
    accepted, seen = 0, []
    for local in ("user", *codes):
        code = server.rcpt(f"{local}@example.test")[0]
        expect(f"RCPT {local}", code, codes.get(local, 250))
        accepted += code == 250
        seen.append(f"{code}")
    finals = [server.data(message)[0]]
    while isinstance(server, smtplib.LMTP) and len(finals) < accepted:
        finals.append(server.getreply()[0])
    expect("end of data", finals[0], 250)
    stored = subprocess.run([HERE / "delivered", name, base, "user", identity], stdout=subprocess.PIPE, check=True).stdout
    parted = difference(name, message, stored)
    if parted:
        raise Failed(parted)
    return f"{' '.join(seen)}, data {' '.join(map(str, finals))}, delivered unchanged"


def login(server):
    try:
        server.login(ACCOUNT[0], "wrong")
        raise Failed("a wrong password was accepted")
    except smtplib.SMTPAuthenticationError as error:
        expect("wrong password", error.smtp_code, 535)


def probe(name, base, port):
    (plain, starttls, auth, implicit, lmtp), codes, lmtp_codes = SERVERS[name]
    context = ssl.create_default_context(cafile=f"{base}/tls/ca.pem")

    def on_plain(offset):
        with smtplib.SMTP("localhost", port + offset, **OPTIONS) as server:
            expect("EHLO", server.ehlo()[0], 250)
            return send(server, name, base, codes)

    def on_starttls(offset, with_login=False):
        with smtplib.SMTP("localhost", port + offset, **OPTIONS) as server:
            server.starttls(context=context)
            if name != "tcllib":  # it takes EHLO once only
                server.ehlo()
            version = server.sock.version()
            if with_login:
                login(server)
        with smtplib.SMTP("localhost", port + offset, **OPTIONS) as server:
            server.starttls(context=context)
            if name != "tcllib":
                server.ehlo()
            if with_login:
                server.login(*ACCOUNT)
            return f"{version}, {send(server, name, base, codes)}"

    def on_implicit(offset):
        with smtplib.SMTP_SSL("localhost", port + offset, **OPTIONS, context=context) as server:
            server.ehlo()
            server.login(*ACCOUNT)
            return f"{server.sock.version()}, {send(server, name, base, codes)}"

    def on_lmtp(offset):
        with smtplib.LMTP("localhost", port + offset, **OPTIONS) as server:
            expect("LHLO", server.ehlo()[0], 250)
            return send(server, name, base, lmtp_codes)

    steps = [
        ("plain", on_plain, plain), ("STARTTLS", on_starttls, starttls),
        ("login", lambda offset: on_starttls(offset, True), auth),
        ("implicit TLS", on_implicit, implicit), ("LMTP", on_lmtp, lmtp),
    ]
    good = True
    for what, step, offset in steps:
        if offset is None:
            result = "not offered"
        else:
            try:
                result = "ok: " + step(offset)
            except (Failed, OSError, smtplib.SMTPException, subprocess.CalledProcessError) as error:
                good, result = False, f"FAILED: {error}"
        print(f"{name:10} {what:13} {result}", flush=True)
    return good


if __name__ == "__main__":
    if len(sys.argv) != 4 or sys.argv[1] not in SERVERS:
        sys.exit(__doc__)
    sys.exit(not probe(sys.argv[1], sys.argv[2], int(sys.argv[3])))
