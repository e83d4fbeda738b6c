"""Ledgers: what jobs record at the commit of their message, so that no second run of a job sends it again.

A ledger has one entry for each job. All changes are atomic and name what they expect to find, so of two runs of one job only
one is let through. What a ledger needs of its store is that it does not forget what it has confirmed.
"""

from __future__ import annotations

import json
import os
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol

__all__ = ["Claim", "Entry", "Fate", "Ledger", "RedisLedger", "SQLLedger", "SQLiteLedger", "Taken", "open_ledger"]


class Taken(Exception):
    """Another run of the job has committed its message, or has recorded something since this one looked."""


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of one recipient, for good. ``outcome`` is that of reports; ``code`` and ``text`` are the server's."""

    outcome: str
    code: int | None = None
    text: str = ""


@dataclass(frozen=True, slots=True)
class Entry:
    """What a ledger knows of a job; of one that it does not know, ``version`` is 0."""

    version: int = 0
    #: The run that has committed the message and has not recorded what became of it.
    run: str | None = None
    #: When the entry was written, in seconds since 1970.
    since: float = 0.0
    #: The recipients of whom it is known what became of them, by address.
    fates: Mapping[str, Fate] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Claim:
    """One run of one job, and the version of the entry that it has seen."""

    job: str
    run: str
    version: int


class Ledger(Protocol):
    """What a store must be able to do. Every method may be called by several threads at once, and raises what the store raises."""

    def read(self, job: str) -> Entry:
        """What is known of a job."""

    def commit(self, claims: Sequence[Claim]) -> None:
        """Record that the messages of these runs go out: all of them, or none and ``Taken``. When it returns, the store
        has them for good. A run may commit again."""

    def settle(self, claim: Claim, fates: Mapping[str, Fate], *, after: float | None, run: str | None = None) -> bool:
        """Record all that is known of a job. Return whether it was this run's to say: it has committed, or nobody has
        written since it looked. ``after`` is the number of seconds to the next run, ``None`` if there is none and the
        job itself is dropped. ``run`` is another run that may still say more."""

    def add(self, job: str, payload: str) -> None:
        """Keep a job until it is done; one that is known stays as it is."""

    def overdue(self, age: float, most: int = 100) -> list[tuple[str, str]]:
        """Kept jobs of which nothing was heard for ``age`` seconds, oldest first, ``most`` of them. Each is given to one
        caller, and to another one after as many seconds again."""

    def forget(self, age: float) -> int:
        """Drop the entries last written ``age`` seconds ago, except for kept jobs that are not done; how many. Choose more than a
        broker ever keeps a job."""


def open_ledger(where: str | Ledger) -> Ledger:
    """A ledger by its URL: ``sqlite:///var/lib/app/jobs.db``, ``redis://localhost/0`` (``rediss://``, ``unix://``) or
    ``django:ALIAS``, a database of Django's settings."""
    if not isinstance(where, str):
        return where
    scheme, _, rest = where.partition(":")
    if scheme == "sqlite" and rest.startswith("///"):
        return SQLiteLedger(rest[2:])
    if scheme in ("redis", "rediss", "unix"):
        return RedisLedger(where)
    if scheme == "django":
        from .django import DjangoLedger

        return DjangoLedger(rest or "default")
    raise ValueError(f"a ledger is sqlite:///PATH, redis://HOST/NUMBER or django:ALIAS, not {scheme}:")


