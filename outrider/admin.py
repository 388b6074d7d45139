"""The admin listener of a daemon: GET /healthz and /metrics on a loopback port, nothing else.

/healthz answers 200 `ok`, or 503 with one line for each trouble that stands. /metrics is Prometheus' text format; no
address or login is ever a label.
"""

import asyncio
import logging
from collections.abc import Awaitable, Callable
from typing import cast

import httptools
import prometheus_client

logger = logging.getLogger(__name__)

REQUEST_LIMIT = 8192  # bytes; a scraper sends a few hundred
WATCH_SECONDS = 3.0  # how long /healthz may be wrong while nobody asks the daemon anything


class Health:
    """What is wrong with this daemon right now. Each change is logged once, not at every request."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def trouble(self, key: str, text: str) -> None:
        """Something does not work; `key` names it for `well`."""
        if self.problems.get(key) != text:
            self.problems[key] = text
            logger.error("trouble=%s: %s; requests that need it are answered with a temporary failure", key, text)

    def well(self, key: str) -> None:
        """It works again."""
        if self.problems.pop(key, None) is not None:
            logger.warning("recovered=%s", key)


async def watch(look: Callable[[], Awaitable[object]]) -> None:
    """Look for ever: a daemon that nobody asks would tell trouble long after its end, or none at all."""
    while True:
        await look()
        await asyncio.sleep(WATCH_SECONDS)


class AdminProtocol(asyncio.Protocol):
    """One connection; one request after the other."""

    def __init__(self, health: Health) -> None:
        self._health = health
        self._transport: asyncio.Transport | None = None
        self._parser = httptools.HttpRequestParser(self)
        self._url = b""
        self._received = 0

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's is none by inheritance

    def data_received(self, data: bytes) -> None:
        self._received += len(data)
        try:
            if self._received > REQUEST_LIMIT:
                raise httptools.HttpParserError("too long")
            self._parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            self._answer("400 Bad Request", b"bad request\n")
            self._close()

    def on_url(self, url: bytes) -> None:
        self._url += url

    def on_message_complete(self) -> None:
        path = self._url.partition(b"?")[0]
        if self._parser.get_method() != b"GET":
            self._answer("405 Method Not Allowed", b"GET only\n")
        elif path == b"/healthz":
            problems = "".join(f"{key}: {text}\n" for key, text in self._health.problems.items())
            self._answer("503 Service Unavailable" if problems else "200 OK", (problems or "ok\n").encode())
        elif path == b"/metrics":
            self._answer("200 OK", prometheus_client.generate_latest(), prometheus_client.CONTENT_TYPE_LATEST)
        else:
            self._answer("404 Not Found", b"/healthz or /metrics\n")
        self._url, self._received = b"", 0
        if not self._parser.should_keep_alive():
            self._close()

    def _answer(self, status: str, body: bytes, kind: str = "text/plain; charset=utf-8") -> None:
        if self._transport is not None and not self._transport.is_closing():
            head = f"HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {len(body)}\r\n\r\n"
            self._transport.write(head.encode() + body)

    def _close(self) -> None:
        if self._transport is not None:
            self._transport.close()
