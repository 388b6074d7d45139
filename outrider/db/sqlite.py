"""SQLite: reads inline on the event loop, all writes through one thread with group commit.

A point read takes about 15 µs, less than handing it to a thread would. A write waits for the disk and perhaps for
another process's write, so one writer thread takes whatever has queued up (at most COMMIT_BATCH), runs each job in its
own savepoint and commits once. The read connection is `query_only`: a write through a read verb fails at once.
"""

import asyncio
import os
import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, TypeVar

from outrider.db.names import worded
from outrider.db.verbs import DEADLINE_SECONDS, DatabaseDown, Row, Statement, Taken, maker

BUSY_MS = 1000  # another process's write may hold the lock that long; then "later", well before Dovecot's patience ends
COMMIT_BATCH = 64  # writes that share one fdatasync; more would delay the first of them noticeably
SEEN_SECONDS = 0.001  # the question costs 10 µs; sooner than that no other program can say that it has committed
PAGE_BYTES = 8192  # a certificate of a few kB fits into one page

Result = TypeVar("Result")


@dataclass
class Job:
    """One write: what to do on the writer's connection, and who waits for it."""

    work: Callable[[sqlite3.Connection], Any]
    loop: asyncio.AbstractEventLoop
    answer: "asyncio.Future[Any]"
    result: Any = None
    error: Exception | None = None

    def finish(self) -> None:
        """Hand over the outcome; the caller may have given up or its loop may be gone."""
        try:
            self.loop.call_soon_threadsafe(self._settle)
        except RuntimeError:
            return

    def _settle(self) -> None:
        if self.answer.done():
            return
        if self.error is not None:
            self.answer.set_exception(self.error)
        else:
            self.answer.set_result(self.result)


class SqliteDatabase:
    """The verbs on one SQLite file, which must exist (the playbook or `outrider db migrate` makes it)."""

    dialect = "sqlite"

    def __init__(self, path: str) -> None:
        self.path = path
        self._reader: sqlite3.Connection | None = None
        self._inode: tuple[int, int] | None = None
        self._jobs: queue.SimpleQueue[Job | None] = queue.SimpleQueue()
        self._writer: threading.Thread | None = None
        self._opened = 0
        self._seen: tuple[float, int] = (0.0, 0)

    def create(self) -> None:
        """Make the file if it is missing: WAL (readers never wait for the writer), for the group of the daemons."""
        if Path(self.path).exists():
            return
        connection = sqlite3.connect(self.path)
        connection.execute(f"PRAGMA page_size = {PAGE_BYTES}")
        connection.execute("PRAGMA journal_mode = WAL")
        connection.close()
        Path(self.path).chmod(0o660)

    async def one(self, row: type[Row], sql: str, /, **values: Any) -> Row | None:
        found = self._read(sql, values)
        return maker(row)(found[0]) if found else None

    async def all(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]:
        make = maker(row)
        return [make(columns) for columns in self._read(sql, values)]

    async def run(self, sql: str, /, **values: Any) -> int:
        return await self._write(lambda connection: connection.execute(worded(sql, "sqlite"), values).rowcount)

    async def take(self, row: type[Row], sql: str, /, **values: Any) -> list[Row]:
        make = maker(row)
        rows = await self._write(lambda connection: connection.execute(worded(sql, "sqlite"), values).fetchall())
        return [make(columns) for columns in rows]

    async def transaction(self, statements: Sequence[Statement]) -> list[int]:
        def work(connection: sqlite3.Connection) -> list[int]:
            return [connection.execute(worded(sql, "sqlite"), values).rowcount for sql, values in statements]

        return await self._write(work)

    def version(self) -> tuple[int, int]:
        """What this process has written is seen at once, what others have within SEEN_SECONDS."""
        now = time.monotonic()
        if now >= self._seen[0] or self._reader is None:
            try:
                # SQLite, PRAGMA data_version: another number after every commit by any other connection
                (number,) = self._reading().execute("PRAGMA data_version").fetchone()
            except sqlite3.Error as error:
                raise translated(error) from None
            self._seen = now + SEEN_SECONDS, number
        return self._opened, self._seen[1]

    async def close(self) -> None:
        if self._writer is not None:
            self._jobs.put(None)
            await asyncio.to_thread(self._writer.join)
            self._writer = None
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def _read(self, sql: str, values: dict[str, Any]) -> list[Any]:
        try:
            return self._reading().execute(worded(sql, "sqlite"), values).fetchall()
        except sqlite3.Error as error:
            raise translated(error) from None
        except (OverflowError, UnicodeEncodeError):
            raise DatabaseDown("a value does not fit into a column") from None

    def _reading(self) -> sqlite3.Connection:
        """The read connection; a file that was replaced or deleted is noticed by its inode.

        Reads and writes to an unlinked file go on "successfully" into nothing otherwise.
        """
        inode = identity(self.path)
        if self._reader is None or inode != self._inode:
            if self._reader is not None:
                self._reader.close()
            self._reader = connected(self.path)
            self._reader.execute("PRAGMA query_only = ON")
            self._inode = inode
            self._opened += 1
        return self._reader

    async def _write(self, work: Callable[[sqlite3.Connection], Result]) -> Result:
        if self._writer is None or not self._writer.is_alive():
            self._writer = threading.Thread(target=write_forever, args=(self.path, self._jobs), daemon=True)
            self._writer.start()
        loop = asyncio.get_running_loop()
        job = Job(work, loop, loop.create_future())
        self._jobs.put(job)
        try:
            async with asyncio.timeout(DEADLINE_SECONDS):
                return await job.answer  # type: ignore[no-any-return]
        except TimeoutError:
            raise DatabaseDown("the write did not finish in time") from None
        finally:
            self._seen = 0.0, self._seen[1]  # asked anew, before anybody can hear of it


