"""dovecot-conf/outrider-auth.lua in a plain Lua interpreter with lua-socket, against authd and against silence."""

import asyncio
import base64
import os
import shlex
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from kit.authd_house import ALICE, BOB, PASSWORD, House
from outrider.listeners import Listener

HERE = Path(__file__).parent
SHIM = HERE.parent.parent.parent / "dovecot-conf" / "outrider-auth.lua"
LUA = shlex.split(os.environ.get("OUTRIDER_LUA", "lua5.4"))  # Debian: lua5.4 and lua-socket
WATCHDOG = 30.0  # seconds


def lua_is_there() -> bool:
    try:
        probe = subprocess.run([*LUA, "-e", 'require "socket.unix" require "mime"'], capture_output=True, check=False)
    except FileNotFoundError:
        return False
    return probe.returncode == 0


THERE = lua_is_there()
pytestmark = pytest.mark.skipif(not THERE and not os.environ.get("CI"), reason="lua5.4 with lua-socket is missing")


class Worker:
    """One auth worker."""

    def __init__(self, process: asyncio.subprocess.Process) -> None:
        self._process = process

    async def __call__(self, *words: str) -> str:
        return (await self.ask(*(word.encode() for word in words))).decode()

    async def ask(self, *words: bytes) -> bytes:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(b" ".join(map(base64.b64encode, words)) + b"\n")
        async with asyncio.timeout(WATCHDOG):
            return base64.b64decode(await self._process.stdout.readline())


@asynccontextmanager
async def worker(tmp_path: Path, seconds: str = "9", first: str = "") -> AsyncIterator[Worker]:
    text = f"{first}\n{SHIM.read_text()}"
    for old, new in (
        ('"/run/outrider/auth-login"', f'"{tmp_path}/login"'),
        ('"/run/outrider/auth-master"', f'"{tmp_path}/master"'),
        ("ANSWER_SECONDS = 9 ", f"ANSWER_SECONDS = {seconds} "),
    ):
        assert old in text
        text = text.replace(old, new)
    (tmp_path / "shim.lua").write_text(text)
    process = await asyncio.create_subprocess_exec(
        *LUA, str(HERE / "worker.lua"), str(tmp_path / "shim.lua"), stdin=subprocess.PIPE, stdout=subprocess.PIPE
    )
    try:
        yield Worker(process)
    finally:
        assert process.stdin is not None
        process.stdin.close()
        await process.wait()


def login(tmp_path: Path) -> Listener:
    services = ("imap", "pop3", "sieve", "smtp")
    return Listener("auth-client", str(tmp_path / "login"), peer="dovecot", services=services, trust_rip=True)


def master(tmp_path: Path) -> Listener:
    return Listener("auth-master", str(tmp_path / "master"), peer="dovecot")


@pytest.mark.parametrize("release", ["2.3", "2.4", "strict"])
async def test_logins(house: House, tmp_path: Path, release: str) -> None:
    field = PASSWORD + house.code()
    async with house.serving(login(tmp_path)), worker(tmp_path) as ask:
        assert await ask("verify", release, "imap", BOB, PASSWORD) == f"passdb OK|password={PASSWORD},user={BOB}"
        assert await ask("verify", release, "imap", BOB, "wrong") == "passdb PASSWORD_MISMATCH|"
        assert await ask("verify", release, "imap", "nobody@provider.example", "x") == "passdb PASSWORD_MISMATCH|"
        assert await ask("verify", release, "lmtp", BOB, PASSWORD) == "passdb PASSWORD_MISMATCH|"
        assert await ask("verify", release, "imap", ALICE.upper(), field) == f"passdb OK|password={field},user={ALICE}"
        assert await ask("verify", release, "imap", ALICE, field) == "passdb PASSWORD_MISMATCH|"
        assert await ask("lookup", release, "imap", BOB) == "passdb USER_UNKNOWN|"
        assert len(house.open) == 1


async def test_strange_letters_travel_as_they_are(house: House, tmp_path: Path) -> None:
    password = "tab\t lf\n cr\r one\x01 t ü €"
    await house.database.run("UPDATE directory_user SET password = :p", p=f"cheap:{password}")
    async with house.serving(login(tmp_path)), house.serving(master(tmp_path)), worker(tmp_path) as ask:
        assert (await ask("verify", "2.4", "imap", BOB, password)).startswith("passdb OK|")
        assert await ask.ask(b"verify", b"2.4", b"imap", BOB.encode(), b"\xff\xfe") == b"passdb PASSWORD_MISMATCH|"
        for user in ("a\tb@provider.example", "a\nUSER\t1\tx", "\x01t", ""):
            assert await ask("user", "2.4", "lmtp", user) == "userdb USER_UNKNOWN|"


async def test_users(house: House, tmp_path: Path) -> None:
    fields = "gid=vmail,home=/var/vmail/provider.example/alice,uid=vmail,user=alice@provider.example"
    async with house.serving(master(tmp_path)), worker(tmp_path) as ask:
        assert await ask("user", "2.3", "lmtp", ALICE) == f"userdb OK|{fields}"
        assert await ask("user", "2.4", "lmtp", "alice+tag@provider.example") == f"userdb OK|{fields}"
        assert await ask("user", "2.4", "lmtp", "nobody@provider.example") == "userdb USER_UNKNOWN|"
        assert await ask("list") == f"list|{ALICE},{BOB}"


