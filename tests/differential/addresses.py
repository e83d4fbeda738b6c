"""Compares the address list parser with two of Python's, on lists drawn from a grammar.

    python3.11 tests/differential/addresses.py [--seed N] [--count N] [--show CLASS] [PROGRAM]

PROGRAM is the built example `address_list` of the core crate; without it, cargo builds it.
1. Lists made by the grammar against what the grammar put into them: no difference is allowed.
2. These and damaged ones against email.headerregistry, which tells the defects that it saw.
3. The same against email.utils.getaddresses, which tells none.
Every difference in 2 and 3 must fall into a class below, each with its reason. One that does not is
printed, and the exit status is 1. So it is where no list needs a class (with the default seed).
Python 3.11 is meant: its parsers change between versions, and the classes with them.
"""

import argparse
import collections
import json
import pathlib
import re
import subprocess
import sys
from email.headerregistry import HeaderRegistry
from email.utils import getaddresses
from encodings import idna

from lists import Generator, canonical_local

ROOT = pathlib.Path(__file__).resolve().parents[2]

# Too rare to wait for.
PICKED = ["=?x?q?a:b?= <a@x>;", "a@[x-tag:]", "<a,b@x>", "a@[2001:db8::1]", "a@[x-tag:", "G:H:a@x;;", "a@x \\", '"a\\\r\n b"@x', "<>", "\\"]

# What we refuse and Python reads. It marks nearly all of it as defective itself, and then
# guesses; an envelope is not a place to guess. The key is a part of our reason.
REFUSED = {
    "not a local part: quote": "`a b@x` is `\"a b\"@x` to one and `ab@x` to another",
    "two dots in a row": "no dot-atom, RFC 5322 3.2.3",
    "begins with a dot": "no dot-atom, RFC 5322 3.2.3; a phrase begins with a word, 4.1",
    "ends with a dot": "no dot-atom, RFC 5322 3.2.3",
    "a name that begins with a dot": "a phrase begins with a word, RFC 5322 4.1",
    "this has no domain": "an addr-spec has a domain, RFC 5322 3.4.1",
    "no domain follows the @": "an addr-spec has a domain, RFC 5322 3.4.1",
    "nothing stands before the @": "an addr-spec has a local part, RFC 5322 3.4.1",
    "an address has one @": "either could be meant, and the wrong one gets the mail",
    "complete before this": "text between two addresses: either could be meant",
    "complete before this <": "`a@x <b@y>`: either could be meant",
    "complete before this comma": "a special outside quotes, RFC 5322 3.2.3",
    "no group is open": "a semicolon closes a group and separates nothing, RFC 5322 3.4",
    "a comma must follow": "text after a group, RFC 5322 3.4",
    "no closing semicolon": "RFC 5322 3.4",
    "cannot hold a group": "RFC 5322 3.4",
    "a colon follows only": "a special outside quotes, RFC 5322 3.2.3",
    "no < is open": "a special outside quotes, RFC 5322 3.2.3",
    "no closing >": "RFC 5322 3.4",
    "<> holds no address": "the null reverse-path is not a mailbox, RFC 5321 4.5.5",
    "no comment is open": "a special outside quotes, RFC 5322 3.2.3",
    "no closing parenthesis": "what is comment and what is not cannot be told",
    "no closing quote": "what is quoted and what is not cannot be told",
    "nothing follows the backslash": "RFC 5322 3.2.1",
    "a backslash stands only": "a special outside quotes, RFC 5322 3.2.3",
    "a bracket stands only": "a special outside quotes, RFC 5322 3.2.3",
    "control character": "obs-NO-WS-CTL is refused on purpose: it does things to terminals and logs",
    "a line end": "it folds nothing: header and command injection",
    "quote a line end": "obs-qp: header and command injection",
    "a tab cannot stand": "no qtextSMTP and no quoted-pairSMTP, RFC 5321 4.1.2",
    "no closing bracket": "RFC 5321 4.1.3",
    "cannot stand in a domain literal": "no dcontent, RFC 5321 4.1.3; < and > besides",
    "not an IPv4 address": "RFC 5321 4.1.3, which Python does not check",
    "not an IPv6 address": "RFC 5321 4.1.3, which Python does not check",
    "needs its tag": "RFC 5321 4.1.3, which Python does not check",
    "tag of a domain literal": "RFC 5321 4.1.3, which Python does not check",
    "nothing follows the tag": "RFC 5321 4.1.3, which Python does not check",
    "internationalized": "no A-labels, so no mail exchanger: UTS #46, which Python does not check",
}

