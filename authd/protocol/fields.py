"""Lines and fields that both Dovecot authentication protocols share.

A line ends with LF, its fields are separated by TAB, and what would break either is escaped with 0x01
(Dovecot src/lib/strescape.c, str_tabescape). Every field is unescaped after the split, never before.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping

LINE_LIMIT = 16384
"""Bytes of one line without its LF: Dovecot's own AUTH_CLIENT_MAX_LINE_LENGTH."""

_ESCAPED = str.maketrans({"\0": "\x010", "\x01": "\x011", "\t": "\x01t", "\n": "\x01n", "\r": "\x01r"})
# Dovecot's page design/auth_protocol writes `l` for LF, its code writes `n`: both are understood.
_MEANT = {"0": "\0", "1": "\x01", "t": "\t", "n": "\n", "l": "\n", "r": "\r"}
_ESCAPE = re.compile("\x01(.?)", re.DOTALL)
_NUMBER = re.compile(r"[0-9]{1,10}\Z", re.ASCII)


def escape(text: str) -> str:
    """The text with NUL, 0x01, TAB, LF and CR escaped, so that it is one field."""
    return text.translate(_ESCAPED)


def unescape(text: str) -> str:
    """What one field means; an unknown escape stands for its second character, as in Dovecot."""
    if "\x01" not in text:
        return text
    return _ESCAPE.sub(lambda found: _MEANT.get(found[1], found[1]), text)


def line(*fields: str) -> bytes:
    """One line of the wire with every field escaped.

    >>> line("FAIL", "7", "code=temp_fail")
    b'FAIL\\t7\\tcode=temp_fail\\n'
    """
    return "\t".join(map(escape, fields)).encode("utf-8", "replace") + b"\n"


def parameters(fields: Iterable[str]) -> dict[str, str]:
    """`name=value` and bare flags (value empty) of a request; of a repeated name the last counts."""
    named: dict[str, str] = {}
    for text in fields:
        name, _, value = text.partition("=")
        named[name] = value
    return named


def pairs(named: Mapping[str, str]) -> list[str]:
    """`name=value` fields of an answer, in their order."""
    return [f"{name}={value}" for name, value in named.items()]


def number(text: str) -> int | None:
    """An id of the protocol: a decimal of 32 bits, or None."""
    if not _NUMBER.match(text):
        return None
    value = int(text)
    return value if value < 1 << 32 else None


def split(raw: bytes) -> list[str]:
    """The fields of one line, unescaped.

    Bytes that are no UTF-8 become U+FFFD, which is in no name and no base64: such a field is simply unknown.
    """
    return [unescape(text) for text in raw.decode("utf-8", "replace").split("\t")]


class LineBuffer:
    """Bytes in, complete lines out (without LF); remembers what is not complete yet.

    After a line over `limit` bytes the rest of the stream means nothing: `overflow` is set and no line comes
    any more.
    """

    def __init__(self, limit: int = LINE_LIMIT) -> None:
        self.limit = limit
        self.overflow = False
        self._rest = b""

    def feed(self, data: bytes) -> list[bytes]:
        """The lines that are complete now."""
        if self.overflow:
            return []
        *lines, self._rest = (self._rest + data).split(b"\n")
        for number, raw in enumerate(lines):
            if len(raw) > self.limit:
                self.overflow = True
                return lines[:number]
        self.overflow = len(self._rest) > self.limit
        return lines
