"""From an owner's upload to what everybody finds, on a real database."""

import time

import pytest
import pytest_asyncio

from hkpd.protocol.queries import ByAddress, ByFingerprint, ByKeyId, Get, Index, WkdKey
from hkpd.protocol.wkd import wkd_hash
from hkpd.publishing import Publishing
from hkpd.store import CertificateStore
from kit.certificates import YEAR, Certificate, EncryptionKey, SigningKey, usual
from outrider.openpgp import BadCertificate, clean
from outrider.people import Refused
from policy.store import AliasStore

NOW = int(time.time())
MADE = NOW - 3600
ALICE, BOB = "alice@provider.example", "bob@provider.example"
STORED = "{ARGON2ID}x"


@pytest_asyncio.fixture
async def store(database, people):
    for address in (ALICE, BOB):
        await people.add(address, STORED, "en", 0, NOW)
    return CertificateStore(database)


@pytest.fixture
def publishing(store, directory):
    return Publishing(store, directory, lambda: NOW)


@pytest_asyncio.fixture
async def aliases(database, directory, store):
    return AliasStore(database, directory)


async def account(directory, address):
    return (await directory.person(address)).account


def get(value):
    if "@" in value:
        return Get(ByAddress(value))
    return Get(ByKeyId(value) if len(value) == 16 else ByFingerprint(value))


def wkd(address):
    return WkdKey(address.partition("@")[2], wkd_hash(address))


async def test_a_published_key_is_found_in_every_way(publishing, store):
    subkey = SigningKey(MADE)
    made = usual(ALICE, MADE, lasts=YEAR).subkey(subkey)
    answer = await publishing.publish(ALICE, made.raw)
    assert answer["fingerprint"] == made.fingerprint
    assert answer["addresses"] == [ALICE]
    assert answer["warning"] == ""
    armored = await store.find(get(ALICE))
    cleaned = clean(made.raw, lambda _: True)
    assert armored == cleaned.armored
    for key in cleaned.keys:
        assert await store.find(get(key.fingerprint)) == armored
        assert await store.find(get(key.key_id)) == armored
    assert subkey.fingerprint.hex() in [key.fingerprint for key in cleaned.keys]
    assert await store.find(wkd(ALICE)) == cleaned.body
    assert (await store.find(Index(ByAddress(ALICE), machine=True))).startswith(b"info:1:1\npub:")
    assert (await publishing.list(ALICE))["keys"][0]["addresses"] == [ALICE]


async def test_what_was_never_published_is_a_miss(publishing, store):
    await publishing.publish(ALICE, usual(ALICE, MADE).raw)
    for query in (get(BOB), get("0" * 40), get("0" * 16), wkd(BOB), wkd("alice@elsewhere.example")):
        assert await store.find(query) is None


async def test_withdrawn_is_gone_at_once(publishing, store):
    made = usual(ALICE, MADE)
    await publishing.publish(ALICE, made.raw)
    spelled = " ".join(made.fingerprint.upper()[at : at + 4] for at in range(0, 40, 4))
    await publishing.withdraw(ALICE, f"0x{spelled}")
    for query in (get(ALICE), get(made.fingerprint), get(made.fingerprint[-16:]), wkd(ALICE)):
        assert await store.find(query) is None
    assert (await publishing.list(ALICE))["keys"] == []
    with pytest.raises(Refused):
        await publishing.withdraw(ALICE, made.fingerprint)


async def test_nobody_withdraws_somebody_elses_key(publishing, store):
    made = usual(ALICE, MADE)
    await publishing.publish(ALICE, made.raw)
    with pytest.raises(Refused):
        await publishing.withdraw(BOB, made.fingerprint)
    assert await store.find(get(ALICE))


async def test_the_end_of_the_account_is_the_end_of_its_keys(publishing, store, people, database):
    made = usual(ALICE, MADE)
    await publishing.publish(ALICE, made.raw)
    await people.end(ALICE, NOW)
    assert await store.find(get(ALICE)) is None
    assert await store.find(get(made.fingerprint)) is None
    assert await store.find(wkd(ALICE)) is None
    assert await store.forget_ended() == 1
    assert await store.forget_ended() == 0
    for table in ("certificate", "certificate_key", "certificate_address"):
        assert await database.one(int, f"SELECT count(*) FROM {table}") == 0


async def test_a_disabled_account_keeps_its_keys_because_its_mail_still_arrives(publishing, store, people):
    await publishing.publish(ALICE, usual(ALICE, MADE).raw)
    await people.set_enabled(ALICE, False, NOW)
    assert await store.find(get(ALICE))


