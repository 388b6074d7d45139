"""The keyserver as a process, with a database in which alice has published a key, and sockets of its own."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kit.certificates import YEAR, Certificate, usual
from kit.databases import new_sqlite
from outrider.db.migrate import migrate
from outrider.directory import SqlDirectory
from outrider.people import People

ALICE = "alice@provider.example"
WATCHDOG_SECONDS = 15.0
GET = f"GET /pks/lookup?op=get&options=mr&search={ALICE} HTTP/1.1\r\nHost: k\r\n\r\n".encode()


class Daemon:
    """`python -m hkpd` over a folder with its database and sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "log"
        self.made: Certificate = usual(ALICE, int(time.time()) - 60, lasts=YEAR)
        listeners = [
            {"protocol": "http-hkp", "path": f"{folder}/hkp"},
            {"protocol": "http-front", "path": f"{folder}/front"},
            {"protocol": "hkpd-admin", "path": f"{folder}/commands"},
            {"protocol": "admin", "path": f"{folder}/health"},
        ]
        text = [
            "[outrider]",
            'domain = "provider.example"',
            'hostname = "mail.provider.example"',
            f'database = "sqlite:{folder}/outrider.db"',
            "[hkpd]",
            "connections = 300",
            "connections_per_network = 250",  # a Unix socket is one network
        ]
        for listener in listeners:
            text += ["[[hkpd.listeners]]", *(f"{key} = {json.dumps(value)}" for key, value in listener.items())]
        (folder / "outrider.toml").write_text("\n".join(text))

    def start(self) -> None:
        command = [sys.executable, "-m", "hkpd", "--config", str(self.folder / "outrider.toml")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        for name in ("hkp", "front", "commands"):
            self.connect(name).close()

    def connect(self, name: str) -> socket.socket:
        """A connection; waits for a daemon that is just starting."""
        end = time.monotonic() + WATCHDOG_SECONDS
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.settimeout(WATCHDOG_SECONDS)
            try:
                one.connect(str(self.folder / name))
                return one
            except (FileNotFoundError, ConnectionRefusedError, BlockingIOError):  # not there yet, or too many wait
                one.close()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.02)

    def ask(self, request: dict[str, str]) -> dict[str, object]:
        """One line to the socket of the command line."""
        with closing(self.connect("commands")) as one, one.makefile("rb") as answers:
            one.sendall(json.dumps(request).encode() + b"\n")
            return dict(json.loads(answers.readline()))

    def get(self, request: bytes = GET, name: str = "hkp") -> tuple[int, bytes]:
        """Status and body of one request."""
        with closing(self.connect(name)) as one:
            one.sendall(request)
            return answer_of(one)

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        self.process.send_signal(number)
        return self.process.wait(WATCHDOG_SECONDS)

    def health(self) -> tuple[int, str]:
        """/healthz."""
        status, body = self.get(b"GET /healthz HTTP/1.1\r\nHost: h\r\n\r\n", "health")
        return status, body.decode()

    def memory(self) -> int:
        """Resident bytes of the daemon."""
        pages = Path(f"/proc/{self.process.pid}/statm").read_text().split()[1]
        return int(pages) * 4096


def answer_of(one: socket.socket) -> tuple[int, bytes]:
    """The next answer on a connection."""
    data = b""
    while b"\r\n\r\n" not in data:
        piece = one.recv(65536)
        if not piece:
            raise ConnectionError
        data += piece
    head, _, body = data.partition(b"\r\n\r\n")
    length = next(int(line[15:]) for line in head.split(b"\r\n") if line.startswith(b"Content-Length:"))
    while len(body) < length:
        body += one.recv(65536)
    return int(head[9:12]), body


async def fill(path: Path) -> None:
    database = new_sqlite(path)
    await migrate(database)
    people = People(database, SqlDirectory(database, "b.provider.example"))
    await people.add_domain("provider.example", "own", int(time.time()))
    await people.add(ALICE, "{X}x", "en", 0, int(time.time()))
    await database.close()


@contextmanager
def running() -> Iterator[Daemon]:
    """A daemon with alice. The folder's name is short: a socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="hkpd-") as name:
        one = Daemon(Path(name))
        asyncio.run(fill(one.folder / "outrider.db"))
        try:
            one.start()
            yield one
        finally:
            one.process.kill()
            one.process.wait(WATCHDOG_SECONDS)
