"""Secrets at rest, slow hashes, and logs that cannot carry either."""

import logging
import pickle
from pathlib import Path

import pytest

from outrider import passwords
from outrider.logs import LINE_LIMIT, LineFormatter, Secret
from outrider.passwords import UnknownScheme
from outrider.sealed import Keyring, KeyTrouble, new_key_line

BINDING = ("token", "7", "1", "secret")


@pytest.fixture
def key_file(tmp_path: Path) -> Path:
    path = tmp_path / "auth.key"
    path.write_text(new_key_line("1"))
    path.chmod(0o400)
    return path


def test_sealed_opens_only_in_its_place(key_file: Path) -> None:
    keys = Keyring.read(key_file)
    blob = keys.seal(b"secret", *BINDING)
    assert b"secret" not in blob
    assert keys.open(blob, *BINDING) == b"secret"
    for other in (("token", "8", "1", "secret"), ("token", "71", "", "secret"), BINDING[:3], ()):
        with pytest.raises(KeyTrouble, match="moved from another row"):
            keys.open(blob, *other)


@pytest.mark.parametrize("place", [-1, 0, 1, 5, 20])
def test_a_flipped_bit_does_not_open(key_file: Path, place: int) -> None:
    keys = Keyring.read(key_file)
    blob = bytearray(keys.seal(b"secret", *BINDING))
    blob[place] ^= 1
    with pytest.raises(KeyTrouble):
        keys.open(bytes(blob), *BINDING)


def test_old_keys_still_open(key_file: Path) -> None:
    blob = Keyring.read(key_file).seal(b"secret", *BINDING)
    key_file.chmod(0o600)
    key_file.write_text(new_key_line("2") + key_file.read_text())
    keys = Keyring.read(key_file)
    assert keys.newest == "2"
    assert keys.open(blob, *BINDING) == b"secret"


@pytest.mark.parametrize("content", ["", "1:", "1:!!!!", "x" * 60, ":" + "A" * 44, "1:QUJD"])
def test_what_is_no_key_file(key_file: Path, content: str) -> None:
    key_file.chmod(0o600)
    key_file.write_text(content)
    with pytest.raises(KeyTrouble, match="key"):
        Keyring.read(key_file)


def test_a_key_file_that_others_can_read(key_file: Path) -> None:
    key_file.chmod(0o440)
    with pytest.raises(KeyTrouble, match="0400"):
        Keyring.read(key_file)


def test_a_missing_key_file(tmp_path: Path) -> None:
    with pytest.raises(KeyTrouble, match="No such file"):
        Keyring.read(tmp_path / "none")


def test_passwords() -> None:
    stored = passwords.hash_password("Zwölf Äpfel")
    assert stored.startswith("{ARGON2ID}$argon2id$")
    assert passwords.verify(stored, "Zwölf Äpfel")
    assert passwords.verify(stored, "Zwo\u0308lf A\u0308pfel")
    assert not passwords.verify(stored, "zwölf äpfel")
    for unknown in ("{SHA512-CRYPT}$6$x", "{ARGON2ID}nonsense", "plain"):
        with pytest.raises(UnknownScheme):
            passwords.verify(unknown, "x")


def shown(message: str, *arguments: object, error: BaseException | None = None) -> str:
    info = (type(error), error, error.__traceback__) if error else None
    return LineFormatter().format(logging.LogRecord("authd", logging.INFO, "", 0, message, arguments, info))


def test_a_log_line_carries_no_secret() -> None:
    secret = Secret("hunter2")
    assert shown("field=%s %r", secret, secret) == "<6>authd: field=<secret> <secret>"
    assert f"{secret} {secret!r}" == "<secret> <secret>"
    assert secret.reveal() == "hunter2"
    with pytest.raises(TypeError):
        pickle.dumps(secret)


def test_a_traceback_is_logged_without_its_text() -> None:
    try:
        int("hunter2")
    except ValueError as error:
        line = shown("failed", error=error)
    assert "hunter2" not in line
    assert "ValueError" in line
    assert "test_secrets.py:" in line


def test_a_log_line_stays_one_line() -> None:
    line = shown("user=%s", "a\nb\x1b[2J\u2028c")
    assert line == "<6>authd: user=a?b?[2J?c"
    assert len(shown("x" * 5000)) < LINE_LIMIT + 20


def test_systemds_copy_may_show_its_access_list_as_group_bits(key_file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    key_file.chmod(0o440)
    with pytest.raises(KeyTrouble, match="group or others"):
        Keyring.read(key_file)
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(key_file.parent))
    Keyring.read(key_file)
    key_file.chmod(0o444)
    with pytest.raises(KeyTrouble, match="group or others"):
        Keyring.read(key_file)
