"""Access tokens that expire: an endpoint and a server that know which of them are good, and what asks for them."""

import asyncio
import base64
import gc
import json
import socketserver
import threading
import urllib.parse
import weakref
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest
import smtpclient
from conftest import MESSAGE
from smtpclient import aio, oauth

USER = "tim@c.example"


class Provider:
    """What Google and Microsoft have: a token endpoint, and a server for mail that takes its tokens."""

    def __init__(self):
        self.good, self.grants, self.logins, self.messages = set(), [], [], 0
        self.lifetime, self.refusal, self.length, self.closes = 3600, None, 20, False
        self.lock = threading.Lock()
        self.endpoint = ThreadingHTTPServer(("127.0.0.1", 0), self._http())
        self.server = _Server(("127.0.0.1", 0), self._smtp())
        for each in (self.endpoint, self.server):
            threading.Thread(target=each.serve_forever, args=(0.01,), daemon=True).start()
        self.url = f"http://127.0.0.1:{self.endpoint.server_port}/token"

    def close(self):
        for each in (self.endpoint, self.server):
            each.shutdown()
            each.server_close()

    def expire(self):
        """No token that was given is good any more."""
        self.good.clear()

    def grant(self, fields):
        with self.lock:
            self.grants.append(fields)
            if self.refusal:
                return 400, {"error": "invalid_grant", "error_description": self.refusal}
            token = f"ya29.{len(self.grants)}.".ljust(self.length, "x")
            self.good.add(token)
            answer = {"access_token": token, "token_type": "Bearer", "expires_in": self.lifetime}
            if "refresh_token" in fields:
                answer["refresh_token"] = f"refresh-{len(self.grants)}"
            return 200, answer

    def _http(provider):
        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"])).decode()
                code, answer = provider.grant(dict(urllib.parse.parse_qsl(body)))
                said = json.dumps(answer).encode()
                self.send_response(code)
                self.send_header("Content-Length", str(len(said)))
                self.end_headers()
                self.wfile.write(said)

            def log_message(self, *_):
                pass

        return Handler

    def _smtp(provider):
        class Handler(socketserver.StreamRequestHandler):
            def say(self, text):
                self.wfile.write(text.encode() + b"\r\n")

            def login(self, line):
                words = line.split()
                if len(words) < 3:
                    self.say("334 ")
                    words.append(self.rfile.readline().decode().strip())
                said = base64.b64decode(words[2]).decode()
                user, token = said.split("\x01")[:2]
                token = token.removeprefix("auth=Bearer ")
                with provider.lock:
                    provider.logins.append(token)
                    good = token in provider.good
                if good and user == f"user={USER}":
                    return self.say("235 2.7.0 Accepted") or True
                self.say("334 " + base64.b64encode(b'{"status":"401","schemes":"bearer"}').decode())
                self.rfile.readline()
                self.say("535 5.7.8 Username and Password not accepted")
                return not provider.closes

            def handle(self):
                self.say("220 s.example")
                while line := self.rfile.readline().decode().strip():
                    verb = line.split()[0].upper()
                    if verb == "EHLO":
                        self.say("250-s.example\r\n250 AUTH XOAUTH2")
                    elif verb == "AUTH":
                        if not self.login(line):
                            return
                    elif verb == "DATA":
                        self.say("354 go on")
                        while self.rfile.readline() not in (b".\r\n", b""):
                            pass
                        provider.messages += 1
                        self.say("250 2.0.0 Ok")
                    elif verb == "QUIT":
                        return self.say("221 bye")
                    else:
                        self.say("250 Ok")

        return Handler


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True


@pytest.fixture
def provider():
    running = Provider()
    yield running
    running.close()


@pytest.fixture
def to(provider):
    return {"servers": ["127.0.0.1"], "ports": [provider.server.server_address[1]], "username": USER, "client": "c.example"}


def google(provider):
    return oauth.google("me", "s3cret", "refresh-0", token_url=provider.url)


def test_a_mailer_survives_its_tokens(provider, to):
    token = google(provider)
    with smtpclient.Mailer(**to, oauthtoken=token, connections=1, connectionmessages=2, retries=0) as mailer:
        for _ in range(4):
            assert mailer.submit(MESSAGE).result(20).complete
            provider.expire()
            # The connection that is logged in goes on; the next one finds the token refused.
            assert mailer.submit(MESSAGE).result(20).complete
    assert provider.messages == 8 and len(provider.grants) == 4
    assert [grant["refresh_token"] for grant in provider.grants] == ["refresh-0", "refresh-1", "refresh-2", "refresh-3"]
    assert len(provider.logins) == 7


@pytest.mark.parametrize("closes", [False, True])
def test_a_refused_token_is_replaced_once(provider, to, closes):
    provider.closes = closes
    reasons = []

    def token(reason):
        reasons.append(reason)
        return {"first": "old", "refused": google(provider)(reason)}[reason]

    assert smtpclient.sendmessage(MESSAGE, **to, oauthtoken=token).complete
    assert reasons == ["first", "refused"] and len(provider.logins) == 2
    with smtpclient.Session("127.0.0.1", to["ports"][0], username=USER, oauthtoken=token) as session:
        assert session.send_message(MESSAGE).complete
    assert reasons == ["first", "refused"] * 2
    with pytest.raises(smtpclient.AuthenticationError, match="535") as caught:
        smtpclient.sendmessage(MESSAGE, **to, oauthtoken=lambda reason: reasons.append(reason) or "old")
    assert reasons == ["first", "refused"] * 3 and "old" not in str(caught.value)