class SQLLedger:
    """A ledger in a table of a database. A subclass says how to reach it: ``_transaction`` gives a function that runs a
    statement with ``%s`` for parameters and returns a cursor, and undoes everything if its block raises."""

    TABLE = "smtpclient_jobs"
    _CREATE = (
        f"CREATE TABLE IF NOT EXISTS {TABLE} (job VARCHAR(200) NOT NULL PRIMARY KEY, version INTEGER NOT NULL,"
        " run VARCHAR(200), since DOUBLE PRECISION NOT NULL, heard DOUBLE PRECISION NOT NULL, fates TEXT NOT NULL, payload TEXT)"
    )
    _INSERT = (
        f"INSERT INTO {TABLE} (job, version, run, since, heard, fates, payload) SELECT %s, 1, %s, %s, %s, %s, %s"
        f" WHERE NOT EXISTS (SELECT 1 FROM {TABLE} WHERE job = %s)"
    )

    @contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Sequence[Any]], Any]]:
        raise NotImplementedError
        yield

    def read(self, job: str) -> Entry:
        with self._transaction() as run:
            row = run(f"SELECT version, run, since, fates FROM {self.TABLE} WHERE job = %s", [job]).fetchone()
        return Entry(row[0], row[1], row[2], fates_of(row[3])) if row else Entry()

    def commit(self, claims: Sequence[Claim]) -> None:
        now = time.time()
        with self._transaction() as run:
            for claim in claims:
                changed = run(
                    f"UPDATE {self.TABLE} SET version = version + 1, run = %s, since = %s, heard = %s"
                    " WHERE job = %s AND (version = %s OR run = %s)",
                    [claim.run, now, now, claim.job, claim.version, claim.run],
                ).rowcount
                if not changed and claim.version == 0:
                    changed = run(self._INSERT, [claim.job, claim.run, now, now, "{}", None, claim.job]).rowcount
                if not changed:
                    raise Taken(claim.job)

    def settle(self, claim: Claim, fates: Mapping[str, Fate], *, after: float | None, run: str | None = None) -> bool:
        now, text = time.time(), text_of(fates)
        heard, payload = now + (after or 0), ", payload = NULL" if after is None else ""
        with self._transaction() as execute:
            changed = execute(
                f"UPDATE {self.TABLE} SET version = version + 1, run = %s, since = %s, heard = %s, fates = %s{payload}"
                " WHERE job = %s AND (version = %s OR run = %s)",
                [run, now, heard, text, claim.job, claim.version, claim.run],
            ).rowcount
            if not changed and claim.version == 0:
                changed = execute(self._INSERT, [claim.job, run, now, heard, text, None, claim.job]).rowcount
        return bool(changed)

    def add(self, job: str, payload: str) -> None:
        with self._transaction() as run:
            run(self._INSERT, [job, None, time.time(), time.time(), "{}", payload, job])

    def overdue(self, age: float, most: int = 100) -> list[tuple[str, str]]:
        now, found = time.time(), []
        with self._transaction() as run:
            rows = run(
                f"SELECT job, payload, heard FROM {self.TABLE} WHERE payload IS NOT NULL AND heard < %s"
                f" ORDER BY heard LIMIT {int(most)}",
                [now - age],
            ).fetchall()
            for job, payload, heard in rows:
                if run(f"UPDATE {self.TABLE} SET heard = %s WHERE job = %s AND heard = %s", [now, job, heard]).rowcount:
                    found.append((job, payload))
        return found

    def forget(self, age: float) -> int:
        with self._transaction() as run:
            return int(run(f"DELETE FROM {self.TABLE} WHERE payload IS NULL AND since < %s", [time.time() - age]).rowcount)


#: Connections of a parent process: to close one here would harm the file.
_inherited: list[sqlite3.Connection] = []


class SQLiteLedger(SQLLedger):
    """A ledger in a file, for the processes of one machine. Every change is on the disk when its call returns."""

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self._path, self._local = os.fspath(path), threading.local()
        with self._transaction() as run:
            run(self._CREATE, [])

    @contextmanager
    def _transaction(self) -> Iterator[Callable[[str, Sequence[Any]], Any]]:
        connection = self._connection()
        connection.execute("BEGIN IMMEDIATE")
        try:
            yield lambda statement, values: connection.execute(statement.replace("%s", "?"), values)
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")

    def _connection(self) -> sqlite3.Connection:
        # One for each thread, and none that a parent process has opened.
        kept: tuple[int, sqlite3.Connection] | None = getattr(self._local, "kept", None)
        if kept is None or kept[0] != os.getpid():
            if kept is not None:
                _inherited.append(kept[1])
            connection = sqlite3.connect(self._path, timeout=60, isolation_level=None)
            connection.execute("PRAGMA journal_mode = WAL")
            connection.execute("PRAGMA synchronous = FULL")
            kept = self._local.kept = os.getpid(), connection
        return kept[1]


