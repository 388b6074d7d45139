"""What logins leave behind: counted at once, written together, bounded, never lost while the database is away."""

import pytest

from authd import ledger as ledger_module
from authd.audit_store import ROWS_MOST, Audit, AuditStore
from authd.guards import CLOSE_AFTER, LOCK_AFTER, TOTAL_SECONDS, Codes, Guard
from authd.ledger import REFUSALS_MOST, TRIES_MOST, Ledger
from kit.authd_house import ALICE, House
from kit.databases import NOW
from outrider.db import DatabaseDown
from outrider.people import People

SECRET = b"one password"


async def account(house: House) -> int:
    person = await house.directory.person(ALICE)
    assert person is not None
    return person.account


async def guard(house: House, number: int) -> Guard:
    return house.ledger.over(number, await house.guards.read(number, "", int(house.now)))


def refusal(number: int, network: str = "192.0.2.0/24", why: str = "nothing-right") -> Audit:
    return Audit(number, NOW, "imap", network, "-", "no", "A", why)


@pytest.mark.parametrize("written", [0, 1, 4, 5, 9, 10])
async def test_a_count_is_the_same_wherever_it_has_come_to(house: House, written: int) -> None:
    number = await account(house)
    for times in range(LOCK_AFTER):
        if times == written:
            await house.ledger.write()
        assert (await guard(house, number)).locked == frozenset()
        house.ledger.wrong_secret(number, 1)
        house.ledger.wrong_code(number, SECRET)
    if written == LOCK_AFTER:
        await house.ledger.write()
    known = await guard(house, number)
    assert (known.wrong, known.locked) == ({1: LOCK_AFTER}, frozenset({1}))
    assert (known.codes.in_a_row, known.codes.total, known.codes.closed) == (LOCK_AFTER, LOCK_AFTER, False)
    await house.ledger.write()
    assert await guard(house, number) == known or (await guard(house, number)).codes.total == LOCK_AFTER
    assert (await guard(house, number)).locked == frozenset({1})


@pytest.mark.parametrize("written", [False, True])
async def test_a_login_begins_the_row_anew_and_leaves_the_total(house: House, written: bool) -> None:
    number = await account(house)
    for _ in range(3):
        house.ledger.wrong_secret(number, 1)
        house.ledger.wrong_code(number, SECRET)
    if written:
        await house.ledger.write()
    house.ledger.right(number, 1)
    house.ledger.wrong_code(number, SECRET)
    for _ in range(2):
        known = await guard(house, number)
        assert (known.wrong[1], known.codes.in_a_row, known.codes.total) == (0, 1, 4)
        await house.ledger.write()


async def test_another_password_and_another_year_count_anew(house: House) -> None:
    number = await account(house)
    for _ in range(CLOSE_AFTER):
        house.ledger.wrong_code(number, SECRET)
    await house.ledger.write()
    known = await guard(house, number)
    assert known.counts(SECRET, NOW).closed
    assert known.counts(b"another", NOW) == Codes(b"another", NOW)
    assert not known.counts(SECRET, NOW + TOTAL_SECONDS).closed
    house.ledger.wrong_code(number, b"another")
    await house.ledger.write()
    known = await guard(house, number)
    assert (known.codes.total, known.codes.closed) == (1, False)


