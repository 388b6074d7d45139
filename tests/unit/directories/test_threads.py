"""Blocking clients in threads: kept connections, lost ones, and a client that hangs."""

import subprocess
import sys
import threading
from collections.abc import Iterator

import pytest

from outrider.db import DatabaseDown
from outrider.directories.threads import IDLE_SECONDS, QUICK_SECONDS, Workers


class Trouble(Exception):
    """What the client raises."""


class Gone(Trouble):
    """The connection is there no more."""


class Line:
    """A connection."""

    def __init__(self) -> None:
        self.closed = False


class Server:
    """Where the connections lead; `now` is the clock."""

    def __init__(self) -> None:
        self.lines: list[Line] = []
        self.now = 0.0
        self.gate = threading.Event()

    def connect(self) -> Line:
        self.lines.append(Line())
        return self.lines[-1]

    def workers(self, threads: int = 1, deadline: float = 10.0) -> "Workers[Line]":
        return Workers(
            "trial",
            threads,
            connect=self.connect,
            close=lambda line: setattr(line, "closed", True),
            failures=(Trouble,),
            gone=(Gone,),
            deadline=deadline,
            clock=lambda: self.now,
        )

    def hang(self, _: Line) -> None:
        self.gate.wait(10)


@pytest.fixture
def server() -> Iterator[Server]:
    one = Server()
    yield one
    one.gate.set()


def lost(line: Line) -> None:
    raise Gone


async def test_a_connection_is_kept(server: Server) -> None:
    workers = server.workers()
    first = await workers.do(lambda line: line)
    assert await workers.do(lambda line: line) is first
    server.now += IDLE_SECONDS
    assert await workers.do(lambda line: line) is not first
    assert first.closed
    await workers.close()
    assert all(line.closed for line in server.lines)


async def test_a_kept_one_that_is_gone_is_replaced_once(server: Server) -> None:
    workers = server.workers()
    first = await workers.do(lambda line: line)

    def work(line: Line) -> Line:
        if line is first:
            raise Gone
        return line

    assert await workers.do(work) is server.lines[1]
    assert first.closed
    with pytest.raises(DatabaseDown, match="trial: Gone"):
        await workers.do(lost)
    assert len(server.lines) == 3
    with pytest.raises(DatabaseDown, match="trial: Gone"):
        await workers.do(lost)  # a fresh one is not tried again
    assert len(server.lines) == 4


async def test_a_silent_server_is_not_asked_twice(server: Server) -> None:
    workers = server.workers()
    await workers.do(lambda line: line)

    def slow(_: Line) -> None:
        server.now += QUICK_SECONDS + 1
        raise Gone

    with pytest.raises(DatabaseDown):
        await workers.do(slow)
    assert len(server.lines) == 1


async def test_what_failed_is_not_used_again(server: Server) -> None:
    workers = server.workers()

    def fail(_: Line) -> None:
        raise ValueError("not the client's")

    with pytest.raises(ValueError, match="not the client's"):
        await workers.do(fail)
    assert server.lines[0].closed
    assert await workers.do(lambda line: line) is server.lines[1]


async def test_a_client_that_hangs(server: Server) -> None:
    workers = server.workers(deadline=0.05)
    for _ in range(2):  # the second does not even get a thread
        with pytest.raises(DatabaseDown, match="trial does not answer in time"):
            await workers.do(server.hang)
    assert len(server.lines) == 1
    server.gate.set()
    patient = server.workers()
    await patient.do(lambda line: line)
    await workers.close()


async def test_no_more_threads_than_connections(server: Server) -> None:
    workers = server.workers(threads=2)
    seen = set()

    def work(_: Line) -> None:
        seen.add(threading.get_ident())

    for _ in range(10):
        await workers.do(work)
    assert 1 <= len(seen) <= 2
    assert len(server.lines) <= 2


HANGING = """
import asyncio, threading
from outrider.db import DatabaseDown
from outrider.directories.threads import Workers
async def main():
    workers = Workers("trial", 1, connect=object, close=id, failures=(), gone=(), deadline=0.05)
    try:
        await workers.do(lambda _: threading.Event().wait())
    except DatabaseDown:
        print("later")
    await workers.close()
asyncio.run(main())
"""


def test_a_client_that_hangs_lets_the_process_end() -> None:
    done = subprocess.run([sys.executable, "-c", HANGING], capture_output=True, text=True, timeout=20, check=False)
    assert (done.returncode, done.stdout) == (0, "later\n"), done.stderr