# Of these, what headerregistry takes without a word of complaint (or as merely obsolete).
REFUSED_THOUGH_CLEAN = {
    "control character", "a line end", "quote a line end", "a tab cannot stand", "cannot stand in a domain literal",
    "not an IPv4 address", "not an IPv6 address", "needs its tag", "tag of a domain literal", "internationalized",
    "nothing follows the tag",
}

# What we take and headerregistry calls invalid, by its words.
ACCEPTED = {
    "addr-spec local part with no domain": "postmaster alone, RFC 5321 4.1.1.3",
    "missing trailing whitespace after encoded-word": "RFC 2047 words are left to the display",
    "whitespace inside encoded word": "such a word is not an encoded word, and two atoms to us",
}

# Where headerregistry fails on what is in the list, by the words of its exception.
RAISED = {
    "'str' object has no attribute 'token_type'": "a dot in a group's name",
    "'Group' object has no attribute 'local_part'": "an empty group with no comma after it",
    "'InvalidHeaderDefect' object has no attribute": "a domain literal without its end",
    "'ValueTerminal' object does not support": "a name with a leading dot",
    "list index out of range": "a text that ends too early",
    "string index out of range": "a text that ends too early",
    "address parts cannot contain CR or LF": "a line end within an address",
}

# How Python's answer becomes ours; the functions of these names are below.
TURNED = {
    "quoting": "the local part has one form here; Python leaves needless quotes, and loses those of `\"\"@x` and `\"..\"@x`",
    "idna": "U-labels are mapped (UTS #46); Python leaves the domain as it is",
    "encoded_words": "headerregistry decodes RFC 2047 words, we leave that to the display",
    "split_words": "a special in an encoded word is one, RFC 2047 5 (3); headerregistry reads on to the ?=",
    "empty_words": "`\"\" Ann` is ` Ann` to Python, `Ann` to us; likewise with a dot beside it",
    "literal_space": "getaddresses keeps white space in a domain literal; it is not part of it",
    "comments": "getaddresses takes comments for names; without the comments it agrees",
    "routes": "getaddresses takes the commas of a route for separators; without the route it agrees",
}

SPLIT_WORD = re.compile(r'=\?\w(?:(?!\?=).)*[()<>@,;:\\"\[\]](?:(?!\?=).)*\?=')


def unfolded(text):
    """Both want it so."""
    return re.sub(r"\r?\n(?=[ \t])", "", text)


def read_ours(program, texts):
    run = subprocess.run([program], input="\0".join(texts).encode(), stdout=subprocess.PIPE, check=True, timeout=60)
    answers = [json.loads(line) for line in run.stdout.decode().split("\n")[:-1]]
    assert len(answers) == len(texts)
    return answers


def read_registry(text, registry=HeaderRegistry()):
    """The rows, and the defects that are more than obsolete syntax or UTF-8."""
    header = registry("To", unfolded(text))
    rows = [[one.addr_spec, one.display_name or None, group.display_name] for group in header.groups for one in group.addresses]
    return rows, [str(defect) for defect in header.defects if type(defect).__name__ == "InvalidHeaderDefect"]


def read_utils(text):
    """Rows without a group; an element without an address is dropped."""
    try:
        pairs = getaddresses([unfolded(text)], strict=False)
    except TypeError:
        pairs = getaddresses([unfolded(text)])
    return [[spec, name or None, None] for name, spec in pairs if spec or name]


