"""Setting a token up: cases 75 to 78, and every kind from the first question to the first login."""

import asyncio
import base64

import pyotp
import pytest

from authd.decide import No, Yes
from authd.enrolment_store import PENDING_SECONDS, WRONG_CODES
from authd.methods import motp
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.databases import NOW
from kit.validation_server import Yubikey


async def added(house: House, kind: str, **named: object) -> dict[str, object]:
    done = await house.ask("token add", account=BOB, kind=kind, label="mine", **named)
    assert "error" not in done, done
    return done


async def confirm(house: House, token: object, code: str, account: str = BOB) -> dict[str, object]:
    return await house.ask("token confirm", account=account, token=token, code=code)


async def test_case_75_a_pending_token_opens_nothing(house: House) -> None:
    done = await added(house, "totp")
    code = pyotp.parse_uri(str(done["uri"])).at(NOW)  # type: ignore[call-arg]
    assert isinstance(await house.login(BOB, PASSWORD + str(code)), No)
    assert isinstance(await house.login(BOB, PASSWORD), Yes)


async def test_case_76_five_wrong_codes_delete_a_pending_token(house: House) -> None:
    done = await added(house, "hotp")
    for _ in range(WRONG_CODES):
        assert "error" in await confirm(house, done["token"], "999999x")
    assert await confirm(house, done["token"], "000000") == {"error": "the account has no such token"}
    assert (await house.ask("token list", account=BOB))["tokens"] == []


async def test_case_77_the_code_of_the_confirmation_is_used_up(house: House) -> None:
    done = await added(house, "totp")
    code = str(pyotp.parse_uri(str(done["uri"])).at(NOW))  # type: ignore[call-arg]
    assert (await confirm(house, done["token"], code))["state"] == "active"
    await house.ask("level set", account=BOB, level=4)
    assert isinstance(await house.login(BOB, PASSWORD + code), No)


async def test_case_78_a_disabled_token_is_refused_at_once(house: House) -> None:
    secret = "hex:" + "11" * 20
    token = await house.token(ALICE, "totp", secret=secret)
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)  # the password is remembered
    await house.ask("token disable", account=ALICE, token=1)
    house.later(30)
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), No)
    await house.ask("token disable", account=ALICE, token=token)
    assert [one["state"] for one in (await house.ask("token list", account=ALICE))["tokens"]] == ["disabled"] * 2
    assert "error" in await confirm(house, 1, house.code(), ALICE)


# Every kind -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("algorithm", ["SHA1", "SHA256", "SHA512"])
@pytest.mark.parametrize(("digits", "period"), [(6, 30), (8, 60)])
async def test_totp(house: House, algorithm: str, digits: int, period: int) -> None:
    done = await added(house, "totp", algorithm=algorithm, digits=digits, period=period)
    app = pyotp.parse_uri(str(done["uri"]))
    assert isinstance(app, pyotp.TOTP)
    assert (app.digits, app.interval, app.digest().name) == (digits, period, algorithm.lower())
    assert (await confirm(house, done["token"], app.at(NOW)))["level"] == 3
    await house.ask("level set", account=BOB, level=4)
    house.later(period)
    assert isinstance(await house.login(BOB, PASSWORD + app.at(int(house.now))), Yes)


@pytest.mark.parametrize("digits", [6, 8])
async def test_hotp(house: House, digits: int) -> None:
    done = await added(house, "hotp", digits=digits, counter=7)
    app = pyotp.parse_uri(str(done["uri"]))
    assert isinstance(app, pyotp.HOTP)
    assert app.initial_count == 7
    assert "error" in await confirm(house, done["token"], pyotp.HOTP(app.secret, digits=digits).at(6))
    assert (await confirm(house, done["token"], pyotp.HOTP(app.secret, digits=digits).at(8)))["state"] == "active"
    assert await house.last(int(str(done["token"]))) == 8
    await house.ask("level set", account=BOB, level=4)
    assert isinstance(await house.login(BOB, PASSWORD + pyotp.HOTP(app.secret, digits=digits).at(8)), No)
    assert isinstance(await house.login(BOB, PASSWORD + pyotp.HOTP(app.secret, digits=digits).at(9)), Yes)


@pytest.mark.parametrize("secret", ["GEZD GNBV GY3T QOJQ GEZD GNBV GY3T QOJQ", "hex:" + b"12345678901234567890".hex()])
async def test_a_secret_that_is_brought_is_not_shown_again(house: House, secret: str) -> None:
    done = await added(house, "hotp", secret=secret)
    assert set(done) == {"token", "kind"}
    assert (await confirm(house, done["token"], "755224"))["state"] == "active"


