"""The daemon as a process: it runs and answers "later" whatever is missing, and needs no restart afterwards."""

import asyncio
import base64
import json
import os
import re
import signal
import socket
import sqlite3
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, closing
from importlib.metadata import entry_points
from pathlib import Path

import pyotp
import pytest

from authd.protocol.client_peer import AuthClientPeer, Failure, Success
from outrider.sealed import new_key_line

INSTALLED = bool(entry_points(group="outrider.settings"))
pytestmark = pytest.mark.skipif(not INSTALLED and not os.environ.get("CI"), reason="outrider is not installed")

WATCHDOG = 40.0  # seconds
BOB, PASSWORD = "bob@provider.example", "correct horse battery staple"


class Host:
    """A configuration in a folder, with the commands that an operator has."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.database, self.key = folder, folder / "outrider.db", folder / "auth.key"
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        self.config = folder / "outrider.toml"
        self.config.write_text(
            f"""
[outrider]
domain = "provider.example"
hostname = "mail.provider.example"
database = "sqlite:{self.database}"

[authd]
mail_uid = "vmail"

[[authd.listeners]]
protocol = "auth-client"
path = "{folder}/login"
services = ["imap", "smtp"]
peer = "dovecot"
trust_rip = true

[[authd.listeners]]
protocol = "auth-admin"
path = "{folder}/admin"

