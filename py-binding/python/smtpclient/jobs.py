"""Messages as jobs of a queue: what Celery, Django, huey and any other engine do alike.

``encode`` makes a message into a payload for JSON, and ``Courier.deliver`` sends one, records in a ledger at the commit that it
goes out, and says what became of it. However often an engine runs a job, and whenever its processes are killed, no recipient
gets the message twice: what was committed and not decided is ``unknown``, and is not sent again.
"""

from __future__ import annotations

import base64
import json
import os
import socket
import threading
import time
import uuid
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from email.utils import formatdate
from typing import TYPE_CHECKING, Any

from . import _native
from ._errors import CommitError, OutcomeUnknown, RefusedError, SMTPException, usage
from ._mailer import Mailer
from ._native import Message, Options
from ._options import logger
from ._report import Recipient
from ._tokens import AnyMessage, token
from .ledger import Claim, Entry, Fate, Ledger, open_ledger

if TYPE_CHECKING:
    from ._commit import Ready

__all__ = ["Courier", "Verdict", "encode", "new_id"]

#: The options that travel with a message. The others are those of the mailer, in the settings of the process that sends.
ENVELOPE = (
    "originator", "recipients", "dsnnotify", "dsnret", "dsnenvid", "smtputf8", "deliverby", "priority", "hold", "mailparameters",
    "rcptparameters",
)

#: Kinds of errors after which the message is certainly not sent, and that say nothing of it.
_OURS = ("commit", "cancelled", "full", "closed")


def new_id() -> str:
    """A name for a job: its key in the ledger."""
    return str(uuid.uuid4())


def encode(
    message: AnyMessage, base: Mapping[str, Any] | None = None, /, *, mailer: str = "default", **options: Any
) -> dict[str, Any]:
    """A message and its envelope as ``{"message": base64, "options": {...}}``, for JSON.

    The octets are final: ``Date`` and ``Message-ID`` are set, so that every attempt sends the same, and ``Bcc`` is in the envelope
    only. What has 8-bit octets needs a server with 8BITMIME, as every finished message does.
    ``mailer`` names settings of the worker's; servers, passwords and time-outs are there. Raise ``UsageError`` for an option
    that does not travel, and what ``sendmessage`` raises before it connects.
    """
    named: dict[str, Any] = {**(base or {}), **options}
    for name in named:
        if name not in ENVELOPE:
            raise usage(f"option {name} does not travel with a job: it belongs to the settings of mailer {mailer!r}, where the worker runs")
    entries = named.get("recipients")
    if entries is not None and not isinstance(entries, str):
        named["recipients"] = entries = list(entries)
    made = token(message)
    originator, addresses = _native.envelope(made, Options(**named))
    wishes = {}
    for entry in entries or ():
        if not isinstance(entry, str):
            _, [address] = _native.envelope(made, Options(recipients=[entry], originator=originator))
            asked = dict(entry) if isinstance(entry, Mapping) else {name: getattr(entry, name) for name in ("notify", "orcpt")}
            wishes[address] = {name: value for name, value in asked.items() if value is not None} | {"address": address}
    octets = _final(made.to_bytes(), originator)
    travels = {name: value for name, value in named.items() if value is not None}
    travels |= {"originator": originator, "recipients": [wishes.get(address, address) for address in addresses]}
    return {
        "message": base64.b64encode(octets).decode("ascii"),
        "options": travels | {"mailer": mailer, "queued": time.time()},
    }


def _final(octets: bytes, originator: str) -> bytes:
    made = Message.from_bytes(octets)
    for name in ("Bcc", "Dcc", "Resent-Bcc", "Resent-Dcc"):
        made.delete_header(name)
    names = {name.lower() for name in made.header_names()}
    if "message-id" not in names:
        domain = originator.rpartition("@")[2]
        made["Message-ID"] = f"<{uuid.uuid4().hex}@{domain if domain.isascii() and domain else 'localhost'}>"
    if "date" not in names:
        made["Date"] = formatdate(localtime=True)
    return made.to_bytes()


@dataclass(frozen=True, slots=True)
class Verdict:
    """What a run of a job came to."""

    #: What is known for good, by recipient.
    fates: Mapping[str, Fate]
    #: The job is to be run again after so many seconds; ``None``: it is done.
    after: float | None = None
    #: Why it is to be run again, or why nobody got the message.
    error: SMTPException | None = None

    @property
    def status(self) -> str:
        """``retry``, or of a job that is done: ``accepted`` by every recipient's server, ``partial``, ``rejected``, ``unknown``."""
        if self.after is not None:
            return "retry"
        outcomes = {fate.outcome for fate in self.fates.values()}
        if "unknown" in outcomes:
            return "unknown"
        if "accepted" in outcomes:
            return "accepted" if len(outcomes) == 1 else "partial"
        return "rejected"

    def result(self) -> dict[str, Any]:
        """Status and recipients, for JSON, of a job that is done and of which somebody got the message.

        Raise ``OutcomeUnknown``, or what kept the message from everybody.
        """
        if self.status == "unknown":
            raise OutcomeUnknown(f"the message may have been delivered, and is not sent again: {self._words('unknown')}")
        if self.status == "rejected":
            raise self.error or RefusedError(self._words("rejected", "not_sent"))
        return {"status": self.status, "recipients": plain(self.fates)}

    def _words(self, *outcomes: str) -> str:
        found = [(address, fate) for address, fate in self.fates.items() if fate.outcome in outcomes]
        return "; ".join(f"{address}: {fate.code or ''} {fate.text}".replace(":  ", ": ") for address, fate in found)


