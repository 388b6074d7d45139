"""What opens an account beside its tokens: cases 54 to 60, 73 and 74, PINs, tickets, remembered and old passwords."""

import asyncio
from collections.abc import Callable

import pytest

from authd.decide import Later, No, Why, Yes
from authd.methods import app_password, recovery, ticket
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.databases import NOW
from outrider.people import People

HOME = "198.51.100.7"
WEBMAIL = "192.0.2.80"


@pytest.fixture(autouse=True)
def no_waiting(house: House) -> None:
    """What is refused unjudged waits for as long as a hash takes: the cheap one takes nothing."""
    house.hashing.typical = 0.0


async def yes(house: House, field: str, service: str = "imap", user: str = ALICE, **named: str) -> bool:
    verdict = await house.login(user, field, service, **named)
    house.later(61)  # no pause holds up what comes next
    return isinstance(verdict, Yes)


# App passwords --------------------------------------------------------------------------------------


async def test_case_54_an_app_password_on_the_web(house: House) -> None:
    secret = await house.app_password(ALICE, *app_password.SCOPES)
    assert await house.login(ALICE, secret, "web") == No(Why.APP_PASSWORD, 1)


async def test_case_55_an_app_password_of_another_service(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    assert await yes(house, secret, "imap")
    for service in ("submission", "smtps", "smtp", "pop3", "sieve", "radicale"):
        assert not await yes(house, secret, service)


async def test_case_56_revoked_expired_or_from_elsewhere(house: House) -> None:
    revoked, expired = (
        await house.app_password(ALICE, "imap"),
        str(
            (await house.ask("app-password add", account=ALICE, scopes=["imap"], expires=int(house.now) + 3600))[
                "secret"
            ]
        ),
    )
    bound = str(
        (
            await house.ask(
                "app-password add", account=ALICE, scopes=["imap"], networks=["198.51.100.0/24", "2001:db8::/32"]
            )
        )["secret"]
    )
    for secret in (revoked, expired, bound):
        assert await yes(house, secret)
    await house.ask("app-password revoke", account=ALICE, app_password=1)
    house.later(3600)
    assert not await yes(house, revoked)
    assert not await yes(house, expired)
    for address in (HOME, "::ffff:198.51.100.9", "2001:db8::1"):
        assert await yes(house, bound, address=address), address
    for address in ("198.51.101.7", "2001:db9::1", "", "junk", "::ffff:198.51.101.7", "1"):
        assert not await yes(house, bound, address=address), address


async def test_case_57_level_2_closes_programs(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    await house.ask("level set", account=ALICE, level=2)
    assert not await yes(house, secret)
    assert not await yes(house, PASSWORD + house.code())
    assert await yes(house, PASSWORD + house.code(), "web")


async def test_case_58_an_app_password_and_a_code(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    assert not await yes(house, secret + house.code())
    assert not await yes(house, secret + house.code(), "web")


async def test_case_59_the_prefix_of_somebody_elses(house: House) -> None:
    mine, other = await house.app_password(ALICE, "imap"), await house.app_password(BOB, "imap")
    for field in (other, other[:8] + mine[8:], mine[:8] + other[8:], mine[:8] + "a" * 24, mine[:-1]):
        before = house.hash.count
        assert not await yes(house, field)
        assert house.hash.count == before + 1


@pytest.mark.parametrize("service", ["", "lmtp", "doveadm", "IMAP", "imap\0", "*", "managesieve"])
async def test_case_60_an_unknown_service_or_none(house: House, service: str) -> None:
    secret = await house.app_password(ALICE, "imap")
    for field in (secret, PASSWORD + house.code()):
        assert await house.login(ALICE, field, service) == No(Why.SERVICE)


async def test_the_last_use_is_written_once_an_hour_and_never_in_the_way(
    house: House, monkeypatch: pytest.MonkeyPatch
) -> None:
    secret = await house.app_password(ALICE, "imap")

    async def used() -> int | None:
        return (await house.ask("app-password list", account=ALICE))["app_passwords"][0]["used"]  # type: ignore[no-any-return]

    assert await used() is None
    seen = []
    for _ in range(5):
        house.later(1000)
        assert isinstance(await house.login(ALICE, secret), Yes)
        seen.append(await used())
    assert seen == [NOW + 1000] * 4 + [NOW + 5000]
    house.later(3600)

    async def read_only(*_: object, **__: object) -> int:
        from outrider.db import DatabaseDown  # noqa: PLC0415

        raise DatabaseDown("read-only")

    monkeypatch.setattr(house.database, "run", read_only)
    assert isinstance(await house.login(ALICE, secret), Yes)


# Recovery codes -------------------------------------------------------------------------------------


async def codes(house: House, user: str = ALICE) -> list[str]:
    return list((await house.ask("token recovery", account=user))["recovery_codes"])


async def test_case_73_a_recovery_code_twice_or_at_once(house: House) -> None:
    first, second, *_ = await codes(house)
    assert await yes(house, PASSWORD + first, "web")
    assert not await yes(house, PASSWORD + first, "web")
    verdicts = await asyncio.gather(*(house.login(ALICE, PASSWORD + second, "web") for _ in range(8)))
    assert sum(isinstance(one, Yes) for one in verdicts) == 1


@pytest.mark.parametrize("service", ["imap", "pop3", "submission", "sieve", "radicale"])
async def test_case_74_a_recovery_code_is_for_the_web(house: House, service: str) -> None:
    first, *_ = await codes(house)
    assert not await yes(house, PASSWORD + first, service)
    assert await yes(house, PASSWORD + first, "web")


async def test_a_recovery_code_needs_its_owner_and_his_password(house: House) -> None:
    await house.token(BOB, "totp", secret="hex:" + "00" * 20)
    mine, other = (await codes(house))[0], (await codes(house, BOB))[0]
    for field in (mine, "wrong" + mine, PASSWORD + other, PASSWORD + mine.upper(), PASSWORD + mine + "a"):
        before = house.hash.count
        assert not await yes(house, field, "web"), field
        assert house.hash.count == before + 1
    assert await yes(house, PASSWORD + mine, "web")
    again = await codes(house)
    assert mine not in again
    assert not await yes(house, PASSWORD + (await codes(house))[0][:-1] + "x", "web")
    assert not await yes(house, PASSWORD + again[0], "web")  # replaced


def test_a_recovery_code_has_a_hundred_bits_and_its_own_shape() -> None:
    drawn = recovery.new(lambda size: bytes(range(size)))
    assert len(drawn) == recovery.LENGTH == 24
    assert recovery.suffix("x" + drawn) == drawn
    assert recovery.suffix(drawn) is None
    assert len({recovery.new(__import__("os").urandom) for _ in range(100)}) == 100


# PINs -----------------------------------------------------------------------------------------------


async def test_with_a_pin_the_password_stands_before_no_code(house: House) -> None:
    assert await house.ask("factor set", account=ALICE, factor="pin", pin="4711") == {"account": ALICE, "factor": "pin"}
    stored = await house.database.one(str, "SELECT pin FROM token_pin")
    assert stored == "cheap:4711"  # as the cheap hash has it
    assert not await yes(house, PASSWORD + house.code())
    assert not await yes(house, "4711")
    assert not await yes(house, house.code())
    used = house.code()
    assert await yes(house, "4711" + used)
    assert not await yes(house, "4711" + used)
    assert await yes(house, "4711" + house.code(), "web")
    assert await yes(house, "4711" + (await codes(house))[0], "web")


@pytest.mark.parametrize("level", [0, 1])
async def test_programs_without_a_code_use_the_password_whatever_the_pin(house: House, level: int) -> None:
    await house.ask("factor set", account=ALICE, factor="pin", pin="4711")
    await house.ask("level set", account=ALICE, level=level)
    assert await yes(house, PASSWORD, "imap")
    assert not await yes(house, "4711", "imap")
    assert await yes(house, PASSWORD, "web") is (level == 0)


async def test_a_pin_without_a_token_opens_nothing(house: House) -> None:
    await house.ask("factor set", account=BOB, factor="pin", pin="4711")
    assert not await yes(house, "4711", user=BOB)
    assert await yes(house, PASSWORD, user=BOB)


async def test_back_to_the_password(house: House) -> None:
    await house.ask("factor set", account=ALICE, factor="pin", pin="4711")
    await house.ask("factor set", account=ALICE, factor="password")
    assert await house.ask("factor get", account=ALICE) == {"account": ALICE, "factor": "password"}
    assert not await yes(house, "4711" + house.code())
    assert await yes(house, PASSWORD + house.code())


@pytest.mark.parametrize("pin", [None, "", "123", "12 34", "1" * 65, 4711, "47\n11"])
async def test_what_is_no_pin(house: House, pin: object) -> None:
    assert list(await house.ask("factor set", account=ALICE, factor="pin", pin=pin)) == ["error"]
    assert not (await house.store.has_pin(1))


# Tickets --------------------------------------------------------------------------------------------


async def mint(house: House, user: str = ALICE, *services: str) -> str:
    done = await house.ask("ticket mint", account=user, peers=[WEBMAIL], services=list(services or ticket.SERVICES))
    assert done["expires"] == int(house.now) + 12 * 3600
    return str(done["secret"])


async def with_ticket(house: House, secret: str, service: str = "imap", user: str = ALICE, peer: str = WEBMAIL) -> bool:
    return isinstance(await house.login(user, secret, service, address=HOME, peer=peer), Yes)


@pytest.mark.parametrize("level", range(5))
async def test_a_ticket_opens_again_and_again_at_every_level(house: House, level: int) -> None:
    await house.ask("level set", account=ALICE, level=level)
    secret = await mint(house)
    before = house.hash.count
    for service in ("imap", "submission", "sieve", "imap"):
        assert await with_ticket(house, secret, service)
    assert house.hash.count == before  # 160 random bits need no slow hash


async def test_a_ticket_is_bound_to_owner_peer_and_services(house: House) -> None:
    secret = await mint(house, ALICE, "imap")
    refused = [
        ("imap", ALICE, HOME),
        ("imap", ALICE, ""),
        ("imap", BOB, WEBMAIL),
        ("submission", ALICE, WEBMAIL),
        ("web", ALICE, WEBMAIL),
        ("pop3", ALICE, WEBMAIL),
    ]
    for service, user, peer in refused:
        house.later(61)
        before = house.hash.count
        verdict = await house.login(user, secret, service, address=peer, peer=peer)
        assert isinstance(verdict, No), (service, user, peer)
        assert house.hash.count == before + 1
    for field in (secret[:-1] + "a" if secret[-1] != "a" else secret[:-1] + "b", secret[:8] + "a" * 32, secret + "a"):
        assert not await with_ticket(house, field)
    assert await with_ticket(house, secret)


async def test_a_ticket_ends_when_it_rests_and_at_last_in_any_case(house: House) -> None:
    resting, busy = await mint(house), await mint(house)
    for _ in range(29):
        house.later(25 * 60)
        assert await with_ticket(house, busy) is (house.now < NOW + 12 * 3600)
    assert not await with_ticket(house, busy)
    assert not await with_ticket(house, resting)
    short = await mint(house)
    house.later(29 * 60)
    assert await with_ticket(house, short)
    house.later(30 * 60 + 1)
    assert not await with_ticket(house, short)
    await house.store.sweep(int(house.now))
    assert await house.database.one(int, "SELECT COUNT(*) FROM ticket") == 0


async def test_case_79_logout_and_every_change_end_tickets(house: House, people: People) -> None:
    async def logout(secret: str) -> None:
        assert await house.ask("ticket end", secret=secret) == {"ended": 1}
        assert await house.ask("ticket end", secret=secret) == {"ended": 0}

    async def disabled(_: str) -> None:
        await people.set_enabled(ALICE, False, int(house.now))
        assert await house.ask("ticket mint", account=ALICE, peers=[WEBMAIL], services=["imap"]) == {
            "error": "the account is disabled"
        }
        await people.set_enabled(ALICE, True, int(house.now))

    async def password(_: str) -> None:
        await people.set_password(ALICE, "cheap:another", int(house.now))

    async def asked(do: str, **named: object) -> None:
        assert "error" not in await house.ask(do, account=ALICE, **named)

    changes: list[Callable[[str], object]] = [
        logout,
        disabled,
        password,
        lambda _: asked("level set", level=1),
        lambda _: asked("factor set", factor="pin", pin="4711"),
        lambda _: asked("ticket end"),
        lambda _: asked("token disable", token=1),
    ]
    for change in changes:
        secret, other = await mint(house), await mint(house, BOB)
        assert await with_ticket(house, secret)
        await change(secret)  # type: ignore[misc]
        house.later(61)
        assert not await with_ticket(house, secret)
        assert await with_ticket(house, other, user=BOB)


@pytest.mark.parametrize(
    "named",
    [
        {"peers": [], "services": ["imap"]},
        {"peers": ["0.0.0.0/33"], "services": ["imap"]},
        {"peers": ["192.0.2.1/24"], "services": ["imap"]},
        {"peers": ["localhost"], "services": ["imap"]},
        {"peers": "192.0.2.1", "services": ["imap"]},
        {"peers": [WEBMAIL], "services": []},
        {"peers": [WEBMAIL], "services": ["web"]},
        {"peers": [WEBMAIL] * 21, "services": ["imap"]},
    ],
)
async def test_what_makes_no_ticket(house: House, named: dict[str, object]) -> None:
    assert list(await house.ask("ticket mint", account=ALICE, **named)) == ["error"]


# Passwords ------------------------------------------------------------------------------------------


async def test_case_79_a_remembered_password_ends_with_its_hash(house: House, people: People) -> None:
    for _ in range(3):
        assert isinstance(await house.login(BOB, PASSWORD), Yes)
    assert house.hash.count == 1
    house.ticks += 601
    assert isinstance(await house.login(BOB, PASSWORD), Yes)
    assert house.hash.count == 2
    await people.set_password(BOB, "cheap:another", NOW)
    assert isinstance(await house.login(BOB, PASSWORD), No)
    assert house.hash.count == 3
    assert isinstance(await house.login(BOB, "another"), Yes)


async def test_a_remembered_password_is_never_an_oracle(house: House) -> None:
    """A right password beside a wrong code, or at a door that wants something else, costs what a wrong one costs."""
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)
    assert len(house.remembered) == 1
    await house.ask("level set", account=ALICE, level=3)
    for field, service in ((PASSWORD + "000000", "web"), (PASSWORD, "imap"), ("wrong" + "000000", "web")):
        before = house.hash.count
        assert isinstance(await house.login(ALICE, field, service), No)
        assert house.hash.count == before + 1
    house.later(30)
    before = house.hash.count
    assert isinstance(await house.login(ALICE, PASSWORD + house.code(), "web"), Yes)
    assert house.hash.count == before
    assert not isinstance(await house.login(ALICE, PASSWORD + house.code(), "web"), Yes)  # no code is remembered


async def test_remembering_is_bounded_and_holds_no_secret(house: House) -> None:
    house.remembered._most = 10
    for number in range(50):
        house.remembered.learn(f"hash {number}", "secret")
    assert len(house.remembered) == 10
    assert house.remembered.knows("hash 49", "secret")
    assert not house.remembered.knows("hash 49", "secret ")
    assert not house.remembered.knows("hash 4", "9secret")
    assert not house.remembered.knows("hash 0", "secret")
    assert "secret" not in repr(vars(house.remembered))


async def test_an_old_hash_becomes_a_new_one_at_the_next_good_login(house: House) -> None:
    async def stored() -> str | None:
        return await house.database.one(str, "SELECT password FROM directory_user WHERE address = :a", a=BOB)

    await house.database.run("UPDATE directory_user SET password = '{OLD}x' WHERE address = :a", a=BOB)
    house.hash.verify = lambda known, secret: (known, secret) == ("{OLD}x", PASSWORD)  # type: ignore[method-assign]
    house.hashing._verify = house.hash.verify
    assert isinstance(await house.login(BOB, "wrong"), No)
    await house.renewals.settle()
    assert await stored() == "{OLD}x"
    assert isinstance(await house.login(BOB, PASSWORD), Yes)
    await house.renewals.settle()
    assert await stored() == f"cheap:{PASSWORD}"
    assert await house.database.one(str, "SELECT password FROM directory_user WHERE address = :a", a=ALICE)


async def test_a_password_that_is_changed_meanwhile_wins(house: House) -> None:
    person = await house.enrolment.person({"account": BOB})
    assert not await house.renewals._write(person.account, "{OLD}x", "{NEW}x")
    assert not await house.renewals._write(person.account + 1000, f"cheap:{PASSWORD}", "{NEW}x")
    assert await house.renewals._write(person.account, f"cheap:{PASSWORD}", "{NEW}x")


async def test_an_unknown_scheme_is_later_and_told_once(house: House, caplog: pytest.LogCaptureFixture) -> None:
    from authd.hashing import Hashing  # noqa: PLC0415

    await house.database.run("UPDATE directory_user SET password = '{WHIRLPOOL}xyz'")
    house.logins._hashing = Hashing(1)
    for _ in range(3):
        assert isinstance(await house.login(BOB, PASSWORD), Later)
    assert caplog.text.count("WHIRLPOOL") == 1
    assert "xyz" not in caplog.text
    house.logins._hashing.close()
