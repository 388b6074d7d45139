"""The commands about tokens, app passwords and PINs, against authd's own answers."""

import io
import json
import shutil
import subprocess
import tempfile
from argparse import Namespace
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import pyotp
import pysequoia
import pytest

from authd import cli, token_cli
from authd.decide import Yes
from authd.imports import FORMATS
from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.databases import NOW
from kit.validation_server import Yubikey
from outrider.cli import Answer, Commands, Context, TryAgain, UsageError
from outrider.people import Refused

Run = Callable[..., Awaitable[Answer]]


@pytest.fixture
def run(house: House, monkeypatch: pytest.MonkeyPatch) -> Run:
    """One command as the frame runs it, without a socket between."""

    async def ask(_: Context, do: str, **named: Any) -> dict[str, Any]:
        answer = await house.desk.answer(do, json.loads(json.dumps(named)))
        if "later" in answer:
            raise TryAgain(answer["later"])
        if "error" in answer:
            raise Refused(answer["error"])
        return answer

    monkeypatch.setattr(cli, "ask", ask)
    monkeypatch.setattr(token_cli, "ask", ask)
    monkeypatch.setattr(Context, "now", lambda _: NOW)
    commands = Commands()
    cli.commands(commands.add)

    async def one(*words: str, stdin: str = "") -> Answer:
        monkeypatch.setattr("sys.stdin", io.StringIO(stdin))
        options: Namespace = commands.parser.parse_args(list(words))
        answer: Answer = await options.handler(Context(None), options)
        return answer

    return one


async def test_a_first_token_from_the_command_line(run: Run) -> None:
    added = await run("token", "add", BOB, "totp", "--label", "phone", "--algorithm", "SHA256", "--digits", "8")
    assert isinstance(added.data, dict)
    app = pyotp.parse_uri(added.data["uri"])
    assert app.digits == 8
    assert added.data["uri"] in added.text
    assert "█" in added.text
    assert f"outrider token confirm {BOB} {added.data['token']}" in added.text
    done = await run("token", "confirm", BOB, str(added.data["token"]), stdin=f"{app.at(NOW)}\n")  # type: ignore[call-arg]
    assert isinstance(done.data, dict)
    assert len(done.data["recovery_codes"]) == 10
    assert all(code in done.text for code in done.data["recovery_codes"])
    assert (await run("token", "list", BOB)).text == "2  totp  active  phone"
    again = await run("token", "recovery", BOB)
    assert isinstance(again.data, dict)
    assert not set(again.data["recovery_codes"]) & set(done.data["recovery_codes"])
    assert (await run("token", "disable", BOB, "2")).text == "token 2 is disabled"


async def test_what_is_brought_comes_in_lines(run: Run, house: House) -> None:
    await run("token", "add", BOB, "hotp", "--secret", "--counter", "3", stdin="GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJQ\n")
    assert (await run("token", "confirm", BOB, "2", stdin="969429\n")).text.startswith("token 2 is active")
    await run("token", "add", BOB, "motp", "--secret", stdin="e3152afee62599c8\n1234\n")
    key = Yubikey("cccccccccccb")
    lines = f"{key.private_id.hex()}\n{key.aes_key.hex()}\n"
    await run("token", "add", BOB, "yubikey", "--public-id", key.public_id, "--aes-key", stdin=lines)
    assert (await run("token", "confirm", BOB, "4", stdin=key.press() + "\n")).text.startswith("token 4 is active")
    far = house.cloud.know(Yubikey("ccccccbbddee"))
    await run("token", "add", BOB, "yubicloud", stdin=far.press() + "\n")
    assert (await run("token", "confirm", BOB, "5", stdin=far.press() + "\n")).text.startswith("token 5 is active")
    assert (await run("token", "list", BOB)).text.splitlines()[-1] == "5  yubicloud  active  ccccccbbddee"


async def test_keys_to_be_written_into_a_yubikey(run: Run) -> None:
    added = await run("token", "add", BOB, "yubikey")
    assert isinstance(added.data, dict)
    assert f"ykman otp yubiotp 2 --public-id {added.data['public_id']} --private-id" in added.text
    assert f"--key {added.data['aes_key']}" in added.text


async def test_resync(run: Run, house: House) -> None:
    token = await house.token(BOB, "hotp", secret="hex:" + b"12345678901234567890".hex())
    with pytest.raises(Refused):
        await run("token", "resync", BOB, str(token), stdin="520489\n287082\n")
    done = await run("token", "resync", BOB, str(token), stdin="399871\n520489\n")  # 8 and 9
    assert done.text == f"token {token} is in step again; it was 10 steps ahead"


async def test_app_passwords_with_networks(run: Run, house: House) -> None:
    words = ("--scope", "imap", "--network", "192.0.2.0/24", "--network", "2001:db8::/32", "--label", "mutt")
    added = await run("app-password", "add", BOB, *words)
    assert isinstance(added.data, dict)
    assert added.data["networks"] == ["192.0.2.0/24", "2001:db8::/32"]
    listed = "1  valid  imap  192.0.2.0/24  2001:db8::/32  {}  mutt"
    assert (await run("app-password", "list", BOB)).text == listed.format("never used")
    assert isinstance(await house.login(BOB, added.data["secret"], address="192.0.2.9"), Yes)
    assert (await run("app-password", "list", BOB)).text == listed.format("used 2027-01-15")
    with pytest.raises(Refused):
        await run("app-password", "add", BOB, "--scope", "imap", "--network", "192.0.2.1/24")


