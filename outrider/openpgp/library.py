"""Every question that is put to pysequoia, and nothing else: the only module that imports it.

The library has no call "does this signature hold". But it lists only user IDs whose binding it
verified under its policy (no MD5, no SHA-1, no short RSA), so a certificate of primary key + user
ID + that one signature answers the question. It knows the present time by itself; no call takes one.

It says RuntimeError for everything, and bytes(Cert) keeps what did not verify; so nothing here
returns a certificate, only answers. RUST_BACKTRACE=1 makes each error ten times slower and its
text hold source paths, so it is switched off before the library loads.
"""

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

os.environ["RUST_BACKTRACE"] = "0"

import pysequoia
from pysequoia.packet import Packet, PacketPile

__all__ = [
    "Meaning",
    "armor",
    "decrypt",
    "encrypts",
    "expiration",
    "is_direct",
    "is_readable",
    "is_revoked",
    "is_self_signed",
    "meanings",
]

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Meaning:
    """What the library reads in one packet; None where the packet is another one, or does not say. Epoch seconds."""

    fingerprint: str | None  # of a key, lower-case hex, as all below
    key_id: str | None
    email: str | None  # of a user ID, as it is written there
    issuer_fingerprint: str | None  # of a signature
    issuer_key_id: str | None
    exportable: bool | None
    created: int | None
    expires: int | None
    key_seconds: int | None  # how long the signed key lasts


def _ask(question: Callable[[], T]) -> T | None:
    """None where the library says no, in whichever way."""
    try:
        return question()
    except RuntimeError:
        return None
    except BaseException as error:
        if type(error).__name__ != "PanicException":  # a bug in the library; derived from BaseException
            raise
        return None


def meanings(binary: bytes) -> list[Meaning] | None:
    """What each packet means; None if one of them cannot be read at all."""
    return _ask(lambda: [_meaning(packet) for packet in PacketPile.from_bytes(binary)])


def _meaning(packet: Packet) -> Meaning:
    """Each property may say RuntimeError by itself, for a kind of signature that the library does not know."""
    created, expires = _ask(lambda: packet.signature_created), _ask(lambda: packet.signature_expiration_time)
    lasts = _ask(lambda: packet.key_validity_period)
    return Meaning(
        fingerprint=_lower(_ask(lambda: packet.fingerprint)),
        key_id=_lower(_ask(lambda: packet.key_id)),
        email=_ask(lambda: packet.user_id_email),
        issuer_fingerprint=_lower(_ask(lambda: packet.issuer_fingerprint)),
        issuer_key_id=_lower(_ask(lambda: packet.issuer_key_id)),
        exportable=_ask(lambda: packet.exportable),
        created=int(created.timestamp()) if created else None,
        expires=int(expires.timestamp()) if expires else None,
        key_seconds=int(lasts.total_seconds()) if lasts else None,
    )


def _lower(text: str | None) -> str | None:
    return text.lower() if text is not None else None


def is_self_signed(head: bytes, user_id: bytes, signatures: bytes) -> bool:
    """Is `user_id` bound to the key of `head`, not revoked, and all of it safe today?"""
    return bool(_ask(lambda: pysequoia.Cert.from_bytes(head + user_id + signatures).user_ids))


def is_direct(primary: bytes, signature: bytes) -> bool:
    """Does this direct-key signature hold? Without a binding that holds, a key has no expiration, not even None."""
    return _ask(lambda: (pysequoia.Cert.from_bytes(primary + signature).expiration,)) is not None


def is_revoked(primary: bytes, signature: bytes) -> bool:
    """Does this revocation of the whole key hold?"""
    return bool(_ask(lambda: pysequoia.Cert.from_bytes(primary + signature).is_revoked))


def is_readable(binary: bytes) -> bool:
    """Does the library take it as one certificate?"""
    return _ask(lambda: pysequoia.Cert.from_bytes(binary)) is not None


def expiration(binary: bytes) -> int | None:
    """When the key runs out, in epoch seconds; None = never (or nothing says so)."""
    moment = _ask(lambda: pysequoia.Cert.from_bytes(binary).expiration)
    return int(moment.timestamp()) if moment else None


def encrypts(binary: bytes) -> bool:
    """Is there a part that can be encrypted to? The library's answer does not look at expiry or revocation."""
    return _ask(lambda: pysequoia.encrypt(b"", [pysequoia.Cert.from_bytes(binary)], armor=False)) is not None


def armor(binary: bytes) -> bytes:
    """ASCII armor without the Comment lines that str(Cert) adds (fingerprint and user IDs in clear)."""
    text = pysequoia.armor(binary, pysequoia.ArmorKind.PublicKey)
    return text.encode() if isinstance(text, str) else bytes(text)


def decrypt(message: bytes, secret_key: bytes, passphrase: str | None) -> bytes | None:
    """What a message says that was encrypted to this key, armored or not; None where it does not open."""

    def opened() -> bytes | None:
        decryptor = pysequoia.Tsk.from_bytes(secret_key).decryptor(passphrase)
        return pysequoia.decrypt(message, decryptor=decryptor).bytes

    return _ask(opened)
