"""Text that is made from HTML, and pictures that it names, read back by Python's own parsers."""

import base64
import contextlib
import email
import email.policy
import html.parser
import random
import urllib.parse

import pytest
import smtpclient
from smtpclient import Message

PNG = base64.b64decode(
    "iVBORw0KGgoAAAANSUhEUgAAAAEAAAABCAYAAAAfFcSJAAAADUlEQVR42mNk+M9QDwADhgGAWjR9awAAAABJRU5ErkJggg=="
)
DATA = "data:image/png;base64," + base64.b64encode(PNG).decode()


def parts(message):
    return [part for part in email.message_from_bytes(bytes(message), policy=email.policy.default).walk() if not part.is_multipart()]


class Tags(html.parser.HTMLParser):
    """What Python sees: every element and its attributes, and the text between them."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.seen, self.urls = [], []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attributes):
        seen = {}
        for name, value in attributes:
            if name not in seen:
                is_url = name == "background" or (tag in ("img", "input") and name == "src")
                seen[name] = "" if is_url else value
                if is_url:
                    self.urls.append(value or "")
        self.seen.append((tag, seen))

    def handle_startendtag(self, tag, attributes):
        self.handle_starttag(tag, attributes)

    def handle_endtag(self, tag):
        self.seen.append(tag)

    def handle_data(self, data):
        self.seen.append(data)


def test_text_from_html():
    message = Message.from_html(
        "<html><head><title>T</title><style>p { color: red }</style></head><body><h1>Grüße</h1>"
        '<p>Read <a href="https://shop.example/a?b=1&amp;c=2">the terms</a>.</p><ul><li>one<li>two</ul>'
        "<table><tr><td>a</td><td>b</td></tr></table></body></html>"
    )
    text, markup = parts(message)
    assert text.get_content_type() == "text/plain" and markup.get_content_type() == "text/html"
    words = text.get_content().replace("\r\n", "\n")
    assert "Grüße" in words and "the terms" in words and "https://shop.example/a?b=1&c=2" in words
    assert "* one\n* two" in words and "color" not in words and "<" not in words
    assert max(map(len, words.splitlines())) <= 78
    long = parts(Message.from_html("<p>" + "word " * 1000))[0].get_content()
    assert max(map(len, long.splitlines())) <= 78 and long.split() == ["word"] * 1000


def test_pictures(tmp_path):
    (tmp_path / "img").mkdir()
    (tmp_path / "img" / "a b.png").write_bytes(PNG)
    (tmp_path / "logo.gif").write_bytes(b"GIF89a")
    source = (
        f"<BODY background='logo.gif'><p title='src=x.png'>&lt;img src=no.png&gt;<IMG alt=x SRC = logo.gif><img src=img/a%20b.png?v=2#x>"
        f'<img src="{DATA}" width=1><img src=\'{DATA}\'/><img src="https://x.example/y.png"><img src="cid:own@x"><img src="//x/y.png">'
        "<img src=\"\"><img src='data:text/plain,x'><img><!-- <img src=in-a-comment.png> --><script>'<img src=script.png>'</script>\n"
    )
    message = Message("text\n", html=source)
    assert message.embed_pictures() == 1
    assert message.embed_pictures(tmp_path) == 2
    assert message.embed_pictures(tmp_path) == 0
    text, markup, *pictures = parts(message)
    ids = [picture["Content-ID"].strip("<>") for picture in pictures]
    assert [(p.get_content_type(), p.get_content(), p.get_filename()) for p in pictures] == [
        ("image/png", PNG, "picture-1.png"), ("image/gif", b"GIF89a", "logo.gif"), ("image/png", PNG, "a b.png"),
    ]
    assert all(picture.get_content_disposition() == "inline" for picture in pictures)
    before, after = Tags(source), Tags(markup.get_content().replace("\r\n", "\n"))
    assert before.seen == after.seen
    expected = [f"cid:{ids[1]}", f"cid:{ids[1]}", f"cid:{ids[2]}", f"cid:{ids[0]}", f"cid:{ids[0]}"]
    assert after.urls == [*expected, "https://x.example/y.png", "cid:own@x", "//x/y.png", "", "data:text/plain,x"]


@pytest.mark.parametrize(
    ("url", "what"),
    [
        ("missing.png", "is not a file"),
        ("../secret.png", "not a path below"),
        ("/etc/passwd", "not a path below"),
        ("a/%2e%2e/%2e%2e/x", "not a path below"),
        (".", "is not a file"),
        ("data:image/png;base64,!!!", "not base64"),
        ("data:image/png;base64", "data: URL"),
    ],
)
def test_what_cannot_be_a_picture(tmp_path, url, what):
    message = Message("text\n", html=f'<img src="{DATA}"><img src="{url}">')
    before = bytes(message)
    with pytest.raises(smtpclient.UsageError, match=what):
        message.embed_pictures(tmp_path)
    assert bytes(message).split(b"\r\n\r\n", 1)[1].count(b"data:image") == before.count(b"data:image")


def test_where_there_is_no_html():
    for message in (Message("text\n"), Message.from_bytes(b"From: a@b\n\n<img>")):
        with pytest.raises(smtpclient.UsageError):
            message.embed_pictures()
    attached = Message("text\n")
    attached.attach_bytes("page.html", f'<img src="{DATA}">'.encode())
    with pytest.raises(smtpclient.UsageError, match="no HTML"):
        attached.embed_pictures()


def test_what_somebody_sent_to_break_it():
    """Deep, long and unfinished; each ends, and quickly enough that nobody notices."""
    for hostile in ("<div>" * 2_000, "<img src=" * 20_000, "<" * 100_000, "<img src='", "<table>" * 300, "&#" * 50_000, "<ul><li>" * 1_000, "\0"):
        message = Message("x\n", html=hostile)
        assert message.embed_pictures() == 0
        with contextlib.suppress(smtpclient.UsageError):  # too deep
            Message.from_html(hostile)


def test_random_html(tmp_path):
    """What is not the URL of a picture stays as it is, as Python's parser sees it, and each picture is the right one."""
    names = [f"p{number}.png" for number in range(5)]
    for name in names:
        (tmp_path / name).write_bytes(name.encode())
    rng = random.Random(20261127)
    for _ in range(500):
        pieces, expected = [], []
        for _ in range(rng.randrange(1, 12)):
            kind = rng.randrange(6)
            if kind == 0:
                pieces.append(rng.choice(["text ", "a &amp; b", "5 &lt; 6", "grün", "\n", "\U0001f600 "]))
            elif kind == 1:
                pieces.append(rng.choice(["<p class=x>", "</p>", "<br/>", "<a href='x.png?src=y'>l</a>", "<b data-src=z.png>x</b>"]))
            else:
                name = rng.choice(names)
                expected.append(name)
                url = urllib.parse.quote(name, safe=rng.choice(["", "p."]))
                quote = rng.choice(['"', "'", ""])
                space = rng.choice(["", " "]) if quote else ""
                attributes = [rng.choice(["src", "SRC", "Src"]) + space + "=" + space + quote + url + quote]
                attributes += rng.sample(["alt='>'", 'title="a=b"', "width=1", "hidden", "alt2=\"src='x'\""], rng.randrange(4))
                rng.shuffle(attributes)
                end = rng.choice([">", " >", " />"])
                pieces.append("<" + rng.choice(["img", "IMG", "input type=image"]) + " " + " ".join(attributes) + end)
        source = "".join(pieces) + "<hr>\n"
        message = Message("x\n", html=source)
        assert message.embed_pictures(tmp_path) == len(set(expected)), source
        _, markup, *pictures = parts(message)
        before, after = Tags(source), Tags(markup.get_content().replace("\r\n", "\n"))
        assert before.seen == after.seen, source
        shown = {f"cid:{p['Content-ID'].strip('<>')}": p.get_content().decode() for p in pictures}
        assert [shown[url] for url in after.urls] == expected, source