class Courier:
    """Sends the messages of jobs, by one ``Mailer`` for each name, and keeps the ledger. Threads may share one; after a fork, the
    child has mailers of its own.

    ``mailers`` has options by name, or functions that return them. ``patience`` is how many seconds a run that has committed is given
    to say what became of its message before another run of the job calls it ``unknown``; if it is too short, an outcome is
    called unknown too early, and nothing worse. Jobs are retried for ``lifetime`` seconds from when they were made, after
    ``backoff`` seconds at first, then after half their age, and after ``backoffmax`` at most. ``keep`` has submitted jobs kept
    in the ledger until they are done, so that what an engine loses can be submitted again (``overdue``).
    """

    def __init__(
        self,
        ledger: str | Ledger,
        mailers: Mapping[str, Mapping[str, Any] | Callable[[], Mapping[str, Any]]],
        *,
        patience: float = 60.0,
        lifetime: float = 5 * 86400.0,
        backoff: float = 60.0,
        backoffmax: float = 3600.0,
        keep: bool = False,
    ) -> None:
        self.ledger = open_ledger(ledger)
        self._mailers, self._patience, self._lifetime = mailers, patience, lifetime
        self._backoff, self._backoffmax, self._keep = backoff, backoffmax, keep
        self._process, self._lock, self._posts = os.getpid(), threading.Lock(), dict[str, _Post]()

    def submitted(self, job: str, payload: Mapping[str, Any]) -> None:
        """Keep a job that is about to be given to an engine, if the settings have ``keep``."""
        if self._keep:
            self.ledger.add(job, json.dumps(payload))

    def overdue(self, age: float, most: int = 1000) -> list[tuple[str, dict[str, Any]]]:
        """At most ``most`` kept jobs of which nothing was heard for ``age`` seconds, to be given to the engine again under the
        same names. One that was not lost is not sent twice."""
        return [(job, json.loads(payload)) for job, payload in self.ledger.overdue(age, most)]

    def deliver(self, job: str, payload: Mapping[str, Any]) -> Verdict:
        """Send a message to those recipients of whom the ledger does not know what became of them. Whatever fails is in
        the verdict; what is raised is that of a payload that is not ``encode``'s, and what failed for ``lifetime`` seconds."""
        options, octets = dict(payload["options"]), base64.b64decode(payload["message"], validate=True)
        age = max(0.0, time.time() - options.pop("queued"))
        name, entries = options.pop("mailer"), options.pop("recipients")
        entry = Entry()
        try:
            entry = self.ledger.read(job)
            left = {address_of(each): each for each in entries if address_of(each) not in entry.fates}
            if not left:
                return Verdict(entry.fates)
            claim = Claim(job, f"{socket.gethostname()}:{os.getpid()}:{uuid.uuid4().hex}", entry.version)
            if entry.run is not None:
                return self._committed_before(claim, entry, list(left))
            post = self._post(name)
            made = Options(**options, recipients=list(left.values()), atleastone=True, tag=claim.run)
            recipients, failed = post.send(claim, Message.from_bytes(octets), made)
            return self._decided(claim, entry, list(left), recipients, failed, age)
        except Exception as error:
            # The ledger or the settings are out of order. The message is not sent, or the ledger has its commit.
            return self._again(error, age, entry.fates)

    def outcome(self, job: str) -> dict[str, dict[str, Any]]:
        """What the ledger knows of a job's recipients, by address."""
        return plain(self.ledger.read(job).fates)

    def close(self, timeout: float | None = None) -> None:
        """Send what the mailers have, for at most ``timeout`` seconds, and say QUIT."""
        if self._process == os.getpid():
            with self._lock:
                posts, self._posts = self._posts, {}
            for post in posts.values():
                post.mailer.close(timeout)

    def _post(self, name: str) -> _Post:
        if self._process != os.getpid():
            self._process, self._lock, self._posts = os.getpid(), threading.Lock(), {}
        with self._lock:
            if name not in self._posts:
                if name not in self._mailers:
                    raise usage(f"the settings have no mailer {name!r}: there are {', '.join(map(repr, self._mailers))}")
                options = self._mailers[name]
                self._posts[name] = _Post(options() if callable(options) else options, self.ledger)
            return self._posts[name]

    def _committed_before(self, claim: Claim, entry: Entry, left: list[str]) -> Verdict:
        """Another run has committed the message; it may be on its way now."""
        remaining = entry.since + self._patience - time.time()
        if remaining > 0:
            words = "another run of the job has committed the message, and is given time to say what became of it"
            return Verdict(entry.fates, remaining, SMTPException(words))
        text = f"run {entry.run} committed the message and did not live to say what became of it"
        fates = {**entry.fates, **{address: Fate("unknown", None, text) for address in left}}
        if not self._settle(claim, fates, None, entry.run):
            return Verdict(entry.fates, 0.0, SMTPException("another run of the job has just written to the ledger"))
        return Verdict(fates)

    def _decided(
        self, claim: Claim, entry: Entry, left: list[str], recipients: Sequence[Recipient], error: SMTPException | None, age: float
    ) -> Verdict:
        fates, words = dict(entry.fates), dict[str, Fate]()
        # A report of which no server was reached has no recipients.
        known = {recipient.address: recipient for recipient in recipients} or {
            address: Recipient(address, None, outcome="not_sent", step=error.step if error else "setup", reply=None) for address in left
        }
        for address in left:
            recipient = known[address]
            text = recipient.text or (str(error) if error and recipient.outcome != "accepted" else "")
            fate = Fate(recipient.outcome, recipient.code, text)
            (words if _is_transient(recipient, error) else fates)[address] = fate
        if words and age > self._lifetime:
            fates |= words
            words = {}
        after = self._pause(age, error) if words else None
        if words and error is None:
            error = RefusedError("; ".join(f"{address}: {fate.code} {fate.text}" for address, fate in words.items()))
        if not self._settle(claim, fates, after):
            return Verdict(entry.fates, 0.0, SMTPException("another run of the job has written to the ledger"))
        return Verdict(fates, after, error)

    def _settle(self, claim: Claim, fates: Mapping[str, Fate], after: float | None, run: str | None = None) -> bool:
        """What is known now is lost if it is not written: it is tried for as long as another run would wait."""
        last, pause = time.monotonic() + self._patience, 0.05
        while True:
            try:
                return self.ledger.settle(claim, fates, after=after, run=run)
            except Exception as error:
                if time.monotonic() > last:
                    raise
                logger.warning("the ledger cannot be written, job %s: %s", claim.job, error)
                time.sleep(pause)
                pause = min(2 * pause, 2.0)

    def _again(self, error: Exception, age: float, fates: Mapping[str, Fate]) -> Verdict:
        if age > self._lifetime:
            raise error
        if not isinstance(error, SMTPException):
            error = SMTPException(f"the job is put off: {type(error).__name__}: {error}")
        return Verdict(fates, self._pause(age), error)

    def _pause(self, age: float, error: Exception | None = None) -> float:
        # What was withdrawn because of another message's job, in one group with it, comes back soon.
        withdrawn = isinstance(error, CommitError)
        return min(max(min(self._backoff, 1.0) if withdrawn else self._backoff, age / 2), self._backoffmax)


