"""A contact form: Flask, and a page that says what became of the message.

    pip install flask
    RELAY=smtp://localhost:25 FORM_TO=office@example.org FORM_FROM=form@example.org flask --app form run

What a visitor writes goes into the text and into Reply-To, never into an address that mail is sent to.
"""

import os

import smtpclient
from flask import Flask, render_template_string, request

app = Flask(__name__)
options = smtpclient.Options(
    servers=os.environ["RELAY"],
    originator=os.environ["FORM_FROM"],
    recipients=os.environ["FORM_TO"],
    deadline=10,  # seconds; somebody waits for the page
)

PAGE = """<!doctype html><title>Contact</title>
{% if note %}<p>{{ note }}</p>{% endif %}
<form method=post>
  <input name=email type=email required placeholder="Your address" value="{{ email }}">
  <textarea name=text required>{{ text }}</textarea>
  <button>Send</button>
</form>"""


@app.get("/")
def form():
    return render_template_string(PAGE)


@app.post("/")
def send():
    email, text = request.form["email"], request.form["text"]
    message = smtpclient.Message(text)
    try:
        message["From"], message["To"] = os.environ["FORM_FROM"], os.environ["FORM_TO"]
        message["Reply-To"], message["Subject"] = email, "From the contact form"
        report = smtpclient.sendmessage(message, options)
    except smtpclient.UsageError:  # before a byte went out, as for a line end in the address, which would begin another field
        return again("That is not an address.", email, text), 400
    except smtpclient.OutcomeUnknown as error:
        app.logger.error("perhaps sent: %s", error)
        return render_template_string(PAGE, note="Your message may have arrived. We look after it; please do not send it again.")
    except smtpclient.SMTPException as error:
        app.logger.error("not sent: %s", error)
        return again("Your message was not sent. Please try again later.", email, text), 503
    app.logger.info("sent: %s", report.queue_id)
    return render_template_string(PAGE, note="Thank you.")


def again(note, email, text):
    return render_template_string(PAGE, note=note, email=email, text=text)
