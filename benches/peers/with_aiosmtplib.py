"""aiosmtplib, on one event loop."""

import asyncio

import aiosmtplib

from task import Task

task = Task()
context = task.context()


async def some(messages):
    client = aiosmtplib.SMTP(hostname="127.0.0.1", port=task.port, local_hostname="client.example.test",
                             use_tls=task.tls == "wrap", start_tls=task.tls == "starttls", tls_context=context)
    async with client:
        for _ in range(messages):
            await client.sendmail("from@example.test", task.recipients, task.body)


async def main():
    if task.mode == "single":
        await some(task.messages)
    elif task.mode == "each":
        for _ in range(task.messages):
            await some(1)
    else:
        await asyncio.gather(*(some(share) for share in task.shares()))


asyncio.run(main())