async def test_a_pin(run: Run) -> None:
    assert (await run("user", "factor", ALICE)).text == "before a code stands the password"
    assert (await run("user", "factor", ALICE, "pin", stdin="4711\n")).text == "before a code stands the PIN"
    assert (await run("user", "factor", ALICE)).data == {"account": ALICE, "factor": "pin"}
    assert (await run("user", "factor", ALICE, "password")).text == "before a code stands the password"


# Import ---------------------------------------------------------------------------------------------

KSM = b"# ykksm 1\n1,cccccccccccb,010203040506,%s,0,,\n2,cccccccccccd,010203040506,%s,0,,\n" % (b"00" * 16, b"11" * 16)


def test_every_format_can_be_named() -> None:
    assert set(token_cli.FORMATS) == set(FORMATS)


async def test_bought_yubikeys_go_into_stock(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(KSM)
    done = await run("token", "import", str(path), "--format", "ksm")
    assert done.data == {"imported": 0, "stock": 2, "refused": []}
    assert done.status == 0
    again = await run("token", "import", str(path), "--format", "ksm")
    assert again.status == 1
    assert again.text.splitlines()[0] == "line 2: this key is in stock already"
    added = await run("token", "add", BOB, "yubikey", "--public-id", "cccccccccccb")
    assert isinstance(added.data, dict)
    key = Yubikey("cccccccccccb", bytes.fromhex("010203040506"), b"\0" * 16)
    await run("token", "confirm", BOB, str(added.data["token"]), stdin=key.press() + "\n")


@pytest.mark.parametrize(("passphrase", "armor"), [(None, True), (None, False), ("swordfish", True)])
async def test_a_file_that_is_encrypted_with_openpgp(
    run: Run, tmp_path: Path, passphrase: str | None, armor: bool
) -> None:
    path, key = tmp_path / "keys.asc", tmp_path / "operator.key"
    if passphrase is None:
        key.write_text(str(pysequoia.Tsk.generate(user_id="Operator <op@provider.example>")))
    else:
        key.write_bytes(with_passphrase(passphrase))
    certificate = pysequoia.Tsk.from_bytes(key.read_bytes()).extract_certificate()
    path.write_bytes(pysequoia.encrypt(KSM, [certificate], armor=armor))
    words = ("token", "import", str(path), "--format", "ksm")
    with pytest.raises(UsageError, match="--openpgp-key"):
        await run(*words)
    done = await run(*words, "--openpgp-key", str(key), stdin=f"{passphrase}\n")
    assert done.data == {"imported": 0, "stock": 2, "refused": []}
    other = tmp_path / "other.key"
    other.write_text(str(pysequoia.Tsk.generate(user_id="Other <o@provider.example>")))
    for wrong in (other, path, tmp_path / "missing"):
        with pytest.raises(UsageError):
            await run(*words, "--openpgp-key", str(wrong), stdin="wrong\n")


def with_passphrase(passphrase: str) -> bytes:
    """A secret key as gpg makes and exports it."""
    if shutil.which("gpg") is None:
        pytest.skip("gpg is missing")
    with tempfile.TemporaryDirectory(prefix="gnupg-") as home:  # a short path, for the agent's socket
        gpg = ["gpg", "--homedir", home, "--batch", "--pinentry-mode", "loopback", "--passphrase", passphrase]
        made = [*gpg, "--quick-generate-key", "Operator <op@provider.example>", "future-default", "default", "never"]
        subprocess.run(made, check=True, capture_output=True)
        done = subprocess.run([*gpg, "--armor", "--export-secret-keys"], check=True, capture_output=True)
        subprocess.run(["gpgconf", "--homedir", home, "--kill", "all"], check=False)
    return done.stdout


async def test_accounts_from_the_file_or_from_the_command_line(run: Run, tmp_path: Path, house: House) -> None:
    path = tmp_path / "tokens.csv"
    path.write_text(
        "account,kind,secret,label\n"
        f"{BOB},totp,GEZDGNBVGY3TQOJQ,A1\n"
        ",hotp,GEZDGNBVGY3TQOJQ,A2\n"
        "nobody@provider.example,totp,GEZDGNBVGY3TQOJQ,A3\n"
        f"{BOB},totp,short,A4\n"
    )
    done = await run("token", "import", str(path), "--format", "csv", "--account", ALICE, "--level", "1")
    assert isinstance(done.data, dict)
    assert (done.data["imported"], done.status) == (2, 1)
    assert [one["place"] for one in done.data["refused"]] == ["line 4", "line 5"]
    assert (await house.ask("level get", account=BOB))["level"] == 1
    assert isinstance(await house.login(BOB, PASSWORD), Yes)  # level 1: programs go on as before
    assert "short" not in done.text


async def test_a_damaged_file_is_said_with_its_place(run: Run, tmp_path: Path) -> None:
    path = tmp_path / "keys"
    path.write_bytes(b"# ykksm 1\n1,2\n")
    with pytest.raises(UsageError, match="line 2"):
        await run("token", "import", str(path), "--format", "ksm")
    with pytest.raises(UsageError, match="No such file"):
        await run("token", "import", str(tmp_path / "missing"), "--format", "ksm")
