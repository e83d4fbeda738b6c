"""Python's smtplib; many connections are as many threads."""

import smtplib
import threading

from task import Task

task = Task()
context = task.context()


def connect():
    if task.tls == "wrap":
        return smtplib.SMTP_SSL("127.0.0.1", task.port, local_hostname="client.example.test", context=context)
    server = smtplib.SMTP("127.0.0.1", task.port, local_hostname="client.example.test")
    if task.tls == "starttls":
        server.starttls(context=context)
    return server


def some(messages):
    with connect() as server:
        for _ in range(messages):
            server.sendmail("from@example.test", task.recipients, task.body)


if task.mode == "single":
    some(task.messages)
elif task.mode == "made":
    with connect() as server:
        for _ in range(task.messages):
            server.send_message(task.make())
elif task.mode == "written":
    for _ in range(task.messages):
        task.make().as_bytes()
elif task.mode == "each":
    for _ in range(task.messages):
        some(1)
else:
    threads = [threading.Thread(target=some, args=[share]) for share in task.shares()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
