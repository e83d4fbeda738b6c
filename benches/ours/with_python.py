"""libsmtp's Python package; many connections are as many threads. See benches/README.md for the arguments."""

import threading

import smtpclient
from own import host, make, options, task


def session():
    return smtpclient.Session(host, task.port, options)


def some(messages):
    with session() as one:
        for _ in range(messages):
            one.send_message(task.body)


if task.mode in ("batch", "window"):
    with session() as one:
        assert all(report.complete for report in one.send_many(task.body for _ in range(task.messages)))
elif task.mode == "made":
    with session() as one:
        assert all(report.complete for report in one.send_many(make() for _ in range(task.messages)))
elif task.mode == "written":
    for _ in range(task.messages):
        make().to_bytes()
elif task.mode == "single":
    some(task.messages)
elif task.mode == "each":
    for _ in range(task.messages):
        smtpclient.sendmessage(task.body, options)
elif task.mode == "parallel":
    threads = [threading.Thread(target=some, args=[share]) for share in task.shares()]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
else:
    raise SystemExit(3)
