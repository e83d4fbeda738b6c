"""What the Python programs have in common: their arguments, and the message. See benches/README.md."""

import ssl
import sys
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

HEAD = (b"From: Benchmark <from@example.test>\r\nTo: to@example.test\r\nSubject: a message\r\n"
        b"Date: Thu, 1 Jan 2026 00:00:00 +0000\r\nMessage-ID: <1@example.test>\r\nMIME-Version: 1.0\r\n\r\n")
LINES = {
    "plain": b"All work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
    "dots": b".ll work and no play makes Jack a dull boy, and nothing else either, ok.\r\n",
    "lf": b"All work and no play makes Jack a dull boy, and nothing else either, okay.\n",
}


class Task:
    def __init__(self):
        port, self.mode, messages, octets, recipients, connections, kind, self.tls, self.certificate = sys.argv[1:]
        self.port, self.messages, self.connections = int(port), int(messages), int(connections)
        self.recipients = [f"to{n}@example.test" for n in range(int(recipients))]
        line, octets = LINES[kind], int(octets)
        body = HEAD + line * max(0, (octets - len(HEAD) - 2) // len(line))
        self.body = body + b"x" * (octets - len(body) - 2) + b"\r\n"

        self.text = self.body[len(HEAD):].decode()

    def make(self):
        """A message put together, as Python does it."""
        message = EmailMessage(policy=SMTP)
        message["From"] = "Benchmark <from@example.test>"
        message["To"] = "to@example.test"
        message["Subject"] = "a message"
        message["Date"] = formatdate()
        message["Message-ID"] = make_msgid(domain="example.test")
        message.set_content(self.text)
        return message

    def shares(self):
        """How many messages each connection has to send."""
        each, more = divmod(self.messages, self.connections)
        return [each + (n < more) for n in range(self.connections)]

    def context(self):
        return None if self.tls == "no" else ssl.create_default_context(cafile=self.certificate)