async def test_what_cannot_be_written_waits_and_counts_meanwhile(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await account(house)
    house.ledger.wrong_secret(number, 1)
    house.ledger.audit(refusal(number))

    async def down(*_: object) -> None:
        raise DatabaseDown("gone")

    with monkeypatch.context() as away:
        away.setattr(house.database, "transaction", down)
        with pytest.raises(DatabaseDown):
            await house.ledger.write()
        house.ledger.wrong_secret(number, 1)
        assert (await guard(house, number)).wrong == {1: 2}
    await house.ledger.write()
    await house.ledger.write()
    assert (await guard(house, number)).wrong == {1: 2}
    assert len(await house.audit.rows(number)) == 1


async def test_what_can_never_be_written_is_given_up(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await account(house)
    house.ledger.audit(Audit(number, 1 << 80, "imap", "-", "-", "no", "A", "x"))
    for _ in range(TRIES_MOST - 1):
        with pytest.raises(DatabaseDown):
            await house.ledger.write()
    await house.ledger.write()
    house.ledger.audit(refusal(number))
    await house.ledger.write()
    assert len(await house.audit.rows(number)) == 1


async def test_alike_logins_of_a_second_are_one_row(house: House) -> None:
    number = await account(house)
    for _ in range(1000):
        house.ledger.audit(refusal(number))
    await house.ledger.write()
    assert [row.times for row in await house.audit.rows(number)] == [1000]


async def test_an_attack_from_everywhere_is_a_few_rows(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    number = await account(house)
    for network in range(1000):
        house.ledger.audit(refusal(number, f"10.0.{network}.0/24"))
    await house.ledger.write()
    rows = await house.audit.rows(number)
    assert len(rows) == REFUSALS_MOST + 1
    assert rows[0].network == "many"
    assert sum(row.times for row in rows) == 1000
    monkeypatch.setattr(ledger_module, "ROWS_MOST", 5)
    for other in range(10):
        house.ledger.audit(refusal(100 + other))
    assert len(house.ledger._gathered.audit) == 5


async def test_rows_end_by_age_by_number_and_with_the_account(
    house: House, people: People, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await account(house)
    for day in range(10):
        house.ledger.audit(Audit(number, NOW - day * 86400, "imap", "-", "password", "yes", "-", f"{day}"))
    await house.ledger.write()
    await house.audit.sweep(NOW)
    assert {row.why for row in await house.audit.rows(number)} == {str(day) for day in range(7)}
    assert ROWS_MOST < 100_000
    monkeypatch.setattr("authd.audit_store.ROWS_MOST", 3)
    await house.audit.sweep(NOW)
    assert [row.why for row in await house.audit.rows(number)] == ["6", "5", "4"]
    await people.end(ALICE, NOW)
    await house.audit.sweep(NOW)
    assert await house.audit.rows(number) == []


async def test_nothing_is_kept_where_the_operator_wants_nothing_kept(house: House) -> None:
    quiet = Ledger(house.database, lambda: house.now, audit=False)
    quiet.audit(refusal(1))
    await quiet.write()
    assert await AuditStore(house.database, 7).rows(1) == []


async def test_a_known_network_is_written_once_a_day_and_forgotten_in_the_end(house: House) -> None:
    number = await account(house)

    async def known(network: str) -> tuple[bool, int]:
        found = await house.guards.read(number, network, int(house.now))
        return found.known, found.noted

    for hours in range(0, 25, 6):
        house.now = NOW + hours * 3600.0
        house.ledger.seen(number, "192.0.2.0/24")
        await house.ledger.write()
    assert await known("192.0.2.0/24") == (True, NOW + 86400)
    assert await known("192.0.3.0/24") == (False, 0)
    house.now += 30 * 86400
    assert (await known("192.0.2.0/24"))[0] is False
    await house.guards.sweep(int(house.now))
    assert await known("192.0.2.0/24") == (False, 0)


async def test_an_account_has_not_more_known_networks_than_it_may(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    number = await account(house)
    monkeypatch.setattr("authd.guards.NETWORKS_MOST", 3)
    for network in range(5):
        house.now += 60
        house.ledger.seen(number, f"10.0.{network}.0/24")
        house.ledger.seen(number + 1, f"10.0.{network}.0/24")
    await house.ledger.write()
    await house.guards.sweep(int(house.now))
    rows = await house.database.all(
        str, "SELECT network FROM known_network WHERE account_id = :a ORDER BY network", a=number
    )
    assert rows == [f"10.0.{network}.0/24" for network in (2, 3, 4)]


async def test_a_disabled_token_takes_its_count_with_it(house: House) -> None:
    number = await account(house)
    house.ledger.wrong_secret(number, 1)
    house.ledger.wrong_secret(number, 999)
    await house.ledger.write()
    await house.guards.sweep(NOW)
    assert await house.database.all(int, "SELECT token_id FROM token_guard") == [1]


async def test_a_notice_is_recorded_once_a_day(house: House) -> None:
    number = await account(house)
    for hours in (0, 1, 23, 24, 47, 49):
        house.now = (NOW // 86400) * 86400 + hours * 3600.0
        house.ledger.notice(number, "codes-wrong", "")
        await house.ledger.write()
    assert await house.database.one(int, "SELECT COUNT(*) FROM notice") == 3