[[authd.listeners]]
protocol = "admin"
address = "127.0.0.1:{self.port}"
"""
        )

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "CREDENTIALS_DIRECTORY": str(self.folder), "OUTRIDER_CONFIG": str(self.config)}

    def command(self, *words: str, stdin: str = "") -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "outrider", *words],
            env=self.environment,
            input=stdin,
            capture_output=True,
            text=True,
            check=False,
        )

    def done(self, *words: str, stdin: str = "") -> dict[str, object]:
        """The JSON of a command that must succeed."""
        result = self.command(*words, "--json", stdin=stdin)
        assert result.returncode == 0, result.stderr
        answer = json.loads(result.stdout)
        assert isinstance(answer, dict)
        return answer

    def with_database(self) -> None:
        assert self.command("db", "migrate").returncode == 0
        assert self.command("domain", "add", "provider.example").returncode == 0
        assert self.command("user", "add", BOB, stdin=PASSWORD + "\n").returncode == 0

    def with_key(self, mode: int = 0o400) -> None:
        self.key.write_text(new_key_line())
        self.key.chmod(mode)

    async def health(self) -> str:
        reader, writer = await asyncio.open_connection("127.0.0.1", self.port)
        writer.write(b"GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n")
        text = (await reader.read()).decode()
        writer.close()
        return text

    async def listens(self) -> bool:
        """All listeners are there once the last one is."""
        try:
            await self.health()
        except OSError:
            return False
        return True

    async def until_healthy(self) -> None:
        async with asyncio.timeout(WATCHDOG):
            while " 200 " not in await self.health():  # noqa: ASYNC110 - the other side is a process
                await asyncio.sleep(0.05)


@pytest.fixture
def host(tmp_path: Path) -> Host:
    return Host(tmp_path)


@asynccontextmanager
async def running(host: Host) -> AsyncIterator[asyncio.subprocess.Process]:
    with (host.folder / "log").open("ab") as log:
        process = await asyncio.create_subprocess_exec(sys.executable, "-m", "authd", env=host.environment, stderr=log)
    try:
        async with asyncio.timeout(WATCHDOG):
            while process.returncode is None and not await host.listens():  # noqa: ASYNC110 - as above
                await asyncio.sleep(0.02)
        yield process
    finally:
        if process.returncode is None:
            process.kill()
        await process.wait()


async def login(host: Host, user: str, field: str, service: str = "imap") -> object:
    """The answer to one login over a connection of its own."""
    peer = AuthClientPeer(pid=1)
    reader, writer = await asyncio.open_unix_connection(host.folder / "login")
    peer.plain(1, service, user, field, "nologin")
    writer.write(peer.output())
    events: list[object] = []
    async with asyncio.timeout(WATCHDOG):
        while len(events) < 2 and (data := await reader.read(65536)):
            events += peer.feed(data)
    writer.close()
    return events[-1]


LATER, NO = Failure(1, "temp_fail", {}), Failure(1, "", {})


async def test_nothing_is_there_then_everything_comes_without_a_restart(host: Host) -> None:
    async with running(host):
        assert await login(host, BOB, PASSWORD) == LATER
        health = await host.health()
        assert " 503 " in health
        assert "key: " in health
        assert "database: " in health
        host.with_database()
        host.with_key()
        await host.until_healthy()
        assert await login(host, BOB, PASSWORD) == Success(1, BOB, {})
        assert await login(host, BOB, "wrong") == NO
    log = (host.folder / "log").read_text()
    assert log.count("trouble=key") == 1
    assert PASSWORD not in log


async def test_a_world_readable_key(host: Host) -> None:
    host.with_database()
    host.with_key(0o644)
    async with running(host):
        assert await login(host, BOB, PASSWORD) == LATER
        assert await login(host, "nobody@provider.example", PASSWORD) == LATER
        assert "can be read by group or others" in await host.health()
        host.key.chmod(0o400)
        await host.until_healthy()
        assert await login(host, BOB, PASSWORD) == Success(1, BOB, {})
    assert (host.folder / "log").read_text().count("can be read by group or others") == 1


async def test_a_newer_schema(host: Host) -> None:
    host.with_database()
    host.with_key()
    with closing(sqlite3.connect(host.database)) as connection, connection:
        connection.execute("UPDATE schema SET version = 99, readable_from = 99")
    async with running(host):
        assert await login(host, BOB, PASSWORD) == LATER
        assert " 503 " in await host.health()


async def test_a_locked_database_delays_the_second_factor_and_recovers(host: Host) -> None:
    host.with_database()
    host.with_key()
    async with running(host):
        await host.until_healthy()
        code = await enrolled(host, level=4)
        lock = sqlite3.connect(host.database, isolation_level=None)
        lock.execute("BEGIN IMMEDIATE")
        assert await login(host, BOB, PASSWORD + code(1)) == LATER
        assert await login(host, BOB, "wrong" + code(1)) == NO
        lock.execute("ROLLBACK")
        lock.close()
        answers = [await login(host, BOB, PASSWORD + code(1)) for _ in range(2)]
    # The write that timed out may have happened: the code is good at most once.
    assert answers in ([Success(1, BOB, {}), NO], [NO, NO])


async def enrolled(host: Host, level: int) -> Callable[[int], str]:
    """A token for bob by the command line; gives his codes, counted in steps from the one that confirmed it."""
    added = host.done("token", "add", BOB, "totp", "--label", "phone")
    app, now = pyotp.TOTP(str(added["secret"])), int(time.time())
    done = host.done("token", "confirm", BOB, str(added["token"]), stdin=app.at(now) + "\n")
    assert done | {"recovery_codes": None} == {
        "token": added["token"],
        "state": "active",
        "level": 3,
        "recovery_codes": None,
    }
    assert host.done("user", "level", BOB, str(level)) == {"account": BOB, "level": level, "effective": level}
    return lambda steps: app.at(now + 30 * steps)


async def test_the_command_line_from_enrolment_to_revocation(host: Host) -> None:
    host.with_database()
    host.with_key()
    async with running(host):
        await host.until_healthy()
        code = await enrolled(host, level=4)
        assert await login(host, BOB, PASSWORD) == NO
        field = PASSWORD + code(1)
        answers = await asyncio.gather(*(login(host, BOB, field) for _ in range(8)))
        assert sorted(map(repr, answers)) == sorted(map(repr, [Success(1, BOB, {}), *[NO] * 7]))
        added = host.done("app-password", "add", BOB, "--scope", "imap,smtp", "--label", "mutt", "--expires", "30")
        assert added["scopes"] == ["imap", "smtp"]
        assert await login(host, BOB, str(added["secret"])) == Success(1, BOB, {})
        assert await login(host, BOB, str(added["secret"]), "submission") == Success(1, BOB, {})
        assert re.search(r"valid  imap,smtp  used \S+  mutt", host.command("app-password", "list", BOB).stdout)
        host.done("app-password", "revoke", BOB, str(added["app_password"]))
        assert await login(host, BOB, str(added["secret"])) == NO
        assert "1  totp  active  phone" in host.command("token", "list", BOB).stdout
        host.done("token", "disable", BOB, "1")
        assert await login(host, BOB, PASSWORD) == Success(1, BOB, {})
        shown = host.command("token", "add", BOB, "totp")
        assert "otpauth://totp/provider.example:bob%40provider.example?secret=" in shown.stdout
        assert "█" in shown.stdout or "▀" in shown.stdout
        assert host.command("token", "confirm", BOB, "2", stdin="000000\n").returncode == 1
        assert host.command("token", "add", "nobody@provider.example", "totp").returncode == 1
        assert host.command("app-password", "add", BOB, "--scope", "web").returncode == 1
        assert host.command("user", "level", BOB, "7").returncode == 2
    (host.folder / "admin").unlink(missing_ok=True)
    assert host.command("token", "list", BOB).returncode == 75
    log = (host.folder / "log").read_text()
    for word in (PASSWORD, str(added["secret"]), field, "bob@"):
        assert word not in log


async def test_the_end_answers_who_waits_and_a_stale_socket_is_replaced(host: Host) -> None:
    host.with_database()
    host.with_key()
    for _ in range(2):
        async with running(host) as process:
            await host.until_healthy()
            reader, writer = await asyncio.open_unix_connection(host.folder / "login")
            said = base64.b64encode(f"\0{BOB}\0{PASSWORD}".encode()).decode()
            writer.write(
                b"VERSION\t1\t2\nCPID\t1\n" + f"AUTH\t1\tLOGIN\tservice=imap\nAUTH\t2\tPLAIN\tresp={said}\n".encode()
            )
            async with asyncio.timeout(WATCHDOG):
                await reader.readuntil(b"FAIL\t2\n")  # no service
                process.send_signal(signal.SIGTERM)
                assert await reader.read() == b"FAIL\t1\tcode=temp_fail\n"
                assert await process.wait() == 0
            writer.close()
        assert (host.folder / "login").exists()


async def test_a_configuration_that_does_not_parse_ends_with_2(host: Host) -> None:
    host.config.write_text(host.config.read_text().replace('mail_uid = "vmail"', "mail_uid = 5"))
    async with running(host) as process:
        assert await process.wait() == 2
    assert "[authd] mail_uid: expected a text" in (host.folder / "log").read_text()