def test_a_coroutine_function_in_a_loop(provider, to):
    reasons = []

    async def token(reason):
        reasons.append(reason)
        await asyncio.sleep(0)
        return {"first": "old", "refused": google(provider)(reason)}[reason]

    async def send():
        assert (await aio.sendmessage(MESSAGE, **to, oauthtoken=token)).complete
        async with aio.Session("127.0.0.1", to["ports"][0], username=USER, oauthtoken=token) as session:
            assert (await session.send_message(MESSAGE)).complete
        async with aio.Mailer(**to, oauthtoken=token) as mailer:
            assert (await mailer.submit(MESSAGE)).complete
        # One that blocks does not keep the loop from its work.
        inside, goes_on = asyncio.Event(), threading.Event()
        loop = asyncio.get_running_loop()

        def blocks(reason):
            loop.call_soon_threadsafe(inside.set)
            assert goes_on.wait(20)
            return google(provider)(reason)

        sending = asyncio.ensure_future(aio.sendmessage(MESSAGE, **to, oauthtoken=blocks))
        await inside.wait()
        goes_on.set()
        assert (await sending).complete

    asyncio.run(send())
    assert reasons == ["first", "refused"] * 3


def test_a_task_that_is_cancelled_while_it_waits_for_a_token(provider, to):
    async def send():
        asked, ended = asyncio.Event(), asyncio.Event()

        async def token(_):
            asked.set()
            try:
                await asyncio.Event().wait()
            finally:
                ended.set()

        sending = asyncio.ensure_future(aio.sendmessage(MESSAGE, **to, oauthtoken=token))
        await asked.wait()
        sending.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sending
        await ended.wait()

    asyncio.run(asyncio.wait_for(send(), 20))
    assert provider.logins == []


def test_a_function_that_fails(provider, to):
    provider.refusal = "Token s3cret has been expired or revoked."
    with pytest.raises(smtpclient.AuthenticationError, match=r"invalid_grant: Token \*\*\* has been expired") as caught:
        smtpclient.sendmessage(MESSAGE, **to, oauthtoken=google(provider))
    assert caught.value.report.recipients[0].outcome == "not_sent"
    assert provider.logins == []
    for given, words in ((None, "oauthtoken.*NoneType"), (7, "int"), ("a b", "Bearer"), ("", "empty")):
        with pytest.raises(smtpclient.AuthenticationError, match=words):
            smtpclient.sendmessage(MESSAGE, **to, oauthtoken=lambda _, given=given: given)
    with pytest.raises(KeyboardInterrupt) as stopped:
        smtpclient.sendmessage(MESSAGE, **to, oauthtoken=lambda _: interrupt())
    assert stopped.type is KeyboardInterrupt


def interrupt():
    raise KeyboardInterrupt


def test_a_long_token(provider, to):
    provider.length = 10_000
    assert smtpclient.sendmessage(MESSAGE, **to, oauthtoken=google(provider)).complete
    assert len(provider.logins[0]) == 10_000


def test_a_token_of_a_message(provider, to):
    _, first = provider.grant({})
    with smtpclient.Mailer(**to, oauthtoken=first["access_token"], connections=1, connectionmessages=1) as mailer:
        assert mailer.submit(MESSAGE).result(20).complete
        provider.expire()
        _, second = provider.grant({})
        assert mailer.submit(MESSAGE, oauthtoken=second["access_token"]).result(20).complete
    assert provider.logins[-1] == second["access_token"]


def test_it_is_kept_until_shortly_before_its_end(provider, monkeypatch):
    now = [0.0]
    monkeypatch.setattr(oauth.time, "monotonic", lambda: now[0])
    token = google(provider)
    first = token("first")
    now[0] = 3539
    assert token("first") == first
    now[0] = 3541
    second = token("first")
    assert second != first and token("refused") not in (first, second)
    provider.lifetime = 10  # shorter than the margin
    third = token("refused")
    assert token("first") == third
    now[0] += 6
    assert token("first") != third
    assert provider.grants[0] == {
        "client_id": "me", "client_secret": "s3cret", "grant_type": "refresh_token", "refresh_token": "refresh-0",
    }


def test_threads_share_one(provider):
    token = google(provider)
    found = []
    threads = [threading.Thread(target=lambda: found.append(token("first"))) for _ in range(20)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(provider.grants) == 1 and len(set(found)) == 1 and len(found) == 20


def test_microsofts_forms(provider):
    saved = []
    user = oauth.microsoft("me", "refresh-0", tenant="t/1", saved=saved.append, token_url=provider.url + "?t={tenant}")
    assert user() and saved == ["refresh-1"]
    program = oauth.microsoft_application("me", "s3cret", tenant="t", token_url=provider.url)
    assert program("first")
    assert provider.grants[0]["scope"] == "https://outlook.office.com/SMTP.Send offline_access"
    assert provider.grants[1] == {
        "client_id": "me", "client_secret": "s3cret", "grant_type": "client_credentials",
        "scope": "https://outlook.office365.com/.default",
    }
    assert "t%2F1" in repr(user) and "s3cret" not in repr(program)


def test_an_endpoint_that_is_of_no_use(provider):
    with pytest.raises(ValueError, match="https"):
        oauth.google("me", "s3cret", "r", token_url="http://mail.example/token")
    provider.endpoint.shutdown()
    provider.endpoint.server_close()
    with pytest.raises(oauth.TokenError, match="127.0.0.1") as caught:
        google(provider)("first")
    assert caught.value.error is None


def test_options_let_go_of_the_function():
    class Token:
        def __call__(self, reason):
            return "t"

    token = Token()
    options = smtpclient.Options(oauthtoken=token)
    token.options = options
    gone = weakref.ref(token)
    assert "***" in repr(smtpclient.Options(options, oauthtoken="t"))
    del token, options
    gc.collect()
    assert gone() is None
