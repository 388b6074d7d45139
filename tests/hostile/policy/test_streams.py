"""Real sockets and bad manners: what any peer may do to the policy daemon without hurting the next one."""

import asyncio
import contextlib
import socket
import struct
from pathlib import Path

import pytest

from kit.policy_daemon import ALICE, WATCHDOG_SECONDS, Daemon
from policy.protocol.delegation import Answer, AnswerReader, encode_request
from policy.protocol.socketmap import Found, Lookup, NotFound, Reply, ReplyReader, encode_lookup

MEGABYTE = 1 << 20

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


def request(sender: str, login: str = ALICE) -> bytes:
    return encode_request(
        {
            "protocol_state": "RCPT",
            "protocol_name": "ESMTP",
            "sender": sender,
            "recipient": "carol@remote.example",
            "sasl_username": login,
            "instance": "1.2.3.0",
            "policy_context": "submission",
        }
    )


async def replied(reader: asyncio.StreamReader, number: int) -> list[Reply]:
    feed, found = ReplyReader(), []
    while len(found) < number:
        found += feed.feed(await asyncio.wait_for(reader.read(65536), WATCHDOG_SECONDS) or b"?")
    return [item for item in found if isinstance(item, Reply)]


async def answered(reader: asyncio.StreamReader, number: int) -> list[str]:
    feed, found = AnswerReader(), []
    while len(found) < number:
        data = await asyncio.wait_for(reader.read(65536), WATCHDOG_SECONDS)
        assert data, "closed instead of answered"
        found += feed.feed(data)
    return [item.action for item in found if isinstance(item, Answer)]


async def connect(daemon: Daemon, name: str) -> Streams:
    return await asyncio.open_unix_connection(str(daemon.folder / name))


async def look_up(daemon: Daemon, *keys: str) -> list[Reply]:
    """One connection, one after the other; the proof that the daemon still serves."""
    reader, writer = await connect(daemon, "socketmap")
    writer.write(b"".join(encode_lookup(Lookup("recipients", key)) for key in keys))
    replies = await replied(reader, len(keys))
    writer.close()
    return replies


async def test_every_split_of_a_request_gets_the_same_answer(shared: Daemon) -> None:
    data = request("bob@provider.example")
    reader, writer = await connect(shared, "policy")
    seen = set()
    for cut in range(1, len(data)):
        writer.write(data[:cut])
        await writer.drain()
        await asyncio.sleep(0)
        writer.write(data[cut:])
        seen.update(await answered(reader, 1))
    assert len(seen) == 1
    assert seen.pop().startswith("550 5.7.1 You are logged in as alice")
    writer.close()


async def test_byte_by_byte(shared: Daemon) -> None:
    reader, writer = await connect(shared, "socketmap")
    for byte in encode_lookup(Lookup("recipients", ALICE)):
        writer.write(bytes([byte]))
        await writer.drain()
        await asyncio.sleep(0)
    assert await replied(reader, 1) == [Found("1")]
    writer.close()


@pytest.mark.parametrize(
    ("name", "data"),
    [
        ("policy", b"request=smtpd_access_policy\nsender=" + b"a" * MEGABYTE),
        ("policy", b"a" * MEGABYTE),
        ("policy", b"\n"),
        ("policy", b"GET / HTTP/1.1\r\nHost: x\r\n\r\n\n\n"),
        ("policy", b"request=junk\n\n"),
        ("policy", b"request=smtpd_access_policy\nsender=a\0b\n\n"),
        ("socketmap", b"a" * MEGABYTE),
        ("socketmap", b"999999999:" + b"a" * MEGABYTE),
        ("socketmap", b"4096:" + b"a" * MEGABYTE),
        ("socketmap", b"GET / HTTP/1.1\r\n\r\n"),
        ("socketmap", b"\0" * 64),
        ("socketmap", b"5:abcde,"),
    ],
)
async def test_malformed_streams_are_closed_without_an_answer(shared: Daemon, name: str, data: bytes) -> None:
    reader, writer = await connect(shared, name)
    writer.write(data)
    with contextlib.suppress(ConnectionResetError):  # closed before it had read everything
        assert await asyncio.wait_for(reader.read(), WATCHDOG_SECONDS) == b""
    writer.close()
    assert await look_up(shared, ALICE) == [Found("1")]


@pytest.mark.parametrize("odd", ["\t", "\x01", "\x7f", "\udcff", "\r", "%s%n", "' OR 1=1 --", '"', "ünï", "\u202e"])
async def test_odd_bytes_in_addresses_are_an_unknown_address(shared: Daemon, odd: str) -> None:
    address = f"alice{odd}@provider.example"
    assert await look_up(shared, address, f'"{odd}"@provider.example', f"a@{odd}") == [NotFound()] * 3
    reader, writer = await connect(shared, "policy")
    writer.write(request(address) + request(ALICE, address))
    for action in await answered(reader, 2):
        assert action.startswith("550 5.7.1 ")
    writer.close()


async def test_pipelined_flood_is_answered_in_order(shared: Daemon) -> None:
    number = 3000
    reader, writer = await connect(shared, "socketmap")
    keys = [ALICE if count % 3 else "nobody@provider.example" for count in range(number)]
    writer.write(b"".join(encode_lookup(Lookup("recipients", key)) for key in keys))
    expected = [Found("1") if count % 3 else NotFound() for count in range(number)]
    assert await replied(reader, number) == expected
    writer.close()


async def test_peers_that_leave_at_every_moment(shared: Daemon) -> None:
    whole = {"policy": request("bob@provider.example"), "socketmap": encode_lookup(Lookup("recipients", ALICE))}
    for name, data in whole.items():
        for cut in range(0, len(data) + 1, 7):
            _, writer = await connect(shared, name)
            writer.write(data[:cut])
            writer.close()
        for _ in range(50):
            leave_rudely(shared.folder / name, data * 20)
    assert await look_up(shared, ALICE, "nobody@provider.example") == [Found("1"), NotFound()]


def leave_rudely(path: Path, data: bytes) -> None:
    """Ask a lot, read nothing, and reset the connection."""
    with socket.socket(socket.AF_UNIX) as one:
        one.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        one.connect(str(path))
        one.setblocking(False)
        try:
            one.sendall(data)
        except BlockingIOError:
            return
