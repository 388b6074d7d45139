"""HTTP connections without a socket: order, limits, deadlines, refusals, draining."""

import asyncio
import logging

import pytest

from hkpd.protocol import answers
from hkpd.protocol.queries import ByAddress, Get, WkdKey
from hkpd.server import IDLE_SECONDS, REQUEST_SECONDS, Conversation, Desk, http_date
from kit.wire import Wire
from outrider.admin import Health
from outrider.db import DatabaseDown
from outrider.house import House, network_of

GET = b"GET /pks/lookup?op=get&search=alice@provider.example HTTP/1.1\r\nHost: k\r\n\r\n"
HEAD = GET.replace(b"GET /", b"HEAD /")
WKD = b"GET /.well-known/openpgpkey/hu/kei1q4tipxxu1yj79k9kfukdhfy631xe HTTP/1.1\r\nHost: provider.example\r\n\r\n"
SEND = b"POST /pks/add HTTP/1.1\r\nHost: k\r\nContent-Length: 11\r\n\r\nkeytext=abc"


class Store:
    """Finds `found`; `asked` says for what."""

    def __init__(self, found=b"KEY"):
        self.found = found
        self.asked = []
        self.gate = None
        self.begun = asyncio.Event()

    async def find(self, query):
        self.asked.append(query)
        self.begun.set()
        if self.gate is not None:
            await self.gate.wait()
        if isinstance(self.found, Exception):
            raise self.found
        return self.found


class Place:
    """A desk, a house, and connections to them."""

    def __init__(self, store=None, *, most=1000, most_per_network=64, behind_tls=False):
        self.store = store or Store()
        self.health = Health()
        self.house = House("http-hkp", most=most, most_per_network=most_per_network)
        self.desk = Desk(self.store, self.health)
        self.behind_tls = behind_tls

    def connect(self, peer=("192.0.2.7", 40000), **options):
        protocol = Conversation(self.desk, self.house, lambda: 0.0, behind_tls=self.behind_tls, **options)
        return protocol, Wire(protocol, peer)


def statuses(sent):
    return [int(piece[:3]) for piece in sent.split(b"HTTP/1.1 ")[1:]]


async def asked(data, place=None, count=1):
    place = place or Place()
    protocol, wire = place.connect()
    protocol.data_received(data)
    return wire, await wire.until(lambda sent: len(statuses(sent)) >= count)


async def test_a_look_up():
    place = Place()
    _, sent = await asked(GET, place)
    assert place.store.asked == [Get(ByAddress("alice@provider.example"))]
    assert sent.startswith(b"HTTP/1.1 200 OK\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
    assert sent.endswith(b"\r\n\r\nKEY")


async def test_head_gives_the_head_alone():
    _, sent = await asked(HEAD)
    assert b"Content-Length: 3\r\n" in sent
    assert sent.endswith(b"\r\n\r\n")


async def test_a_miss():
    _, sent = await asked(GET, Place(Store(None)))
    assert statuses(sent) == [404]


async def test_the_directory_is_served_behind_tls_alone():
    place = Place(behind_tls=True)
    await asked(WKD, place)
    assert place.store.asked == [WkdKey("provider.example", "kei1q4tipxxu1yj79k9kfukdhfy631xe")]
    _, sent = await asked(WKD, Place())
    assert statuses(sent) == [404]


async def test_a_send_is_not_implemented_and_the_connection_lives_on():
    wire, sent = await asked(SEND + GET, count=2)
    assert statuses(sent) == [501, 200]
    assert not wire.closed


async def test_without_a_database_later_is_the_answer_and_health_says_so():
    store = Store(DatabaseDown("locked"))
    place = Place(store)
    _, sent = await asked(GET, place)
    assert statuses(sent) == [503]
    assert place.health.problems == {"database": "locked"}
    store.found = b"KEY"
    await asked(GET, place)
    assert place.health.problems == {}


async def test_health_is_told_while_nobody_asks():
    store = Store(DatabaseDown("locked"))
    place = Place(store)
    await place.desk.look()
    assert place.health.problems == {"database": "locked"}
    store.found = None
    await place.desk.look()
    assert place.health.problems == {}


async def test_a_fault_of_ours_is_later_and_is_logged_without_what_was_asked(caplog):
    with caplog.at_level(logging.DEBUG):
        _, sent = await asked(GET + GET, Place(Store(RuntimeError("secret"))), count=2)
    assert statuses(sent) == [503, 503]
    assert "alice" not in caplog.text.replace("test_a_fault", "")


@pytest.mark.parametrize(("trust", "client"), [(False, "192.0.2.7"), (True, "198.51.100.9")])
async def test_the_clients_address_is_believed_from_the_front_alone(caplog, trust, client):
    protocol, wire = Place().connect(trust_rip=trust)
    with caplog.at_level(logging.DEBUG, "hkpd.server"):
        protocol.data_received(GET.replace(b"\r\n\r\n", b"\r\nX-Real-IP: 198.51.100.9\r\n\r\n"))
        await wire.until(lambda sent: sent)
    assert [record.getMessage() for record in caplog.records] == [
        f"answered listener=http-hkp client={client} status=200"
    ]


async def test_requests_are_answered_in_their_order():
    _, sent = await asked(GET + SEND + HEAD + GET, count=4)
    assert statuses(sent) == [200, 501, 200, 200]


async def test_no_more_is_read_than_a_few_requests_ahead():
    place = Place()
    place.store.gate = asyncio.Event()
    protocol, wire = place.connect()
    protocol.data_received(GET * (Conversation.ahead + 2))
    assert not wire.reading
    place.store.gate.set()
    await wire.until(lambda sent: len(statuses(sent)) == Conversation.ahead + 2)
    assert wire.reading


async def test_close_means_close():
    wire, _ = await asked(GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
    sent = await wire.gone()
    assert b"Connection: close\r\n" in sent


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"junk\r\n\r\n", 400),
        (b"GET /" + b"a" * 20000, 431),
        (SEND.replace(b"Length: 11", b"Length: 999999999"), 413),
        (SEND.replace(b"Content-Length: 11", b"Transfer-Encoding: chunked"), 411),
    ],
)
async def test_a_refusal_is_told_and_then_the_peer_may_read_it(data, status):
    place = Place()
    protocol, wire = place.connect()
    protocol.data_received(data)
    assert statuses(await wire.until(lambda sent: sent)) == [status]
    assert wire.ended
    assert not wire.closed
    protocol.data_received(GET * 1000)  # thrown away
    place.house.sweep(asyncio.get_running_loop().time() + 3)
    assert wire.aborted
    assert statuses(wire.sent) == [status]
    assert place.store.asked == []