async def test_temporary_trouble_is_never_wrong_and_never_unknown(
    house: House, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: object, **__: object) -> None:
        raise RuntimeError

    monkeypatch.setattr(house.database, "one", fail)
    monkeypatch.setattr(house.database, "all", fail)
    async with house.serving(login(tmp_path)), house.serving(master(tmp_path)), worker(tmp_path) as ask:
        assert await ask("verify", "2.4", "imap", BOB, PASSWORD) == "passdb INTERNAL_FAILURE|authd says: later"
        assert await ask("user", "2.4", "lmtp", BOB) == "userdb INTERNAL_FAILURE|authd says: later"
        assert await ask("list") == "error"


async def test_nobody_there(tmp_path: Path) -> None:
    async with worker(tmp_path) as ask:
        assert await ask("verify", "2.4", "imap", BOB, PASSWORD) == "passdb INTERNAL_FAILURE|authd does not answer"
        assert await ask("user", "2.4", "lmtp", BOB) == "userdb INTERNAL_FAILURE|authd does not answer"
        assert await ask("list") == "error"


async def test_a_restart_is_not_noticed(house: House, tmp_path: Path) -> None:
    async with worker(tmp_path) as ask:
        for _ in range(3):
            house.open.stopping = False
            async with house.serving(login(tmp_path)), house.serving(master(tmp_path)):
                assert (await ask("verify", "2.4", "imap", BOB, PASSWORD)).startswith("passdb OK|")
                assert (await ask("user", "2.4", "lmtp", BOB)).startswith("userdb OK|")
            for name in ("login", "master"):
                (tmp_path / name).unlink(missing_ok=True)


class Fake:
    """An authd that says its banner and then does as it likes."""

    def __init__(self, answer: bytes | None, banner: bytes = b"VERSION\t1\t2\nSPID\t1\nDONE\n") -> None:
        self.answer, self.banner, self.requests = answer, banner, 0

    async def __call__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(self.banner)
        while text := await reader.readline():
            if text.startswith((b"AUTH", b"USER", b"LIST")):
                self.requests += 1
                if self.answer is None:
                    break
                writer.write(self.answer)
        writer.close()


async def test_a_request_that_may_have_been_heard_is_not_sent_again(tmp_path: Path) -> None:
    """authd is killed after it has used up the code: a second try would be told "wrong"."""
    fake = Fake(None)
    server = await asyncio.start_unix_server(fake, tmp_path / "login")
    async with server, worker(tmp_path) as ask:
        assert await ask("verify", "2.4", "imap", BOB, PASSWORD) == "passdb INTERNAL_FAILURE|authd does not answer"
        assert fake.requests == 1


@pytest.mark.parametrize("fake", [Fake(b""), Fake(b"", banner=b""), Fake(b"OK\t99\tuser=somebody@else\nNOISE\n")])
async def test_silence_and_answers_to_others_end_in_time(tmp_path: Path, fake: Fake) -> None:
    server = await asyncio.start_unix_server(fake, tmp_path / "login")
    async with server, worker(tmp_path, seconds="0.2") as ask:
        assert await ask("verify", "2.4", "imap", BOB, PASSWORD) == "passdb INTERNAL_FAILURE|authd does not answer"


@pytest.mark.parametrize(
    ("answer", "outcome"),
    [
        (b"FAIL\t1\tcode=user_disabled\n", "passdb USER_DISABLED|"),
        (b"FAIL\t1\tcode=pass_expired\treason=x\n", "passdb PASS_EXPIRED|"),
        (b"FAIL\t1\ttemp\tcode=temp_fail\n", "passdb INTERNAL_FAILURE|authd says: later"),
        (b"FAIL\t1\tcode=of_the_future\n", "passdb PASSWORD_MISMATCH|"),
        (b"FAIL\t2\nFAIL\t1\n", "passdb PASSWORD_MISMATCH|"),
    ],
)
async def test_codes(tmp_path: Path, answer: bytes, outcome: str) -> None:
    server = await asyncio.start_unix_server(Fake(answer), tmp_path / "login")
    async with server, worker(tmp_path) as ask:
        assert await ask("verify", "2.4", "imap", BOB, PASSWORD) == outcome


async def test_a_list_that_breaks_off_is_an_error(tmp_path: Path) -> None:
    server = await asyncio.start_unix_server(Fake(b"LIST\t1\ta@b\nDONE\t1\tfail\n"), tmp_path / "master")
    async with server, worker(tmp_path) as ask:
        assert await ask("list") == "error"


@pytest.mark.parametrize("observed", ["yes", "no"])
async def test_in_shadow_mode_nobody_is_let_in_and_the_other_verdict_is_told(
    house: House, tmp_path: Path, observed: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    house.shadow = True
    file = SHIM.with_name(f"outrider-shadow-{observed}.lua").read_text()
    assert 'dofile("/etc/dovecot/outrider-auth.lua")' in file
    setting = next(line for line in file.splitlines() if line.startswith("SHADOW"))
    async with house.serving(login(tmp_path)), worker(tmp_path, first=setting) as call:
        for password in (PASSWORD, "wrong"):
            assert await call("verify", "2.4", "imap", BOB, password) == "passdb PASSWORD_MISMATCH|"
        async with asyncio.timeout(5):  # a watchdog: it is looked at after the answer
            while not (told := [line for line in caplog.messages if line.startswith("shadow=")]):  # noqa: ASYNC110
                await asyncio.sleep(0.01)
    words = {"yes": "would-refuse", "no": "would-let-in"}
    assert told == [
        f"shadow={words[observed]} service=imap rip=198.51.100.7 account="
        + ("2 why='nothing-right'" if observed == "yes" else "2 why='password'")
    ]
