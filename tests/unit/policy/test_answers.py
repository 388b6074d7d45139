"""The desks over a real directory: what Postfix hears, what is counted and what is logged."""

import logging
from dataclasses import dataclass

import pytest
from prometheus_client import REGISTRY

from outrider.admin import Health
from outrider.db import Database, DatabaseDown
from outrider.directory import SqlDirectory
from outrider.people import People
from policy.answers import DelegationDesk, Facts, SocketmapDesk
from policy.protocol.delegation import Request
from policy.protocol.socketmap import Lookup
from policy.store import AliasStore

NOW = 1_800_000_000
ALICE, BOB = "alice@provider.example", "bob@provider.example"
BUSINESS = "business@customer.example"


class Clock:
    """Seconds since 1970, moved by the test."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> int:
        return self.now


@dataclass
class World:
    """The desks with two accounts, alice's disposable and permanent alias, and the clock."""

    facts: Facts
    delegation: DelegationDesk
    socketmap: SocketmapDesk
    health: Health
    clock: Clock
    store: AliasStore
    people: People
    disposable: str
    opaque: str

    async def action(self, sender: str, login: str = ALICE, **more: str) -> str:
        request = Request("RCPT", sender, "carol@remote.example", login, "1a.2b.3c.0", "submission")
        return await self.heard(Request(**{**{f: getattr(request, f) for f in request.__slots__}, **more}))

    async def heard(self, request: Request) -> str:
        answer = await self.delegation.answer(request)
        assert answer.startswith(b"action=")
        assert answer.endswith(b"\n\n")
        return answer[7:-2].decode("ascii")

    async def reply(self, name: str, key: str) -> str:
        answer = await self.socketmap.answer(Lookup(name, key))
        return answer.partition(b":")[2][:-1].decode()


@pytest.fixture
async def world(database: Database, directory: SqlDirectory, people: People) -> World:
    for address in (ALICE, BOB):
        await people.add(address, "{X}x", "en", 0, NOW)
    alice = await directory.person(ALICE)
    assert alice is not None
    store = AliasStore(database, directory)
    disposable = await store.new(alice.account, "tmp.provider.example", "", NOW, 30)
    await store.add(alice.account, BUSINESS, "", NOW)
    health, clock = Health(), Clock()
    facts = Facts(directory, health, clock)
    opaque = f"{alice.opaque}@b.provider.example"
    return World(
        facts, DelegationDesk(facts), SocketmapDesk(facts), health, clock, store, people, disposable.address, opaque
    )


def count(name: str, **labels: str) -> float:
    return REGISTRY.get_sample_value(name, labels) or 0.0


@pytest.mark.parametrize(
    "sender", [ALICE, "ALICE@Provider.Example", "alice+tag@provider.example", '"alice"@provider.example', "", BUSINESS]
)
async def test_own_addresses_pass(world: World, sender: str) -> None:
    assert await world.action(sender) == "DUNNO"


async def test_disposable_addresses_never_send_live_or_dead(world: World) -> None:
    local, _, domain = world.disposable.partition("@")
    senders = [
        world.disposable,
        world.disposable.upper(),
        f"{local}+x@{domain}",
        f'"{local}"@{domain}.',
        f"never@{domain}",
    ]
    for now in (NOW, NOW + 31 * 86_400):
        world.clock.now = now
        for sender in senders:
            action = await world.action(sender)
            assert action.startswith("550 5.7.1 "), sender
            assert "is a disposable address" in action
    await world.store.end(world.disposable)
    assert (await world.action(world.disposable)).startswith("550 5.7.1 ")
    assert (await world.action(world.disposable, login=BOB)).startswith("550 5.7.1 ")


@pytest.mark.parametrize(
    "sender",
    [
        BOB,
        "BOB+x@provider.example",
        "nobody@provider.example",
        "me@remote.example",
        "alice@tmp2.provider.example",
        "alice",
        "alice%tmp.provider.example@provider.example",
        "alice!x@provider.example",
        "@relay.example:alice@provider.example",
        "alice@[192.0.2.1]",
        "<alice@provider.example>",
        "alice@provider.example\udcff",
        "alice@provider.example,bob@provider.example",
        "alice @provider.example",
    ],
)
async def test_everything_else_is_refused(world: World, sender: str) -> None:
    action = await world.action(sender)
    assert action.startswith("550 5.7.1 You are logged in as alice@provider.example and cannot send as ")


