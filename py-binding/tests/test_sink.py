"""The server for tests of one's own, by clients that others wrote."""

import smtplib
import ssl

import pytest
import smtpclient
from smtpclient.testing import Sink

MESSAGE = b"From: ann@c.example\nTo: bob@s.example\n\nHi.\n"


def trusting(sink):
    return ssl.create_default_context(cadata=sink.certificate)


@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_the_standard_library_trusts_its_certificate(how):
    with Sink(tls=how, users={"ann": "secret"}) as sink:
        if how == "implicit":
            server = smtplib.SMTP_SSL("localhost", sink.port, context=trusting(sink))
        else:
            server = smtplib.SMTP("localhost", sink.port)
            server.ehlo()
            assert "auth" not in server.esmtp_features
            server.starttls(context=trusting(sink))
        with server:
            with pytest.raises(smtplib.SMTPAuthenticationError):
                server.login("ann", "wrong")
            server.ehlo()
            assert set(server.esmtp_features["auth"].split()) == {"PLAIN", "LOGIN", "XOAUTH2"}
            server.user, server.password = "ann", "secret"
            assert server.auth("LOGIN", server.auth_login)[0] == 235
            server.sendmail("ann@c.example", ["bob@s.example"], MESSAGE)
        assert sink.count == 1


@pytest.mark.parametrize("how", ["starttls", "implicit"])
def test_this_client_trusts_its_certificate(how):
    with Sink(tls=how, users={"ann": "t0ken"}) as sink:
        server = {
            "servers": "localhost", "ports": sink.port, "tlsrequired": True, "tlsimport": how == "implicit", "username": "ann",
        }
        report = smtpclient.sendmessage(MESSAGE, tlsca=sink.certificate, oauthtoken="t0ken", auth="XOAUTH2", **server)
        assert report.attempts[0].tls.verified and sink.count == 1
        with pytest.raises(smtpclient.TLSError):
            smtpclient.sendmessage(MESSAGE, oauthtoken="t0ken", auth="XOAUTH2", **server)
        with pytest.raises(smtpclient.AuthenticationError):
            smtpclient.sendmessage(MESSAGE, tlsca=sink.certificate, password="wrong", **server)
        assert sink.count == 1


def test_without_tls():
    with Sink(users={"ann": "secret"}) as sink, smtplib.SMTP("127.0.0.1", sink.port) as server:
        assert sink.certificate is None
        with pytest.raises(smtplib.SMTPSenderRefused):
            server.sendmail("a@c.example", ["b@s.example"], MESSAGE)
        server.login("ann", "secret")
        server.sendmail("a@c.example", ["b@s.example"], MESSAGE)
    with pytest.raises(ValueError, match="starttls"):
        Sink(tls="yes")


def test_what_it_took_is_there_after_its_end():
    with Sink(tls="implicit") as sink:
        certificate, port = sink.certificate, sink.port
        smtpclient.sendmessage(MESSAGE, servers="localhost", ports=port, tlsimport=True, tlsca=certificate)
    assert sink.count == len(sink.messages()) == 1
    assert (sink.certificate, sink.port) == (certificate, port)
    sink.close()


def test_faults_of_a_table(to):
    with Sink(faults=["data#1=451 4.3.0 Later", "final#2=close", "greeting#4=554 5.3.2 No"]) as sink:
        known = to | {"ports": sink.port}
        with pytest.raises(smtpclient.SMTPException) as refused:
            smtpclient.sendmessage(MESSAGE, **known)
        assert refused.value.report.recipients[0].reply.code == 451 and refused.value.report.error.transient
        assert smtpclient.sendmessage(MESSAGE, **known).complete
        with pytest.raises(smtpclient.OutcomeUnknown):
            smtpclient.sendmessage(MESSAGE, **known)
        assert sink.count == 2  # the reply to the second one never came
        with pytest.raises(smtpclient.SMTPException, match="5.3.2 No"):
            smtpclient.sendmessage(MESSAGE, **known)
    with Sink(faults=["mail=silence"]) as sink, pytest.raises(smtpclient.Timeout):
        smtpclient.sendmessage(MESSAGE, **to | {"ports": sink.port, "timeout": 0.3})
    with pytest.raises(ValueError, match="the steps are greeting"):
        Sink(faults=["body=close"])
    for name in "faults", "rejects":
        for value, given in ("mail=silence", "str"), ([3], "list"):
            with pytest.raises(TypeError, match=f"{name} wants a list of rules, each a str, not {given}"):
                Sink(**{name: value})