def each_spec(rows, change):
    return [[change(spec), name, group] for spec, name, group in rows]


def split_spec(spec):
    """Local part, `@` and domain; a literal may hold an `@`."""
    match = re.fullmatch(r'((?:"(?:[^"\\]|\\.)*"|[^"@])*)(?:(@)(.*))?', spec, re.DOTALL)
    return (match[1], match[2] or "", match[3] or "") if match else (spec, "", "")


def quoting(rows, _):
    def change(spec):
        local, at, domain = split_spec(spec)
        words = re.findall(r'"(?:[^"\\]|\\.)*"|[^"]+', local)
        content = "".join(re.sub(r"\\(.)", r"\1", word[1:-1]) if word[0] == '"' else word for word in words)
        return canonical_local(content) + at + domain
    return each_spec(rows, change)


def idna_mapped(rows, _):
    def label(text):
        text = idna.nameprep(text)
        try:
            return idna.ToUnicode(text) if text.startswith("xn--") else text
        except UnicodeError:
            return text

    def change(spec):
        local, at, domain = split_spec(spec)
        return spec if domain.isascii() else local + at + ".".join(map(label, domain.split(".")))
    return each_spec(rows, change)


def literal_space(rows, _):
    return each_spec(rows, lambda spec: re.sub(r"@\[\s*(.*?)\s*\]$", r"@[\1]", spec))


def encoded_words(rows, ours):
    """Takes our name where it holds an encoded word."""
    if len(rows) != len(ours):
        return rows
    keep = lambda theirs, our: our if "=?" in (our or "") else theirs
    return [[row[0], keep(row[1], our[1]), keep(row[2], our[2])] for row, our in zip(rows, ours)]


def empty_words(rows, ours):
    """Takes our name where only white space differs."""
    if len(rows) != len(ours):
        return rows
    same = lambda one, other: "".join((one or "").split()) == "".join((other or "").split())
    keep = lambda theirs, our: our if same(theirs, our) else theirs
    return [[row[0], keep(row[1], our[1]), keep(row[2], our[2])] for row, our in zip(rows, ours)]


def without_comments(text):
    """Each comment becomes a space. Quoted strings and domain literals hold none."""
    out, depth, closing, at = "", 0, None, 0
    while at < len(text):
        here, step = text[at], 2 if text[at] == "\\" else 1
        if not depth and closing is None and here in '"[':
            closing = '"' if here == '"' else "]"
        elif here == closing:
            closing = None
        opens, closes = here == "(" and closing is None, here == ")" and closing is None
        depth += opens
        out += "" if depth else text[at:at + step]
        depth -= closes
        out += " " if closes and not depth else ""
        at += step
    return out


def without_routes(text):
    return re.sub(r'<[\s,]*@(?:\[[^\]]*\]|[^<>":\[])*:', "<", text)


def turn(ours, theirs, steps):
    """The classes that make `theirs` equal to `ours`, or None."""
    used = []
    for name, step in steps:
        if theirs == ours:
            break
        changed = step(theirs, ours)
        if changed != theirs:
            used.append(name)
            theirs = changed
    return used if theirs == ours else None


def first_key(table, text):
    """The longest key that the text holds."""
    return max((key for key in table if key in text), key=len, default=None)


def against_registry(text, ours):
    try:
        theirs, invalid = read_registry(text)
    except (AttributeError, IndexError, TypeError, ValueError) as error:
        key = first_key(RAISED, str(error))
        return key and [f"raised: {key}"], repr(error)
    if isinstance(ours, dict):
        key = first_key(REFUSED, ours["reason"])
        known = key and (invalid or key in REFUSED_THOUGH_CLEAN or SPLIT_WORD.search(text))
        return known and [f"refused: {key}"], (theirs, invalid)
    if SPLIT_WORD.search(text):
        return ["turned: split_words"], (theirs, invalid)
    keys = [first_key(ACCEPTED, defect) for defect in invalid]
    if None in keys:
        return None, (theirs, invalid)
    steps = [("quoting", quoting), ("idna", idna_mapped), ("encoded_words", encoded_words), ("empty_words", empty_words)]
    used = turn(ours, theirs, steps)
    if used is None:
        return None, (theirs, invalid)
    return [f"accepted: {key}" for key in keys] + [f"turned: {name}" for name in used], theirs


