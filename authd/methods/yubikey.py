"""Yubico OTP of a key whose AES key we hold: verification only (Yubico, "YubiKey manual", 6.1).

    typed      public id (0 to 16 letters, 12 usual) | 32 letters, all modhex
    block      uid[6] ctr[2] ts_low[2] ts_high[1] use[1] rnd[2] crc[2], little-endian, under AES-128-ECB

`last` is counter << 8 | use: the counter goes up each time the key gets power, `use` with each press. The time stamp
is not judged: strictly greater counters say all of it.
"""

from __future__ import annotations

import hmac
import struct

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from authd.methods import modhex
from authd.methods.token import Match, Token

BLOCK = 32
"""Letters of the encrypted part."""
PUBLIC_ID_MOST = 16
"""Letters; what yubikey-ksm takes."""
PUBLIC_ID_USUAL = 12
KEY_BYTES = 16
PRIVATE_ID_BYTES = 6
RESIDUE = 0xF0B8
"""What the checksum over all 16 bytes gives, if the last two are its complement."""
COUNTER_MASK = 0x7FFF
"""The counter has 15 bits; the highest one says that Caps Lock was on."""


def suffix(token: Token, field: str) -> int | None:
    """Public id and block at the end, if both are modhex; whose id it is, `match` says."""
    length = len(token.public_id) + BLOCK
    if len(field) < length or modhex.read(field[-length:], token.keyboards) is None:
        return None
    return length


def match(token: Token, code: str, now: int) -> Match | None:
    """The counters of this code, if it is this key's and above all that were accepted.

    What begins with another public id is not decrypted; checksum and private id are both compared before anything is
    said. Each comparison takes constant time.
    """
    typed = modhex.read(code, token.keyboards)
    if token.secret is None or token.extra is None or typed is None or len(typed) != len(token.public_id) + BLOCK:
        return None
    if not hmac.compare_digest(typed[:-BLOCK], token.public_id):
        return None
    plain = decrypted(token.secret, modhex.decode(typed[-BLOCK:]))
    whole = hmac.compare_digest(crc(plain).to_bytes(2, "big"), RESIDUE.to_bytes(2, "big"))
    mine = hmac.compare_digest(plain[:PRIVATE_ID_BYTES], token.extra)
    if not (whole & mine):
        return None
    step = counters(plain)
    return Match(token, step, 0) if step > token.last else None


def counters(plain: bytes) -> int:
    """Session counter and use, as one number that only grows."""
    counter, _, _, use = struct.unpack_from("<HHBB", plain, PRIVATE_ID_BYTES)
    return joined(counter & COUNTER_MASK, use)


def joined(counter: int, use: int) -> int:
    """Both counters as `last` holds them."""
    return counter << 8 | use


def decrypted(key: bytes, block: bytes) -> bytes:
    """One AES block; ECB of one block is the cipher itself."""
    decryptor = Cipher(algorithms.AES(key), modes.ECB()).decryptor()  # noqa: S305 - the token's own format
    return decryptor.update(block) + decryptor.finalize()


def crc(data: bytes) -> int:
    """CRC-16 as Yubikeys use it: from 0xffff, polynomial 0x8408, no final complement (ISO 13239)."""
    value = 0xFFFF
    for byte in data:
        value ^= byte
        for _ in range(8):
            value = (value >> 1) ^ (0x8408 if value & 1 else 0)
    return value
