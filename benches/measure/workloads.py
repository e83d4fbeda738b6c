"""What is measured: each workload, and how one run of it becomes figures for one message (or one octet).

Everything is taken twice, at a small and at a large size, and the difference counts: start-up falls out of it."""

import os
import subprocess
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace

from . import server, tools
from .programs import CERTIFICATE, KEY, Task, say

ROUND_TRIP = 0.05
LEAST_SECONDS = 0.25
ROUNDS = 4
FIRST_ROUNDS = 15


@dataclass(frozen=True)
class Workload:
    name: str
    title: str
    task: Task
    # The words that the sink is started with.
    sink: tuple = ()
    # How the limit is reached, and what libsmtp does; all others do as the task says.
    modes: dict = field(default_factory=dict)
    # Messages for the counted runs; what is counted is divided by their difference.
    few: int = 100
    many: int = 300
    # Octets instead: one message, of these two sizes, for the clock and for the counts.
    octets: tuple = ()
    counted_octets: tuple = ()
    # Through a relay: only round trips are of interest.
    delayed: bool = False
    costs: bool = True
    # What a process does first, which has no speed: counts, and processor time.
    first: bool = False
    # What the figures are for, where it is not a message or an octet.
    unit: str = ""
    only: tuple = ()
    # Clients that are shown, but not compared with.
    aside: tuple = ()

    @property
    def per(self):
        return self.unit or ("octet" if self.octets else "message")

    def of(self, client):
        whole = self.modes.get(client.name.split(" (")[0], self.task.mode)
        return replace(self.task, mode=self.modes.get(client.name, whole))

    def has(self, client):
        return (not self.only or client.name in self.only) and (not client.special or client.name in self.modes)

    def pair(self, client, messages):
        """The two runs of which the difference is `messages` messages, or so many octets."""
        task = self.of(client)
        if self.octets:
            small, large = messages if isinstance(messages, tuple) else self.octets
            return replace(task, messages=1, octets=small), replace(task, messages=1, octets=large), large - small
        small = max(1, messages // 10) if not isinstance(messages, tuple) else messages[0]
        large = messages if not isinstance(messages, tuple) else messages[1]
        return replace(task, messages=small), replace(task, messages=large), large - small


BODY = {"octets": (1 << 20, 100 << 20), "counted_octets": (1 << 20, 5 << 20),
        "aside": ("smtp-source",)}  # which makes up a body, and need not look at it
TLS = ("--tls", CERTIFICATE, KEY)
STARTTLS = ("--starttls", CERTIFICATE, KEY)
# Where TLS costs more than all else, both libraries for it are measured.
RUSTLS = "libsmtp (rustls)"
NAGLE = ("--nagle",)
# Not the limit, which does not know of it.
AFTER_NAGLE = ("libsmtp", "libsmtp (loop)", "libsmtp (Python)", "libsmtp (asyncio)", "libsmtp (Tcl)", "smtp-source", "lettre",
               "mail-send", "libcurl", "smtplib", "aiosmtplib")
# Those that put a message together themselves.
MAKERS = ("libsmtp", "libsmtp (Python)", "libsmtp (asyncio)", "lettre", "smtplib", "aiosmtplib")
ALL = [
    Workload("bare", "One connection, a server without extensions", Task(), ("--no-extensions",), {"limit": "steps"}),
    Workload("single", "One connection, PIPELINING, single sends", Task(), (), {"limit": "grouped"}),
    Workload("batch", "One connection, PIPELINING, a batch", Task(), (), {"limit": "queued", "libsmtp": "batch"}),
    Workload("window", "One connection, CHUNKING, a batch with a window", Task(), ("--chunking",),
             {"limit": "window", "libsmtp": "window"}, few=640, many=1920, only=("limit", "libsmtp", "smtp-source", "lettre", "smtplib", "libsmtp (Python)", "libsmtp (asyncio)")),
    Workload("newsletter", "One connection, PIPELINING, a batch of one message to one recipient after the other", Task("newsletter"), (),
             only=("libsmtp",)),
    Workload("queue", "One connection, PIPELINING, a mailer", Task("queue"), (), only=("libsmtp",)),
    Workload("committed", "One connection, PIPELINING, a batch with option commit", Task("committed-batch"), (), only=("libsmtp",)),
    Workload("committed-window", "One connection, CHUNKING, a batch with a window and option commit", Task("committed-window"),
             ("--chunking",), few=640, many=1920, only=("libsmtp",)),
    Workload("committed-queue", "One connection, PIPELINING, a mailer with option commit", Task("committed-queue"), (),
             only=("libsmtp",)),
    Workload("made", "One connection, PIPELINING, a batch of messages that are put together for it", Task("made"), (),
             few=100, many=300, only=MAKERS),
    Workload("written", "Messages that are put together and written to memory", Task("written"), (), few=100, many=300,
             only=MAKERS),
    Workload("names", "Header fields of as many names, and a text after them", Task("names"), (), few=1000, many=10000,
             only=("libsmtp",), unit="name"),
    Workload("each", "A connection for each message", Task("each"), few=50, many=150),
    Workload("recipients", "1 000 recipients", Task(recipients=1000), (), {"limit": "grouped"}, few=2, many=6),
    Workload("body", "100 MiB", Task(), (), {"limit": "grouped"}, **BODY),
    Workload("memory", "100 MiB from memory", Task(), ("--chunking",), {"limit": "whole", "libsmtp": "memory"},
             only=("limit", "libsmtp", "lettre", "libcurl", "mail-send"), **BODY),
    Workload("chunks", "100 MiB from memory by BDAT", Task(), ("--chunking",), {"limit": "whole", "libsmtp": "chunks"},
             only=("limit", "libsmtp"), **BODY),
    Workload("dots", "100 MiB of lines with leading dots", Task(kind="dots"), (), {"limit": "grouped"}, **BODY),
    Workload("lf", "100 MiB of lines that end in LF alone", Task(kind="lf"), (), {"limit": "grouped"}, **BODY),
    Workload("parallel-16", "16 connections", Task("parallel", connections=16), (), {"libsmtp": "queue"}, few=320, many=960),
    Workload("parallel-200", "200 connections", Task("parallel", connections=200), (), {"libsmtp": "queue"}, few=1000, many=3000),
    Workload("tls-each", "TLS, a connection for each message", Task("each", tls="wrap"), TLS, {RUSTLS: "each"},
             few=20, many=60),
    Workload("starttls-each", "STARTTLS, a connection for each message", Task("each", tls="starttls"), STARTTLS, {RUSTLS: "each"},
             few=20, many=60, costs=False),
    Workload("tls-first", "TLS, the first connection of a process", Task("each", tls="wrap"), TLS, {RUSTLS: "each"},
             few=0, many=1, first=True, only=("libsmtp", RUSTLS, "lettre", "libcurl", "smtplib", "libsmtp (Python)")),
    Workload("tls-fresh", "TLS, a connection and new options for each message", Task("fresh", tls="wrap"), TLS,
             {RUSTLS: "fresh"}, few=20, many=60, only=("libsmtp", RUSTLS)),
    Workload("import", "Importing", Task("import"), few=0, many=1, first=True, unit="import",
             only=("smtplib", "aiosmtplib", "libsmtp (Python)", "libsmtp (asyncio)")),
    Workload("tls-single", "TLS, one connection", Task(tls="wrap"), TLS, {RUSTLS: "single"}),
    Workload("nagle-single", "Each reply written alone, Nagle's algorithm on, single sends", Task(), NAGLE,
             {"libsmtp (loop)": "loop"}, costs=False, only=AFTER_NAGLE),
    Workload("nagle-batch", "Each reply written alone, Nagle's algorithm on, a batch", Task(), NAGLE, {"libsmtp": "batch"},
             costs=False, only=AFTER_NAGLE),
    Workload("nagle-each", "Each reply written alone, Nagle's algorithm on, a connection for each message", Task("each"), NAGLE,
             few=50, many=150, costs=False, only=AFTER_NAGLE),
    Workload("nagle-parallel", "Each reply written alone, Nagle's algorithm on, 4 connections",
             Task("parallel", connections=4), NAGLE, {"libsmtp": "queue"}, few=320, many=960, costs=False, only=AFTER_NAGLE),
    Workload("delay-single", "50 ms, one connection, single sends", Task(), (), {"limit": "queued"}, few=2, many=6, delayed=True),
    Workload("delay-batch", "50 ms, one connection, a batch", Task(), ("--chunking",), {"limit": "window", "libsmtp": "batch"},
             few=2, many=18, delayed=True, only=("limit", "libsmtp")),
    Workload("delay-each", "50 ms, a connection for each message", Task("each"), few=1, many=3, delayed=True),
    Workload("delay-tls", "50 ms, TLS, a connection for each message", Task("each", tls="wrap"), TLS, few=1, many=3, delayed=True),
    Workload("delay-starttls", "50 ms, STARTTLS, a connection for each message", Task("each", tls="starttls"), STARTTLS,
             few=1, many=3, delayed=True),
    Workload("delay-recipients", "50 ms, 100 recipients, a connection for each message", Task("each", recipients=100),
             few=1, many=2, delayed=True),
    Workload("delay-1000", "50 ms, 1 000 recipients, a connection for each message", Task("each", recipients=1000),
             few=1, many=2, delayed=True, only=("limit", "libsmtp")),
]


def measure(workload, clients, core, other, until):
    """The rows of a workload: a dictionary for each client that can do it. Rounds after the first are left out once it is `until`."""
    rows = {client.name: {} for client in clients if workload.has(client)}

    def able():
        return [client for client in clients if client.name in rows]

    if workload.delayed:
        with server.started(*workload.sink) as port, \
                server.started("relay", "--to", f"127.0.0.1:{port}", "--delay", int(ROUND_TRIP * 1000)) as relay:
            for client in able():
                guarded(workload, client, rows, round_trips, relay)
        return rows
    if workload.first:
        with server.started(*workload.sink) as port:
            for step in (counts, first_time):
                for client in able():
                    guarded(workload, client, rows, step, port)
        return rows
    with server.started(*workload.sink, core=core) as port:
        rates(workload, able, rows, port, core, "one", ROUNDS, until)
    with server.started(*workload.sink, core=other) as port:
        rates(workload, able, rows, port, core, "two", 2, until)
    # What does not depend on the clock takes most of the time: as many at once as there are cores, each with a sink of its own.
    with ThreadPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        list(pool.map(lambda client: counted_alone(workload, client, rows), able()))
    return rows


def counted_alone(workload, client, rows):
    with server.started(*workload.sink) as port:
        guarded(workload, client, rows, counts, port)


def guarded(workload, client, rows, make, *words):
    """Adds what `make` finds to the client's row, or takes the row away."""
    try:
        rows[client.name].update(make(workload, client, *words))
        return
    except tools.NotHere:
        pass
    except (tools.Failed, OSError, ValueError, subprocess.TimeoutExpired) as fault:
        say(f"{workload.name}: {client.name}: {str(fault).strip()}")
    del rows[client.name]


def round_trips(workload, client, port):
    small, large, messages = workload.pair(client, (workload.few, workload.many))
    walls = [tools.timed(client, task, port)[0] for task in (small, large)]
    return {"round_trips": (walls[1] - walls[0]) / messages / ROUND_TRIP}


def first_time(workload, client, port):
    """Processor time of the first message: what the least disturbed of some runs took beyond one without a message."""
    small, large, _ = workload.pair(client, (workload.few, workload.many))
    times = [min(tools.timed(client, task, port)[1] for _ in range(FIRST_ROUNDS)) for task in (small, large)]
    return {"cpu_one": max(0, times[1] - times[0])}


def rates(workload, able, rows, port, core, cores, rounds, until):
    """Messages (or octets) a second, and processor time: rounds over all clients, and of each the least disturbed one."""
    def size(workload, client):
        sizes[client.name] = enough(workload, client, port, core)
        return {}

    def pair(workload, client):
        small, large, _ = workload.pair(client, sizes[client.name])
        runs = [tools.timed(client, task, port, core) for task in (small, large)]
        taken.setdefault(client.name, []).append([figure for run in runs for figure in run])
        return {}

    sizes, taken = {}, {}
    for step in [size] + [pair] * rounds:
        if taken and time.monotonic() > until:
            break
        for client in able():
            guarded(workload, client, rows, step)
    for client in able():
        count = workload.pair(client, sizes[client.name])[2]
        columns = list(zip(*taken[client.name]))
        wall_small, cpu_small, wall_large, cpu_large = map(min, columns)
        walls = sorted(columns[2])
        if wall_large > wall_small:
            rows[client.name].update({
                f"per_second_{cores}": count / (wall_large - wall_small),
                f"cpu_{cores}": max(0, cpu_large - cpu_small) / count,
                # How far the second best is from the best: with a quiet machine next to nothing, and not known of one alone.
                f"doubt_{cores}": walls[1] / walls[0] - 1 if len(walls) > 1 else 1})


def enough(workload, client, port, core):
    """How many messages take long enough to be timed, beside the start-up."""
    if workload.octets:
        return workload.octets
    start, _ = tools.timed(client, replace(workload.of(client), messages=1), port, core)
    messages = workload.many
    while True:
        wall = tools.timed(client, replace(workload.of(client), messages=messages), port, core)[0] - start
        if wall > LEAST_SECONDS or messages > 4_000_000:
            return messages
        messages = int(messages * min(20, max(1.5, 1.3 * LEAST_SECONDS / max(wall, 0.001))))


def counts(workload, client, port):
    """What does not depend on the clock."""
    row = {}
    size = workload.counted_octets or (workload.few, workload.many)
    small, large, count = workload.pair(client, size)

    def per(read):
        one, two = read(small), read(large)
        return [(b - a) / count for a, b in zip(one, two)]

    def answered(task):
        server.counted(port, task.tls == "wrap")
        tools.timed(client, task, port)
        return server.counted(port, task.tls == "wrap")

    def answers(task):
        return [answered(task)["answers"]]

    row["round_trips"], = per(answers) if not workload.octets else [None]
    if workload.octets:
        # The body of 100 MiB is the caller's.
        small_run, large_run, _ = workload.pair(client, workload.octets)
        peaks = [tools.allocations(client, task, port)[2] * 1024 - task.octets for task in (small_run, large_run)]
        row["memory"] = max(0, peaks[1] - peaks[0])
    else:
        row["memory"] = tools.allocations(client, large, port)[2] * 1024
    if not workload.costs:
        return row
    row["allocations"], row["allocated"] = per(lambda task: tools.allocations(client, task, port)[:2])
    row["calls"], row["writes"] = per(lambda task: tools.calls(client, task, port))
    if not client.interpreted:
        row["instructions"], = per(lambda task: [tools.instructions(client, task, port)])
    if workload.task.tls != "no":
        seen = answered(large)
        row["resumed"] = seen["resumed"] / max(1, seen["handshakes"])
    return row
