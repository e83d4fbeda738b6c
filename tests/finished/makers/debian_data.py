"""Copies test messages out of unpacked Debian packages. Arguments: the corpus, the folder they are unpacked in.

Only messages whose addresses are all invented are taken; python.org and digicool.com, where the authors of the
tests had theirs, become example.org and example.com.
"""

import pathlib
import re
import sys

CORPUS, ROOT = map(pathlib.Path, sys.argv[1:])
INVENTED = re.compile(rb"(.*\.)?(example\.(com|org|net)|zzz\.org|aaa\.zzz\.org|dom\.ain|ddd\.com|bb\.org|dd\.org|bar\.baz|baz\.bar|bar\.foo|wooster\.local)", re.I)
ADDRESS = re.compile(rb"[\w.+-]+@([\w.-]+\w)")
LARGEST = 8192

for path in sorted(ROOT.glob("usr/lib/python3*/test/test_email/data/msg_*.txt")):
    data = path.read_bytes().replace(b"digicool.com", b"example.com").replace(b"python.org", b"example.org").replace(b"wooz.org", b"example.com")
    data = data.replace(b"barry", b"larry").replace(b"Barry", b"Larry").replace(b"Warsaw", b"Example").replace(b"BARRY", b"LARRY")
    if len(data) <= LARGEST and all(INVENTED.fullmatch(domain) for domain in ADDRESS.findall(data)):
        (CORPUS / f"cpython-{path.stem}.eml").write_bytes(data)
for path in ROOT.glob("usr/share/doc/spamassassin/examples/sample-spam.txt"):
    (CORPUS / "spamassassin-gtube.eml").write_bytes(path.read_bytes())
