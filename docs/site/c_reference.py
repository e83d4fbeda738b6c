"""The C reference of the site: a page for each subject, from the comments of the header, as the manual pages are made."""

import re
import textwrap
from importlib.machinery import SourceFileLoader
from importlib.util import module_from_spec, spec_from_loader
from pathlib import Path

TOP = Path(__file__).parents[2]


def load_manual():
    """ffi-c/manual, which has no ending, as a module."""
    loader = SourceFileLoader("manual", str(TOP / "ffi-c/manual"))
    module = module_from_spec(spec_from_loader("manual", loader))
    loader.exec_module(module)
    return module


manual = load_manual()


class Reference:
    def __init__(self, header):
        self.items = manual.parse(header)
        self.top = manual.comment(re.search(r"\n/\*(\n.*?)\*/", header, re.S)[1])
        self.pages = {}  # file name to title and items
        self.home = {}  # name of an item to file name
        for title, start in manual.SUBJECTS.items():
            short = title.split(":")[0]
            name = short.lower().replace(" ", "-") + ".md"
            mine = [item for item in self.items if item.kind == "function" and item.name not in self.home]
            mine = [item for item in mine if re.match(start, item.name)]
            taken = set(re.findall(r"smtp_\w+_fn", " ".join(item.code for item in mine)))
            handles = [i for i in self.items if i.kind == "type" and re.match(start, i.name + "_")]
            callbacks = [i for i in self.items if i.kind == "callback" and i.name in taken]
            new = [item for item in handles + callbacks if item.name not in self.home]
            self.pages[name] = (short, new + mine)
            self.home |= {item.name: name for item in new + mine}
        left = [item for item in self.items if item.kind != "constant" and item.name not in self.home]
        assert not left, f"of no subject: {[item.name for item in left]}"

    def inline(self, text):
        """Text as Markdown, with links to what it names."""
        text = re.sub(r"(?<![A-Za-z0-9_])_([A-Z]+)\b", r"SMTP_ERR_\1", text)
        text = re.sub(r"([\\*<>|_`\[\]])", r"\\\1", text)

        def link(found):
            name = found[0].replace("\\", "").removesuffix("()")
            if name in self.home:
                return f"[`{name}`]({self.home[name]}#{name})"
            return f"`{name}`"

        text = re.sub(r"\bsmtp(?:\\_\w+?)+\b(?:\(\))?", link, text)
        return re.sub(r"\bSMTP(?:\\_[A-Z0-9]+)+(?:\\_\.\.\.)?", lambda found: f"`{found[0].replace(chr(92), '')}`", text)

    def paragraphs(self, text):
        out = []
        for block in re.split(r"\n\n(?!  )", text):
            for verbatim, lines in manual.runs(block.split("\n")):
                if verbatim:
                    out += ["```c", textwrap.dedent("\n".join(lines)).strip("\n"), "```", ""]
                else:
                    out += [self.inline(" ".join(lines)), ""]
        return out

    def prototype(self, code):
        if len(code) <= 90 or "(" not in code:
            return code
        before, inside = re.match(r"(.*?\w\)?\()(.*)\);$", code).groups()
        return before + "\n    " + ",\n    ".join(inside.split(", ")) + ");"

    def item(self, item):
        return [f"## {item.name} {{ #{item.name} }}", "", "```c", self.prototype(item.code), "```", "", *self.paragraphs(item.doc)]

    def overview(self):
        example, rest = re.fullmatch(r".*?\n\n((?:  [^\n]*\n|\n)+)(.*)", self.top, re.S).groups()
        out = ["# C reference", "", "Made from the comments of `libsmtp.h`; the manual pages have the same: `man libsmtp`.", ""]
        out += [f"- [{title}]({name})" for name, (title, _) in self.pages.items()]
        out += ["", "## A program", "", "```c", textwrap.dedent(example).strip("\n"), "```", ""]
        section, options = "", "[The options](../options.md) have a page of their own."
        for block in re.split(r"\n\n(?!  )", rest):
            if block.startswith("What holds"):
                out += ["## What holds for every function", ""]
            elif block.startswith("The options of"):
                out += [options, ""]
                break
            else:
                section = re.match(r"([A-Z][a-z]+)\. (?=[A-Z])", block)
                if section:
                    out += [f"### {section[1]}", ""]
                    block = block[section.end() :]
                out += self.paragraphs(block)
        out += ["## Constants", "", "| constant | value | meaning |", "| --- | --- | --- |"]
        for item in self.items:
            if item.kind == "constant":
                value = (item.code.split(" ", 2) + [""])[2].strip("()")
                out.append(f"| `{item.name}` | {self.inline(value)} | {self.inline(item.doc.replace(chr(10), ' '))} |")
        return out

    def write(self, folder):
        folder.mkdir(parents=True)
        (folder / "index.md").write_text("\n".join(self.overview()) + "\n")
        for name, (title, items) in self.pages.items():
            lines = [f"# {title}", ""]
            for item in items:
                lines += self.item(item)
            (folder / name).write_text("\n".join(lines) + "\n")
