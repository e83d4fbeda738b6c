"""OAuth 2.0 access tokens for option ``oauthtoken``: fetched when they are needed, and kept until shortly before they expire.

    from smtpclient import Mailer, oauth

    token = oauth.google(client_id, client_secret, refresh_token)
    mailer = Mailer(servers=["submission://smtp.gmail.com"], username="tim@gmail.com", oauthtoken=token)

An object of these classes is a function for ``oauthtoken``. Threads, mailers and event loops may share one. What the endpoint
says is in the report of what was not sent; no text contains a secret.
"""

from __future__ import annotations

import json
import threading
import time
import http.client
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterable
from typing import Any

from ._values import TokenReason

__all__ = [
    "GOOGLE_SCOPE",
    "GOOGLE_TOKEN_URL",
    "MICROSOFT_APPLICATION_SCOPE",
    "MICROSOFT_SCOPE",
    "MICROSOFT_TOKEN_URL",
    "ClientCredentials",
    "RefreshToken",
    "TokenError",
    "google",
    "microsoft",
    "microsoft_application",
]

GOOGLE_TOKEN_URL = "https://oauth2.googleapis.com/token"
#: What the refresh token must have been granted for.
GOOGLE_SCOPE = "https://mail.google.com/"
#: ``{tenant}`` is the directory's id or domain; ``consumers`` for personal accounts.
MICROSOFT_TOKEN_URL = "https://login.microsoftonline.com/{tenant}/oauth2/v2.0/token"
MICROSOFT_SCOPE = "https://outlook.office.com/SMTP.Send offline_access"
MICROSOFT_APPLICATION_SCOPE = "https://outlook.office365.com/.default"

#: How long before its end a token is no longer used, in seconds: a login takes some.
_MARGIN = 60.0
#: RFC 6749 section 5.1 recommends ``expires_in`` and does not require it; this is what the large providers have.
_LIFETIME = 3600.0
#: No answer is longer, and a misled one must not fill the memory.
_MOST = 1 << 20


class TokenError(Exception):
    """There is no token: what the endpoint says, or why it says nothing. ``error`` is the code of RFC 6749 section 5.2."""

    def __init__(self, text: str, error: str | None = None) -> None:
        super().__init__(text)
        self.error = error