@pytest.mark.parametrize("html", ["<div>" * 1001, "<ul><li>" * 1001, "<b>" * 100_000])
def test_what_is_too_deep_is_an_error(html):
    with pytest.raises(smtpclient.UsageError, match="more than 1000 elements within each other"):
        smtpclient.Message.from_html(html)


@pytest.mark.parametrize("html", ["<div>" * 1000 + "x", "<p>x<br>" * 5000, "<table>" + "<tr><td>x" * 5000, "<b>x</b>" * 5000])
def test_what_is_long_is_not_deep(html):
    assert b"x" in smtpclient.Message.from_html(html).to_bytes()


def test_a_symbolic_link_does_not_lead_out(tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "out.png").write_bytes(b"out")
    (tmp_path / "in/real.png").write_bytes(b"in")
    (tmp_path / "in/out.png").symlink_to(tmp_path / "out.png")
    (tmp_path / "in/own.png").symlink_to("real.png")
    assert Message("x", html='<img src="own.png">').embed_pictures(tmp_path / "in") == 1
    with pytest.raises(smtpclient.UsageError, match="symbolic link"):
        Message("x", html='<img src="out.png">').embed_pictures(tmp_path / "in")
    with pytest.raises(smtpclient.UsageError) as info:
        Message("x", html=f'<img src="{"a" * 300_000}">').embed_pictures(tmp_path / "in")
    assert len(str(info.value)) < 1000
