"""Whether the cost of one stays the same as there are more: recipients, header fields, messages of a batch, messages that wait."""

from dataclasses import dataclass

from . import server, tools
from .programs import Task, say

SIZES = (10, 100, 1_000, 10_000, 100_000)
MESSAGES = (1_000, 10_000, 100_000, 1_000_000)
# callgrind takes minutes for more.
MOST_COUNTED = 2_000_000_000


@dataclass(frozen=True)
class Series:
    name: str
    title: str
    unit: str
    mode: str
    sizes: tuple
    # The word that grows; all the others stay.
    word: str = "messages"

    def task(self, size):
        return Task(self.mode, **{self.word: size})


ALL = [
    Series("recipients", "Recipients of one message", "recipient", "single", SIZES, "recipients"),
    Series("names", "Header fields of as many names", "field", "names", SIZES),
    Series("batch", "Messages of a batch", "message", "batch", MESSAGES),
    Series("hoard", "Messages that wait in a mailer, whose server is silent", "message", "hoard", MESSAGES),
]


def measure(client):
    """For each series its rows: size, instructions for one (where they can be counted), octets of memory for one, memory in all."""
    found = {}
    with server.started() as port:
        for series in ALL:
            say(series.title)
            found[series.name] = {"title": series.title, "unit": series.unit, "rows": rows(series, client, port)}
    return found


def rows(series, client, port):
    none = series.task(1)
    instructions, memory = tools.instructions(client, none, port), peak(client, none, port)
    made, each = [], None
    for size in series.sizes:
        row = {"size": size, "memory": peak(client, series.task(size), port)}
        row["memory_each"] = max(0, row["memory"] - memory) / size
        if each is None or each * size < MOST_COUNTED:
            each = (tools.instructions(client, series.task(size), port) - instructions) / (size - 1)
            row["instructions"] = each
        made.append(row)
    return made


def peak(client, task, port):
    return tools.allocations(client, task, port)[2] * 1024
