"""Plays the transcripts beside this file against the daemon's connections, over a real database with alice's key.

    listener NAME   which socket                    > text    the client sends a line (CRLF)
    >> text         it sends bytes without CRLF     < text    the daemon answers this line
    ~ pattern       a line that matches             ...       any lines, up to the next one that is given
    << {BODY}       the key in binary               end       the daemon closes

{FINGERPRINT} is alice's. Within an answer, lines end with CRLF or LF.
"""

import re
import time
from pathlib import Path

import pytest

from hkpd.house import House
from hkpd.publishing import Publishing
from hkpd.server import Conversation, Desk
from hkpd.store import CertificateStore
from kit.certificates import YEAR, usual
from kit.wire import Wire
from outrider.admin import Health

HERE = Path(__file__).parent
NOW = int(time.time())
ALICE = "alice@provider.example"


class Player:
    """One connection and how far its answers were read."""

    def __init__(self, wire, protocol, made):
        self.wire, self.protocol, self.made, self.at = wire, protocol, made, 0

    async def line(self):
        sent = await self.wire.until(lambda sent: b"\n" in sent[self.at :])
        text, _, _ = sent[self.at :].partition(b"\n")
        self.at += len(text) + 1
        return text.removesuffix(b"\r").decode()

    async def expect(self, kind, text, skipping):
        """The next line, or with `skipping` one of the next."""
        pattern = text if kind == "~" else re.escape(text)
        while True:
            line = await self.line()
            if re.fullmatch(pattern, line):
                return
            assert skipping, f"expected {text!r}, got {line!r}"

    async def play(self, text):
        skipping = False
        for row in text.splitlines():
            kind, _, rest = row.partition(" ")
            rest = rest.replace("{FINGERPRINT}", self.made.fingerprint.upper())
            match kind:
                case ">":
                    self.protocol.data_received(rest.encode() + b"\r\n")
                case ">>":
                    self.protocol.data_received(rest.encode())
                case "<" | "~":
                    await self.expect(kind, rest, skipping)
                case "<<":
                    await self.wire.until(lambda sent: len(sent) >= self.at + len(self.made.raw))
                    assert self.wire.sent[self.at :][: len(self.made.raw)] == self.made.raw
                    self.at += len(self.made.raw)
                case "end":
                    assert (await self.wire.gone())[self.at :] == b""
            skipping = kind == "..."


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.dialog")))
async def test_dialog(name, database, directory, people):
    await people.add(ALICE, "{X}x", "en", 0, NOW)
    store = CertificateStore(database)
    made = usual(ALICE, NOW - 60, lasts=YEAR)
    await Publishing(store, directory, lambda: NOW).publish(ALICE, made.raw)
    text = (HERE / f"{name}.dialog").read_text()
    behind_tls = "listener http-front" in text
    house = House("dialog", most=1, most_per_network=None)
    protocol = Conversation(Desk(store, Health()), house, lambda: NOW, behind_tls=behind_tls)
    await Player(Wire(protocol), protocol, made).play(text)
