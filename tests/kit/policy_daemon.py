"""The policy daemon as a process, with a database of one account and sockets of its own."""

import asyncio
import json
import signal
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path

from kit.databases import new_sqlite
from outrider.db.migrate import migrate
from outrider.directory import SqlDirectory
from outrider.people import People
from policy.protocol.delegation import Answer, AnswerReader, encode_request
from policy.protocol.socketmap import Lookup, Reply, ReplyReader, encode_lookup

NOW = 1_800_000_000
ALICE = "alice@provider.example"
WATCHDOG_SECONDS = 15.0  # five times what an answer may take
QUESTION = {
    "protocol_state": "RCPT",
    "sender": ALICE,
    "recipient": "carol@remote.example",
    "sasl_username": ALICE,
    "policy_context": "submission",
}


class Daemon:
    """`python -m policy` over a folder with its database and sockets."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.database = folder / "outrider.db"
        self.log = folder / "log"
        self.port = free_port()
        self.process: subprocess.Popen[bytes] | None = None
        (folder / "outrider.toml").write_text(configuration(folder, self.port))

    def start(self) -> None:
        command = [sys.executable, "-m", "policy", "--config", str(self.folder / "outrider.toml")]
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(command, stderr=log)
        for name in ("socketmap", "policy"):
            self.connect(name).close()

    def stop(self, number: signal.Signals = signal.SIGTERM) -> int:
        assert self.process is not None
        self.process.send_signal(number)
        return self.process.wait(WATCHDOG_SECONDS)

    def connect(self, name: str) -> socket.socket:
        """A connection; waits for a daemon that is just starting."""
        end = time.monotonic() + WATCHDOG_SECONDS
        while True:
            one = socket.socket(socket.AF_UNIX)
            one.settimeout(WATCHDOG_SECONDS)
            try:
                one.connect(str(self.folder / name))
                return one
            except (FileNotFoundError, ConnectionRefusedError):
                one.close()
                assert time.monotonic() < end, self.log.read_text()
                time.sleep(0.02)

    def reply(self, key: str = ALICE) -> Reply:
        with closing(self.connect("socketmap")) as one:
            one.sendall(encode_lookup(Lookup("recipients", key)))
            return reply_of(one)

    def action(self) -> str:
        with closing(self.connect("policy")) as one:
            one.sendall(encode_request(QUESTION))
            reader = AnswerReader()
            while not (found := reader.feed(one.recv(65536))):
                pass
            assert isinstance(found[0], Answer)
            return found[0].action

    def health(self) -> tuple[int, str]:
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/healthz", timeout=5) as answer:
                return answer.status, answer.read().decode()
        except urllib.error.HTTPError as error:
            with error:
                return error.code, error.read().decode()


def reply_of(one: socket.socket) -> Reply:
    reader = ReplyReader()
    while not (found := reader.feed(one.recv(65536))):
        pass
    assert isinstance(found[0], Reply)
    return found[0]


def free_port() -> int:
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return int(one.getsockname()[1])


def configuration(folder: Path, port: int) -> str:
    listeners = [
        {"protocol": "delegation", "path": f"{folder}/policy"},
        {"protocol": "socketmap", "path": f"{folder}/socketmap"},
        {"protocol": "admin", "address": f"127.0.0.1:{port}"},
    ]
    text = [
        "[outrider]",
        'domain = "provider.example"',
        'hostname = "mail.provider.example"',
        f'database = "sqlite:{folder}/outrider.db"',
    ]
    for listener in listeners:
        text += ["[[policy.listeners]]", *(f"{key} = {json.dumps(value)}" for key, value in listener.items())]
    return "\n".join(text)


async def fill(path: Path) -> None:
    database = new_sqlite(path)
    await migrate(database)
    people = People(database, SqlDirectory(database, "b.provider.example"))
    await people.add_domain("provider.example", "own", NOW)
    await people.add(ALICE, "{X}x", "en", 0, NOW)
    await database.close()


@contextmanager
def running() -> Iterator[Daemon]:
    """A daemon over a database with one account. The folder's name is short: a socket's path has 107 bytes."""
    with tempfile.TemporaryDirectory(prefix="policy-") as name:
        one = Daemon(Path(name))
        asyncio.run(fill(one.database))
        one.start()
        yield one
        assert one.process is not None
        one.process.kill()
        one.process.wait(WATCHDOG_SECONDS)