class _Grant:
    """Asks a token endpoint (RFC 6749 section 3.2), one thread at a time."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str | None,
        scope: str | Iterable[str] | None,
        timeout: float,
        margin: float,
    ) -> None:
        parts = urllib.parse.urlsplit(token_url)
        if parts.scheme != "https" and parts.hostname not in ("localhost", "127.0.0.1", "::1"):
            raise ValueError(f"token_url {token_url!r} must begin with https://: secrets are sent to it")
        self._url, self._timeout, self._margin = token_url, timeout, margin
        self._fields = {"client_id": client_id}
        if client_secret is not None:
            self._fields["client_secret"] = client_secret
        if scope is not None:
            self._fields["scope"] = scope if isinstance(scope, str) else " ".join(scope)
        self._lock = threading.Lock()
        self._token: str | None = None
        self._until = 0.0

    def __call__(self, reason: TokenReason = "first") -> str:
        """A token. One that was refused, or is about to expire, is not given again."""
        with self._lock:
            if reason == "refused" or self._token is None or time.monotonic() >= self._until:
                self._token = None
                begun = time.monotonic()
                answer = self._ask()
                token = answer.get("access_token")
                if not isinstance(token, str) or not token:
                    raise TokenError(f"{self._url} sends no access_token")
                seconds = _number(answer.get("expires_in"))
                # Half of a life that is shorter than the margin is better than none.
                self._until = begun + max(seconds - self._margin, seconds / 2)
                self._token = token
                self._granted(answer)
            self._save()
            return self._token

    def __repr__(self) -> str:
        return f"<{type(self).__name__} {self._url}>"

    def _grant(self) -> dict[str, str]:
        raise NotImplementedError

    def _granted(self, answer: dict[str, Any]) -> None:
        """Called with every answer that has a token."""

    def _save(self) -> None:
        """Called before a token is given."""

    def _ask(self) -> dict[str, Any]:
        body = urllib.parse.urlencode(self._fields | self._grant()).encode()
        request = urllib.request.Request(self._url, body, {"Accept": "application/json"})
        try:
            with urllib.request.urlopen(request, timeout=self._timeout) as response:
                said = response.read(_MOST)
        except urllib.error.HTTPError as error:
            with error:
                raise self._refused(error.code, error.read(_MOST)) from None
        except (OSError, http.client.HTTPException) as error:  # URLError is an OSError
            raise TokenError(f"{self._url}: {getattr(error, 'reason', error)}") from error
        answer = _object(said)
        if answer is None:
            raise TokenError(f"{self._url} sends no JSON object")
        return answer

    def _refused(self, code: int, said: bytes) -> TokenError:
        answer = _object(said) or {}
        words = [str(answer[key]) for key in ("error", "error_description") if answer.get(key)]
        why = ": ".join(words) or f"HTTP status {code}"
        # As they are, and as they stand in the request, which some endpoints repeat.
        shown = [form for secret in self._secrets() for form in (secret, urllib.parse.quote_plus(secret), urllib.parse.quote(secret, safe=""))]
        for secret in sorted(filter(None, shown), key=len, reverse=True):
            why = why.replace(secret, "***")
        why = " ".join("".join(c if c.isprintable() else " " for c in why).split())
        error = answer.get("error")
        return TokenError(f"{self._url} says {why}", error if isinstance(error, str) else None)

    def _secrets(self) -> list[str]:
        return [value for key, value in (self._fields | self._grant()).items() if key in ("client_secret", "refresh_token")]


class RefreshToken(_Grant):
    """Tokens for a user who has agreed once (RFC 6749 section 6).

    ``saved`` is called with each new refresh token, if the endpoint gives another one: keep it for the next start of the
    program. ``timeout`` and ``margin`` are seconds. Called, it returns a token, or raises ``TokenError``.
    """

    def __init__(
        self,
        token_url: str,
        client_id: str,
        refresh_token: str,
        *,
        client_secret: str | None = None,
        scope: str | Iterable[str] | None = None,
        saved: Callable[[str], object] | None = None,
        timeout: float = 30.0,
        margin: float = _MARGIN,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, scope, timeout, margin)
        self._refresh_token = refresh_token
        self._saved = saved
        self._unsaved: str | None = None

    def _grant(self) -> dict[str, str]:
        return {"grant_type": "refresh_token", "refresh_token": self._refresh_token}

    def _granted(self, answer: dict[str, Any]) -> None:
        another = answer.get("refresh_token")
        if isinstance(another, str) and another and another != self._refresh_token:
            self._refresh_token = self._unsaved = another

    def _save(self) -> None:
        # Handed over again if that failed: the one before is worth nothing any more.
        if self._unsaved is not None and self._saved is not None:
            self._saved(self._unsaved)
        self._unsaved = None


class ClientCredentials(_Grant):
    """Tokens for a program that acts for itself (RFC 6749 section 4.4). Otherwise as ``RefreshToken``."""

    def __init__(
        self,
        token_url: str,
        client_id: str,
        client_secret: str,
        *,
        scope: str | Iterable[str] | None = None,
        timeout: float = 30.0,
        margin: float = _MARGIN,
    ) -> None:
        super().__init__(token_url, client_id, client_secret, scope, timeout, margin)

    def _grant(self) -> dict[str, str]:
        return {"grant_type": "client_credentials"}


def google(client_id: str, client_secret: str, refresh_token: str, *, token_url: str = GOOGLE_TOKEN_URL) -> RefreshToken:
    """For ``smtp.gmail.com``: ``username`` is the address, and the refresh token must have ``GOOGLE_SCOPE``."""
    return RefreshToken(token_url, client_id, refresh_token, client_secret=client_secret)


def microsoft(
    client_id: str,
    refresh_token: str,
    *,
    tenant: str = "common",
    client_secret: str | None = None,
    saved: Callable[[str], object] | None = None,
    token_url: str = MICROSOFT_TOKEN_URL,
) -> RefreshToken:
    """For ``smtp.office365.com``, as a user. Microsoft gives a new refresh token each time: keep what ``saved`` gets."""
    url = token_url.format(tenant=urllib.parse.quote(tenant, safe=""))
    return RefreshToken(url, client_id, refresh_token, client_secret=client_secret, scope=MICROSOFT_SCOPE, saved=saved)


def microsoft_application(
    client_id: str, client_secret: str, *, tenant: str, token_url: str = MICROSOFT_TOKEN_URL
) -> ClientCredentials:
    """For ``smtp.office365.com``, as an application that may send as the mailbox ``username``."""
    url = token_url.format(tenant=urllib.parse.quote(tenant, safe=""))
    return ClientCredentials(url, client_id, client_secret, scope=MICROSOFT_APPLICATION_SCOPE)


def _object(said: bytes) -> dict[str, Any] | None:
    try:
        answer = json.loads(said)
    except (ValueError, RecursionError):
        return None
    return answer if isinstance(answer, dict) else None


def _number(value: object) -> float:
    """Some endpoints send it as a text."""
    try:
        seconds = float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return _LIFETIME
    return seconds if 0 < seconds < 1e9 else _LIFETIME
