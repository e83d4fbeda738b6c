#!/usr/bin/env python3
"""compare_all.py NAME BASE USER FOLDER: was each message of FOLDER delivered to USER, once and byte for byte?

The messages are files with a Message-ID each; those with others are looked past. Waits until all have come, at most 30 s
after the last one. Exit status 0 or 1, with a line for what differs.
"""
import re
import sys
import time
from pathlib import Path

from compare import difference

PATIENCE = 30
IDENTITY = re.compile(rb"^Message-ID: *(\S+)", re.IGNORECASE | re.MULTILINE)


def identity(message: bytes) -> bytes:
    found = IDENTITY.search(message)
    return found[1] if found else b""


def main(name: str, base: str, user: str, folder: str) -> int:
    sent = {identity(message): message for message in (path.read_bytes() for path in Path(folder).iterdir())}
    boxes = [Path(base, place, "mail", box, "new") for place in ("", "relay") for box in (user, "other")]
    found: dict[bytes, list[bytes]] = {}
    read: set[Path] = set()
    end = time.monotonic() + PATIENCE
    while len(found) < len(sent) and time.monotonic() < end:
        for path in {path for box in boxes if box.is_dir() for path in box.iterdir()} - read:
            read.add(path)
            delivered = path.read_bytes()
            if identity(delivered) in sent:
                found.setdefault(identity(delivered), []).append(delivered)
                end = time.monotonic() + PATIENCE
        time.sleep(0.05)
    faults = [f"{key.decode()} came {len(found.get(key, ()))} times" for key in sent if len(found.get(key, ())) != 1]
    for key, copies in found.items():
        faults += [f"{key.decode()}: {parted}" for parted in (difference(name, sent[key], copy) for copy in copies) if parted]
    print("\n".join(faults[:5]) if faults else f"{len(sent)} identical")
    return 1 if faults else 0


if __name__ == "__main__":
    if len(sys.argv) != 5:
        sys.exit(__doc__)
    sys.exit(main(*sys.argv[1:]))