async def test_a_request_that_drips_is_ended():
    place = Place()
    protocol, wire = place.connect()
    begun = asyncio.get_running_loop().time()
    for second in range(int(REQUEST_SECONDS)):
        protocol.data_received(GET[second : second + 1])
        place.house.sweep(begun + second)
    assert not wire.closed
    place.house.sweep(begun + REQUEST_SECONDS + 1)
    assert wire.aborted


async def test_an_idle_connection_lives_longer_than_one_that_says_nothing():
    place = Place()
    _, silent = place.connect()
    wire, _ = await asked(GET, place)
    await asyncio.sleep(0)
    now = asyncio.get_running_loop().time()
    place.house.sweep(now + REQUEST_SECONDS + 1)
    assert silent.aborted
    assert not wire.closed
    place.house.sweep(now + IDLE_SECONDS + 1)
    assert wire.aborted


async def test_who_does_not_read_is_ended():
    place = Place()
    protocol, wire = place.connect()
    protocol.pause_writing()
    protocol.data_received(GET)
    await place.store.begun.wait()
    await asyncio.sleep(0)
    assert wire.sent == b""
    place.house.sweep(asyncio.get_running_loop().time() + 31)
    assert wire.aborted


async def test_too_many_connections_from_one_network():
    place = Place(most_per_network=2)
    wires = [place.connect(("192.0.2.7", port))[1] for port in range(3)]
    assert [wire.aborted for wire in wires] == [False, False, True]
    assert not place.connect(("192.0.3.7", 1))[1].aborted
    wires[0].close()
    await asyncio.sleep(0)
    assert not place.connect(("192.0.2.9", 1))[1].aborted
    assert place.connect(("192.0.2.10", 1))[1].aborted


async def test_too_many_connections():
    place = Place(most=2, most_per_network=None)
    wires = [place.connect("")[1] for _ in range(3)]
    assert [wire.aborted for wire in wires] == [False, False, True]


def test_networks():
    assert network_of(("192.0.2.7", 1)) == network_of(("192.0.2.200", 2)) == "192.0.2.0/24"
    assert network_of(("2001:db8:1:2:3::4", 1, 0, 0)) == "2001:db8:1:2::/64"
    assert network_of(("fe80::1%eth0", 1, 0, 2)) == "fe80::/64"
    assert network_of(("::ffff:192.0.2.7", 1, 0, 0)) == "192.0.2.0/24"
    assert network_of("") == network_of(None) == ""


async def test_draining_answers_what_was_asked():
    place = Place()
    place.store.gate = asyncio.Event()
    protocol, busy = place.connect()
    protocol.data_received(GET)
    _, idle = place.connect()
    await place.store.begun.wait()
    draining = asyncio.create_task(place.house.drain())
    await asyncio.sleep(0)
    assert idle.closed
    assert not busy.closed
    place.store.gate.set()
    await draining
    assert statuses(busy.sent) == [200]


def test_every_refusal_has_its_answer():
    assert set(answers.MALFORMED) == {400, 411, 413, 431}
    assert all(status == answer.status for status, answer in answers.MALFORMED.items())
    assert http_date(0) == "Thu, 01 Jan 1970 00:00:00 GMT"
