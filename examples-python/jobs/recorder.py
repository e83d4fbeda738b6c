"""A mail server that records each message at its end mark, thinks for some milliseconds, and only then answers.

That is the window in which nobody who sends can know; here it is wide, so that kills fall into it.
"""

from __future__ import annotations

import asyncio
import random
import re
import threading
from collections import Counter


class Recorder:
    """Counts how often each recipient got each message. A recipient ``later...`` is refused for now, once for each message."""

    def __init__(self, delay: float = 0.02) -> None:
        #: By Message-ID and recipient.
        self.taken: Counter[tuple[str, str]] = Counter()
        #: Those of which the sender was gone before the answer: it died in the window, and cannot know.
        self.unanswered: set[tuple[str, str]] = set()
        self.connections = 0
        self._put_off: set[str] = set()
        self._delay, self._random = delay, random.Random(1)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, daemon=True)
        self._thread.start()
        self._server = asyncio.run_coroutine_threadsafe(asyncio.start_server(self._serve, "127.0.0.1", 0), self._loop).result()
        self.port: int = self._server.sockets[0].getsockname()[1]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            writer.write(b"220 recorder\r\n")
            recipients: list[str] = []
            while line := await reader.readline():
                verb, address = line[:4].upper(), re.search(rb"<(.*?)>", line)
                if verb == b"EHLO":
                    writer.write(b"250-recorder\r\n250-PIPELINING\r\n250-ENHANCEDSTATUSCODES\r\n250 8BITMIME\r\n")
                elif verb == b"RCPT" and address:
                    recipient = address[1].decode()
                    if recipient.startswith("later") and recipient not in self._put_off:
                        self._put_off.add(recipient)
                        writer.write(b"451 4.2.0 come back later\r\n")
                    else:
                        recipients.append(recipient)
                        writer.write(b"250 2.1.5 ok\r\n")
                elif verb == b"DATA" and not recipients:
                    writer.write(b"554 5.5.1 no recipients\r\n")
                elif verb == b"DATA":
                    writer.write(b"354 go on\r\n")
                    content = await reader.readuntil(b"\r\n.\r\n")
                    found = re.search(rb"^message-id: *(\S+)", content, re.I | re.M)
                    taken = [(found[1].decode() if found else "", recipient) for recipient in recipients]
                    self.taken.update(taken)
                    recipients = []
                    await asyncio.sleep(self._random.uniform(0, self._delay))
                    if reader.at_eof() or reader.exception():
                        self.unanswered.update(taken)
                        break
                    writer.write(b"250 2.0.0 taken\r\n")
                elif verb == b"QUIT":
                    writer.write(b"221 2.0.0 bye\r\n")
                    break
                else:
                    if verb in (b"MAIL", b"RSET"):
                        recipients = []
                    writer.write(b"250 2.0.0 ok\r\n")
        except (OSError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._server.close)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
