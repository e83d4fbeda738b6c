"""The recipes for NTLM and Kerberos, against servers whose logins the acceptors of pyspnego and gssapi judge."""

import asyncio
import contextlib

import pytest
import smtpclient
from conftest import MESSAGE
from sasl_server import kerberos, ntlm
from smtpclient import aio
from test_docs import recipe


@pytest.fixture(autouse=True)
def environment_of_its_own(monkeypatch):
    for name in ("NTLM_USER_FILE", "KRB5_CONFIG", "KRB5_KDC_PROFILE", "KRB5CCNAME"):
        monkeypatch.setenv(name, "")
        monkeypatch.delenv(name)


def test_ntlm(tmp_path):
    pytest.importorskip("spnego")
    made = recipe("NTLM")["NTLM"]
    with ntlm(tmp_path) as server:
        to = {"servers": ["127.0.0.1"], "ports": [server.port]}
        assert smtpclient.sendmessage(MESSAGE, **to, mechanisms=[made("ann", "secret")]).complete
        with pytest.raises(smtpclient.AuthenticationError, match="535 5.7.8 Not you"):
            smtpclient.sendmessage(MESSAGE, **to, mechanisms=[made("ann", "guessed")])
        assert asyncio.run(aio.sendmessage(MESSAGE, **to, mechanisms=[made("ann", "secret")])).complete
        assert server.messages == 2 and len(server.refusals) == 1


def test_kerberos(tmp_path):
    pytest.importorskip("gssapi", reason="the package gssapi is not installed: it needs libkrb5-dev to be built")
    try:
        realm = kerberos(tmp_path)
        server = realm.__enter__()
    except RuntimeError as missing:
        pytest.skip(str(missing))
    with contextlib.ExitStack() as stack:
        stack.push(realm)
        made = recipe("Kerberos")["Kerberos"]
        to = {"servers": ["localhost"], "ports": [server.port], "mechanisms": [made()]}
        assert smtpclient.sendmessage(MESSAGE, **to).complete
        assert smtpclient.sendmessage(MESSAGE, **to, authzid="ann").complete
        assert asyncio.run(aio.sendmessage(MESSAGE, **to)).complete
        with pytest.raises(smtpclient.AuthenticationError, match="535 5.7.8 Not you"):
            smtpclient.sendmessage(MESSAGE, **to, authzid="bob")
        # The realm has no key for this name.
        with pytest.raises(smtpclient.AuthenticationError, match="not found in Kerberos database") as failed:
            smtpclient.sendmessage(MESSAGE, **to | {"servers": ["127.0.0.1"]})
        assert failed.value.failure.transient
        assert server.messages == 3 and len(server.refusals) == 1