def against_utils(text, ours):
    theirs = read_utils(text)
    if isinstance(ours, dict):
        key = first_key(REFUSED, ours["reason"])
        return key and [f"refused: {key}"], theirs
    ours = [[spec, name, None] for spec, name, _ in ours]
    plain = without_comments(text)
    steps = [
        ("quoting", quoting),
        ("idna", idna_mapped),
        ("literal_space", literal_space),
        ("empty_words", empty_words),
    ]
    extra = [("comments", plain)] if plain != text else []
    extra += [("routes", without_routes(plain))] if without_routes(plain) != plain else []
    for name, reread in [(None, text), *extra]:
        used = turn(ours, read_utils(reread), steps)
        if used is not None:
            return [f"turned: {one}" for one in ([name] if name else []) + used], theirs
    return None, theirs


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seed", type=int, default=5322)
    parser.add_argument("--count", type=int, default=4000, help="how many lists; twice as many damaged ones follow")
    parser.add_argument("--show", metavar="CLASS", help="print the five shortest lists of each class that holds this text")
    parser.add_argument("program", nargs="?")
    options = parser.parse_args()
    if not options.program:
        subprocess.run(["cargo", "build", "-q", "-p", "smtpclient", "--example", "address_list"], cwd=ROOT, check=True)
        options.program = ROOT / "target/debug/examples/address_list"

    generator = Generator(options.seed)
    made = [generator.list() for _ in range(options.count)]
    texts = [text for text, _ in made]
    texts += [generator.damaged(text) for text in texts for _ in range(2)] + PICKED
    answers = read_ours(options.program, texts)

    failures = []
    for (text, truth), ours in zip(made, answers):
        if ours != truth:
            failures.append(("the grammar", text, ours, truth))
    classes = collections.Counter()
    samples = collections.defaultdict(list)
    for judge, compare in [("headerregistry", against_registry), ("getaddresses", against_utils)]:
        for text, ours in zip(texts, answers):
            found, theirs = compare(text, ours)
            if found is None:
                failures.append((judge, text, ours, theirs))
            for name in found or ["the same"] * (found is not None):
                classes[judge, name] += 1
                samples[judge, name].append((len(text), text, ours, theirs))

    tables = {"refused": REFUSED, "accepted": ACCEPTED, "raised": RAISED, "turned": TURNED}
    for (judge, name), count in sorted(classes.items()):
        table, _, key = name.partition(": ")
        print(f"{count:6} {judge}: {name}" + (f" -- {tables[table][key]}" if key else ""))
        if options.show and options.show in name:
            for _, text, ours, theirs in sorted(samples[judge, name], key=lambda sample: sample[0])[:5]:
                print(f"         {text!r}\n           ours   {ours}\n           theirs {theirs}")
    seen = {name for _, name in classes}
    unused = [f"{table}: {key}" for table, keys in tables.items() for key in keys if f"{table}: {key}" not in seen]
    for name in unused:
        print(f"no list needs the class {name!r}")
    for judge, text, ours, theirs in failures[:10]:
        print(f"UNEXPLAINED against {judge}: {text!r}\n    ours   {ours}\n    theirs {theirs}")
    print(f"{len(texts)} lists, {len(failures)} unexplained differences")
    default = all(getattr(options, name) == parser.get_default(name) for name in ("seed", "count"))
    return 1 if failures or (unused and default) else 0


if __name__ == "__main__":
    sys.exit(main())
