"""Asking validation servers over HTTPS: all of the list at once, with one nonce, within SECONDS.

asyncio's streams and httptools, which hkpd has too: one GET per question, no redirects, no cookies, no proxies, at
most BODY_LIMIT bytes. A client library would bring all of those to be switched off.
"""

from __future__ import annotations

import asyncio
import base64
import binascii
import logging
import secrets
import ssl
import time
from collections.abc import Awaitable, Callable
from urllib.parse import urlsplit

import httptools

from authd.breaker import Breaker, Open
from authd.methods.yubicloud import NONCE_BYTES, Answer, Client, Outcome, decisive, judge, target
from authd.settings import AuthdSettings
from outrider.admin import Health
from outrider.settings import credential

logger = logging.getLogger(__name__)

SECONDS = 3.0
"""For all servers together, with connecting: the login behind it has 8."""
BODY_LIMIT = 16 * 1024
"""Bytes; an answer has 300."""
HEAD_LIMIT = 16 * 1024
CHUNK = 4096

Fetch = Callable[[str, str], Awaitable[bytes]]


class Unreachable(Exception):
    """No answer that could be judged; the text is for the operator."""


class Validation:
    """The servers of one list. With no client id there is none: every answer is "misconfigured"."""

    def __init__(
        self,
        urls: tuple[str, ...],
        client: Callable[[], Client],
        fetch: Fetch,
        *,
        health: Health,
        monotonic: Callable[[], float],
        random: Callable[[int], bytes],
    ) -> None:
        self._urls, self._client, self._fetch, self._health = urls, client, fetch, health
        self._random = random
        self._breaker = Breaker(monotonic)

    async def ask(self, otp: str) -> Answer:
        """What the servers say about a code; never raises, never retries: the code may be used up by the first try."""
        try:
            client = self._client()
        except ValueError as error:
            return self._trouble(Answer(Outcome.MISCONFIGURED, str(error)))
        try:
            with self._breaker.attempt() as attempt:
                answer, heard = await self._all(client, otp)
                attempt.worked = heard
        except Open:
            return Answer(Outcome.BUSY, "left alone after several time-outs")
        match answer.outcome:
            case Outcome.MISCONFIGURED | Outcome.UNBELIEVABLE:
                return self._trouble(answer)
            case Outcome.BUSY | Outcome.SEEN:
                logger.warning("yubicloud=later: %s", answer.detail)
            case Outcome.GOOD | Outcome.BAD | Outcome.REPLAYED:
                self._health.well("yubicloud")
        return answer

    def _trouble(self, answer: Answer) -> Answer:
        """What an operator has to look at."""
        self._health.trouble("yubicloud", f"{answer.outcome.value}: {answer.detail}")
        return answer

    async def _all(self, client: Client, otp: str) -> tuple[Answer, bool]:
        """The answer that counts, and whether any server was heard."""
        nonce = self._random(NONCE_BYTES).hex()
        query = target(client, otp, nonce)
        tasks = {asyncio.create_task(self._one(client, url, query, otp=otp, nonce=nonce)) for url in self._urls}
        answers: list[Answer] = []
        heard = False
        try:
            async with asyncio.timeout(SECONDS):
                for one in asyncio.as_completed(tasks):
                    answer, body = await one
                    answers.append(answer)
                    heard = heard or body
                    if answer.outcome is Outcome.GOOD:
                        break  # the others only say that they have heard of it
        except TimeoutError:
            answers.append(Answer(Outcome.BUSY, "no answer in time"))
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        return decisive(answers), heard

    async def _one(self, client: Client, url: str, query: str, *, otp: str, nonce: str) -> tuple[Answer, bool]:
        try:
            body = await self._fetch(url, query)
        except Unreachable as error:
            return Answer(Outcome.BUSY, f"{urlsplit(url).hostname}: {error}"), False
        return judge(client, body, otp, nonce), True


def open_validation(own: AuthdSettings, health: Health) -> Validation:
    """The servers of the configuration; nothing is read or opened before the first question."""
    return Validation(
        own.yubicloud_urls,
        lambda: client_from(own.yubicloud_id, own.yubicloud_key),
        Https(own.yubicloud_authorities).get,
        health=health,
        monotonic=time.monotonic,
        random=secrets.token_bytes,
    )


def client_from(identity: str, reference: str) -> Client:
    """Our number and key at the servers. ValueError with a text for the operator."""
    if not identity.isascii() or not identity.isdigit():
        raise ValueError("yubicloud_id is not set")
    try:
        key = base64.b64decode(credential(reference).read_text(encoding="ascii").strip(), validate=True)
    except (OSError, UnicodeDecodeError, binascii.Error):
        raise ValueError(f"{reference}: not a readable file with a key in base64") from None
    if not key:
        raise ValueError(f"{reference}: empty")
    return Client(identity, key)


class Https:
    """GET over TLS. The servers' certificates are checked against `authorities`, a file; empty = the system's."""

    def __init__(self, authorities: str = "") -> None:
        self._authorities = authorities
        self._context: ssl.SSLContext | None = None

    async def get(self, url: str, query: str) -> bytes:
        """The body of an answer with status 200. Raises Unreachable."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port or 443
        head = f"GET {parts.path or '/'}?{query} HTTP/1.1\r\nHost: {parts.netloc}\r\nConnection: close\r\n\r\n"
        try:
            async with asyncio.timeout(SECONDS):
                reader, writer = await asyncio.open_connection(host, port, ssl=self._tls(), limit=CHUNK)
                try:
                    writer.write(head.encode("ascii"))
                    return await received(reader)
                finally:
                    writer.transport.abort()
        except TimeoutError:
            raise Unreachable("no answer in time") from None
        except (OSError, ValueError) as error:  # ssl.SSLError and gaierror are OSErrors
            raise Unreachable(type(error).__name__) from None

    def _tls(self) -> ssl.SSLContext:
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._authorities or None)
        return self._context


async def received(reader: asyncio.StreamReader) -> bytes:
    """The body of one answer, until it is complete or the server hangs up; its signature says whether it is whole."""
    answer = Received()
    parser = httptools.HttpResponseParser(answer)
    total = 0
    while not answer.complete and (data := await reader.read(CHUNK)):
        total += len(data)
        if total > HEAD_LIMIT + BODY_LIMIT:
            raise Unreachable("an answer without end")
        try:
            parser.feed_data(data)
        except (httptools.HttpParserError, httptools.HttpParserUpgrade):
            raise Unreachable("an answer that is not HTTP") from None
    if not total or parser.get_status_code() != 200:
        raise Unreachable(f"HTTP status {parser.get_status_code() if total else 'missing'}")
    if len(answer.body) > BODY_LIMIT:
        raise Unreachable("an answer without end")
    return bytes(answer.body)


class Received:
    """What httptools calls."""

    def __init__(self) -> None:
        self.body = bytearray()
        self.complete = False

    def on_body(self, data: bytes) -> None:
        self.body += data

    def on_message_complete(self) -> None:
        self.complete = True
