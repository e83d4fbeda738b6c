"""The same without any engine: a pool of threads, and the ledger, which keeps what is not done. Run again after a kill, it goes on.

    python executor.py ledger.db 127.0.0.1:25 letters/*.eml
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from smtpclient.jobs import Courier, encode, new_id


def finish(courier: Courier, job: str, payload: Mapping[str, Any]) -> str:
    """Run a job until it is done; its status."""
    while (verdict := courier.deliver(job, payload)).after is not None:
        time.sleep(verdict.after)
    return verdict.status


def main(path: str, server: str, *letters: str) -> None:
    courier = Courier(f"sqlite://{Path(path).resolve()}", {"default": {"servers": [server]}}, keep=True, patience=5, backoff=1)
    for letter in letters:
        courier.submitted(new_id(), encode(letter))
    with ThreadPoolExecutor(16) as pool:
        jobs = courier.overdue(-1, most=1_000_000)  # what was left by a run before, too
        for job, status in zip(jobs, pool.map(lambda each: finish(courier, *each), jobs), strict=True):
            print(job[0], status)
    courier.close()


if __name__ == "__main__":
    main(*sys.argv[1:])