async def test_opaque_address_does_not_send(world: World) -> None:
    assert (await world.action(world.opaque)).startswith("550 5.7.1 ")


async def test_ended_alias_of_ones_own_does_not_send(world: World) -> None:
    await world.store.end(BUSINESS)
    assert (await world.action(BUSINESS)).startswith("550 5.7.1 You are logged in as")


async def test_refusal_is_logged_without_an_address_and_counted(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    labels = {"way": "submission", "verdict": "disposable"}
    before = count("outrider_policy_requests_total", **labels)
    await world.action(world.disposable)
    assert count("outrider_policy_requests_total", **labels) == before + 1
    assert [record.getMessage() for record in caplog.records if record.name == "policy.answers"] == [
        "refused way=submission account=1 verdict=disposable instance=1a.2b.3c.0"
    ]
    assert "@" not in caplog.text
    assert world.disposable.partition("@")[0] not in caplog.text


async def test_hostile_instance_cannot_fill_the_log(world: World, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    await world.action(world.disposable, instance="i" * 5000)
    await world.action(world.disposable, instance="ö")
    lines = [record.getMessage() for record in caplog.records if record.name == "policy.answers"]
    assert len(lines[0]) < 200
    assert lines[1].endswith("instance=-")


async def inbound(world: World, sender: str, recipient: str) -> str:
    return await world.heard(Request("RCPT", sender, recipient, "", "1.2.3.0", "smtp"))


async def test_inbound(world: World) -> None:
    assert await inbound(world, "carol@remote.example", ALICE) == "DUNNO"
    assert await inbound(world, "carol@remote.example", world.disposable) == "DUNNO"
    assert await inbound(world, "", world.opaque) == "DUNNO"
    assert await inbound(world, "carol@remote.example", world.opaque) == "550 5.1.1 User unknown"
    assert await inbound(world, "carol@remote.example", "never@B.Provider.example") == "550 5.1.1 User unknown"
    assert (await inbound(world, world.disposable, ALICE)).startswith("550 5.7.1 ")
    assert (await inbound(world, "never@TMP.provider.example", ALICE)).startswith("550 5.7.1 ")
    assert await inbound(world, "not an address", "neither") == "DUNNO"


async def test_states_without_addresses_pass(world: World) -> None:
    for state in ("CONNECT", "EHLO", "VRFY", "ETRN", "DATA", "END-OF-MESSAGE"):
        assert await world.heard(Request(state, policy_context="submission")) == "DUNNO"


async def test_domains(world: World) -> None:
    assert await world.reply("domains", "provider.example") == "OK own"
    assert await world.reply("domains", "TMP.Provider.Example") == "OK disposable"
    assert await world.reply("domains", "customer.example") == "OK external"
    assert await world.reply("domains", "b.provider.example") == "OK opaque"
    for name in ("remote.example", ".provider.example", "", "x.provider.example", "ö" * 2000, "\udcff", ALICE):
        assert await world.reply("domains", name) == "NOTFOUND ", name


async def test_recipients(world: World) -> None:
    local, _, domain = world.disposable.partition("@")
    for address in (
        ALICE,
        "Alice+x@PROVIDER.example",
        BUSINESS,
        world.disposable,
        world.disposable.upper(),
        f"{local}+shop@{domain}",
        f'"{local}"@{domain}',
        world.opaque,
    ):
        assert await world.reply("recipients", address) == "OK 1", address
    for address in (
        "carol@remote.example",
        "nobody@provider.example",
        f"never@{domain}",
        "",
        "x",
        "\udcff@provider.example",
    ):
        assert await world.reply("recipients", address) == "NOTFOUND ", address


async def test_expired_ended_and_never_made_recipients_are_the_same(world: World) -> None:
    world.clock.now = NOW + 30 * 86_400 - 1
    assert await world.reply("recipients", world.disposable) == "OK 1"
    world.clock.now += 1
    expired = await world.reply("recipients", world.disposable)
    await world.store.end(BUSINESS)
    assert {expired, await world.reply("recipients", BUSINESS)} == {"NOTFOUND "}


async def test_senders(world: World) -> None:
    assert await world.reply("senders", "ALICE+x@provider.example") == f"OK {ALICE}"
    assert await world.reply("senders", BUSINESS) == f"OK {ALICE}"
    for address in (
        world.disposable,
        f"+x{world.disposable}",
        world.opaque,
        "carol@remote.example",
        "@provider.example",
    ):
        assert await world.reply("senders", address) == "NOTFOUND ", address


async def test_disabled_account_receives_and_ended_one_does_not(world: World) -> None:
    await world.people.set_enabled(ALICE, False, NOW)
    assert await world.reply("recipients", world.disposable) == "OK 1"
    await world.people.end(ALICE, NOW)
    for address in (ALICE, world.disposable, BUSINESS, world.opaque):
        assert await world.reply("recipients", address) == "NOTFOUND ", address
        assert await world.reply("senders", address) == "NOTFOUND ", address
    assert (await world.action(ALICE)).startswith("550 5.7.1 ")


async def test_unknown_map_is_permanent_and_no_label(world: World) -> None:
    before = count("outrider_policy_lookups_total", map="unknown", reply="permanent")
    assert await world.reply("passwords", ALICE) == "PERM there is no such map"
    assert count("outrider_policy_lookups_total", map="unknown", reply="permanent") == before + 1
    assert count("outrider_policy_lookups_total", map="passwords", reply="permanent") == 0


class Broken(SqlDirectory):
    """A directory whose database is away."""

    def __init__(self) -> None:
        self.away = True

    async def facts(self, address: str) -> object:  # type: ignore[override]
        raise DatabaseDown("away")

    async def domain(self, name: str) -> object:  # type: ignore[override]
        raise DatabaseDown("away")

    async def person(self, address: str) -> object:  # type: ignore[override]
        raise DatabaseDown("away")


async def test_database_away_is_later_for_everybody_and_said_once(
    world: World, caplog: pytest.LogCaptureFixture
) -> None:
    facts = Facts(Broken(), world.health, world.clock)
    away = World(
        facts, DelegationDesk(facts), SocketmapDesk(facts), world.health, world.clock, world.store, world.people, "", ""
    )
    for _ in range(3):
        assert (await away.action(ALICE)).startswith("451 4.3.0 ")
        assert (await away.action("x@tmp.provider.example")).startswith("451 4.3.0 ")
        assert (await inbound(away, "carol@remote.example", ALICE)).startswith("451 4.3.0 ")
        assert await away.action("") == "DUNNO"
        for name in ("recipients", "senders"):
            assert await away.reply(name, ALICE) == "TEMP the directory cannot be read now"
        assert await away.reply("domains", "provider.example") == "TEMP the directory cannot be read now"
    assert list(world.health.problems) == ["directory"]
    assert caplog.text.count("trouble=directory") == 1
    await world.reply("domains", "provider.example")
    assert world.health.problems == {}


async def test_health_is_told_while_nobody_asks(world: World) -> None:
    await Facts(Broken(), world.health, world.clock).look()
    assert list(world.health.problems) == ["directory"]
    await world.facts.look()
    assert world.health.problems == {}


def test_late_answers(world: World) -> None:
    request = Request("RCPT", ALICE, "", ALICE, "", "submission")
    assert world.delegation.late(request).startswith(b"action=451 4.3.0 ")
    assert world.delegation.failed(request).startswith(b"action=451 4.3.0 ")
    assert world.socketmap.late(Lookup("recipients", ALICE)) == b"44:TIMEOUT the directory did not answer in time,"
    assert world.socketmap.failed(Lookup("x", ALICE)) == b"37:TEMP the directory cannot be read now,"
    assert world.health.problems == {"directory": "the directory did not answer in time"}
