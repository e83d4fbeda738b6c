"""Invitations and one-click unsubscribing, read by libraries that others wrote."""

import datetime
import email
import email.policy

import icalendar
import pytest
from smtpclient import Message, UsageError


def invitation(method="REQUEST"):
    calendar = icalendar.Calendar()
    calendar.add("version", "2.0")
    calendar.add("prodid", "-//example//EN")
    calendar.add("method", method)
    event = icalendar.Event()
    event.add("uid", "1@a.example")
    event.add("summary", "Lunch at Café Müller, " + "and a walk afterwards " * 5)
    event.add("dtstart", datetime.datetime(2026, 12, 1, 12, tzinfo=datetime.timezone.utc))
    calendar.add_component(event)
    return calendar.to_ical().decode()


@pytest.mark.parametrize("method", ["REQUEST", "CANCEL"])
def test_an_invitation_arrives_as_it_was_written(method):
    message = Message("Lunch?\n", html="<p>Lunch?</p>")
    message["From"], message["To"] = "ann@a.example", "bob@b.example"
    message.add_calendar(invitation(method).encode())  # as the package icalendar gives it
    read = email.message_from_bytes(bytes(message), policy=email.policy.default)
    alternative, attached = read.iter_parts()
    kinds = [part.get_content_type() for part in alternative.iter_parts()]
    assert kinds == ["text/plain", "text/html", "text/calendar"]
    last = list(alternative.iter_parts())[-1]
    assert last["Content-Type"].params["method"] == method
    assert attached.get_filename() == "invite.ics" and attached.get_content_type() == "application/ics"
    for text in (last.get_content(), attached.get_content().decode()):
        [event] = icalendar.Calendar.from_ical(text).walk("VEVENT")
        assert event["summary"].startswith("Lunch at Café Müller, and")
    with pytest.raises(UsageError, match="has a calendar already"):
        message.add_calendar(invitation(method))


def test_unsubscribing_needs_a_url_of_https():
    message = Message("News\n")
    message.set_unsubscribe("https://example.org/u/1", "leave@example.org?subject=1")
    read = email.message_from_bytes(bytes(message), policy=email.policy.default)
    assert read["List-Unsubscribe"] == "<mailto:leave@example.org?subject=1>, <https://example.org/u/1>"
    assert read["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    with pytest.raises(UsageError, match="http://example.org"):
        message.set_unsubscribe("http://example.org/u/1")


def test_what_is_not_a_calendar_is_told_by_its_name():
    with pytest.raises(TypeError, match="icalendar must be str or bytes, not int"):
        Message("x").add_calendar(7)
    with pytest.raises(ValueError, match="icalendar must be UTF-8"):
        Message("x").add_calendar(b"\xff")
