"""Postfix policy delegation, both sides.

A request is a block of `name=value` lines that an empty line ends; the answer is `action=...` and an empty
line (SMTPD_POLICY_README, "Protocol description"). A connection carries many requests, one after the other.
A server that is in trouble disconnects without an answer; Postfix then retries and answers its client 451.
"""

from collections.abc import Mapping
from dataclasses import dataclass, fields

from policy.protocol.malformed import Malformed

# Postfix sends 530 to 700 bytes, with long certificate names a few thousand; an SMTP line has at most 2048.
REQUEST_BYTES = 64 * 1024
# Postfix passes 5000 characters through to its client; RFC 5321 section 4.5.3.1.5 allows 512 for a reply
# line, and Postfix puts the address and "Recipient address rejected" before our text.
ACTION_CHARACTERS = 400
# "The request attribute is required": this is the only type there is.
REQUEST_TYPE = "smtpd_access_policy"
# The reader of an answer: Postfix's own limit for one attribute line.
ANSWER_BYTES = 100_000


@dataclass(frozen=True, slots=True)
class Request:
    """The attributes we decide by. What Postfix did not send is empty (it sends "unavailable" that way too).

    Bytes that are not UTF-8 stay as surrogates (PEP 383), which no address of ours contains.
    """

    protocol_state: str = ""
    sender: str = ""
    recipient: str = ""
    sasl_username: str = ""
    instance: str = ""
    policy_context: str = ""


@dataclass(frozen=True, slots=True)
class Answer:
    """`action` is an action of access(5): "DUNNO", "550 5.7.1 text"."""

    action: str


_NAMES = {field.name.encode(): field.name for field in fields(Request)}


class RequestReader:
    """Server side: feed it what arrives, take the requests it is good for."""

    def __init__(self, limit: int = REQUEST_BYTES) -> None:
        """`limit` is the size of one request in bytes, the empty line included."""
        self._blocks = _BlockReader(limit)

    def feed(self, data: bytes) -> list[Request | Malformed]:
        """All requests that `data` completes, in order; a Malformed is always the last one."""
        found: list[Request | Malformed] = []
        for block in self._blocks.feed(data):
            item = block if isinstance(block, Malformed) else _request(block)
            found.append(item)
            if isinstance(item, Malformed):
                self._blocks.deafen()
                break
        return found


class AnswerReader:
    """Client side, for tests and benchmarks."""

    def __init__(self, limit: int = ANSWER_BYTES) -> None:
        self._blocks = _BlockReader(limit)

    def feed(self, data: bytes) -> list[Answer | Malformed]:
        """All answers that `data` completes, in order."""
        blocks = self._blocks.feed(data)
        return [block if isinstance(block, Malformed) else _answer(block) for block in blocks]


def encode_answer(action: str) -> bytes:
    """The bytes of an answer.

    An empty action permits in Postfix, text that is not UTF-8 is a 451, and a line end cuts the text:
    ValueError for whatever is not one line of printable ASCII within ACTION_CHARACTERS.
    """
    if not (action.strip() and action.isascii() and action.isprintable() and len(action) <= ACTION_CHARACTERS):
        raise ValueError(f"not an action: {action!r}")
    return b"action=" + action.encode("ascii") + b"\n\n"


def encode_request(attributes: Mapping[str, str]) -> bytes:
    """The bytes that Postfix would send for these attributes (the type of the request comes first)."""
    lines = [f"request={REQUEST_TYPE}", *(f"{name}={value}" for name, value in attributes.items())]
    return "".join(f"{line}\n" for line in lines).encode("utf-8", "surrogateescape") + b"\n"


def _request(block: bytes) -> Request | Malformed:
    attributes = _attributes(block)
    if isinstance(attributes, Malformed):
        return attributes
    if attributes.get(b"request") != REQUEST_TYPE.encode():
        return Malformed("no request of the type smtpd_access_policy")
    known = {
        name: attributes[key].decode("utf-8", "surrogateescape") for key, name in _NAMES.items() if key in attributes
    }
    return Request(**known)


def _answer(block: bytes) -> Answer | Malformed:
    attributes = _attributes(block)
    if isinstance(attributes, Malformed):
        return attributes
    if b"action" not in attributes:
        return Malformed("an answer without action")
    return Answer(attributes[b"action"].decode("utf-8", "surrogateescape"))


def _attributes(block: bytes) -> dict[bytes, bytes] | Malformed:
    """Names and values; of an attribute that comes twice the first counts (the document lets us choose)."""
    if b"\0" in block:
        return Malformed("a NUL in an attribute")
    attributes: dict[bytes, bytes] = {}
    for line in block.split(b"\n"):
        name, equals, value = line.partition(b"=")
        if not equals or not name:
            return Malformed("a line that is no attribute")
        attributes.setdefault(name, value)
    return attributes


class _BlockReader:
    """Cuts the stream at empty lines; never holds more than `limit` bytes of one block."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._buffer = bytearray()
        self._seen = 0  # bytes in which no end was found: a slow peer costs no second look
        self._deaf = False

    def feed(self, data: bytes) -> list[bytes | Malformed]:
        if self._deaf:
            return []
        self._buffer += data
        blocks: list[bytes | Malformed] = []
        while (block := self._next()) is not None:
            blocks.append(block)
            if isinstance(block, Malformed):
                self.deafen()
                break
        return blocks

    def deafen(self) -> None:
        self._deaf = True
        self._buffer.clear()

    def _next(self) -> bytes | Malformed | None:
        if self._buffer.startswith(b"\n"):
            return Malformed("an empty request")
        end = self._buffer.find(b"\n\n", max(0, self._seen - 1))
        size = end + 2 if end >= 0 else len(self._buffer)
        if size > self._limit:
            return Malformed("a request over the limit")
        if end < 0:
            self._seen = len(self._buffer)
            return None
        block = bytes(self._buffer[:end])
        del self._buffer[: end + 2]
        self._seen = 0
        return block
