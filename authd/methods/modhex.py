"""Modhex: the sixteen letters that lie on the same keys of every Latin keyboard layout, as Yubikeys type them.

A Yubikey sends key presses, so Caps Lock or a Dvorak layout changes what arrives; both can be read back.
"""

from __future__ import annotations

import re

HEX, MODHEX = "0123456789abcdef", "cbdefghijklnrtuv"
DVORAK = "jxe.uidchtnbpygk"
"""What the keys of MODHEX give on a Dvorak layout (yubikey-val's table)."""

_MODHEX = re.compile(rf"[{MODHEX}]*\Z", re.ASCII)
_DVORAK = re.compile(rf"[{re.escape(DVORAK)}]*\Z", re.ASCII)
_TO_HEX = str.maketrans(MODHEX, HEX)
_TO_MODHEX = str.maketrans(HEX, MODHEX)
_FROM_DVORAK = str.maketrans(DVORAK, MODHEX)


def read(text: str, keyboards: bool) -> str | None:
    """The modhex that was meant, or None. Only with `keyboards` other layouts than the usual are tried.

    Twelve letters are in both alphabets, so what is modhex as it stands is taken so.
    """
    if _MODHEX.match(text):
        return text
    if not keyboards or not text.isascii():  # lower() would make letters of others, as of the Kelvin sign
        return None
    lower = text.lower()
    if _MODHEX.match(lower):
        return lower
    return lower.translate(_FROM_DVORAK) if _DVORAK.match(lower) else None


def decode(text: str) -> bytes:
    """The bytes of modhex text; ValueError where it is none."""
    if not _MODHEX.match(text):
        raise ValueError("not modhex")
    return bytes.fromhex(text.translate(_TO_HEX))


def encode(data: bytes) -> str:
    """Bytes as modhex."""
    return data.hex().translate(_TO_MODHEX)
