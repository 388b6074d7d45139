"""What an operator asks: his answers say why, and hold nothing secret."""

import json
from typing import Any

import pytest

from authd import operations_cli
from authd.guards import CLOSE_AFTER, LOCK_AFTER
from authd.methods import hotp, motp, yubikey
from authd.upkeep import Upkeep
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.databases import NOW
from outrider.people import People
from outrider.sealed import key_id, new_key_line


async def explained(house: House, account: str = ALICE, service: str = "imap") -> dict[str, Any]:
    return await house.ask("auth explain", account=account, service=service)


# explain ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("level", "service", "opens", "why"),
    [
        (0, "imap", ["the password", "app password 1"], "level 0: the password; or app password 1"),
        (1, "imap", ["the password", "app password 1"], "level 1: the password; or app password 1"),
        (2, "imap", [], "level 2 lets nobody in at this service"),
        (3, "imap", ["app password 1"], "level 3: app password 1"),
        (3, "pop3", [], "level 3 asks for an app password here, and none is good"),
        (4, "imap", ["the password and a code of token 1", "app password 1"], "level 4: the password and a code of"),
        (4, "web", ["the password and a code of token 1"], "level 4: the password and a code of token 1"),
    ],
)
async def test_what_opens_each_door(house: House, level: int, service: str, opens: list[str], why: str) -> None:
    await house.app_password(ALICE, "imap")
    await house.ask("level set", account=ALICE, level=level)
    answer = await explained(house, service=service)
    assert answer["opens"] == opens
    assert answer["why"].startswith(why)
    assert (answer["level"], answer["effective"]) == (level, level)


async def test_an_account_without_a_token_is_level_0_whatever_was_chosen(house: House) -> None:
    await house.ask("level set", account=BOB, level=3)
    answer = await explained(house, BOB)
    assert (answer["level"], answer["effective"], answer["opens"]) == (3, 0, ["the password"])
    assert answer["why"] == "level 0: the password"


async def test_what_keeps_an_app_password_out(house: House) -> None:
    for _ in range(3):
        await house.app_password(ALICE, "imap")
    await house.app_password(ALICE, "smtp")
    await house.ask("app-password revoke", account=ALICE, app_password=1)
    await house.database.run("UPDATE app_password SET expires = :now WHERE id = 2", now=NOW)
    answer = await explained(house)
    assert [one["why"] for one in answer["app_passwords"]] == ["revoked", "expired", "good", "not for this service"]


async def test_locks_closed_codes_pauses_and_failures_are_told(house: House) -> None:
    for number in range(8):
        await house.login(ALICE, f"guess {number}", "web")
    number = await house.database.one(int, "SELECT account_id FROM token") or 0
    for _ in range(LOCK_AFTER):
        house.ledger.wrong_secret(number, 1)
    answer = await explained(house, service="web")
    assert answer["tokens"] == [{"token": 1, "kind": "totp", "why": "locked", "wrong_secrets": LOCK_AFTER}]
    assert answer["why"] == "level 4 asks for a code, and no token is good"
    assert answer["limits"]["pauses"] == [{"network": "198.51.100.0/24", "service": "web", "seconds": 1}]
    assert answer["limits"]["failures_left"] == 94
    assert [(one["why"], one["class"], one["times"]) for one in answer["failures"]] == [
        ("too-many-failures", "A", 2),
        ("nothing-right", "A", 6),
    ]
    from authd.guards import fingerprint  # noqa: PLC0415

    for _ in range(CLOSE_AFTER):
        house.ledger.wrong_code(number, fingerprint(f"cheap:{PASSWORD}"))
    answer = await explained(house, service="web")
    assert answer["codes"] == {"in_a_row": CLOSE_AFTER, "total": CLOSE_AFTER, "closed": True}
    assert "closed until the password changes" in answer["why"]


async def test_a_disabled_account_opens_nowhere(house: House, people: People) -> None:
    await people.set_enabled(BOB, False, NOW)
    answer = await explained(house, BOB)
    assert (answer["opens"], answer["why"]) == ([], "the account is disabled")


