"""The socket of the command line: a line of JSON each way.

    {"do": "publish", "account": "alice@d", "key": base64}      {"do": "list", "account": …}
    {"do": "withdraw", "account": …, "fingerprint": …}

The answer is an object; `error` = no, with the reason for the person who asked; `later` = try again.
"""

import asyncio
import base64
import binascii
import json
import logging
from typing import Any, cast

from hkpd.publishing import Publishing
from outrider.addresses import BadAddress
from outrider.db import DatabaseDown
from outrider.openpgp import MAX_INPUT, BadCertificate
from outrider.people import Refused

logger = logging.getLogger(__name__)

LINE_LIMIT = MAX_INPUT * 4 // 3 + 4096  # bytes: the largest key as base64, and the words around it
DEADLINE_SECONDS = 8.0  # the command line waits 10 s


class AdminConversation(asyncio.Protocol):
    """One connection; one request after the other."""

    def __init__(self, publishing: Publishing) -> None:
        self._publishing = publishing
        self._buffer = bytearray()
        self._worker: asyncio.Task[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast(asyncio.Transport, transport)  # uvloop's transports are no subclass of it

    def data_received(self, data: bytes) -> None:
        self._buffer += data
        if b"\n" not in data and len(self._buffer) > LINE_LIMIT:
            self._answer({"error": "the request is too long"})
            self._transport.close()
        elif self._worker is None and b"\n" in self._buffer:
            self._transport.pause_reading()  # a line at a time
            self._worker = asyncio.get_running_loop().create_task(self._work())

    def connection_lost(self, exc: Exception | None) -> None:
        if self._worker is not None:
            self._worker.cancel()

    async def _work(self) -> None:
        while b"\n" in self._buffer:
            line, _, rest = bytes(self._buffer).partition(b"\n")
            self._buffer[:] = rest
            self._answer(await answered(self._publishing, line))
        self._worker = None
        if not self._transport.is_closing():
            self._transport.resume_reading()

    def _answer(self, answer: dict[str, Any]) -> None:
        if not self._transport.is_closing():
            self._transport.write(json.dumps(answer).encode() + b"\n")


async def answered(publishing: Publishing, line: bytes) -> dict[str, Any]:
    """The answer to one line, whatever it is."""
    try:
        async with asyncio.timeout(DEADLINE_SECONDS):
            return await done(publishing, json.loads(line))
    except BadCertificate as refusal:
        return {"error": refusal.reason, "code": refusal.code}
    except (Refused, BadAddress) as refusal:
        return {"error": str(refusal)}
    except (DatabaseDown, TimeoutError) as error:
        return {"later": str(error) or "the keyserver did not finish in time"}
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return {"error": "the request is not understood"}
    except Exception:
        logger.exception("failed listener=hkpd-admin")
        return {"later": "the keyserver failed; its log says where"}


async def done(publishing: Publishing, request: dict[str, Any]) -> dict[str, Any]:
    match request:
        case {"do": "publish", "account": str(account), "key": str(key)}:
            return await publishing.publish(account, decoded(key))
        case {"do": "list", "account": str(account)}:
            return await publishing.list(account)
        case {"do": "withdraw", "account": str(account), "fingerprint": str(fingerprint)}:
            return await publishing.withdraw(account, fingerprint)
        case _:
            raise ValueError


def decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except binascii.Error:
        raise ValueError from None
