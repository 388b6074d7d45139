"""Password hashes that other mail servers have made, so that their users keep their passwords (Dovecot's schemes).

    MD5-CRYPT SHA256-CRYPT SHA512-CRYPT    $1$ $5$ $6$       libpass (a kept fork of passlib)
    BLF-CRYPT                              $2a$ $2b$ $2y$    bcrypt
    CRYPT                                  any of the above
    SSHA SSHA256 SSHA512                   base64(digest salt), or with `.HEX`; hashlib
    PBKDF2                                 $1$salt$rounds$hex of HMAC-SHA1; hashlib

Python's own `crypt` is gone with 3.13; crypt-r must be compiled and holds all of Python up while it hashes.
What is not in the table, or is damaged, is UnknownScheme: neither right nor wrong.
"""

import base64
import binascii
import hashlib
import hmac
import re
from collections.abc import Callable
from typing import Any

import bcrypt
from passlib.hash import md5_crypt, sha256_crypt, sha512_crypt

BCRYPT_BYTES = 72
"""What bcrypt looks at; Dovecot's cuts the rest off silently."""
PBKDF2_BYTES = 20
SALT = "".join(chr(code) for code in range(0x21, 0x7F) if chr(code) not in "$:")
"""What crypt(3) takes in a salt. PostfixAdmin's `sha512.b64` has base64's `+` in it, which the library refuses."""

_SCHEME = re.compile(r"\{([A-Za-z0-9-]{1,20})(?:\.([A-Za-z0-9]{1,6}))?\}")


class UnknownScheme(Exception):
    """The directory holds a hash of a scheme that this release does not know, or a damaged one.

    Its text is the scheme's name, nothing of the hash.
    """


def parted(stored: str) -> tuple[str, str]:
    """Scheme in capitals, and the hash; encoded schemes (`{SSHA.HEX}`) come in base64. No scheme is CRYPT."""
    found = _SCHEME.match(stored)
    if found is None:
        if stored.startswith("$"):
            return "CRYPT", stored
        raise UnknownScheme("none")
    scheme, encoding, value = found[1].upper(), (found[2] or "").upper(), stored[found.end() :]
    if encoding not in ("", "HEX", "B64", "BASE64"):
        raise UnknownScheme(f"{scheme}.{encoding}")
    if encoding == "HEX":
        try:
            value = base64.b64encode(bytes.fromhex(value)).decode("ascii")
        except ValueError:
            raise UnknownScheme(f"damaged {scheme}.HEX") from None
    return scheme, value


def fits(scheme: str, value: str, *spellings: str) -> bool:
    """Whether one of the spellings (as typed, and normalised) is the password."""
    check = CHECKS.get(scheme)
    if check is None:
        raise UnknownScheme(scheme)
    try:
        return any(check(value, one.encode("utf-8")) for one in dict.fromkeys(spellings))
    except (ValueError, TypeError, binascii.Error):
        raise UnknownScheme(f"damaged {scheme}") from None


def whole(scheme: str, password: str) -> bool:
    """Whether a password that fits is known to be all of it: bcrypt did not look at what lies behind 72 bytes."""
    return scheme not in ("BLF-CRYPT", "CRYPT") or len(password.encode("utf-8")) <= BCRYPT_BYTES


def by_crypt(value: str, password: bytes) -> bool:
    """What crypt(3) would say of `$…$` hashes."""
    if value.startswith("$2"):
        return by_bcrypt(value, password)
    for prefix, hasher in CRYPTS.items():
        if value.startswith(prefix):
            return bool(hasher.verify(password, value))
    raise UnknownScheme("CRYPT")


def by_bcrypt(value: str, password: bytes) -> bool:
    return bcrypt.checkpw(password[:BCRYPT_BYTES], value.encode("ascii"))


def salted(name: str) -> Callable[[str, bytes], bool]:
    """RFC 2307 with a salt: the digest of password and salt, then the salt."""
    size = hashlib.new(name, usedforsecurity=False).digest_size

    def check(value: str, password: bytes) -> bool:
        blob = base64.b64decode(value, validate=True)
        if len(blob) <= size:
            raise ValueError("too short")
        found = hashlib.new(name, password + blob[size:], usedforsecurity=False).digest()
        return hmac.compare_digest(found, blob[:size])

    return check


def by_pbkdf2(value: str, password: bytes) -> bool:
    """Dovecot's `$1$salt$rounds$hex`, HMAC-SHA1."""
    empty, version, salt, rounds, digest = value.split("$")
    wanted = bytes.fromhex(digest)
    if empty or version != "1" or len(wanted) != PBKDF2_BYTES:
        raise ValueError("another form")
    found = hashlib.pbkdf2_hmac("sha1", password, salt.encode("utf-8"), int(rounds), PBKDF2_BYTES)
    return hmac.compare_digest(found, wanted)


CRYPTS: dict[str, Any] = {
    f"${number}$": type(hasher.__name__, (hasher,), {"salt_chars": SALT})
    for number, hasher in ((1, md5_crypt), (5, sha256_crypt), (6, sha512_crypt))
}

CHECKS: dict[str, Callable[[str, bytes], bool]] = {
    "CRYPT": by_crypt,
    "MD5-CRYPT": by_crypt,
    "SHA256-CRYPT": by_crypt,
    "SHA512-CRYPT": by_crypt,
    "BLF-CRYPT": by_crypt,
    "SSHA": salted("sha1"),
    "SSHA256": salted("sha256"),
    "SSHA512": salted("sha512"),
    "PBKDF2": by_pbkdf2,
}
