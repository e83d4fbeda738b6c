"""A newsletter: one message for each subscriber of a CSV file, and a line that says how far it is.

    python newsletter.py subscribers.csv news.html results.csv --servers smtp://localhost:25 --from news@example.org

The columns `address` and `name` are looked for, and {name} in the HTML is the name. `results.csv` has the outcome for each, and before that a line
that says `unknown`, which is on the disk before the message leaves: its last line counts. However the first run ended, a second one goes on with
those of whom there is nothing, or not_sent.
"""

import argparse
import csv
import html
import os
import sys
import threading
from concurrent.futures import as_completed
from pathlib import Path

import smtpclient


def letter(page, person, sender, folder):
    message = smtpclient.Message.from_html(page.replace("{name}", html.escape(person["name"])))
    message.embed_pictures(folder)
    message["From"], message["To"], message["Subject"] = sender, person["address"], "News"
    return message


def undecided(people, results):
    known = {}
    if results.exists():
        with results.open(newline="") as file:
            known = {row["address"]: row["outcome"] for row in csv.DictReader(file)}
    # What may have arrived is not sent again.
    return [person for person in people if known.get(person["address"], "not_sent") == "not_sent"]


class Results:
    """A line for each message that leaves, and one for what became of it; each on the disk before the call returns."""

    def __init__(self, path):
        is_new = not path.exists()
        self.file, self.lock = path.open("a", newline=""), threading.Lock()
        if is_new:
            self.write([["address", "outcome", "reply"]])

    def write(self, rows):
        with self.lock:
            csv.writer(self.file).writerows(rows)
            self.file.flush()
            os.fsync(self.file.fileno())

    def leaving(self, ready):
        """Option `commit`: no message leaves before this has returned."""
        self.write([one.tag, "unknown", ""] for one in ready)


def main():
    parser = argparse.ArgumentParser()
    for name in ("subscribers", "page", "results"):
        parser.add_argument(name, type=Path)
    parser.add_argument("--servers", required=True)
    parser.add_argument("--from", dest="sender", required=True)
    parser.add_argument("--rate", type=float, default=50)
    given = parser.parse_args()

    with given.subscribers.open(newline="") as file:
        people = undecided(list(csv.DictReader(file)), given.results)
    page, results = given.page.read_text(), Results(given.results)
    counts = dict.fromkeys(("accepted", "rejected", "not_sent", "unknown"), 0)
    options = {"servers": given.servers, "connections": 8, "rate": given.rate, "queuesize": len(people) or 1}
    with smtpclient.Mailer(commit=results.leaving, **options) as mailer:
        futures = {}
        for person in people:
            message = letter(page, person, given.sender, given.page.parent)
            futures[mailer.submit(message, tag=person["address"])] = person["address"]
        for number, future in enumerate(as_completed(futures), 1):
            error = future.exception()
            one = (error.report if error else future.result()).recipients[0]
            results.write([[futures[future], one.outcome, one.reply or ""]])
            counts[one.outcome] += 1
            print(f"\r{number} of {len(futures)}: {counts}", end="", file=sys.stderr, flush=True)
    print(file=sys.stderr)
    return 0 if counts["accepted"] == len(people) else 1


if __name__ == "__main__":
    sys.exit(main())
