"""Encrypted files that are for the operator himself, opened with a secret key that he names.

Only the command line does this: no daemon has a secret key. Nothing of key or passphrase is kept or said.
"""

from outrider.openpgp.library import decrypt

MESSAGE_LIMIT = 32 << 20
"""Bytes, armored: a file of fifty thousand tokens."""

_ARMORED = b"-----BEGIN PGP MESSAGE-----"


class NotOpened(Exception):
    """The message is damaged, or for another key, or the passphrase is wrong; nobody can tell which."""


def is_message(data: bytes) -> bool:
    """Whether it looks like an OpenPGP message: armored, or a packet header (RFC 9580, 4.2: the highest bit is set)."""
    return data.lstrip().startswith(_ARMORED) or (data[:1] >= b"\x80" and not data.startswith(b"\xef\xbb\xbf"))


def decrypted(message: bytes, secret_key: bytes, passphrase: str | None = None) -> bytes:
    """What it says. Raises NotOpened."""
    if len(message) > MESSAGE_LIMIT:
        raise NotOpened
    plain = decrypt(message, secret_key, passphrase)
    if plain is None:
        raise NotOpened
    return plain
