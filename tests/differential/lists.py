"""Random address lists with what is in them, from the grammar of RFC 5322, 6532 and 5321."""

import random
import re

ATOMS = ["a", "B9", "o'neil", "x-y", "joe+tag", "!#$%&*/=?^`{|}~", "_", "jörg", "用户", "postmaster"]
QUOTED = ["", "a", "a b", "a.b", "..", ".", "a@b", "<x>", "a,b;c:d", "(no)", 'say "hi"', "back\\slash", "ü b", "[x]", "a  b"]
LABELS = ["x", "example", "test-1", "Org", "a_b", "xn--bcher-kva", "bücher", "例え"]
LITERALS = ["192.0.2.1", "IPv6:2001:db8::1", "IPv6:::ffff:192.0.2.1", "x-tag:c=de;a=x"]
COMMENTS = ["()", "(c)", "(a b)", "(nested (twice (over)))", "(a \\) chap)", "(a@b, <c@d>; G:)", '(")', "(é)", "(\\\\)"]
NAME_ATOMS = ["Ann", "J.R.R.", "Q.", "Who?", "Jörg", "太郎", "=?utf-8?q?J=C3=B6rg?=", "and", "O'Neil"]
NAME_QUOTED = ["Doe, Ann", 'say "hi"', "a@b", "<x@y>", "G: a;", "back\\slash", "(no)", "", "Ünal", "a  b", " lead"]
SPACES = ["", "", "", " ", " ", "  ", "\t", "\r\n ", "\n\t", "\r\n \r\n "]
DAMAGE = ["", '"', "\\", "(", ")", "<", ">", "@", ".", ",", ";", ":", "[", "]", " ", "x", "ü", "\r\n", "\r", "\t", "\x07"]


def canonical_local(content):
    """The local part with that content, quoted only where it must be."""
    if re.fullmatch(r'[^\s\x00-\x1f()<>@,;:\\".\[\]]+(\.[^\s\x00-\x1f()<>@,;:\\".\[\]]+)*', content):
        return content
    return '"' + re.sub(r'(["\\])', r"\\\1", content) + '"'


class Generator:
    """Every method gives a text, or a text and its meaning."""

    def __init__(self, seed):
        self.random = random.Random(seed)
        self.pick = self.random.choice

    def chance(self, probability):
        return self.random.random() < probability

    def cfws(self, required=False):
        text = "" if self.chance(0.6) else self.pick(SPACES)
        if self.chance(0.12):
            text += "".join(self.pick(COMMENTS) + self.pick(SPACES) for _ in range(self.random.randint(1, 2)))
        return text or (" " if required else "")

    def quoted(self, content):
        text = ""
        for character in content:
            if character in '"\\' or self.chance(0.05):
                text += "\\" + character
            elif character == " " and self.chance(0.2):
                text += "\r\n "
            else:
                text += character
        return f'"{text}"'

    def dot(self):
        return f"{self.cfws()}.{self.cfws()}" if self.chance(0.3) else "."

    def local(self):
        texts, words = [], []
        for _ in range(self.pick([1, 1, 1, 2, 3])):
            quoted = self.chance(0.25)
            words.append(self.pick(QUOTED if quoted else ATOMS))
            texts.append(self.quoted(words[-1]) if quoted else words[-1])
        text = texts[0] + "".join(self.dot() + more for more in texts[1:])
        return text, canonical_local(".".join(words))

    def domain(self):
        if self.chance(0.12):
            literal = self.pick(LITERALS)
            inner = self.pick(SPACES) + literal + self.pick(SPACES) if self.chance(0.2) else literal
            return f"[{inner}]", f"[{literal}]"
        labels = [self.pick(LABELS) for _ in range(self.random.randint(1, 3))]
        meant = labels
        if not "".join(labels).isascii():
            labels = [label.replace("_", "-") for label in labels]
            meant = ["bücher" if label == "xn--bcher-kva" else label.lower() for label in labels]
        return labels[0] + "".join(self.dot() + label for label in labels[1:]), ".".join(meant)

    def spec(self):
        if self.chance(0.02):
            return (self.pick(["postmaster", "Postmaster"]),) * 2
        (local, local_meant), (domain, domain_meant) = self.local(), self.domain()
        at = f"{self.cfws()}@{self.cfws()}" if self.chance(0.2) else "@"
        return local + at + domain, f"{local_meant}@{domain_meant}"

    def name(self):
        text = meant = ""
        for number in range(self.pick([1, 1, 2, 2, 3])):
            quoted = self.chance(0.3)
            word = self.pick(NAME_QUOTED if quoted else NAME_ATOMS)
            text += (self.cfws(required=True) if number else "") + (self.quoted(word) if quoted else word)
            meant += (" " if meant else "") + word
        return text, meant

    def route(self):
        if not self.chance(0.05):
            return ""
        hops = [self.pick(["", "@a.example", "@b", "@[192.0.2.1]"]) for _ in range(2)]
        return f"{self.cfws()}{','.join(hops)},@c . example{self.cfws()}:"

    def mailbox(self):
        text, spec = self.spec()
        if self.chance(0.5):
            return self.cfws() + text + self.cfws(), spec, None
        name, meant = self.name() if self.chance(0.8) else ("", "")
        angle = f"<{self.route()}{self.cfws()}{text}{self.cfws()}>"
        return self.cfws() + name + self.cfws() + angle + self.cfws(), spec, meant or None

    def list(self):
        """A list, and `[addr-spec, display name, group]` for each address in it."""
        parts, truth = [], []
        for _ in range(self.pick([0, 1, 1, 1, 2, 2, 3, 5])):
            group, members = None, 1
            if self.chance(0.15):
                name, group = self.name()
                members = self.random.randint(0, 3)
            texts = []
            for _ in range(members):
                text, spec, display = self.mailbox()
                texts.append(text)
                truth.append([spec, display, group])
                if self.chance(0.04):
                    texts.append(self.cfws())
            text = ",".join(texts)
            parts.append(text if group is None else f"{self.cfws()}{name}{self.cfws()}:{text};{self.cfws()}")
        return ",".join(parts), truth

    def damaged(self, text):
        for _ in range(self.pick([1, 1, 2])):
            start = self.random.randint(0, len(text))
            text = text[:start] + self.pick(DAMAGE) + text[start + self.pick([0, 0, 1]):]
        return text
