"""HTTP/1.1 requests out of a stream of bytes, however it is cut.

httptools (the parser of Node.js) reads the syntax. It collects without bound, so this class counts: the head of a
request may have HEAD_LIMIT bytes, its body BODY_LIMIT. No answer depends on a body, so bodies are counted and thrown
away. Heads are fed line by line, which makes the limit the same for every split of the stream.
"""

from dataclasses import dataclass

import httptools

HEAD_LIMIT = 16 * 1024  # bytes; the longest look-up of a real program has 400
BODY_LIMIT = 256 * 1024  # bytes; what gpg --send-keys may send before it hears that nothing is taken here
WANTED = (b"host", b"x-real-ip", b"content-length", b"transfer-encoding")


@dataclass(frozen=True, slots=True)
class Request:
    """One request. `target` is the request target as it came, `client` what X-Real-IP claims."""

    method: str
    target: bytes
    host: str
    client: str
    keep_alive: bool


@dataclass(frozen=True, slots=True)
class Malformed:
    """What came is not a request that is answered. The connection is closed after `status` is told."""

    status: int


class RequestFeed:
    """Feed it bytes, get requests. After a Malformed it takes nothing more."""

    def __init__(self) -> None:
        self._parser = httptools.HttpRequestParser(self)
        self._found: list[Request | Malformed] = []
        self._begin()
        self._closed = False

    def _begin(self) -> None:
        self._head = 0  # bytes of the present head
        self._body: int | None = None  # bytes of the body that are still to come; None = still in the head
        self._target = b""
        self._headers: dict[bytes, bytes] = {}
        self._status = 0

    @property
    def idle(self) -> bool:
        """Nothing of a next request has come yet."""
        return self._head == 0

    def feed(self, data: bytes) -> list[Request | Malformed]:
        """The requests that `data` completes, in order."""
        self._found = []
        at = 0
        while at < len(data) and not self._closed:
            end = self._end_of_piece(data, at)
            if end == at:  # the parser wants a longer body than the length that we both read: never seen
                self._refuse(400)
                break
            self._feed_piece(data[at:end] if end - at < len(data) else data)
            at = end
        return self._found

    def _end_of_piece(self, data: bytes, at: int) -> int:
        """How far the parser may see now: the present line of a head, or the rest of a body."""
        if self._body is not None:
            return min(len(data), at + self._body)
        if at == 0 and self._head == 0 and len(data) <= HEAD_LIMIT and data.find(b"\r\n\r\n") == len(data) - 4:
            return len(data)  # at most one head, complete: the usual case, one call
        return data.find(b"\n", at) + 1 or len(data)

    def _feed_piece(self, piece: bytes) -> None:
        if self._body is None:
            self._head += len(piece)
            if self._head > HEAD_LIMIT:
                return self._refuse(431)
        else:
            self._body -= len(piece)
        try:
            self._parser.feed_data(piece)
        except httptools.HttpParserUpgrade:
            # "Upgrade: h2c" of curl and others: the request is answered as it is (RFC 9110 section 7.8), then the
            # connection ends, because the parser has given up on it.
            self._closed = True
        except httptools.HttpParserError:
            self._refuse(self._status or 400)
        return None

    def _refuse(self, status: int) -> None:
        self._closed = True
        self._found.append(Malformed(status))

    # What httptools calls -------------------------------------------------------------------------------

    def on_url(self, url: bytes) -> None:
        self._target += url

    def on_header(self, name: bytes, value: bytes) -> None:
        lower = name.lower()
        if lower in WANTED:
            if lower in self._headers and lower != b"x-real-ip":
                self._stop(400)  # two hosts or two lengths: RFC 9112 sections 3.2 and 6.3
            self._headers[lower] = value

    def on_headers_complete(self) -> None:
        if b"transfer-encoding" in self._headers:
            self._stop(411)  # no OpenPGP program sends chunks, and a second way to end a body is one too many
        length = self._headers.get(b"content-length", b"0").strip()
        if not length.isdigit():
            self._stop(400)
        if len(length) > len(str(BODY_LIMIT)) or int(length) > BODY_LIMIT:
            self._stop(413)
        self._body = int(length)

    def on_message_complete(self) -> None:
        request = Request(
            method=self._parser.get_method().decode("latin-1"),
            target=self._target,
            host=self._headers.get(b"host", b"").decode("latin-1"),
            client=self._headers.get(b"x-real-ip", b"").decode("latin-1"),
            keep_alive=self._parser.should_keep_alive() and not self._parser.should_upgrade(),
        )
        self._found.append(request)
        self._closed = not request.keep_alive
        self._begin()

    def _stop(self, status: int) -> None:
        """Ends the parser's work; httptools turns the exception into HttpParserCallbackError."""
        self._status = status
        raise ValueError
