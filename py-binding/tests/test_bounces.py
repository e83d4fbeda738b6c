"""Delivery status notifications, as servers write them."""

import base64
import email
from email.message import EmailMessage

import pytest
from smtpclient import bounces
from smtpclient.bounces import Bounce


def report(status, kind="delivery-status", returned="Message-ID: <1@a.example>\nSubject: x\n", coding="7bit"):
    return (
        "From: MAILER-DAEMON@mx.example\nTo: ann@a.example\nMIME-Version: 1.0\n"
        f'Content-Type: multipart/report; report-type={kind}; boundary="B"\n\n'
        "--B\nContent-Type: text/plain\n\nSorry.\n"
        f"--B\nContent-Type: message/{kind}\nContent-Transfer-Encoding: {coding}\n\n{status}"
        f"\n--B\nContent-Type: text/rfc822-headers\n\n{returned}\n--B--\n"
    ).encode()


POSTFIX = """Reporting-MTA: dns; mx.example
X-Postfix-Queue-ID: 4Bq
Original-Envelope-Id: QQ314159
Arrival-Date: Thu, 26 Nov 2026 10:00:00 +0000 (UTC)

Final-Recipient: rfc822; bob@b.example
Original-Recipient: rfc822;Bob@B.example
Action: failed
Status: 5.1.1
Remote-MTA: dns; in.b.example
Diagnostic-Code: smtp; 550 5.1.1 <bob@b.example>: no such
    user; see the manual

Final-Recipient: rfc822; cy@c.example
Action: delayed
Status: 4.4.1
"""


@pytest.mark.parametrize("line_end", [b"\n", b"\r\n"])
def test_a_notification_of_postfix(line_end):
    bob, cy = bounces.read(report(POSTFIX).replace(b"\n", line_end))
    assert bob == Bounce(
        recipient="bob@b.example", action="failed", status="5.1.1",
        diagnostic="550 5.1.1 <bob@b.example>: no such user; see the manual", original_recipient="Bob@B.example",
        remote_mta="in.b.example", reporting_mta="mx.example", envelope_id="QQ314159", message_id="<1@a.example>",
    )
    assert bob.failed and bob.permanent and bob.fields["status"] == "5.1.1"
    assert (cy.recipient, cy.action, cy.status, cy.failed) == ("cy@c.example", "delayed", "4.4.1", False)


def test_as_the_email_package_has_it():
    for policy in (email.policy.compat32, email.policy.default):
        assert len(bounces.read(email.message_from_bytes(report(POSTFIX), policy=policy))) == 2


@pytest.mark.parametrize(
    ("block", "wanted"),
    [
        # Microsoft: no space, an address in brackets. Exim: a comment after the action. One block for all.
        ("Final-recipient: RFC822;<x@y>\nACTION: Failed\nStatus: 5.7.1\n", ("x@y", "failed", "5.7.1")),
        ("Final-Recipient: rfc822; x@y\nAction: failed (bounced)\nStatus: 5.0.0 (permanent)\n", ("x@y", "failed", "5.0.0")),
        ("Reporting-MTA: dns; m\nFinal-Recipient: rfc822; x@y\nAction: failed\n", ("x@y", "failed", "")),
        ("Final-Recipient: x@y\nAction: failed\nDiagnostic-Code: smtp; 552 5.2.2 full\n", ("x@y", "failed", "5.2.2")),
        ("Final-Recipient: rfc822;\nOriginal-Recipient: rfc822; o@y\nAction: failed\nStatus: 5.1.1\n", ("o@y", "failed", "5.1.1")),
        ("Final-Recipient: rfc822; a@b\nFinal-Recipient: rfc822; c@d\nAction: relayed\nStatus: 2.0.0\n", ("a@b", "relayed", "2.0.0")),
    ],
)  # fmt: skip
def test_as_others_write_it(block, wanted):
    [bounce] = bounces.read(report("Reporting-MTA: dns; m\n\n" + block))
    assert (bounce.recipient, bounce.action, bounce.status) == wanted


@pytest.mark.parametrize("coding", ["8bit", "base64"])
def test_addresses_beyond_ascii(coding):
    status = "Reporting-MTA: dns; m\n\nFinal-Recipient: utf-8; b\\x{FC}r@b.example\nAction: failed\nStatus: 5.1.1\n"
    if coding == "base64":
        status = base64.encodebytes(status.encode()).decode()
    [bounce] = bounces.read(report(status, "global-delivery-status", coding=coding))
    assert bounce.recipient == "bür@b.example"


def test_what_is_not_a_notification():
    plain = EmailMessage()
    plain["Subject"] = "Undelivered Mail Returned to Sender"
    plain.set_content("Hi. This is the qmail-send program.")
    # A bounce that somebody forwards is not one of ours.
    forwarded = EmailMessage()
    forwarded.set_content("Look at this.")
    forwarded.add_attachment(email.message_from_bytes(report(POSTFIX), policy=email.policy.default))
    for message in (plain, forwarded, bytes(plain), b"", b"\xff\x00", report(""), report("Final-Recipient: rfc822; x@y\n")):
        assert bounces.read(message) == []


def test_nonsense_never_raises():
    whole = report(POSTFIX)
    for at in range(0, len(whole), 7):
        bounces.read(whole[:at])
        bounces.read(whole[:at] + b"\xff\n\n" + whole[at + 5 :])


def test_multiparts_without_end_are_no_notification():
    deep = b"".join(b'Content-Type: multipart/mixed; boundary="%d"\n\n--%d\n' % (n, n) for n in range(5000))
    assert bounces.read(deep) == []
    with pytest.raises(TypeError, match="not int"):
        bounces.read(5)
