"""A validation server (protocol 2.0) that knows some Yubikeys and can lie in every way that a client must see through.

Yubikey           presses: what a key with these secrets and counters types
ValidationServer  answers questions; `fetch` in this process, `serve` over TLS on a loopback port
"""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import ssl
import time
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

from cryptography.hazmat.primitives.ciphers import Cipher, algorithms, modes

from authd.methods import modhex, yubikey
from authd.methods.yubicloud import Client
from authd.validation import Unreachable

MODHEX = set("cbdefghijklnrtuv")


@dataclass
class Yubikey:
    """One key; each press moves its counters."""

    public_id: str = "vvccccbbddee"
    private_id: bytes = b"\1\2\3\4\5\6"
    aes_key: bytes = bytes(range(16))
    counter: int = 1
    use: int = -1

    def press(self) -> str:
        self.use += 1
        return self.typed(self.counter, self.use)

    def plug(self) -> None:
        """The key gets power."""
        self.counter, self.use = self.counter + 1, -1

    def typed(self, counter: int, use: int, *, crc: int | None = None, private_id: bytes | None = None) -> str:
        block = (private_id or self.private_id) + counter.to_bytes(2, "little") + b"\1\0\0" + bytes([use]) + b"\x12\x34"
        check = ~yubikey.crc(block) & 0xFFFF if crc is None else crc
        encryptor = Cipher(algorithms.AES(self.aes_key), modes.ECB()).encryptor()  # noqa: S305 - the key's own format
        return self.public_id + modhex.encode(encryptor.update(block + check.to_bytes(2, "little")))


LIES = (
    "no nonce",
    "no otp",
    "no h",
    "another nonce",
    "another otp",
    "wrong h",
    "two statuses",
    "two nonces",
    "xstatus",
    "lower case",
    "html",
    "redirect",
    "endless",
    "truncated",
    "junk",
    "an earlier answer",
    "no counters",
    "impossible counters",
    "unknown status",
    "nothing",
)
"""Each is about a code that is right, and is told as OK."""
FAULTS = ("500", "hang", "reset", "not HTTP")


