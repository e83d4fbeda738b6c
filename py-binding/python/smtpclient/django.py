"""Django's e-mail over this library: ``EMAIL_BACKEND = "smtpclient.django.EmailBackend"``.

Settings, connection reuse, ``fail_silently`` and locking are those of Django's own SMTP backend, of which this is a
subclass. Nothing else in this package imports Django.
"""

from __future__ import annotations

import ssl
from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING

from django.core.mail.backends import smtp  # type: ignore[import-untyped]

from . import smtplib
from ._options import logger

if TYPE_CHECKING:
    from _typeshed import SizedBuffer

__all__ = ["EmailBackend"]


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
