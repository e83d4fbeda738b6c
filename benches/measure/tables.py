"""Tables out of the figures. Times are only ever given as ratios of one run."""

import os
import re

from .programs import TOP
from .workloads import ALL

OURS, LIMIT = "libsmtp", "limit"
DOCUMENT = os.path.join(TOP, "docs", "performance.md")
# A run that was disturbed by so much is marked.
DOUBT = 0.15
HEADS = ["client", "speed", "two cores", "CPU", "instructions", "system calls", "allocations", "memory, MiB", "round trips", "resumed"]


def best(workload, key, pick=max):
    """The best figure of the other clients."""
    aside = (LIMIT, *workload.get("aside", ()))
    found = [row[key] for name, row in workload.get("rows", {}).items()
             if name not in aside and not name.startswith(OURS) and row.get(key)]
    return pick(found) if found else None


def ratio(figure, of):
    return figure / of if figure and of else None


def number(figure):
    """Three digits are all that is known."""
    if figure is None:
        return ""
    if figure == 0 or abs(figure) < 0.005:
        return "0"
    if figure >= 100:
        return f"{float(f'{figure:.3g}'):,.0f}".replace(",", " ")
    return f"{figure:.2f}" if figure < 10 else f"{figure:.1f}"


def speed(row, workload, cores):
    known = number(ratio(row.get(f"per_second_{cores}"), best(workload, f"per_second_{cores}")))
    return f"~{known}" if known and row.get(f"doubt_{cores}", 0) > DOUBT else known


def cells(name, workload):
    row = workload["rows"][name]
    mebibytes = row["memory"] / (1 << 20) if "memory" in row else None
    return [name, speed(row, workload, "one"), speed(row, workload, "two"), *(number(figure) for figure in (
        ratio(row.get("cpu_one"), best(workload, "cpu_one", min)),
        row.get("instructions"), row.get("calls"), row.get("allocations"), mebibytes, row.get("round_trips"), row.get("resumed")))]


def table(workload):
    """A workload as markdown; columns in which nothing stands are left out."""
    rows = workload["rows"]
    order = sorted(rows, key=lambda name: (name != LIMIT, not name.startswith(OURS),
                                           -(rows[name].get("per_second_one") or 0), rows[name].get("round_trips") or 0))
    lines = [cells(name, workload) for name in order]
    keep = [at for at in range(len(HEADS)) if any(line[at] not in ("", "0") for line in lines)]
    lines = [[line[at] for at in keep] for line in [HEADS, *lines]]
    lines.insert(1, ["---"] + ["---:"] * (len(keep) - 1))
    return "\n".join("| " + " | ".join(line) + " |" for line in lines)


def plain(workload):
    return f"\n## {workload['title']} (for one {workload['per']})\n{table(workload)}"


def growth(scale):
    """How libsmtp grows, as markdown."""
    lines = ["| what | how many | instructions for one | memory for one, octets | memory, MiB |", "| --- | ---: | ---: | ---: | ---: |"]
    for series in scale.values():
        for row in series["rows"]:
            lines.append("| " + " | ".join([series["title"], f"{row['size']:,}".replace(",", " "), number(row.get("instructions")),
                                            number(row["memory_each"]), number(row["memory"] / (1 << 20))]) + " |")
    return "\n".join(lines)


class Aims:
    """What was aimed at, against what was measured."""

    def __init__(self, workloads):
        self.workloads, self.lines = workloads, []
        self.titles = {each.name: each.title for each in ALL}

    def figure(self, workload, key, client=OURS):
        return self.workloads.get(workload, {}).get("rows", {}).get(client, {}).get(key)

    def best(self, workload, key, pick=max):
        return best(self.workloads.get(workload, {}), key, pick)

    def faster(self, workload, than=None, client=OURS):
        """How many times as fast as that client, or as the best of the others."""
        other = self.figure(workload, "per_second_one", than) if than else self.best(workload, "per_second_one")
        return ratio(self.figure(workload, "per_second_one", client), other)

    def most(self, workload, what, aim, figure):
        self.add(workload, what, f"at most {number(aim)}", figure, lambda: figure <= aim * 1.005 + 0.005)

    def least(self, workload, what, aim, figure):
        self.add(workload, what, f"at least {number(aim)}", figure, lambda: figure >= aim)

    def add(self, workload, what, aim, figure, reached):
        title = self.titles[workload]
        verdict = "not measured" if figure is None else "yes" if reached() else "**no**"
        self.lines.append(f"| {title} | {what} | {aim} | {number(figure)} | {verdict} |")