@dataclass
class ValidationServer:
    """yubikey-val with a key store: says OK once for each press of a key that it knows."""

    client: Client = field(default_factory=lambda: Client("42", b"shared-secret-of-20b"))
    keys: dict[str, Yubikey] = field(default_factory=dict)
    lie: str = ""
    fault: str = ""
    status: str = ""
    """Said instead of the truth, signed."""
    counters: tuple[int, int] | None = None
    """Said instead of the code's own."""
    asked: list[dict[str, str]] = field(default_factory=list)
    last: dict[str, int] = field(default_factory=dict)
    earlier: bytes = b""
    hanging: asyncio.Event = field(default_factory=asyncio.Event)

    def know(self, key: Yubikey) -> Yubikey:
        self.keys[key.public_id] = key
        return key

    def answer(self, query: str) -> bytes:
        """The body for one question."""
        asked = dict(parse_qsl(query, keep_blank_values=True))
        self.asked.append(asked)
        told = {name: value for name, value in asked.items() if name != "h"}
        if asked.get("id") != self.client.id:
            return b"status=NO_SUCH_CLIENT\r\n\r\n"  # unsigned, as the real one's
        if not hmac.compare_digest(self.sign(told), asked.get("h", "")):
            return self.body({"status": "BAD_SIGNATURE", "t": self.clock()})
        status, counter, use = self.judge(asked["otp"], asked["nonce"])
        found = {"otp": asked["otp"], "nonce": asked["nonce"], "status": self.status or status, "t": self.clock()}
        if found["status"] == "OK":
            counter, use = self.counters or (counter, use)
            found |= {"timestamp": "1", "sessioncounter": str(counter), "sessionuse": str(use), "sl": "100"}
        body = self.lied(found) if self.lie else self.body(found)
        self.earlier = self.earlier or body
        return body

    def judge(self, otp: str, nonce: str) -> tuple[str, int, int]:
        key = self.keys.get(otp[:-32])
        if key is None:
            return "BAD_OTP", 0, 0
        plain = yubikey.decrypted(key.aes_key, modhex.decode(otp[-32:]))
        if yubikey.crc(plain) != yubikey.RESIDUE or plain[:6] != key.private_id:
            return "BAD_OTP", 0, 0
        step = yubikey.counters(plain)
        if any((one["otp"], one["nonce"]) == (otp, nonce) for one in self.asked[:-1]):
            return "REPLAYED_REQUEST", 0, 0
        if step <= self.last.get(key.public_id, -1):
            return "REPLAYED_OTP", 0, 0
        self.last[key.public_id] = step
        return "OK", step >> 8, step & 0xFF

    def lied(self, found: dict[str, str]) -> bytes:  # noqa: PLR0912 - a list of lies
        good = {**found, "status": "OK", "sessioncounter": "9", "sessionuse": "9"}
        match self.lie:
            case "no nonce" | "no otp":
                del good[self.lie.removeprefix("no ")]
            case "no h":
                return self.lines(good)
            case "another nonce":
                good["nonce"] = "f" * 32
            case "another otp":
                good["otp"] = good["otp"][:-1] + ("c" if good["otp"][-1] != "c" else "b")
            case "wrong h":
                return self.lines(good | {"h": base64.b64encode(b"x" * 20).decode()})
            case "two statuses":
                return b"status=OK\r\n" + self.body(good | {"status": "BAD_OTP"})
            case "two nonces":
                return self.body(good) + b"nonce=" + good["nonce"].encode() + b"\r\n"
            case "xstatus":
                good["xstatus"] = good.pop("status")
            case "lower case":
                good["status"] = "ok"
            case "html":
                return b"<html><body>status=OK</body></html>"
            case "truncated":
                return self.body(good)[:-20]
            case "junk":
                return self.body(good) + b"\xff\xfe=\x00\r\n"
            case "an earlier answer":
                return self.earlier
            case "no counters":
                del good["sessioncounter"]
            case "impossible counters":
                good["sessioncounter"] = "99999"
            case "unknown status":
                good["status"] = "FINE"
            case "nothing":
                return b""
        return self.body(good)

    def body(self, found: dict[str, str]) -> bytes:
        return self.lines({"h": self.sign(found), **found})

    def lines(self, found: dict[str, str]) -> bytes:
        return "".join(f"{name}={value}\r\n" for name, value in found.items()).encode() + b"\r\n"

    def sign(self, found: dict[str, str]) -> str:
        text = "&".join(f"{name}={found[name]}" for name in sorted(found))
        return base64.b64encode(hmac.digest(self.client.key, text.encode(), hashlib.sha1)).decode()

    def clock(self) -> str:
        return time.strftime("%Y-%m-%dT%H:%M:%SZ0000", time.gmtime())

    # In this process, and over TLS -----------------------------------------------------------------

    async def fetch(self, url: str, query: str) -> bytes:
        """As authd.validation's Https.get, without a socket."""
        assert urlsplit(url).scheme == "https"
        if self.fault == "hang":
            await self.hanging.wait()
        if self.fault or self.lie in ("redirect", "endless"):
            raise Unreachable(self.fault or self.lie)
        return self.answer(query)

    @contextlib.asynccontextmanager
    async def serve(self, certificate: Path, key: Path) -> AsyncIterator[str]:
        """The address of a real server."""
        context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
        context.load_cert_chain(certificate, key)
        server = await asyncio.start_server(self._connection, "127.0.0.1", 0, ssl=context)
        port = server.sockets[0].getsockname()[1]
        try:
            yield f"https://localhost:{port}/wsapi/2.0/verify"
        finally:
            self.hanging.set()
            server.close()

    async def _connection(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            head = await reader.readuntil(b"\r\n\r\n")
            writer.write(await self._http(head.split(b" ")[1].decode()))
            if self.lie == "endless":
                while True:
                    writer.write(b"x" * 65536)
                    await writer.drain()
            await writer.drain()
        with contextlib.suppress(OSError):
            writer.close()

    async def _http(self, target: str) -> bytes:
        match self.fault:
            case "500":
                return b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 0\r\n\r\n"
            case "hang":
                await self.hanging.wait()
            case "reset":
                return b""
            case "not HTTP":
                return b"220 mail.example ESMTP\r\n"
        if self.lie == "redirect":
            return b"HTTP/1.1 302 Found\r\nLocation: http://localhost/ok\r\nContent-Length: 0\r\n\r\n"
        if self.lie == "endless":
            return b"HTTP/1.1 200 OK\r\nConnection: close\r\n\r\n"
        body = self.answer(target.partition("?")[2])
        if self.lie == "truncated":
            return b"HTTP/1.1 200 OK\r\nContent-Length: 999\r\nConnection: close\r\n\r\n" + body
        return b"HTTP/1.1 200 OK\r\nContent-Type: text/plain\r\nContent-Length: %d\r\n\r\n%s" % (len(body), body)
