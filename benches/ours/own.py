"""What the two Python programs over libsmtp have in common."""

import smtpclient
from task import Task

task = Task()
scheme = "smtps" if task.tls == "wrap" else "smtp"
host = f"{scheme}://127.0.0.1"
options = smtpclient.Options(
    servers=[f"{host}:{task.port}"],
    client="client.example.test",
    # Those of a message that is put together are in its header section.
    **({} if task.mode == "made" else {"originator": "from@example.test", "recipients": task.recipients}),
    pipelining="full" if task.mode == "window" else "rfc",
    usetls=task.tls != "no",
    **({"tlsrequired": True, "tlscafile": task.certificate} if task.tls != "no" else {}),
)


def make():
    """A message put together."""
    message = smtpclient.Message(task.text)
    message["From"] = "Benchmark <from@example.test>"
    message["To"] = "to@example.test"
    message["Subject"] = "a message"
    return message