@pytest.mark.parametrize("secret", [None, "e3152afee62599c8", "E3152AFEE62599C8"])
async def test_motp(house: House, secret: str | None) -> None:
    done = await added(house, "motp", secret=secret, pin="1234")
    known = str(done["secret"]) if secret is None else secret.lower()
    if secret is None:
        assert done["uri"] == f"motp://provider.example:bob%40provider.example?secret={known}"
        assert len(known) == 32
    code = motp.code_at(known.encode(), b"1234", NOW // 10)
    assert (await confirm(house, done["token"], code))["state"] == "active"
    sealed = await house.database.one(bytes, "SELECT extra FROM token WHERE id = :t", t=done["token"])
    assert sealed is not None
    assert b"1234" not in sealed


async def test_a_yubikey_that_is_written_anew(house: House) -> None:
    done = await added(house, "yubikey")
    key = Yubikey(str(done["public_id"]), bytes.fromhex(str(done["private_id"])), bytes.fromhex(str(done["aes_key"])))
    assert key.public_id.startswith("vv")
    assert "error" in await confirm(house, done["token"], Yubikey(key.public_id).press())
    assert (await confirm(house, done["token"], key.press().upper()))["state"] == "active"
    await house.ask("level set", account=BOB, level=4)
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)


async def test_a_yubikey_with_keys_that_are_brought(house: House) -> None:
    key = Yubikey(public_id="")
    named = {"public_id": "", "private_id": key.private_id.hex(), "aes_key": key.aes_key.hex()}
    done = await added(house, "yubikey", **named)
    assert set(done) == {"token", "kind"}
    assert (await confirm(house, done["token"], key.press()))["state"] == "active"


async def test_a_yubikey_out_of_stock_gets_one_owner(house: House) -> None:
    key = Yubikey("cccccccccccb")
    keys = {"public_id": key.public_id, "private_id": key.private_id.hex(), "aes_key": key.aes_key.hex()}
    asked = {"account": None, "kind": "yubikey", "label": "4711", **keys}
    done = await house.ask("token import", **asked)
    assert done == {"token": None, "public_id": key.public_id, "kind": "yubikey", "state": "stock"}
    assert "error" in await house.ask("token import", **asked)
    assert "error" in await house.ask("token add", account=BOB, kind="yubikey", public_id="cccccccccccd")
    mine = await added(house, "yubikey", public_id=key.public_id)
    other = await house.ask("token add", account=ALICE, kind="yubikey", public_id=key.public_id)
    assert (await confirm(house, mine["token"], key.press()))["state"] == "active"
    assert "error" in await confirm(house, other["token"], key.press(), ALICE)  # it has left the stock
    assert "error" in await house.ask("token add", account=ALICE, kind="yubikey", public_id=key.public_id)
    assert await house.database.one(int, "SELECT COUNT(*) FROM token_stock") == 0


async def test_a_key_in_stock_is_not_lost_with_a_pending_token(house: House) -> None:
    keys = {"public_id": "cccccccccccb", "private_id": "010203040506", "aes_key": "00" * 16}
    await house.ask("token import", kind="yubikey", **keys)
    await added(house, "yubikey", public_id="cccccccccccb")
    house.later(PENDING_SECONDS)
    await house.store.sweep(int(house.now))
    assert "error" not in await house.ask("token add", account=ALICE, kind="yubikey", public_id="cccccccccccb")


async def test_yubicloud(house: House) -> None:
    key = house.cloud.know(Yubikey("ccccccbbddee"))
    done = await added(house, "yubicloud", public_id="CCCCCCBBDDEE")
    assert "error" in await confirm(house, done["token"], Yubikey("ccccccbbddef").press())
    assert house.cloud.asked == []
    house.cloud.fault = "500"
    assert "later" in await confirm(house, done["token"], key.press())
    house.cloud.fault = ""
    code = key.press()
    assert (await confirm(house, done["token"], code))["state"] == "active"
    await house.ask("level set", account=BOB, level=4)
    assert isinstance(await house.login(BOB, PASSWORD + code), No)
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)


async def test_another_public_id_in_the_row_lets_nobody_in(house: House) -> None:
    """Who writes into the database cannot put his own key there: the id that counts is sealed."""
    key, thief = house.cloud.know(Yubikey("ccccccbbddee")), house.cloud.know(Yubikey("ccccccbbddef"))
    await house.token(BOB, "yubicloud", public_id=key.public_id)
    await house.database.run("UPDATE token SET public_id = :p WHERE kind = 'yubicloud'", p=thief.public_id)
    assert isinstance(await house.login(BOB, PASSWORD + thief.press()), No)
    assert house.cloud.asked == []
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)