async def test_own_addresses_and_permanent_aliases_but_never_disposable_ones(publishing, store, directory, aliases):
    alice, bob = await account(directory, ALICE), await account(directory, BOB)
    await aliases.add(alice, "a@customer.example", "", NOW)
    await aliases.add(bob, "b@provider.example", "", NOW)
    disposable = await aliases.new(alice, "tmp.provider.example", "", NOW, 30)
    made = usual(ALICE, MADE)
    for address in ("a@customer.example", "b@provider.example", BOB, disposable.address, "alice+tag@provider.example"):
        made.user_id(f"A <{address}>")
    answer = await publishing.publish(ALICE, made.raw)
    assert answer["addresses"] == [ALICE, "a@customer.example"]
    armored = await store.find(get("a@customer.example"))
    assert armored is not None
    assert await store.find(get(disposable.address)) is None
    body = await store.find(wkd(ALICE))
    assert b"customer" not in body
    assert disposable.address.encode() not in clean(armored, lambda _: True).body


async def test_a_catch_all_owns_no_address_by_name(publishing, store, directory, people):
    await people.set_catch_all("customer.example", await account(directory, ALICE))
    with pytest.raises(BadCertificate) as caught:
        await publishing.publish(ALICE, usual("anything@customer.example", MADE).raw)
    assert caught.value.code == "no-address"


async def test_a_new_key_takes_the_address_and_the_old_one_goes(publishing, store):
    old, new = usual(ALICE, MADE), usual(ALICE, MADE)
    await publishing.publish(ALICE, old.raw)
    await publishing.publish(ALICE, new.raw)
    assert await store.find(get(ALICE)) == await store.find(get(new.fingerprint))
    assert await store.find(get(old.fingerprint)) is None
    assert [key["fingerprint"] for key in (await publishing.list(ALICE))["keys"]] == [new.fingerprint]


async def test_a_revoked_old_key_stays_reachable_by_its_fingerprint(publishing, store):
    old, new = usual(ALICE, MADE), usual(ALICE, MADE)
    before = old.raw
    await publishing.publish(ALICE, before)
    answer = await publishing.publish(ALICE, old.revoked().raw)
    assert "revoked" in answer["warning"]
    assert await store.find(get(ALICE)) == await store.find(get(old.fingerprint))  # the only one: others must see it
    await publishing.publish(ALICE, new.raw)
    assert await store.find(get(ALICE)) == await store.find(get(new.fingerprint))
    assert clean(await store.find(get(old.fingerprint)), lambda _: True).revoked
    await publishing.publish(ALICE, before)  # uploading the unrevoked copy changes nothing
    assert clean(await store.find(get(old.fingerprint)), lambda _: True).revoked
    assert await store.find(get(ALICE)) == await store.find(get(new.fingerprint))


async def test_renewing_replaces_what_is_answered(publishing, store):
    made = usual(ALICE, MADE, lasts=YEAR)
    await publishing.publish(ALICE, made.raw)
    before = await store.find(get(ALICE))
    made.raw = Certificate(MADE, made.key).user_id(f"Somebody <{ALICE}>", lasts=2 * YEAR, created=MADE + 60).raw
    await publishing.publish(ALICE, made.raw)
    assert await store.find(get(ALICE)) != before
    assert (await publishing.list(ALICE))["keys"][0]["expires"] == MADE + 2 * YEAR


async def test_nobody_publishes_somebody_elses_key(publishing, store):
    made = usual(ALICE, MADE).user_id(f"Bob <{BOB}>")
    await publishing.publish(ALICE, made.raw)
    with pytest.raises(Refused):
        await publishing.publish(BOB, made.raw)
    assert await store.find(get(BOB)) is None


async def test_refusals_leave_no_trace(publishing, store, database):
    for raw in (usual(ALICE, NOW - 3 * YEAR, lasts=YEAR).raw, usual(BOB, MADE).raw, b"junk"):
        with pytest.raises(BadCertificate):
            await publishing.publish(ALICE, raw)
    with pytest.raises(Refused):
        await publishing.publish("nobody@provider.example", usual(ALICE, MADE).raw)
    assert await database.one(int, "SELECT count(*) FROM certificate") == 0


async def test_a_race_for_one_row_writes_nothing(store, directory, database):
    made = usual(ALICE, MADE)
    alice = await account(directory, ALICE)
    first = clean(made.raw, lambda _: True)
    second = clean(made.subkey(EncryptionKey(MADE)).raw, lambda _: True)
    assert await store.publish(alice, first, None, NOW)
    assert not await store.publish(alice, second, b"another body", NOW)
    assert await store.find(get(ALICE)) == first.armored
    assert await database.one(int, "SELECT count(*) FROM certificate_key") == len(first.keys)
    assert await store.publish(alice, second, first.body, NOW)
    assert await database.one(int, "SELECT count(*) FROM certificate_key") == len(second.keys)
