"""When something breaks: cases 3 and 82 to 86."""

import asyncio
import os
import signal
import sqlite3
import subprocess
import sys
from pathlib import Path

import pytest

from authd.decide import Later, No, Request, Why, Yes
from authd.methods import motp
from authd.telling import Telling
from kit.authd_house import ALICE, BOB, PASSWORD, SERVED, House
from kit.databases import NOW, POSTGRESQL
from kit.validation_server import Yubikey
from outrider.db.sqlite import SqliteDatabase, translated
from outrider.sealed import new_key_line

URL_WITH = {"postgresql": POSTGRESQL}


def url(house: House) -> str:
    return URL_WITH.get(house.database.dialect) or f"sqlite:{house.database.path}"  # type: ignore[attr-defined]


PROCESS = """
import asyncio, os, signal, sys
from authd.cloud import Cloud
from authd.methods import Match, Token
from authd.methods.recovery import RecoveryCode
from authd.methods.yubicloud import Answer, Outcome
from authd.store import Store
from outrider.db import open_database

class Good:
    async def ask(self, otp):
        return Answer(Outcome.GOOD, "OK", 1)

async def main(url, token, codes, first, kill):
    database = open_database(url, os.environ.get("OUTRIDER_TEST_POSTGRESQL_PASSWORD", ""))
    store, cloud = Store(database), Cloud(database, Good(), lambda: 1)
    one = Token(token, "totp", b"", "SHA1", 6, 30, last=-1, drift=0)
    sys.stdin.readline()
    done = [0, 0, 0]
    for number in range(1, codes + 1):
        step = Match(one, 60_000_000 + number, 0)
        done[0] += sum(await asyncio.gather(*(store.spend(step) for _ in range(4))))
        if kill:
            os.kill(os.getpid(), signal.SIGKILL)
        code = RecoveryCode(first + number - 1, False)
        done[1] += sum(await asyncio.gather(*(store.recover(code, 1) for _ in range(4))))
        answers = await asyncio.gather(*(cloud.ask(f"otp{number}") for _ in range(4)))
        done[2] += sum(answer.outcome is Outcome.GOOD for answer in answers)
    print(*done)
    await database.close()

asyncio.run(main(sys.argv[1], *map(int, sys.argv[2:5]), sys.argv[5] == "kill"))
"""


def process(*words: str) -> "subprocess.Popen[str]":
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(filter(None, sys.path))}
    return subprocess.Popen(
        [sys.executable, "-c", PROCESS, *words],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=environment,
    )


async def test_case_03_each_code_lets_in_once_from_two_processes(house: House) -> None:
    """Not only those of tokens: recovery codes, and codes that are asked about."""
    await house.ask("token recovery", account=ALICE)
    first = await house.database.one(int, "SELECT MIN(id) FROM recovery_code")
    both = [process(url(house), "1", "10", str(first), "") for _ in range(2)]
    for one in both:
        assert one.stdin is not None
        one.stdin.write("\n")
        one.stdin.flush()
    outputs = await asyncio.gather(*(asyncio.to_thread(one.communicate, timeout=60) for one in both))
    counts = [list(map(int, out.split())) for out, _ in outputs]
    assert [sum(column) for column in zip(*counts, strict=True)] == [10, 10, 10]


async def test_case_84_a_code_stays_used_when_the_process_is_killed_before_it_answers(house: House) -> None:
    one = process(url(house), "1", "1", "1", "kill")
    await asyncio.to_thread(one.communicate, "\n", timeout=60)
    assert one.returncode == -signal.SIGKILL
    assert await house.last(1) == 60_000_001
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes | No)
    house.now = 60_000_001 * 30
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), No)


# The key --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("trouble", ["missing", "open to others", "another key", "empty", "junk"])
async def test_case_82_without_its_key_every_code_is_later(house: House, trouble: str) -> None:
    good = house.key.read_text()
    house.key.chmod(0o600)
    match trouble:
        case "missing":
            house.key.unlink()
        case "open to others":
            house.key.chmod(0o644)
        case "another key":
            house.key.write_text(new_key_line("2"))
        case "empty":
            house.key.write_text("")
        case "junk":
            house.key.write_text("1:AAAA\n")
    house.keys._ring = None
    for service in ("imap", "web"):
        assert isinstance(await house.login(ALICE, PASSWORD + house.code(), service), Later)
    house.key.unlink(missing_ok=True)
    house.key.write_text(good)
    house.key.chmod(0o400)
    house.keys._ring = None
    house.later(5)
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)


