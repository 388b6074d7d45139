"""Netstrings: `length:bytes,` (D. J. Bernstein, https://cr.yp.to/proto/netstrings.txt)."""

from policy.protocol.malformed import Malformed


def encode_netstring(payload: bytes) -> bytes:
    """The payload in its frame."""
    return b"%d:%s," % (len(payload), payload)


class NetstringReader:
    """Takes the stream apart; a length over `limit` bytes is malformed before any of it is stored."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._digits = len(str(limit))
        self._buffer = bytearray()
        self._deaf = False

    def feed(self, data: bytes) -> list[bytes | Malformed]:
        """All payloads that `data` completes, in order; a Malformed is always the last one."""
        if self._deaf:
            return []
        self._buffer += data
        found: list[bytes | Malformed] = []
        while (item := self._next()) is not None:
            found.append(item)
            if isinstance(item, Malformed):
                self.deafen()
                break
        return found

    def deafen(self) -> None:
        """Nothing more is read: the stream cannot be trusted to have frames."""
        self._deaf = True
        self._buffer.clear()

    def _next(self) -> bytes | Malformed | None:
        length = self._length()
        if length is None or isinstance(length, Malformed):
            return length
        start = self._buffer.index(b":") + 1
        end = start + length
        if len(self._buffer) <= end:
            return None
        if self._buffer[end : end + 1] != b",":
            return Malformed("a netstring without its comma")
        payload = bytes(self._buffer[start:end])
        del self._buffer[: end + 1]
        return payload

    def _length(self) -> int | Malformed | None:
        """The length, or the first fault in its digits, or None while more of them may come."""
        for index, byte in enumerate(self._buffer[: self._digits + 1]):
            if byte == ord(":"):
                if index == 0:
                    return Malformed("a netstring without a length")
                length = int(self._buffer[:index])
                return length if length <= self._limit else Malformed("a netstring over the limit")
            if not ord("0") <= byte <= ord("9"):
                return Malformed("a netstring whose length is no number")
            if index == 1 and self._buffer.startswith(b"0"):
                return Malformed("a netstring whose length begins with 0")
            if index == self._digits:
                return Malformed("a netstring over the limit")
        return None
