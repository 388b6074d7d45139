"""A conversation without a socket: order, deadline, pipelines, peers that leave, draining."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from outrider.house import House
from policy import server
from policy.protocol.socketmap import Lookup, LookupReader, encode_lookup
from policy.server import Conversation


class Wire(asyncio.Transport):
    """What the peer would see."""

    def __init__(self) -> None:
        super().__init__()
        self.sent: list[bytes] = []
        self.closed = self.aborted = False
        self.reading = True
        self.protocol: Conversation[Lookup] | None = None
        self.wrote = asyncio.Event()

    def write(self, data: bytes | bytearray | memoryview) -> None:
        self.sent.append(bytes(data))
        self.wrote.set()

    async def answered(self, number: int) -> None:
        """Wait until so many answers were written; the time limit is a watchdog."""
        async with asyncio.timeout(5):
            while len(self.sent) < number:
                self.wrote.clear()
                await self.wrote.wait()

    def is_closing(self) -> bool:
        return self.closed

    def is_reading(self) -> bool:
        return self.reading

    def pause_reading(self) -> None:
        self.reading = False

    def resume_reading(self) -> None:
        self.reading = True

    def close(self) -> None:
        if not self.closed:
            self.closed = True
            assert self.protocol is not None
            asyncio.get_running_loop().call_soon(self.protocol.connection_lost, None)

    def abort(self) -> None:
        self.aborted = True
        self.close()


class Echo:
    """Answers with the key; `before` is awaited first."""

    name = "socketmap"

    def __init__(self, before: Callable[[str], Awaitable[None]] | None = None) -> None:
        self.before = before
        self.running = 0

    async def answer(self, question: Lookup) -> bytes:
        self.running += 1
        assert self.running == 1, "answers of one connection must not overtake each other"
        try:
            if self.before is not None:
                await self.before(question.key)
        finally:
            self.running -= 1
        return question.key.encode()

    def late(self, question: Lookup) -> bytes:
        return b"late " + question.key.encode()

    def failed(self, question: Lookup) -> bytes:
        return b"failed " + question.key.encode()


def talk(desk: Echo, house: House | None = None) -> tuple[Conversation[Lookup], Wire]:
    conversation, wire = Conversation(LookupReader(), desk, house or House("policy")), Wire()
    wire.protocol = conversation
    conversation.connection_made(wire)
    return conversation, wire


def asks(*keys: str) -> bytes:
    return b"".join(encode_lookup(Lookup("m", key)) for key in keys)


async def settle() -> None:
    for _ in range(20):
        await asyncio.sleep(0)


async def test_pipelined_requests_are_answered_in_order() -> None:
    async def slow_first(key: str) -> None:
        for _ in range(5 if key == "a" else 1):
            await asyncio.sleep(0)

    conversation, wire = talk(Echo(slow_first))
    conversation.data_received(asks("a", "b") + asks("c")[:3])
    await settle()
    conversation.data_received(asks("c")[3:])
    await settle()
    assert wire.sent == [b"a", b"b", b"c"]
    assert not wire.closed


async def test_malformed_closes_after_the_answers_before_it() -> None:
    conversation, wire = talk(Echo())
    conversation.data_received(asks("a") + b"nonsense" + asks("b"))
    await settle()
    assert wire.sent == [b"a"]
    assert wire.closed


async def test_deadline_counts_from_arrival(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(server, "DEADLINE_SECONDS", 0.01)
    never = asyncio.Event()

    async def hang(key: str) -> None:
        if key == "hangs":
            await never.wait()

    conversation, wire = talk(Echo(hang))
    conversation.data_received(asks("hangs", "waits"))
    await wire.answered(2)
    assert wire.sent[0] == b"late hangs"
    assert wire.sent[1] in (b"waits", b"late waits")
    conversation.data_received(asks("next"))
    await settle()
    assert wire.sent[2] == b"next"


async def test_fault_of_ours_is_an_answer_and_the_connection_goes_on() -> None:
    async def fail(key: str) -> None:
        if key == "bad":
            raise RuntimeError(key)

    conversation, wire = talk(Echo(fail))
    conversation.data_received(asks("bad", "good"))
    await settle()
    assert wire.sent == [b"failed bad", b"good"]


async def test_peer_that_leaves_during_a_lookup_hurts_nobody() -> None:
    never = asyncio.Event()
    house = House("policy")

    async def hang(_: str) -> None:
        await never.wait()

    desk = Echo(hang)
    conversation, wire = talk(desk, house)
    conversation.data_received(asks("a", "b"))
    await settle()
    assert desk.running == 1
    wire.closed = True
    conversation.connection_lost(ConnectionResetError())
    await settle()
    assert wire.sent == []
    assert desk.running == 0
    await house.drain()


async def test_nothing_is_written_to_a_closing_transport() -> None:
    release = asyncio.Event()

    async def wait(_: str) -> None:
        await release.wait()

    conversation, wire = talk(Echo(wait))
    conversation.data_received(asks("a"))
    await settle()
    wire.closed = True  # the loop knows, connection_lost has not come yet
    release.set()
    await settle()
    assert wire.sent == []


async def test_peer_that_ends_its_side_still_gets_its_answers() -> None:
    conversation, wire = talk(Echo())
    conversation.data_received(asks("a", "b"))
    assert conversation.eof_received() is True
    await settle()
    assert wire.sent == [b"a", b"b"]
    assert wire.closed
    idle, _ = talk(Echo())
    assert idle.eof_received() is False


async def test_long_pipeline_pauses_reading_until_half_is_answered() -> None:
    release = asyncio.Event()

    async def wait(_: str) -> None:
        await release.wait()

    conversation, wire = talk(Echo(wait))
    conversation.data_received(asks(*map(str, range(Conversation.ahead + 10))))
    await settle()
    assert not wire.reading
    release.set()
    await wire.answered(Conversation.ahead + 10)
    assert wire.reading


async def test_peer_that_does_not_read_is_waited_for() -> None:
    conversation, wire = talk(Echo())
    conversation.pause_writing()
    conversation.data_received(asks("a", "b"))
    await settle()
    assert wire.sent == []
    conversation.resume_writing()
    await settle()
    assert wire.sent == [b"a", b"b"]


async def test_drain_answers_what_was_asked_and_closes_the_idle() -> None:
    house, release = House("policy"), asyncio.Event()

    async def wait(_: str) -> None:
        await release.wait()

    busy, busy_wire = talk(Echo(wait), house)
    _, idle_wire = talk(Echo(), house)
    busy.data_received(asks("a", "b"))
    await settle()
    draining = asyncio.create_task(house.drain())
    await settle()
    assert idle_wire.closed
    assert not busy_wire.closed
    busy.data_received(asks("too late"))
    release.set()
    await draining
    assert busy_wire.sent == [b"a", b"b"]
    assert busy_wire.closed


async def test_drain_cuts_off_who_does_not_read(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("outrider.house.DRAIN_SECONDS", 0.01)
    house = House("policy")
    conversation, wire = talk(Echo(), house)
    conversation.pause_writing()
    conversation.data_received(asks("a"))
    await settle()
    await house.drain()
    assert wire.aborted
