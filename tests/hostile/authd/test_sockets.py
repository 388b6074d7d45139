"""authd's sockets under idle crowds, garbage, oversized lines, and an end in the middle of everything."""

import asyncio
import json
import logging
import os
import random
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Generic, TypeVar

import pytest

from authd.protocol.client_peer import AuthClientPeer, Failure, Ready, Success
from authd.protocol.fields import LINE_LIMIT
from authd.protocol.master_peer import AuthMasterPeer, Failed, Found, NotFound
from kit.authd_house import ALICE, BOB, PASSWORD, House
from outrider.listeners import Listener

SERVICES = ("imap", "pop3", "sieve", "smtp")
WATCHDOG = 40.0  # seconds; five times the promise of an answer


def listener(tmp_path: Path, protocol: str = "auth-client", peer: str = "dovecot", **more: object) -> Listener:
    return Listener(
        protocol=protocol,
        path=str(tmp_path / "socket"),
        peer=peer,
        services=SERVICES,
        trust_rip=True,
        **more,  # type: ignore[arg-type]
    )


Peer = TypeVar("Peer", AuthClientPeer, AuthMasterPeer)


class Client(Generic[Peer]):
    """A socket with a protocol class."""

    def __init__(self, peer: Peer, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.peer, self.reader, self.writer = peer, reader, writer
        self.events: list[object] = []

    def flush(self) -> None:
        self.writer.write(self.peer.output())

    async def event(self) -> object:
        """The next event; None when the server has closed."""
        self.flush()
        async with asyncio.timeout(WATCHDOG):
            while not self.events:
                data = await self.reader.read(65536)
                if not data:
                    return None
                self.events += self.peer.feed(data)
        return self.events.pop(0)

    async def rest(self) -> bytes:
        """Everything until the server closes."""
        async with asyncio.timeout(WATCHDOG):
            return await self.reader.read()


@asynccontextmanager
async def connected(path: Path, peer: Peer) -> AsyncIterator[Client[Peer]]:
    reader, writer = await asyncio.open_unix_connection(path)
    client = Client(peer, reader, writer)
    if isinstance(peer, AuthClientPeer):
        assert isinstance(await client.event(), Ready)
    try:
        yield client
    finally:
        writer.close()


async def test_two_hundred_idle_connections_disturb_nobody(house: House, tmp_path: Path) -> None:
    async with house.serving(listener(tmp_path)) as path, AsyncExitStack() as crowd:
        for number in range(200):
            await crowd.enter_async_context(connected(path, AuthClientPeer(pid=number)))
        async with connected(path, AuthClientPeer(pid=1000)) as client:
            client.peer.plain(1, "imap", BOB, PASSWORD, "nologin")
            assert await client.event() == Success(1, BOB, {})
        assert len(house.open) == 201


async def test_one_code_over_eight_sockets_is_one_success(house: House, tmp_path: Path) -> None:
    field = PASSWORD + house.code()
    async with house.serving(listener(tmp_path)) as path, AsyncExitStack() as stack:
        clients = [await stack.enter_async_context(connected(path, AuthClientPeer(pid=n))) for n in range(8)]
        for client in clients:
            client.peer.plain(1, "imap", ALICE, field)
        events = await asyncio.gather(*(client.event() for client in clients))
    assert sorted(type(event).__name__ for event in events) == ["Failure"] * 7 + ["Success"]
    assert all(event == Failure(1, "", {}) for event in events if isinstance(event, Failure))


@pytest.mark.parametrize("protocol", ["auth-client", "auth-master", "auth-admin"])
async def test_garbage_ends_at_most_its_own_connection(house: House, tmp_path: Path, protocol: str) -> None:
    chance = random.Random(7)  # noqa: S311 - the same garbage each time
    async with house.serving(listener(tmp_path, protocol)) as path:
        for _ in range(100):
            _, writer = await asyncio.open_unix_connection(path)
            writer.write(chance.randbytes(chance.randrange(3000)) + b"\n" * chance.randrange(3))
            writer.write(chance.choice([b"VERSION\t1\t1\nCPID\t1\n", b"{}\n", b""]) + chance.randbytes(100))
            writer.close()
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(
            b"VERSION\t1\t1\nCPID\t9\nUSER\t1\tx\nAUTH\t1\tPLAIN\n" if protocol != "auth-admin" else b'{"do": "ping"}\n'
        )
        async with asyncio.timeout(WATCHDOG):
            assert await reader.readline()
        writer.close()


@pytest.mark.parametrize("protocol", ["auth-client", "auth-master", "auth-admin"])
async def test_an_endless_line_is_cut_off(house: House, tmp_path: Path, protocol: str) -> None:
    async with house.serving(listener(tmp_path, protocol)) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        writer.write(b"x" * (5 * LINE_LIMIT))
        async with asyncio.timeout(WATCHDOG):
            await reader.read()
        writer.close()


@pytest.mark.parametrize("field", ["a" * 4000, "1" * 10_000, "x\0y", "\x01\t", "ä" * 1000])
async def test_strange_fields_fail_and_take_no_time(house: House, tmp_path: Path, field: str) -> None:
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "imap", ALICE, field)
        assert await client.event() == Failure(1, "", {})
        assert house.hash.count <= 1


