"""Django's e-mail over this library: ``EMAIL_BACKEND = "smtpclient.django.EmailBackend"``, or ``QueueBackend`` by way of a queue;
from Django 6.1 on as the ``BACKEND`` of an entry of ``MAILERS``.

Settings, connection reuse, ``fail_silently`` and locking of ``EmailBackend`` are those of Django's own SMTP backend, of which it is a
subclass. Nothing else in this package imports Django, except for ``smtpclient.django_tasks``.
"""

from __future__ import annotations

import ssl
from email import message_from_bytes, policy
from email.utils import parseaddr
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from importlib import import_module
from typing import TYPE_CHECKING, Any

from django.conf import settings  # type: ignore[import-untyped]
from django.core.exceptions import ImproperlyConfigured  # type: ignore[import-untyped]
from django.core.mail.backends import smtp  # type: ignore[import-untyped]
from django.core.mail.backends.base import BaseEmailBackend  # type: ignore[import-untyped]
from django.db import connections, transaction  # type: ignore[import-untyped]
from django.utils.module_loading import import_string  # type: ignore[import-untyped]

from . import jobs, smtplib
from ._errors import SMTPException
from ._options import logger
from .ledger import SQLLedger

if TYPE_CHECKING:
    from _typeshed import SizedBuffer

__all__ = ["DjangoLedger", "EmailBackend", "QueueBackend"]


class EmailBackend(smtp.EmailBackend):  # type: ignore[misc]
    """Django's SMTP backend over this library's connections.

    A recipient that the server refuses while it takes others is a warning of the logger ``smtpclient``: Django has no
    way to tell.
    """

    @property
    def connection_class(self) -> type[smtplib.SMTP]:
        """What connects."""
        return _Implicit if self.use_ssl else _Plain

    @cached_property
    def ssl_context(self) -> ssl.SSLContext:
        """Verifies the server, with a certificate of the client's too."""
        context = ssl.create_default_context()
        if self.ssl_certfile or self.ssl_keyfile:
            context.load_cert_chain(self.ssl_certfile, self.ssl_keyfile)
        return context

    def _send(self, email_message: Any) -> bool:
        everybody = [str(one) for one in (email_message.from_email, *email_message.recipients())]
        # Django makes an encoded word of a local part outside ASCII, which is another address, or refuses it.
        if all(parseaddr(one)[1].rpartition("@")[0].isascii() for one in everybody):
            sent: bool = super()._send(email_message)
            return sent
        if any("\n" in one or "\r" in one for one in everybody):
            raise ValueError("Invalid address; address parts cannot contain newlines.")
        sender, *recipients = (parseaddr(one)[1] for one in everybody)
        try:
            self.connection.sendmail(sender, recipients, _international(email_message), ("SMTPUTF8", "BODY=8BITMIME"))
        except smtplib.SMTPException:
            if not self.fail_silently:
                raise
            return False
        return True


def _international(email_message: Any) -> bytes:
    """The message with its addresses in UTF-8 (RFC 6532)."""
    message = message_from_bytes(email_message.message().as_bytes(), policy=policy.SMTPUTF8)
    extra = {name.lower() for name in email_message.extra_headers}
    for name, given in (("From", [email_message.from_email]), ("To", email_message.to), ("Cc", email_message.cc), ("Reply-To", email_message.reply_to)):
        if name in message and name.lower() not in extra:
            message.replace_header(name, ", ".join(map(str, given)))
    return message.as_bytes()


class _Plain(smtplib.SMTP):
    def sendmail(
        self,
        from_addr: str,
        to_addrs: str | Sequence[str],
        msg: SizedBuffer | str,
        mail_options: Sequence[str] = (),
        rcpt_options: Sequence[str] = (),
    ) -> dict[str, tuple[int, bytes]]:
        refused = super().sendmail(from_addr, to_addrs, msg, mail_options, rcpt_options)
        for address, (code, text) in refused.items():
            words = text.decode("utf-8", "replace")
            logger.warning("%s was refused, others got the message: %d %s", address, code, words)
        return refused


class _Implicit(_Plain, smtplib.SMTP_SSL):
    pass


class QueueBackend(BaseEmailBackend):  # type: ignore[misc]
    """Gives messages to a queue when the caller's database transaction is committed, and not when it is rolled back.

    Setting ``EMAIL_QUEUE`` names what has the functions ``keep`` and ``publish``: the module ``smtpclient.celery`` (the
    default), ``smtpclient.django_tasks``, or a ``smtpclient.huey.Queue`` of yours. ``EMAIL_QUEUE_DATABASE`` is the alias of the
    transaction's database (``default``). With a ledger in that database, and ``keep`` in its settings, a message is committed
    together with the caller's data. In an entry of ``MAILERS`` (Django 6.1) they are the options ``queue`` and ``database``.
    """

    def __init__(self, fail_silently: bool = False, *, queue: Any = None, database: str | None = None, **options: Any) -> None:
        super().__init__(**options)
        self.fail_silently = fail_silently
        self._queue = queue
        self._database = database

    def send_messages(self, email_messages: Sequence[Any]) -> int:
        """Take messages, and return how many; raise ``UsageError`` for one that no server would get."""
        taken = 0
        for message in email_messages:
            try:
                taken += self._take(message)
            except SMTPException:
                if not self.fail_silently:
                    raise
        return taken

    def _take(self, message: Any) -> bool:
        if not message.recipients():
            return False
        payload = jobs.encode(message.message(), originator=message.from_email, recipients=message.recipients())
        job, queue = jobs.new_id(), _queue(self._queue)
        queue.keep(job, payload)
        database = self._database or getattr(settings, "EMAIL_QUEUE_DATABASE", None)
        transaction.on_commit(partial(queue.publish, job, payload), using=database)
        return True


def _queue(name: Any = None) -> Any:
    name = name or getattr(settings, "EMAIL_QUEUE", "smtpclient.celery")
    if not isinstance(name, str):
        return name
    try:
        return import_module(name)
    except ModuleNotFoundError as error:
        if not (name == error.name or name.startswith(f"{error.name}.")):
            raise
        return import_string(name)


class DjangoLedger(SQLLedger):
    """A ledger in a table of one of Django's databases, which is made when it is missing."""

    def __init__(self, alias: str = "default") -> None:
        self._alias = alias
        connection = connections[alias]
        if self.TABLE not in connection.introspection.table_names():
            if connection.in_atomic_block and not connection.features.can_rollback_ddl:
                raise ImproperlyConfigured(f"the ledger needs its table before a transaction begins: {self._CREATE}")
            with self._transaction() as run:
                run(self._CREATE, [])

    @contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Sequence[Any]], Any]]:
        connection = connections[self._alias]
        if not connection.in_atomic_block:
            connection.close_if_unusable_or_obsolete()
        with transaction.atomic(using=self._alias), connection.cursor() as cursor:

            def run(statement: str, values: Sequence[Any]) -> Any:
                cursor.execute(statement, values)
                return cursor

            yield run
