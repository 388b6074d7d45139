"""Secrets at rest: AES-256-GCM per field, bound to the row it belongs to.

The key file lies outside the database and its backups: lines `KEYID:BASE64` of 32 random bytes, newest first. The
associated data names row, owner, kind and field, so a secret that somebody moves to another row does not open.

    blob = key id length (1 byte) | key id | nonce (12 bytes) | ciphertext and tag

    KeyTrouble    no key, a key file that others may read, an unknown key id, a blob that does not open here
"""

import base64
import binascii
import os
import stat
from pathlib import Path

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

KEY_BYTES = 32  # AES-256
NONCE_BYTES = 12  # NIST SP 800-38D, 8.2.2: random nonces of 96 bits, far below 2^32 uses of one key
KEY_ID_LIMIT = 32


class KeyTrouble(Exception):
    """A secret cannot be sealed or opened; the text never contains key or secret."""


class Keyring:
    """The keys of one purpose."""

    def __init__(self, keys: dict[str, bytes]) -> None:
        if not keys:
            raise KeyTrouble("the key file holds no key")
        self._keys = {key_id: AESGCM(key) for key_id, key in keys.items()}
        self.newest = next(iter(keys))

    def __repr__(self) -> str:
        return f"Keyring({', '.join(self._keys)})"

    @classmethod
    def read(cls, path: Path) -> "Keyring":
        """Read a key file; one that group or others can read is refused."""
        return cls(read_keys(path))

    def seal(self, plain: bytes, *binding: str) -> bytes:
        """Encrypt with the newest key."""
        nonce = os.urandom(NONCE_BYTES)
        key_id = self.newest.encode()
        return bytes([len(key_id)]) + key_id + nonce + self._keys[self.newest].encrypt(nonce, plain, bound_to(binding))

    def open(self, blob: bytes, *binding: str) -> bytes:
        """Decrypt, if the blob was sealed for this binding with a key that we still have."""
        end = 1 + (blob[0] if blob else 0)
        key_id, nonce, sealed = blob[1:end], blob[end : end + NONCE_BYTES], blob[end + NONCE_BYTES :]
        key = self._keys.get(key_id.decode("ascii", "replace"))
        if key is None or len(nonce) != NONCE_BYTES:
            raise KeyTrouble("a secret was sealed with a key that is not in the key file")
        try:
            return key.decrypt(nonce, sealed, bound_to(binding))
        except InvalidTag:
            raise KeyTrouble("a secret does not open: damaged, or moved from another row") from None


def key_id(blob: bytes) -> str:
    """The name of the key that a blob was sealed with; a blob of nothing has the name of none."""
    return blob[1 : 1 + (blob[0] if blob else 0)].decode("ascii", "replace")


def bound_to(binding: tuple[str, ...]) -> bytes:
    """Associated data without ambiguity: each part with its length."""
    return b"outrider1" + b"".join(b"|%d:%s" % (len(part.encode()), part.encode()) for part in binding)


def read_keys(path: Path) -> dict[str, bytes]:
    """The lines of a key file."""
    try:
        with path.open("rb") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & forbidden_mode(path):
                raise KeyTrouble(f"{path} can be read by group or others; make its mode 0400")
            text = file.read().decode("ascii")
    except OSError as error:
        raise KeyTrouble(f"{path}: {error.strerror}") from None
    except UnicodeDecodeError:
        raise KeyTrouble(f"{path}: not a key file") from None
    keys = {}
    for number, line in enumerate(text.splitlines(), 1):
        key_id, _, encoded = line.partition(":")
        try:
            key = base64.b64decode(encoded, validate=True)
        except binascii.Error:
            key = b""
        if len(key) != KEY_BYTES or not 0 < len(key_id) <= KEY_ID_LIMIT:
            raise KeyTrouble(f"{path}, line {number}: expected KEYID:BASE64 of {KEY_BYTES} bytes")
        keys[key_id] = key
    return keys


def forbidden_mode(path: Path) -> int:
    """The bits that a key file's mode may not have: those of group and others.

    A copy of systemd's (LoadCredential=) is given to the daemon's user by an access control list from systemd 254 on;
    its mask shows as bits of the group, which is root's (acl(5)).
    """
    return 0o007 if str(path.parent) == os.environ.get("CREDENTIALS_DIRECTORY") else 0o077


def new_key_line(key_id: str = "1") -> str:
    """A line for a new key file."""
    return f"{key_id}:{base64.b64encode(os.urandom(KEY_BYTES)).decode()}\n"
