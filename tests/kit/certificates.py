"""Certificates made by hand, so that a test can have any date, any hash, any flaw. No private key is ever stored.

Written from RFC 9580 with `cryptography` alone: independent of the library and of the code under test.
"""

import hashlib
from dataclasses import dataclass, field
from functools import cached_property

from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa, utils, x25519
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

ED25519_OID = bytes.fromhex("092b06010401da470f01")
CV25519_OID = bytes.fromhex("0a2b060104019755010501")
HASH_CODES = {"md5": 1, "sha1": 2, "sha256": 8, "sha512": 10}
CERTIFY_AND_SIGN, SIGN, ENCRYPT = 0x03, 0x02, 0x0C
RAW = (serialization.Encoding.Raw, serialization.PublicFormat.Raw)
YEAR = 365 * 86400


def packet(tag: int, body: bytes) -> bytes:
    """New-format header with the four-octet length (RFC 9580 section 4.2.1.3)."""
    return bytes([0xC0 | tag, 255]) + len(body).to_bytes(4, "big") + body


def number(value: int) -> bytes:
    return value.bit_length().to_bytes(2, "big") + value.to_bytes((value.bit_length() + 7) // 8, "big")


def subpacket(kind: int, value: bytes) -> bytes:
    size = len(value) + 1
    head = bytes([size]) if size < 192 else b"\xff" + size.to_bytes(4, "big")
    return head + bytes([kind]) + value


def moment(seconds: int) -> bytes:
    return seconds.to_bytes(4, "big")


@dataclass(frozen=True)
class SigningKey:
    """Ed25519 (the version 4 form, algorithm 22) or RSA, made at `created`."""

    created: int
    private: Ed25519PrivateKey | rsa.RSAPrivateKey = field(default_factory=Ed25519PrivateKey.generate)

    @cached_property
    def body(self) -> bytes:
        head = b"\x04" + moment(self.created)
        if isinstance(self.private, rsa.RSAPrivateKey):
            numbers = self.private.public_key().public_numbers()
            return head + b"\x01" + number(numbers.n) + number(numbers.e)
        point = int.from_bytes(b"\x40" + self.private.public_key().public_bytes(*RAW), "big")
        return head + b"\x16" + ED25519_OID + number(point)

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha1(self.hashed, usedforsecurity=False).digest()

    @property
    def hashed(self) -> bytes:
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body

    def sign(self, digest: bytes, name: str) -> bytes:
        if isinstance(self.private, rsa.RSAPrivateKey):
            algorithm = utils.Prehashed(hashes.SHA1() if name == "sha1" else hashes.SHA256())  # noqa: S303
            return number(int.from_bytes(self.private.sign(digest, padding.PKCS1v15(), algorithm), "big"))
        made = self.private.sign(digest)
        return number(int.from_bytes(made[:32], "big")) + number(int.from_bytes(made[32:], "big"))


@dataclass(frozen=True)
class EncryptionKey:
    """ECDH on Curve25519 (the version 4 form, algorithm 18)."""

    created: int

    @cached_property
    def body(self) -> bytes:
        public = x25519.X25519PrivateKey.generate().public_key().public_bytes(*RAW)
        point = int.from_bytes(b"\x40" + public, "big")
        return b"\x04" + moment(self.created) + b"\x12" + CV25519_OID + number(point) + bytes.fromhex("03010807")

    @property
    def hashed(self) -> bytes:
        return b"\x99" + len(self.body).to_bytes(2, "big") + self.body

    @property
    def fingerprint(self) -> bytes:
        return hashlib.sha1(self.hashed, usedforsecurity=False).digest()


def signature(
    signer: SigningKey,
    kind: int,
    over: bytes,
    *,
    created: int,
    hash_name: str = "sha256",
    hashed: bytes = b"",
    unhashed: bytes = b"",
    issuer: bytes | None = None,
) -> bytes:
    """Body of a version 4 signature (RFC 9580 section 5.2.4); `issuer` lies about who made it."""
    maker = issuer or signer.fingerprint
    area = subpacket(2, moment(created)) + subpacket(33, b"\x04" + maker) + subpacket(16, maker[-8:]) + hashed
    code = 1 if isinstance(signer.private, rsa.RSAPrivateKey) else 22
    head = bytes([4, kind, code, HASH_CODES[hash_name]]) + len(area).to_bytes(2, "big") + area
    data = over + head + b"\x04\xff" + len(head).to_bytes(4, "big")
    digest = hashlib.new(hash_name, data, usedforsecurity=False).digest()
    return head + len(unhashed).to_bytes(2, "big") + unhashed + digest[:2] + signer.sign(digest, hash_name)


@dataclass
class Certificate:
    """Builds a certificate packet by packet; every method returns self, so that calls chain."""

    created: int
    key: SigningKey = None  # type: ignore[assignment]
    raw: bytes = b""

    def __post_init__(self) -> None:
        self.key = self.key or SigningKey(self.created)
        self.raw = self.raw or packet(6, self.key.body)

    @property
    def fingerprint(self) -> str:
        return self.key.fingerprint.hex()

    def signed(self, kind: int, over: bytes, *, signer: SigningKey | None = None, **options: object) -> "Certificate":
        options = {"created": self.created} | options
        self.raw += packet(2, signature(signer or self.key, kind, self.key.hashed + over, **options))  # type: ignore[arg-type]
        return self

    def user_id(self, text: str, *, lasts: int | None = None, hashed: bytes = b"", **options: object) -> "Certificate":
        self.raw += packet(13, text.encode())
        return self.certified(text, lasts=lasts, hashed=hashed, **options)

    def certified(
        self, text: str, *, kind: int = 0x13, lasts: int | None = None, hashed: bytes = b"", **options: object
    ) -> "Certificate":
        hashed += subpacket(27, bytes([CERTIFY_AND_SIGN]))
        hashed += subpacket(9, moment(lasts)) if lasts else b""
        over = b"\xb4" + len(text.encode()).to_bytes(4, "big") + text.encode()
        return self.signed(kind, over, hashed=hashed, **options)

    def subkey(
        self,
        key: SigningKey | EncryptionKey,
        *,
        lasts: int | None = None,
        signs_back: bool = True,
        **options: object,
    ) -> "Certificate":
        self.raw += packet(14, key.body)
        flags = SIGN if isinstance(key, SigningKey) else ENCRYPT
        hashed = subpacket(27, bytes([flags])) + (subpacket(9, moment(lasts)) if lasts else b"")
        if isinstance(key, SigningKey) and signs_back:
            back = signature(key, 0x19, self.key.hashed + key.hashed, created=self.created)
            hashed += subpacket(32, back)
        return self.signed(0x18, key.hashed, hashed=hashed, **options)

    def subkey_revoked(self, key: SigningKey | EncryptionKey, **options: object) -> "Certificate":
        return self.signed(0x28, key.hashed, hashed=subpacket(29, b"\x01"), **options)

    def revoked(self, reason: int = 2, **options: object) -> "Certificate":
        """Puts the revocation where it belongs: right after the primary key."""
        body = signature(self.key, 0x20, self.key.hashed, created=self.created, hashed=subpacket(29, bytes([reason])))
        head = packet(6, self.key.body)
        self.raw = head + packet(2, body) + self.raw[len(head) :]
        return self


def usual(address: str, created: int, *, lasts: int | None = None) -> Certificate:
    """What gpg makes: a signing primary key, one user ID, one encryption subkey."""
    made = Certificate(created).user_id(f"Somebody <{address}>", lasts=lasts)
    return made.subkey(EncryptionKey(created), lasts=lasts)