class RedisLedger:
    """A ledger in one Redis (not a cluster), for any number of machines. Redis keeps what it has confirmed through a kill with
    ``appendonly yes``, and through a power failure with ``appendfsync always`` too. Entries of jobs that are not kept, or are
    done, go away ``keep`` seconds after they were last written."""

    _COMMIT = """
    for i, key in ipairs(KEYS) do
      local at = 3 * i
      local found = redis.call('HMGET', key, 'version', 'run')
      if (found[1] or '0') ~= ARGV[at + 1] and found[2] ~= ARGV[at] then return ARGV[at + 2] end
    end
    for i, key in ipairs(KEYS) do
      redis.call('HINCRBY', key, 'version', 1)
      redis.call('HSET', key, 'run', ARGV[3 * i], 'since', ARGV[1])
      if redis.call('HEXISTS', key, 'payload') == 0 then redis.call('EXPIRE', key, ARGV[2]) end
    end
    return ''"""
    _SETTLE = """
    local found = redis.call('HMGET', KEYS[1], 'version', 'run')
    if (found[1] or '0') ~= ARGV[4] and found[2] ~= ARGV[3] then return 0 end
    redis.call('HINCRBY', KEYS[1], 'version', 1)
    redis.call('HSET', KEYS[1], 'since', ARGV[1], 'fates', ARGV[5])
    if ARGV[6] == '' then redis.call('HDEL', KEYS[1], 'run') else redis.call('HSET', KEYS[1], 'run', ARGV[6]) end
    if ARGV[7] == '' then
      redis.call('HDEL', KEYS[1], 'payload')
      redis.call('ZREM', KEYS[2], ARGV[8])
    elseif redis.call('HEXISTS', KEYS[1], 'payload') == 1 then
      redis.call('ZADD', KEYS[2], ARGV[7], ARGV[8])
    end
    if redis.call('HEXISTS', KEYS[1], 'payload') == 0 then redis.call('EXPIRE', KEYS[1], ARGV[2]) end
    return 1"""
    _ADD = """
    if redis.call('EXISTS', KEYS[1]) == 1 then return 0 end
    redis.call('HSET', KEYS[1], 'version', 1, 'since', ARGV[1], 'fates', '{}', 'payload', ARGV[2])
    redis.call('ZADD', KEYS[2], ARGV[1], ARGV[3])
    return 1"""
    _OVERDUE = """
    local jobs = redis.call('ZRANGEBYSCORE', KEYS[1], '-inf', '(' .. ARGV[2], 'LIMIT', 0, ARGV[3])
    local found = {}
    for _, job in ipairs(jobs) do
      redis.call('ZADD', KEYS[1], ARGV[1], job)
      local payload = redis.call('HGET', ARGV[4] .. job, 'payload')
      if payload then found[#found + 1] = job; found[#found + 1] = payload end
    end
    return found"""

    def __init__(self, url: str, *, prefix: str = "smtpclient:", keep: float = 30 * 86400) -> None:
        import redis

        self._redis: Any = redis.Redis.from_url(url, decode_responses=True)
        self._prefix, self._keep = prefix, int(keep)
        names = "COMMIT", "SETTLE", "ADD", "OVERDUE"
        self._scripts = {name: self._redis.register_script(getattr(self, f"_{name}")) for name in names}

    def read(self, job: str) -> Entry:
        version, run, since, fates = self._redis.hmget(self._key(job), "version", "run", "since", "fates")
        return Entry(int(version), run, float(since), fates_of(fates or "{}")) if version else Entry()

    def commit(self, claims: Sequence[Claim]) -> None:
        values = [text for claim in claims for text in (claim.run, str(claim.version), claim.job)]
        taken = self._scripts["COMMIT"]([self._key(claim.job) for claim in claims], [_now(), self._keep, *values])
        if taken:
            raise Taken(taken)

    def settle(self, claim: Claim, fates: Mapping[str, Fate], *, after: float | None, run: str | None = None) -> bool:
        heard = "" if after is None else repr(time.time() + after)
        values: list[str | int] = [_now(), self._keep, claim.run, str(claim.version), text_of(fates), run or "", heard, claim.job]
        return bool(self._scripts["SETTLE"]([self._key(claim.job), self._open], values))

    def add(self, job: str, payload: str) -> None:
        self._scripts["ADD"]([self._key(job), self._open], [_now(), payload, job])

    def overdue(self, age: float, most: int = 100) -> list[tuple[str, str]]:
        now = time.time()
        flat = self._scripts["OVERDUE"]([self._open], [repr(now), repr(now - age), most, f"{self._prefix}job:"])
        return list(zip(flat[::2], flat[1::2], strict=True))

    def forget(self, age: float) -> int:
        """Nothing to do: Redis drops what has expired."""
        return 0

    @property
    def _open(self) -> str:
        return f"{self._prefix}open"

    def _key(self, job: str) -> str:
        return f"{self._prefix}job:{job}"


def _now() -> str:
    return repr(time.time())


def text_of(fates: Mapping[str, Fate]) -> str:
    """Fates as JSON."""
    return json.dumps({address: [fate.outcome, fate.code, fate.text] for address, fate in fates.items()})


def fates_of(text: str) -> dict[str, Fate]:
    """Fates out of JSON."""
    return {address: Fate(*fate) for address, fate in json.loads(text).items()}
