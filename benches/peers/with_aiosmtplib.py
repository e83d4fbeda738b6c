"""aiosmtplib, on one event loop."""

import asyncio

import aiosmtplib

from task import Task

task = Task()
context = task.context()


def connect():
    return aiosmtplib.SMTP(hostname="127.0.0.1", port=task.port, local_hostname="client.example.test",
                           use_tls=task.tls == "wrap", start_tls=task.tls == "starttls", tls_context=context)


async def some(messages):
    async with connect() as client:
        for _ in range(messages):
            await client.sendmail("from@example.test", task.recipients, task.body)


async def main():
    if task.mode == "single":
        await some(task.messages)
    elif task.mode == "each":
        for _ in range(task.messages):
            await some(1)
    elif task.mode == "made":
        async with connect() as client:
            for _ in range(task.messages):
                await client.send_message(task.make())
    elif task.mode == "written":
        raise SystemExit(3)
    else:
        await asyncio.gather(*(some(share) for share in task.shares()))


asyncio.run(main())