async def test_requests_split_at_every_byte(house: House, tmp_path: Path) -> None:
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "imap", BOB, PASSWORD, rip="192.0.2.1")
        for byte in client.peer.output():
            client.writer.write(bytes([byte]))
            await client.writer.drain()
            await asyncio.sleep(0)
        assert await client.event() == Success(1, BOB, {})


async def test_a_flood_on_one_connection_is_bounded(house: House, tmp_path: Path) -> None:
    house.hash.gate.clear()
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        for number in range(1, 201):
            client.peer.plain(number, "imap", BOB, PASSWORD)
        events = [await client.event() for _ in range(136)]
        assert all(isinstance(event, Failure) and event.code == "temp_fail" for event in events)
        house.hash.gate.set()
        events = [await client.event() for _ in range(64)]
        assert all(isinstance(event, Success) for event in events)


@pytest.mark.parametrize(
    ("service", "right"), [("imap", True), ("web", False), ("radicale", False), ("lmtp", False), ("", False)]
)
async def test_only_the_services_of_the_listener(house: House, tmp_path: Path, service: str, right: bool) -> None:
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, service, BOB, PASSWORD)
        assert await client.event() == (Success(1, BOB, {}) if right else Failure(1, "", {}))


# Temporary trouble --------------------------------------------------------------------------------


async def no_key(house: House) -> None:
    house.key.unlink()
    house.keys._ring = None


async def test_dovecot_is_told_later_by_code_and_postfix_by_a_closed_connection(house: House, tmp_path: Path) -> None:
    await no_key(house)
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "imap", BOB, PASSWORD)
        assert await client.event() == Failure(1, "temp_fail", {})
        client.peer.plain(2, "imap", BOB, PASSWORD)
        assert await client.event() == Failure(2, "temp_fail", {})
    (tmp_path / "socket").unlink(missing_ok=True)
    house.open.stopping = False
    async with (
        house.serving(listener(tmp_path, peer="postfix")) as path,
        connected(path, AuthClientPeer(pid=1)) as client,
    ):
        client.peer.plain(1, "smtp", BOB, PASSWORD)
        assert await client.event() is None


@pytest.mark.parametrize(
    ("peer", "answer"), [("dovecot", b"FAIL\t1\tcode=temp_fail\nFAIL\t2\tcode=temp_fail\n"), ("postfix", b"")]
)
async def test_a_stopping_daemon_answers_everybody_first(
    house: House, tmp_path: Path, peer: str, answer: bytes
) -> None:
    house.hash.gate.clear()
    async with house.serving(listener(tmp_path, peer=peer)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "smtp", BOB, PASSWORD)
        client.peer.plain(2, "smtp", ALICE, PASSWORD + house.code())
        client.flush()
        await house.hash.begun(2)
        await house.open.retire()
        assert await client.rest() == answer
        house.hash.gate.set()
    assert len(house.open) == 0


async def test_a_login_cut_off_by_the_end_has_used_up_no_code(house: House, tmp_path: Path) -> None:
    house.hash.gate.clear()
    field = PASSWORD + house.code()
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "imap", ALICE, field)
        client.flush()
        await house.hash.begun(1)
        client.writer.close()
        while len(house.open):  # noqa: ASYNC110 - the server hears of the close in its own time
            await asyncio.sleep(0)
        house.hash.gate.set()
    (tmp_path / "socket").unlink(missing_ok=True)
    house.open.stopping = False
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=2)) as client:
        client.peer.plain(1, "imap", ALICE, field)
        assert await client.event() == Success(1, ALICE, {})


