"""Sendmail's socketmap protocol as Postfix speaks it (socketmap_table(5), REQUEST FORMAT and REPLY FORMAT).

Both ways a netstring: the request is `map key`, the reply is a status word, a space and its data.
"""

from dataclasses import dataclass

from policy.protocol.malformed import Malformed
from policy.protocol.netstring import NetstringReader, encode_netstring

# A key is an address (RFC 5321 section 4.5.3.1: 64 + 1 + 255 octets) or a domain; the rest is for what
# Postfix lets through in quoted local parts (an SMTP line has at most 2048 bytes).
REQUEST_BYTES = 4096
# socketmap_table(5): "Replies must be no longer than 100000 characters (not including the netstring
# encapsulation)".
REPLY_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Lookup:
    """What `map` says of `key`. Bytes that are not UTF-8 stay as surrogates, which no address of ours has."""

    map: str
    key: str


@dataclass(frozen=True, slots=True)
class Found:
    """OK: the value must not be empty, Postfix takes that for a server that is configured wrong."""

    value: str


@dataclass(frozen=True, slots=True)
class NotFound:
    """NOTFOUND: there is no such key."""


@dataclass(frozen=True, slots=True)
class Temporary:
    """TEMP: could not find out; Postfix answers 451 4.3.0."""

    reason: str


@dataclass(frozen=True, slots=True)
class Timeout:
    """TIMEOUT: could not find out in time; Postfix answers 451 4.3.0."""

    reason: str


@dataclass(frozen=True, slots=True)
class Permanent:
    """PERM: the request makes no sense here; Postfix answers 451 4.3.5 (server configuration error)."""

    reason: str


Reply = Found | NotFound | Temporary | Timeout | Permanent


class LookupReader:
    """Server side: feed it what arrives, take the look-ups it is good for."""

    def __init__(self, limit: int = REQUEST_BYTES) -> None:
        """`limit` is the size of `map key` in bytes."""
        self._netstrings = NetstringReader(limit)

    def feed(self, data: bytes) -> list[Lookup | Malformed]:
        """All look-ups that `data` completes, in order; a Malformed is always the last one."""
        found: list[Lookup | Malformed] = []
        for payload in self._netstrings.feed(data):
            item = payload if isinstance(payload, Malformed) else _lookup(payload)
            found.append(item)
            if isinstance(item, Malformed):
                self._netstrings.deafen()
                break
        return found


class ReplyReader:
    """Client side, for tests and benchmarks."""

    def __init__(self, limit: int = REPLY_BYTES) -> None:
        self._netstrings = NetstringReader(limit)

    def feed(self, data: bytes) -> list[Reply | Malformed]:
        """All replies that `data` completes, in order."""
        return [item if isinstance(item, Malformed) else _reply(item) for item in self._netstrings.feed(data)]


def encode_lookup(lookup: Lookup) -> bytes:
    """The bytes that Postfix would send."""
    return encode_netstring(f"{lookup.map} {lookup.key}".encode("utf-8", "surrogateescape"))


def encode_reply(reply: Reply) -> bytes:
    """The bytes of a reply; ValueError for an empty or over-long value, and for line ends and NULs in it."""
    match reply:
        case Found(value):
            if not value:
                raise ValueError("an empty value")
            return _encode("OK", value)
        case NotFound():
            return _encode("NOTFOUND", "")
        case Temporary(reason):
            return _encode("TEMP", reason)
        case Timeout(reason):
            return _encode("TIMEOUT", reason)
        case Permanent(reason):
            return _encode("PERM", reason)


def _encode(status: str, data: str) -> bytes:
    payload = f"{status} {data}".encode()
    if len(payload) > REPLY_BYTES or any(byte in payload for byte in b"\0\r\n"):
        raise ValueError(f"not the data of a reply: {len(payload)} bytes")
    return encode_netstring(payload)


def _lookup(payload: bytes) -> Lookup | Malformed:
    name, space, key = payload.partition(b" ")
    if not space or not name:
        return Malformed("a request without map and key")
    if b"\0" in payload:
        return Malformed("a NUL in a request")
    return Lookup(name.decode("utf-8", "surrogateescape"), key.decode("utf-8", "surrogateescape"))


def _reply(payload: bytes) -> Reply | Malformed:
    status, _, data = payload.decode("utf-8", "surrogateescape").partition(" ")
    match status:
        case "OK":
            return Found(data)
        case "NOTFOUND":
            return NotFound()
        case "TEMP":
            return Temporary(data)
        case "TIMEOUT":
            return Timeout(data)
        case "PERM":
            return Permanent(data)
        case _:
            return Malformed("a status that is none")
