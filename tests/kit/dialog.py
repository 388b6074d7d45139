r"""Golden dialogs: text files with both sides of a conversation, played against a server, ours or a real one.

    # a comment                          lines that begin with # and empty lines say nothing
    ending CRLF                          from here on lines end so (default LF)
    c = auth-client                      open connection c to the place of that name (see `Place`)
    c -> VERSION\t1\t2                   send a line
    c ->| AUTH\t1                        send bytes, no line end
    c <- OK\t1\tuser=alice               the next line is exactly this
    c <~ CUID\t(?P<cuid>\d+)             the next line matches this regular expression as a whole
    c <* DONE                            any lines, up to and including one that is exactly this
    c |                                  the server closes
    c close                              we close
    @2.4 c <- OK\t1\tuser=alice@x        only for this version of the peer

Escapes in sent and exact lines: \t \r \n \0 \\ and \xNN; in patterns they are Python's. ${name} is replaced by a
variable: given by the test, or a named group of an earlier pattern (in a pattern its text is taken literally).
"""

import asyncio
import contextlib
import re
import ssl
from collections.abc import Awaitable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

WATCHDOG = 10.0  # seconds for one line; nothing in a dialog waits on purpose
LINE = re.compile(r"(?:@(?P<version>\S+) )?(?P<name>\w+) (?P<verb>->\||->|<-|<~|<\*|=|\||close)(?: (?P<text>.*))?")
ESCAPE = re.compile(r"\\(?:x(?P<hex>[0-9a-fA-F]{2})|(?P<letter>.))")
LETTERS = {"t": "\t", "r": "\r", "n": "\n", "0": "\0", "\\": "\\"}
ENDINGS = {"LF": b"\n", "CRLF": b"\r\n"}


@dataclass(frozen=True)
class Place:
    """Where a connection goes: `unix` a socket's path, else `host` and `port`; `tls` checks `tls_name`."""

    unix: str | Path | None = None
    host: str = "127.0.0.1"
    port: int = 0
    tls: ssl.SSLContext | None = None
    tls_name: str | None = None


class DialogFailed(AssertionError):
    """The peer said something else. The text shows the line, what came, and the conversation so far."""


@dataclass
class Connection:
    reader: asyncio.StreamReader
    writer: asyncio.StreamWriter


@dataclass
class Dialog:
    """One file being played."""

    places: Mapping[str, Place]
    version: str | None = None
    variables: dict[str, str] = field(default_factory=dict)
    watchdog: float = WATCHDOG
    ending: bytes = b"\n"
    connections: dict[str, Connection] = field(default_factory=dict)
    transcript: list[str] = field(default_factory=list)

    async def play(self, text: str, source: str = "dialog") -> dict[str, str]:
        """Play all lines; returns the variables, captured ones too. DialogFailed at the first difference."""
        try:
            for number, line in enumerate(text.splitlines(), 1):
                if line.strip() and not line.startswith("#"):
                    await self.step(line.rstrip(), f"{source}:{number}")
        finally:
            for connection in self.connections.values():
                connection.writer.close()
                with contextlib.suppress(OSError):
                    await connection.writer.wait_closed()
        return self.variables

    async def step(self, line: str, where: str) -> None:
        if line.startswith("ending "):
            self.ending = ENDINGS[line.removeprefix("ending ")]
            return
        parts = LINE.fullmatch(line)
        if parts is None:
            raise SyntaxError(f"{where}: not a line of a dialog: {line!r}")
        if parts["version"] in {None, self.version}:
            self.transcript.append(line)
            await self.act(parts["name"], parts["verb"], parts["text"] or "", where)

    async def act(self, name: str, verb: str, text: str, where: str) -> None:
        if verb == "=":
            self.connections[name] = await self.connect(self.places[text])
            return
        peer = self.connections[name]
        match verb:
            case "->" | "->|":
                peer.writer.write(unescape(self.fill(text)) + (self.ending if verb == "->" else b""))
                await peer.writer.drain()
            case "<-":
                self.compare(await self.line(peer, where), unescape(self.fill(text)), where)
            case "<~":
                self.match(await self.line(peer, where), text, where)
            case "<*":
                while await self.line(peer, where) != unescape(self.fill(text)):
                    pass
            case "|":
                rest = await self.timed(peer.reader.read(1), where)
                self.compare(rest, b"", where)
            case "close":
                peer.writer.close()

    async def connect(self, place: Place) -> Connection:
        if place.unix is not None:
            return Connection(*await asyncio.open_unix_connection(place.unix, limit=1 << 20))
        name = place.tls_name if place.tls else None
        return Connection(*await asyncio.open_connection(place.host, place.port, ssl=place.tls, server_hostname=name))

    async def line(self, peer: Connection, where: str) -> bytes:
        """The next line without its ending; the end of the stream is a failure."""
        try:
            raw = await self.timed(peer.reader.readuntil(self.ending), where)
        except asyncio.IncompleteReadError as cut:
            raise self.failed(where, f"the peer closed after {cut.partial!r}") from None
        self.transcript.append(f"   got {raw!r}")
        return raw.removesuffix(self.ending)

    async def timed(self, reading, where: str) -> bytes:
        try:
            return await asyncio.wait_for(reading, self.watchdog)
        except TimeoutError:
            raise self.failed(where, "nothing came") from None

    def compare(self, got: bytes, wanted: bytes, where: str) -> None:
        if got != wanted:
            raise self.failed(where, f"wanted {wanted!r}\n       got    {got!r}")

    def match(self, got: bytes, pattern: str, where: str) -> None:
        found = re.fullmatch(self.fill(pattern, quote=True), got.decode("utf-8", "surrogateescape"), re.DOTALL)
        if found is None:
            raise self.failed(where, f"wanted a match of {pattern}\n       got    {got!r}")
        self.variables.update({name: text or "" for name, text in found.groupdict().items()})

    def fill(self, text: str, *, quote: bool = False) -> str:
        """Replace ${name}; a name that nobody set is a KeyError."""

        def value(found: re.Match[str]) -> str:
            chosen = self.variables[found[1]]
            return re.escape(chosen) if quote else chosen.replace("\\", "\\\\")

        return re.sub(r"\$\{(\w+)\}", value, text)

    def failed(self, where: str, what: str) -> DialogFailed:
        return DialogFailed("\n".join([f"{where}: {what}", *(f"    {line}" for line in self.transcript)]))


def unescape(text: str) -> bytes:
    """The bytes of a line as written in a file; an unknown escape is a ValueError."""

    def plain(found: re.Match[str]) -> str:
        if found["hex"]:
            return chr(int(found["hex"], 16)) if int(found["hex"], 16) < 0x80 else chr(0xDC00 + int(found["hex"], 16))
        if found["letter"] not in LETTERS:
            raise ValueError(f"unknown escape: {found[0]}")
        return LETTERS[found["letter"]]

    return ESCAPE.sub(plain, text).encode("utf-8", "surrogateescape")


def play(
    path: Path, places: Mapping[str, Place], *, version: str | None = None, **variables: str
) -> Awaitable[dict[str, str]]:
    """Play a file. `version` is the peer's ("2.3", "2.4"), `variables` fill ${name}."""
    return Dialog(places, version, variables).play(path.read_text(), path.name)