class _Post:
    """A mailer, and the claims of the messages that it has not decided, by their run, which is their tag."""

    def __init__(self, options: Mapping[str, Any], ledger: Ledger) -> None:
        self._ledger, self._claims = ledger, dict[str | None, Claim]()
        # What is refused for now comes back by the queue, and keeps no worker waiting meanwhile.
        self.mailer = Mailer(Options(**{"retrytime": 0.001, **options, "commit": self._commit}))

    def send(self, claim: Claim, message: Message, options: Options) -> tuple[Sequence[Recipient], SMTPException | None]:
        self._claims[claim.run] = claim
        try:
            return self.mailer.submit(message, options).result().recipients, None
        except SMTPException as error:
            return () if error.report is None else error.report.recipients, error
        finally:
            del self._claims[claim.run]

    def _commit(self, ready: list[Ready]) -> None:
        # All that the mailer has ready now, at once.
        self._ledger.commit([self._claims[each.tag] for each in ready])


def _is_transient(recipient: Recipient, error: SMTPException | None) -> bool:
    """Whether the recipient certainly did not get the message, and trying again later can help."""
    if recipient.outcome == "rejected":
        return recipient.code is not None and 400 <= recipient.code < 500
    if recipient.outcome == "not_sent":
        return error is None or error.transient or (error.failure is not None and error.failure.kind in _OURS)
    return False


def address_of(entry: str | Mapping[str, Any]) -> str:
    """The address of one of a payload's recipients."""
    return entry if isinstance(entry, str) else str(entry["address"])


def plain(fates: Mapping[str, Fate]) -> dict[str, dict[str, Any]]:
    """Fates for JSON."""
    return {address: {"outcome": fate.outcome, "code": fate.code, "text": fate.text} for address, fate in fates.items()}
