"""pages.py PAGES TCL RUST: puts what the site is made of into the folder PAGES: the documents with links to each other, the
examples, and the references of C, Python, Tcl (its manual in Markdown) and Rust (the folder of rustdoc). Writes mkdocs.yml there.

A link that leads to no page is an error: what a document refers to is on the site.
"""

import os
import re
import shutil
import sys
from pathlib import Path

from c_reference import TOP, Reference

NAMED = {
    "README.md": "index.md",
    "CONTRIBUTING.md": "contributing.md",
    "SECURITY.md": "reporting.md",
    "CHANGELOG.md": "changelog.md",
    "include/libsmtp.h": "c-reference/index.md",
    "tests/dialogues/README.md": "dialogues.md",
    "tests/fuzz/README.md": "fuzzing.md",
    "benches/README.md": "measuring.md",
}
LANGUAGES = {".c": "c", ".rs": "rust", ".py": "python", ".tcl": "tcl"}


def home(path):
    """The page of a file of the repository."""
    if path in NAMED:
        return NAMED[path]
    file = Path(path)
    if file.parts[0] == "docs":
        return str(file.relative_to("docs"))
    if file.suffix in LANGUAGES:
        return f"examples/{file.stem}{'' if file.suffix == '.c' else '-' + file.suffix[1:]}.md"
    sys.exit(f"no page for {path}")


def title(path):
    """The heading of a document, for a link whose words are its path."""
    found = re.search(r"^# (.*)", (TOP / path).read_text(encoding="utf-8"), re.M)
    return found[1] if found and path.endswith(".md") else path


class Pages:
    def __init__(self, folder):
        self.folder = folder
        self.examples = set()

    def put(self, page, text):
        target = self.folder / page
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text, encoding="utf-8")

    def document(self, path):
        page = home(path)

        def link(found):
            to = found[2]
            if "://" in to or to.startswith("#"):
                return found[0]
            file, mark, heading = to.partition("#")
            other = os.path.normpath(os.path.join(os.path.dirname(path), file))
            if Path(other).suffix in LANGUAGES:
                self.examples.add(other)
            # A file name is for readers of the repository.
            words = title(other) if found[1] in (to, os.path.basename(other), other) else found[1]
            return f"[{words}]({os.path.relpath(home(other), os.path.dirname(page) or '.')}{mark}{heading})"

        text = (TOP / path).read_text(encoding="utf-8")
        if page in ("index.md", "features.md", "platforms.md"):  # the others have wide tables
            text = "---\nhide: [navigation]\n---\n" + text
        text = re.sub(r"^!\[([^]]*)\]\((\w+\.svg)\)$", picture, text, flags=re.M)
        self.put(page, outside_code(text, lambda part: re.sub(r"\[([^]]*)\]\(([^)\s]+)\)", link, part)))

    def example(self, path):
        language = LANGUAGES[Path(path).suffix]
        self.put(home(path), f"# {path}\n\n```{language}\n{(TOP / path).read_text(encoding='utf-8')}```\n")


def picture(found):
    """A drawing in the text itself, so that it has the colours of the page; graphs stay as they are."""
    text = (TOP / "docs" / found[2]).read_text(encoding="utf-8")
    if "currentColor" not in text:
        return found[0]
    text = re.sub(r"<style>.*?</style>", "", text, flags=re.S)
    return re.sub(r"\n\s*\n", "\n", text.replace("<svg", '<svg class="picture"', 1)).strip()


def outside_code(text, change):
    parts = re.split(r"(^```.*?^```$)", text, flags=re.M | re.S)
    return "".join(part if at % 2 else change(part) for at, part in enumerate(parts))


def python_reference():
    """What smtpclient exports, by subject; a name of no subject goes to the first page."""
    source = (TOP / "py-binding/python/smtpclient/__init__.py").read_text(encoding="utf-8")
    origin = {}
    for module, names in re.findall(r"^from \.(\w+) import (?:\(([^)]*)\)|.*)$", source, re.M):
        line = re.search(rf"^from \.{module} import (.*)$", source, re.M)[1]
        for name in re.findall(r"\w+", names or line):
            origin[name] = module
    subjects = {
        "index": ("Messages and options", {"_send", "_native", "_option_types", "_values", "_answers"}),
        "reports": ("Reports", {"_report"}),
        "sessions": ("Sessions and mailers", {"_session", "_mailer"}),
        "exceptions": ("Exceptions", {"_errors"}),
    }
    for page, (title, modules) in subjects.items():
        lines = [f"# {title}", "", "Names of the package `smtpclient`.", ""]
        names = [name for name, module in origin.items() if module in modules and not name.startswith("_")]
        names.sort(key=lambda name: (name != "sendmessage", name not in ("Session", "Report", "SMTPException"), name.lower()))
        lines += [f"::: smtpclient.{module_of(origin[name])}{name}" for name in names]
        yield f"python-reference/{page}.md", "\n\n".join(lines) + "\n"
    for page, title, modules in (
        ("aio", "asyncio", ["aio"]),
        ("smtplib", "smtplib", ["smtplib"]),
        ("testing", "Tests and Django", ["testing", "django"]),
    ):
        blocks = [f"::: smtpclient.{module}" for module in modules]
        yield f"python-reference/{page}.md", "\n\n".join([f"# {title}", *blocks]) + "\n"


def module_of(module):
    return f"{module}."


def tcl_manual(text):
    """The manual of the Tcl package without the table of contents, which each page of the site has anyway."""
    text = re.sub(r"^\[//0.*\n", "", text, flags=re.M)
    text = re.sub(r"^# <a name='toc'>.*?(?=^# )", "", text, flags=re.M | re.S)
    text = re.sub(r"^# (?:<a name='(\w+)'></a>)?(.+)$", lambda m: f"## {m[2].capitalize()}" + f" {{ #{m[1]} }}" * bool(m[1]), text, flags=re.M)
    # An anchor must not be a number.
    text = re.sub(r"<a name='(\d+)'></a>", r"<a id='command\1'></a>", text)
    text = re.sub(r"\]\(#(\d+)\)", r"](#command\1)", text)
    text = text.replace("__From __", "`From `")
    return "# The Tcl package smtp\n\n" + text.replace("libsmtp For Tcl", "libsmtp for Tcl")


def main():
    if len(sys.argv) != 4:
        sys.exit(__doc__)
    folder, tcl, rust = map(Path, sys.argv[1:])
    shutil.rmtree(folder, ignore_errors=True)
    pages = Pages(folder)
    reference = Reference((TOP / "include/libsmtp.h").read_text(encoding="utf-8"))
    reference.write(folder / "c-reference")
    for path in [*NAMED, *(f"docs/{file.name}" for file in sorted((TOP / "docs").glob("*.md")))]:
        if path.endswith(".md"):
            pages.document(path)
    for path in sorted(pages.examples):
        pages.example(path)
    for page, text in python_reference():
        pages.put(page, text)
    pages.put("tcl-manual.md", tcl_manual(tcl.read_text(encoding="utf-8")))
    for file in [*(TOP / "docs").glob("*.svg"), TOP / "docs/site/style.css", TOP / "docs/site/iframe-worker.js"]:
        shutil.copy(file, folder)
    shutil.copytree(rust, folder / "rust")
    settings = (TOP / "docs/site/mkdocs.yml").read_text(encoding="utf-8")
    names = "\n".join(f"          - c-reference/{name}" for name in reference.pages)
    (folder.parent / "mkdocs.yml").write_text(settings.replace("C_PAGES", names), encoding="utf-8")


main()