# Direct mode: REQUEST -----------------------------------------------------------------------------


async def test_the_mail_process_takes_over_a_login_once_and_with_its_cookie(house: House, tmp_path: Path) -> None:
    login, master = tmp_path / "login", tmp_path / "master"
    login.mkdir()
    master.mkdir()
    async with (
        house.serving(listener(login)) as login_path,
        house.serving(listener(master, "auth-master")) as master_path,
        connected(login_path, AuthClientPeer(pid=77)) as client,
        connected(master_path, AuthMasterPeer()) as mail,
    ):
        peer, other = client.peer, mail.peer
        peer.plain(1, "imap", BOB, PASSWORD)
        peer.plain(2, "imap", BOB, PASSWORD, "nologin")
        for _ in range(2):
            assert isinstance(await client.event(), Success)
        assert peer.ready is not None
        cookie = peer.ready.cookie
        assert peer.ready.spid == os.getpid()
        for number, (auth_id, word) in enumerate([(1, "x" * 32), (2, cookie), (3, cookie)], 1):
            other.take_over(number, 77, auth_id, word)
            assert await mail.event() == Failed(number)
        other.take_over(9, 77, 1, cookie)
        found = await mail.event()
        assert isinstance(found, Found)
        assert found.user == BOB
        other.take_over(10, 77, 1, cookie)
        assert await mail.event() == Failed(10)


async def test_userdb_over_the_socket(house: House, tmp_path: Path) -> None:
    async with house.serving(listener(tmp_path, "auth-master")) as path, connected(path, AuthMasterPeer()) as client:
        peer = client.peer
        peer.find(1, "alice+tag@provider.example", "lmtp")
        found = await client.event()
        assert isinstance(found, Found)
        assert (found.user, found.fields["home"]) == (ALICE, "/var/vmail/provider.example/alice")
        peer.find(2, "nobody@provider.example", "lmtp")
        assert await client.event() == NotFound(2)


# The admin socket, and the log --------------------------------------------------------------------


async def test_admin_questions_are_answered_in_their_order(house: House, tmp_path: Path) -> None:
    async with house.serving(listener(tmp_path, "auth-admin")) as path:
        reader, writer = await asyncio.open_unix_connection(path)
        names = ["app-password add", "ping", "token list", "nonsense", "level get"]
        for name in names:
            writer.write(json.dumps({"do": name, "account": BOB, "scopes": ["imap"]}).encode() + b"\n")
        async with asyncio.timeout(WATCHDOG):
            answers = [json.loads(await reader.readline()) for _ in names]
        writer.close()
    assert [next(iter(answer)) for answer in answers] == ["app_password", "pong", "tokens", "error", "account"]


async def test_the_log_has_a_line_for_each_login_and_nothing_secret(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    secret = await house.app_password(ALICE, "imap")
    fields = [PASSWORD, "wrong-word", PASSWORD + house.code(), secret, "wrong-word" + house.code(1)]
    async with house.serving(listener(tmp_path)) as path, connected(path, AuthClientPeer(pid=1)) as client:
        for number, field in enumerate(fields, 1):
            client.peer.plain(number, "imap", ALICE, field, rip="192.0.2.1")
            await client.event()
        client.peer.plain(9, "imap", "nobody@provider.example", "wrong-word", rip="evil x=y")
        await client.event()
    lines = [record.getMessage() for record in caplog.records if record.getMessage().startswith("login=")]
    account = (await house.enrolment.person({"account": ALICE})).account
    assert lines[0] == f"login=no service=imap rip=192.0.2.1 account={account} class=A why=nothing-right"
    assert lines[2] == f"login=yes service=imap rip=192.0.2.1 account={account} by='token 1'"
    assert lines[5] == "login=no service=imap rip=- account=- class=A why=no-such-account"
    assert len(lines) == 6
    for word in (PASSWORD, "wrong-word", house.code(), house.code(1), secret, "alice", "nobody"):
        assert word not in caplog.text


async def test_rip_is_not_believed_where_it_is_not_trusted(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    doubted = Listener(protocol="auth-client", path=str(tmp_path / "socket"), services=SERVICES)
    async with house.serving(doubted) as path, connected(path, AuthClientPeer(pid=1)) as client:
        client.peer.plain(1, "imap", BOB, "wrong", rip="192.0.2.1")
        await client.event()
    assert "rip=- " in caplog.text