async def test_recovery_codes_come_with_the_first_token_alone(house: House) -> None:
    done = await added(house, "hotp", secret="hex:" + b"12345678901234567890".hex())
    first = await confirm(house, done["token"], "755224")
    assert len(set(first["recovery_codes"])) == 10  # type: ignore[call-overload]
    done = await added(house, "hotp", secret="hex:" + b"12345678901234567890".hex())
    assert "recovery_codes" not in await confirm(house, done["token"], "755224")
    digests = await house.database.all(bytes, "SELECT digest FROM recovery_code WHERE account_id = 2")
    assert len(digests) == 10
    assert not any(str(code).encode() in digest for code in first["recovery_codes"] for digest in digests)  # type: ignore[attr-defined]


async def test_of_eight_confirmations_at_once_one_succeeds(house: House) -> None:
    key = house.cloud.know(Yubikey("ccccccbbddee"))
    done = await added(house, "yubicloud", public_id=key.public_id)
    code = key.press()
    answers = await asyncio.gather(*(confirm(house, done["token"], code) for _ in range(8)))
    assert sum("state" in one for one in answers) == 1


@pytest.mark.parametrize(
    ("kind", "named"),
    [
        ("totp", {"algorithm": "MD5"}),
        ("totp", {"algorithm": 5}),
        ("totp", {"digits": 7}),
        ("totp", {"digits": "6"}),
        ("totp", {"digits": True}),
        ("totp", {"period": 0}),
        ("totp", {"period": 15}),
        ("totp", {"secret": "1234"}),
        ("totp", {"secret": "GEZDGNBV"}),
        ("totp", {"secret": "hex:zz"}),
        ("totp", {"secret": "A" * 1000}),
        ("hotp", {"counter": -1}),
        ("hotp", {"counter": 1 << 62}),
        ("motp", {}),
        ("motp", {"pin": "123"}),
        ("motp", {"pin": "12 34"}),
        ("motp", {"pin": "1234", "secret": "short"}),
        ("motp", {"pin": "1234", "secret": "ä" * 16}),
        ("yubikey", {"public_id": "ccc"}),
        ("yubikey", {"public_id": "zz"}),
        ("yubikey", {"public_id": "c" * 18}),
        ("yubikey", {"aes_key": "00" * 16}),
        ("yubikey", {"private_id": "00" * 6, "aes_key": "00" * 15}),
        ("yubicloud", {}),
        ("yubicloud", {"public_id": "cccc"}),
        ("yubicloud", {"public_id": "vvvvvvvvvvva"}),
    ],
)
async def test_what_makes_no_token(house: House, kind: str, named: dict[str, object]) -> None:
    assert list(await house.ask("token add", account=BOB, kind=kind, **named)) == ["error"]
    assert (await house.ask("token list", account=BOB))["tokens"] == []


@pytest.mark.parametrize(
    "named",
    [
        {"account": BOB, "kind": "totp"},
        {"account": BOB, "kind": "yubikey"},
        {"account": BOB, "kind": "yubikey", "public_id": "cccccccccccb"},
        {"account": None, "kind": "totp", "secret": "hex:" + "00" * 20},
        {"kind": "yubikey", "public_id": "", "private_id": "00" * 6, "aes_key": "00" * 16},
        {"account": "nobody@provider.example", "kind": "totp", "secret": "hex:" + "00" * 20},
        {"account": BOB, "kind": "totp", "secret": "hex:" + "00" * 20, "level": 5},
        {"account": BOB, "kind": "totp", "secret": "hex:" + "00" * 20, "level": True},
    ],
)
async def test_what_is_not_imported(house: House, named: dict[str, object]) -> None:
    assert list(await house.ask("token import", **named)) == ["error"]
    assert (await house.ask("token list", account=BOB))["tokens"] == []


async def test_an_import_gives_the_level_that_was_said_and_changes_none(house: House) -> None:
    secret = "hex:" + "00" * 20
    await house.token(BOB, "totp", secret=secret, level=1, label="A1")
    assert (await house.ask("level get", account=BOB))["level"] == 1
    assert "error" in await house.ask("token import", account=BOB, kind="totp", secret=secret, label="A1")
    await house.token(ALICE, "totp", secret=secret, level=0)
    assert (await house.ask("level get", account=ALICE))["level"] == 4


def test_base32_in_every_spelling_is_one_secret() -> None:
    from authd.enrol_kinds import decoded  # noqa: PLC0415

    secret = b"12345678901234567890"
    plain = base64.b32encode(secret).decode()
    for text in (plain, plain.lower(), f"{plain[:4]} {plain[4:]}", f"{plain[:8]}-{plain[8:]}", plain + "===="):
        assert decoded(text) == secret
    assert decoded("GEZDGNBVGY3TQOJQ") == b"1234567890"