def aims(workloads):
    a = Aims(workloads)
    # A write and a read for each round trip, and a look at an idle connection before anything is said on it.
    a.least("bare", "speed, of the limit's", 0.85, a.faster("bare", LIMIT))
    a.most("bare", "system calls", 9, a.figure("bare", "calls"))
    a.most("single", "round trips", 2, a.figure("single", "round_trips"))
    a.most("single", "system calls", 5, a.figure("single", "calls"))
    a.least("single", "speed, times smtp-source", 2, a.faster("single", "smtp-source"))
    # Two, unless the server offers CHUNKING: a stray reply must not be taken for the final one.
    a.most("batch", "round trips", 2, a.figure("batch", "round_trips"))
    a.most("batch", "system calls", 5, a.figure("batch", "calls"))
    a.least("batch", "speed, times smtp-source", 3.5, a.faster("batch", "smtp-source"))
    for workload, most in (("made", 35_000), ("batch", 5_000), ("newsletter", 3_000), ("window", 5_000), ("parallel-16", 10_000),
                           ("parallel-200", 10_000), ("recipients", 1_500_000), ("tls-single", 50_000)):
        a.most(workload, "instructions", most, a.figure(workload, "instructions"))
    for workload, most in (("made", 40), ("batch", 1)):
        a.most(workload, "allocations", most, a.figure(workload, "allocations"))
    a.most("window", "round trips", 0.05, a.figure("window", "round_trips"))
    a.least("window", "speed, times smtp-source", 40, a.faster("window", "smtp-source"))
    a.most("each", "system calls", 12, a.figure("each", "calls"))
    a.least("each", "speed, times the best peer", 1.5, a.faster("each"))
    for workload, trips in (("delay-each", 5), ("delay-tls", 6), ("delay-starttls", 8)):
        a.most(workload, "round trips", trips, a.figure(workload, "round_trips"))
    a.most("recipients", "writes", 4, a.figure("recipients", "writes"))
    a.most("recipients", "CPU, ms", 0.2, (a.figure("recipients", "cpu_one") or 0) * 1000 or None)
    a.most("delay-1000", "round trips", 8, a.figure("delay-1000", "round_trips"))
    a.most("body", "instructions for an octet", 0.6, a.figure("body", "instructions"))
    a.least("body", "speed, times the best peer", 2, a.faster("body"))
    for workload in ("memory", "chunks"):
        a.least(workload, "speed, of the limit's", 1 / 1.2, a.faster(workload, LIMIT))
    memory = a.figure("body", "memory")
    a.most("body", "memory above the body, MiB", 1, None if memory is None else memory / (1 << 20))
    for workload in ("dots", "lf"):
        speeds = [a.figure(name, "per_second_one") for name in (workload, "body")]
        a.least(workload, "speed, of the plain body's", 0.8, ratio(*speeds))
    for workload in ("parallel-16", "parallel-200"):
        a.least(workload, "speed, times the best peer", 2, a.faster(workload))
    memory = a.figure("parallel-200", "memory")
    a.most("parallel-200", "memory, MiB", 4, None if memory is None else memory / (1 << 20))
    a.most("import", "asyncio: CPU, of aiosmtplib's", 1,
           ratio(a.figure("import", "cpu_one", f"{OURS} (asyncio)"), a.figure("import", "cpu_one", "aiosmtplib")))
    # A handshake is the library's: with rustls the peer's own costs are compared with ours.
    a.most("tls-first", "CPU, ms", 8, (a.figure("tls-first", "cpu_one") or 0) * 1000 or None)
    for workload, title, client, aim in (("tls-each", "rustls: ", f"{OURS} (rustls)", 1),
                                         ("tls-single", "", OURS, 0.5), ("tls-single", "rustls: ", f"{OURS} (rustls)", 0.5)):
        a.most(workload, f"{title}CPU, of the best peer's", aim,
               ratio(a.figure(workload, "cpu_one", client), a.best(workload, "cpu_one", min)))
    for workload, title, client in (("nagle-single", "", OURS), ("nagle-single", "C, an event loop: ", f"{OURS} (loop)"),
                                    ("nagle-single", "Python: ", f"{OURS} (Python)"), ("nagle-batch", "", OURS),
                                    ("nagle-batch", "Python: ", f"{OURS} (Python)"), ("nagle-each", "", OURS),
                                    ("nagle-parallel", "", OURS)):
        a.least(workload, f"{title}speed, times the best peer", 1, a.faster(workload, client=client))
    for workload in ("nagle-single", "nagle-batch"):
        a.least(workload, "asyncio: speed, times smtplib", 1, a.faster(workload, "smtplib", f"{OURS} (asyncio)"))
    a.least("batch", "Python: speed, times smtplib", 6, a.faster("batch", "smtplib", "libsmtp (Python)"))
    a.most("batch", "Python: CPU, of smtplib's", 0.2,
           ratio(a.figure("batch", "cpu_one", "libsmtp (Python)"), a.figure("batch", "cpu_one", "smtplib")))
    a.least("batch", "asyncio: speed, times aiosmtplib", 10, a.faster("batch", "aiosmtplib", "libsmtp (asyncio)"))
    return "\n".join(["| workload | what | aim | measured | reached |", "| --- | --- | --- | ---: | --- |", *a.lines])


def document(results):
    """Writes what is generated in docs/performance.md, between its marks."""
    workloads, machine = results.get("workloads", {}), results.get("machine", {})
    with open(DOCUMENT, encoding="utf-8") as page:
        text = page.read()
    versions = ", ".join(f"{name} {version}" for name, version in results.get("versions", {}).items() if version)
    parts = {
        "machine": f"{machine.get('date')}, {machine.get('cores')} cores ({machine.get('cpu')}), {machine.get('system')}; {versions}.",
        "aims": aims(workloads),
        "scale": growth(results.get("scale", {})),
        "tables": "\n\n".join(f"### {each['title']}\nFor one {each['per']}.\n\n{table(each)}"
                              for each in workloads.values() if each["rows"]),
    }
    for name, part in parts.items():
        begin, end = f"<!-- begin {name} -->", f"<!-- end {name} -->"
        text = re.sub(re.escape(begin) + ".*?" + re.escape(end), lambda _, begin=begin, part=part, end=end: f"{begin}\n{part}\n{end}", text, flags=re.S)
    with open(DOCUMENT, "w", encoding="utf-8") as page:
        page.write(text)