def write_forever(path: str, jobs: "queue.SimpleQueue[Job | None]") -> None:
    """The writer thread: survives every exception of a job, reconnects when the file is gone or replaced."""
    connection: sqlite3.Connection | None = None
    inode: tuple[int, int] | None = None
    while (first := jobs.get()) is not None:
        batch = [first, *waiting(jobs)]
        last = batch[-1] is None
        work = [job for job in batch if job is not None]
        try:
            now = identity(path)
            if connection is None or now != inode:
                if connection is not None:
                    connection.close()
                connection, inode = connected(path), now
            commit_together(connection, work)
        except (sqlite3.Error, DatabaseDown) as error:
            fail_all(work, error)
            if connection is not None and connection.in_transaction:
                connection.rollback()
        for job in work:
            job.finish()
        if last:
            break
    if connection is not None:
        connection.close()


def waiting(jobs: "queue.SimpleQueue[Job | None]") -> list[Job | None]:
    """What has queued up meanwhile, up to a batch; an end mark closes it."""
    more: list[Job | None] = []
    while len(more) < COMMIT_BATCH - 1:
        try:
            more.append(jobs.get_nowait())
        except queue.Empty:
            break
        if more[-1] is None:
            break
    return more


def commit_together(connection: sqlite3.Connection, work: list[Job]) -> None:
    """Run each job in a savepoint of its own, commit them once."""
    connection.execute("BEGIN IMMEDIATE")
    for job in work:
        connection.execute("SAVEPOINT job")
        try:
            job.result = job.work(connection)
        except Exception as error:
            connection.execute("ROLLBACK TO job")
            job.error = translated(error)
        connection.execute("RELEASE job")
    connection.execute("COMMIT")


def fail_all(work: list[Job], error: Exception) -> None:
    for job in work:
        job.error = translated(error)


def identity(path: str) -> tuple[int, int]:
    """Device and inode of the file."""
    try:
        status = os.stat(path)  # at every read: pathlib would cost as much as the look-up
    except OSError as error:
        raise DatabaseDown(f"{path}: {error.strerror}") from None
    return status.st_dev, status.st_ino


def connected(path: str) -> sqlite3.Connection:
    """A connection that never creates the file (SQLite, URI filenames: mode=rw)."""
    try:
        connection = sqlite3.connect(
            f"file:{path}?mode=rw",
            uri=True,
            timeout=BUSY_MS / 1000,
            isolation_level=None,
            check_same_thread=False,
        )
        connection.execute("PRAGMA foreign_keys = ON")
        connection.execute("PRAGMA synchronous = FULL")  # a spent code stays spent after a power loss
    except sqlite3.Error as error:
        raise translated(error) from None
    return connection


def translated(error: Exception) -> Exception:
    """SQLite's errors as ours; values never get into the text."""
    if isinstance(error, sqlite3.IntegrityError) and "UNIQUE" in str(error):
        return Taken(str(error))
    if isinstance(error, DatabaseDown):
        return error
    if isinstance(error, sqlite3.Error):
        return DatabaseDown(f"SQLite: {error}")
    return DatabaseDown(f"a value does not fit into a column ({type(error).__name__})")
