"""check.py SITE: that every link of the site leads to a file that is there, and to an anchor in it, and that no page fetches
anything from another machine."""

import re
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

TAKES = {"script": "src", "img": "src", "iframe": "src", "source": "src", "link": "href"}


class Page(HTMLParser):
    def __init__(self, text):
        super().__init__()
        self.links, self.anchors, self.taken = [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attributes):
        found = dict(attributes)
        self.anchors |= {found[name] for name in ("id", "name") if found.get(name)}
        if tag == "a" and found.get("href"):
            self.links.append(found["href"])
        if found.get(TAKES.get(tag)) and found.get("rel") != "canonical":
            self.taken.append(found[TAKES[tag]])


def main():
    site = Path(sys.argv[1])
    pages, faults, links = {}, [], 0
    for file in site.rglob("*.html"):
        pages[file.resolve()] = Page(file.read_text(encoding="utf-8"))
    for file, page in pages.items():
        ours = "rust" not in file.relative_to(site.resolve()).parts
        for to in page.taken + page.links * ours:
            if re.match(r"[a-z]+:|//", to):
                if to in page.taken and not to.startswith("data:"):
                    faults.append(f"{file}: fetches {to}")
                continue
            if not ours and "/trait.impl/" in to:
                continue  # which crates implement a trait: rustdoc names the list also where there is none
            path, _, anchor = to.partition("#")
            if file.name == "404.html" or path.startswith("/"):
                continue  # of the place where the site is put
            target = (file.parent / unquote(path.split("?")[0])).resolve() if path else file
            links += 1
            if not target.exists():
                faults.append(f"{file}: {to} leads nowhere")
            elif anchor and target in pages and unquote(anchor) not in pages[target].anchors:
                faults.append(f"{file}: {to}: no such place")
    print("\n".join(faults), end="\n" * bool(faults))
    assert len(pages) > 50 and links > 1000, f"{len(pages)} pages, {links} links: that is not the site"
    print(f"{len(pages)} pages, {links} links, {len(faults)} lead nowhere")
    sys.exit(bool(faults))


main()