@pytest.mark.parametrize("field", ["secret", "extra"])
async def test_case_82_a_changed_bit_is_later_and_an_alarm(
    house: House, field: str, caplog: pytest.LogCaptureFixture
) -> None:
    token = await house.token(BOB, "motp", secret="0123456789abcdef", pin="6666")
    code = motp.code_at(b"0123456789abcdef", b"6666", NOW // 10)
    sealed = await house.database.one(bytes, f"SELECT {field} FROM token WHERE id = :t", t=token)
    assert sealed is not None
    for at in {0, 1, 5, len(sealed) // 2, len(sealed) - 1}:
        changed = sealed[:at] + bytes([sealed[at] ^ 1]) + sealed[at + 1 :]
        await house.database.run(f"UPDATE token SET {field} = :c WHERE id = :t", c=changed, t=token)
        assert isinstance(await house.login(BOB, PASSWORD + code), Later)
    assert f"trouble=token token={token} " in caplog.text
    await house.database.run(f"UPDATE token SET {field} = :c WHERE id = :t", c=sealed, t=token)
    assert isinstance(await house.login(BOB, PASSWORD + code), Yes)


async def test_case_83_no_login_fails_while_all_secrets_are_sealed_anew(house: House) -> None:
    key = Yubikey()
    keys = {"public_id": key.public_id, "private_id": key.private_id.hex(), "aes_key": key.aes_key.hex()}
    token = await house.token(BOB, "yubikey", **keys)
    bought = {**keys, "public_id": "cccccccccccb"}
    assert (await house.ask("token import", kind="yubikey", **bought))["state"] == "stock"
    sealed = "SELECT secret FROM token_stock UNION ALL SELECT extra FROM token_stock"
    before = await house.database.all(bytes, sealed)
    house.key.chmod(0o600)
    house.key.write_text(new_key_line("2") + house.key.read_text())
    house.key.chmod(0o400)
    house.keys._ring = None

    async def logins() -> list[object]:
        return [await house.login(BOB, PASSWORD + key.press()) for _ in range(20)]

    verdicts, done = await asyncio.gather(logins(), house.ask("secrets rewrap"))
    assert all(isinstance(one, Yes) for one in verdicts)
    assert (done["failed"], done["already"]) == (0, 0)
    assert (await house.ask("secrets rewrap"))["sealed"] == 0
    house.key.chmod(0o600)
    house.key.write_text(house.key.read_text().splitlines(keepends=True)[0])  # the old key is gone
    house.key.chmod(0o400)
    house.keys._ring = None
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Yes)
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)
    assert not set(before) & set(await house.database.all(bytes, sealed))
    assert "error" not in await house.ask("token add", account=ALICE, kind="yubikey", public_id="cccccccccccb")
    assert token


# The database ---------------------------------------------------------------------------------------

FAULTS = [
    "database is locked",
    "attempt to write a readonly database",
    "database or disk is full",
    "disk I/O error",
]


@pytest.mark.parametrize("fault", FAULTS)
async def test_case_85_what_cannot_be_spent_lets_nobody_in(
    house: House, fault: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    key = house.cloud.know(Yubikey("ccccccbbddee"))
    await house.token(BOB, "yubicloud", public_id=key.public_id)
    recovery = (await house.ask("token recovery", account=ALICE))["recovery_codes"][0]

    async def down(*_: object, **__: object) -> None:
        raise translated(sqlite3.OperationalError(fault))

    for verb in ("run", "take", "transaction"):
        monkeypatch.setattr(house.database, verb, down)
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Later)
    assert isinstance(await house.login(ALICE, PASSWORD + recovery, "web"), Later)
    assert isinstance(await house.login(BOB, PASSWORD + key.press()), Later)
    assert house.cloud.asked == []  # nobody is asked about a code that could not be burnt
    monkeypatch.undo()
    house.health.well("database")
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)
    assert isinstance(await house.login(ALICE, PASSWORD + recovery, "web"), Yes)


async def test_case_85_another_process_holds_the_lock(house: House, monkeypatch: pytest.MonkeyPatch) -> None:
    if not isinstance(house.database, SqliteDatabase):
        pytest.skip("SQLite's lock")
    holder = sqlite3.connect(Path(house.database.path), isolation_level=None)
    holder.execute("BEGIN IMMEDIATE")
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Later)
    holder.execute("ROLLBACK")
    holder.close()
    assert isinstance(await house.login(ALICE, PASSWORD + house.code()), Yes)


# What is written down -------------------------------------------------------------------------------


async def test_case_86_no_log_line_holds_a_secret_a_field_or_a_code(
    house: House, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("DEBUG")
    key, far = Yubikey(), house.cloud.know(Yubikey("ccccccbbddee", b"uvwxyz", b"c" * 16))
    seed, pin = "hex:" + "5e" * 20, "PinOfMobile"
    await house.token(BOB, "hotp", secret=seed)
    await house.token(BOB, "motp", secret="0123456789abcdef", pin=pin)
    keys = {"public_id": key.public_id, "private_id": key.private_id.hex(), "aes_key": key.aes_key.hex()}
    await house.token(BOB, "yubikey", **keys)
    await house.token(BOB, "yubicloud", public_id=far.public_id)
    app = await house.app_password(BOB, "imap")
    shown = await house.ask("token add", account=BOB, kind="totp")
    ticket = (await house.ask("ticket mint", account=BOB, peers=["192.0.2.1"], services=["imap"]))["secret"]
    recovery = (await house.ask("token recovery", account=BOB))["recovery_codes"]
    secrets = [PASSWORD, "5e" * 20, pin, app, str(shown["secret"]), str(ticket), *recovery, "WrongSecretOfHis"]
    secrets += [house.code(), motp.code_at(b"0123456789abcdef", pin.encode(), NOW // 10), key.aes_key.hex()]
    secrets += [key.press(), key.press(), far.press(), far.press(), house.cloud.client.key.decode()]
    for lie in ("", "wrong h", "html"):
        house.cloud.lie = lie
        for user in (ALICE, BOB, "nobody@provider.example"):
            for secret in secrets:
                for field in (secret, PASSWORD + secret, "WrongSecretOfHis" + secret):
                    for service in ("imap", "web"):
                        request = Request(service, SERVED, field, "198.51.100.7", "192.0.2.1")
                        Telling().note(request, await house.logins.judge(user, request, lambda: True), 0.0)
                    house.later(61)
    for do in ("token confirm", "token resync", "token import", "factor set", "ticket end"):
        await house.ask(do, account=BOB, token=99, code=secrets[0], codes=secrets[:2], kind="motp", secret=pin, pin=pin)
    await house.ledger.write()
    assert len(caplog.records) > 1000
    for secret in secrets:
        assert secret not in caplog.text, secret
    rows = await house.database.all(str, "SELECT credential || why || network FROM login_audit")
    assert rows
    assert not [row for row in rows for secret in secrets if secret in row]
    assert await house.login(BOB, "x" * 2000) == No(Why.FIELD)
