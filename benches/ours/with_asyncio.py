"""libsmtp's Python package on one event loop. See benches/README.md for the arguments."""

import asyncio

from own import host, make, options, task
from smtpclient import aio


def session():
    return aio.Session(host, task.port, options)


async def some(messages):
    async with session() as one:
        for _ in range(messages):
            await one.send_message(task.body)


async def main():
    if task.mode in ("batch", "window"):
        async with session() as one:
            async for report in one.send_many(task.body for _ in range(task.messages)):
                assert report.complete
    elif task.mode == "made":
        async with session() as one:
            async for report in one.send_many(make() for _ in range(task.messages)):
                assert report.complete
    elif task.mode == "single":
        await some(task.messages)
    elif task.mode == "each":
        for _ in range(task.messages):
            await aio.sendmessage(task.body, options)
    elif task.mode == "parallel":
        await asyncio.gather(*(some(share) for share in task.shares()))
    else:
        raise SystemExit(3)


asyncio.run(main())