async def test_a_token_whose_secret_does_not_open_is_told(house: House) -> None:
    await house.database.run("UPDATE token SET secret = :nonsense", nonsense=b"\x01x")
    answer = await explained(house)
    assert answer["tokens"][0]["why"] == "its secret does not open"


@pytest.mark.parametrize(
    "named",
    [{"account": "nobody@provider.example"}, {"account": ALICE, "service": "ftp"}, {"account": ALICE, "service": ""}],
)
async def test_what_cannot_be_explained_is_refused(house: House, named: dict[str, str]) -> None:
    assert "error" in await house.ask("auth explain", **{"service": "imap", **named})


async def test_no_answer_holds_a_secret(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    for field in (secret, PASSWORD + house.code(), "wrong-word"):
        await house.login(ALICE, field)
    answers = json.dumps([await explained(house), await house.ask("auth log", account=ALICE)])
    for word in (secret, secret[:8], PASSWORD, house.code(), "wrong-word", house.secret.hex(), "cheap:"):
        assert word not in answers


# log, unlock ------------------------------------------------------------------------------------------------


async def test_an_owner_reads_his_logins_newest_first(house: House) -> None:
    secret = await house.app_password(ALICE, "imap")
    await house.login(ALICE, secret)
    house.later(5)
    await house.login(ALICE, PASSWORD + house.code(), "web", address="2001:db8::7")
    house.later(5)
    await house.login(ALICE, "wrong", "submission", address="")
    await house.login("nobody@provider.example", "wrong")
    await house.login(BOB, PASSWORD)
    logins = (await house.ask("auth log", account=ALICE))["logins"]
    seen = [
        tuple(one[name] for name in ("at", "service", "network", "result", "credential", "class")) for one in logins
    ]
    assert seen == [
        (NOW + 10, "smtp", "-", "no", "-", "A"),
        (NOW + 5, "web", "2001:db8::/64", "yes", "token 1", "-"),
        (NOW, "imap", "198.51.100.0/24", "yes", "app-password 1", "-"),
    ]
    assert len((await house.ask("auth log", account=BOB))["logins"]) == 1


async def test_unlocking_is_for_tokens_that_are_there(house: House) -> None:
    assert await house.ask("token unlock", account=ALICE, token=99) == {"error": "the account has no such token"}
    assert await house.ask("token unlock", account=BOB, token=1) == {"error": "the account has no such token"}


async def test_unlocking_an_account_ends_its_pauses(house: House) -> None:
    for number in range(20):
        await house.login(BOB, f"guess {number}")
    assert (await explained(house, BOB))["limits"]["pauses"]
    await house.ask("account unlock", account=BOB)
    answer = await explained(house, BOB)
    assert answer["limits"] == {"failures_left": 100, "pauses": []}


# new keys ---------------------------------------------------------------------------------------------------


async def add_key(house: House, name: str, *, keep: bool = True) -> None:
    """The key file with another newest key, read as after a restart."""
    before = house.key.read_text() if keep else ""
    house.key.chmod(0o600)
    house.key.write_text(new_key_line(name) + before)
    house.key.chmod(0o400)
    house.keys._ring = None


async def test_every_secret_is_sealed_anew_and_still_opens(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authd.upkeep.BATCH", 1)
    monkeypatch.setattr("authd.upkeep.PORTION", 2)
    await house.token(BOB, "motp", secret="0123456789abcdef", pin="1234")
    key = {"public_id": "vvccccdddddd", "private_id": "010203040506", "aes_key": "00" * 16}
    assert (await house.ask("token import", kind="yubikey", **key))["public_id"] == "vvccccdddddd"
    await add_key(house, "second")
    place: dict[str, int] | None = {}
    sealed = questions = 0
    while place is not None:
        answer = await house.ask("secrets rewrap", **place)
        assert (answer["key"], answer["failed"]) == ("second", 0)
        sealed, place, questions = sealed + answer["sealed"], answer["next"], questions + 1
    assert sealed == 5  # two secrets, a PIN, a key in stock and its private id
    assert questions > 1
    for table in ("token", "token_stock"):
        for column in ("secret", "extra"):
            blobs = await house.database.all(bytes, f"SELECT {column} FROM {table} WHERE {column} IS NOT NULL")
            assert {key_id(blob) for blob in blobs} == {"second"}
    lines = house.key.read_text().splitlines(keepends=True)
    house.key.chmod(0o600)
    house.key.write_text(lines[0])  # the old key is not needed any more
    house.key.chmod(0o400)
    house.keys._ring = None
    assert (await house.ask("secrets rewrap"))["failed"] == 0
    code = motp.code_at(b"0123456789abcdef", b"1234", NOW // 10)
    assert type(await house.login(BOB, PASSWORD + code)).__name__ == "Yes"
    assert type(await house.login(ALICE, PASSWORD + house.code())).__name__ == "Yes"


async def test_what_no_key_opens_is_counted_and_left_alone(house: House) -> None:
    before = await house.database.one(bytes, "SELECT secret FROM token")
    await add_key(house, "second", keep=False)
    answer = await house.ask("secrets rewrap")
    assert (answer["sealed"], answer["failed"]) == (0, 1)
    assert await house.database.one(bytes, "SELECT secret FROM token") == before


async def test_a_change_meanwhile_is_not_lost(house: House) -> None:
    await add_key(house, "second")
    upkeep = Upkeep(house.database)
    column = upkeep._columns[0]
    ring = house.keys.ring()
    sql = column.update()
    old = await house.database.one(bytes, "SELECT secret FROM token") or b""
    await house.database.run(
        "UPDATE token SET secret = :new", new=ring.seal(b"x", *("token", "1", "1", "totp", "secret"))
    )
    assert await house.database.run(sql, new=b"late", id=1, old=old) == 0


# after a restore --------------------------------------------------------------------------------------------


async def test_codes_from_before_the_restore_are_good_no_more(house: House) -> None:
    counter = await house.token(BOB, "hotp", secret="hex:" + b"12345678901234567890".hex(), last=4)
    phone = await house.token(ALICE, "motp", secret="0123456789abcdef", pin="1234")
    used = {step: house.code(step) for step in (0, 1)}
    answer = await house.ask("db restored")
    assert answer["moved"]["totp"] == answer["moved"]["hotp"] == answer["moved"]["motp"] == 1
    for step in (0, 1):
        assert type(await house.login(ALICE, PASSWORD + used[step], "web")).__name__ == "No"
    assert type(await house.login(ALICE, PASSWORD + house.code(2), "web")).__name__ == "No"  # ahead of its window
    house.later(60)
    assert type(await house.login(ALICE, PASSWORD + house.code(), "web")).__name__ == "Yes"
    assert await house.last(phone) == NOW // motp.PERIOD + motp.WINDOW
    assert await house.last(counter) == 4 + hotp.LOOK_AHEAD
    secret = b"12345678901234567890"
    for ahead, verdict in ((4 + 10, "No"), (4 + 11, "Yes")):
        code = hotp.code_at(secret, ahead, algorithm="SHA1", digits=6)
        assert type(await house.login(BOB, PASSWORD + code)).__name__ == verdict


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (0x0102, 0x0BFF),
        (0, 0x0AFF),
        ((0x7FFF - 10) << 8, 0x7FFF << 8 | 0xFF),
        ((0x7FFF - 9) << 8, (0x7FFF - 9) << 8),
        (-1, -1),
    ],
)
async def test_a_yubikey_is_ten_sessions_on_and_never_past_its_end(house: House, before: int, after: int) -> None:
    await house.database.run("UPDATE token SET kind = 'yubikey', last = :before", before=before)
    await house.ask("db restored")
    assert await house.last(1) == after
    assert yubikey.COUNTER_MASK == 0x7FFF


# For people -------------------------------------------------------------------------------------------------


def test_a_row_of_the_log_for_people() -> None:
    row = {
        "at": 1_800_000_000,
        "service": "imap",
        "network": "192.0.2.0/24",
        "result": "no",
        "class": "A",
        "why": "nothing-right",
        "credential": "-",
        "times": 3,
    }
    assert operations_cli.logged(row) == (
        "2027-01-15 08:00:00  imap   192.0.2.0/24          no     A nothing-right  3 times"
    )
