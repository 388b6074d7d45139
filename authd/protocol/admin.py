"""The admin format: one JSON object per line each way, answers in the order of the questions.

    {"do": "token list", "account": "alice@provider.example"}
    {"tokens": [...]}         done
    {"error": "..."}          the answer is no; the text is for the operator
    {"later": "..."}          somebody who is needed does not answer now

Who can open the socket may do everything here, so it is root's.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from typing import Any

from authd.protocol.events import Broken
from authd.protocol.fields import LineBuffer

LINE_LIMIT = 65536
"""Bytes of one question: all that is asked fits in a thousandth."""


@dataclass(frozen=True, slots=True)
class Question:
    """What an admin wants done; the rest of the object may hold a code, so it is not printed."""

    do: str
    named: dict[str, Any] = field(repr=False)


Event = Question | Broken


class AdminServer:
    """One connection, seen from the server. Never raises on what the peer sends."""

    def __init__(self) -> None:
        self.closing = False
        self._lines = LineBuffer(LINE_LIMIT)
        self._out: list[bytes] = []

    def output(self) -> bytes:
        """What has to be written now; given out once."""
        data = b"".join(self._out)
        self._out.clear()
        return data

    def feed(self, data: bytes) -> list[Event]:
        """What these bytes complete. Any split of a stream gives the same events and the same output."""
        events: list[Event] = []
        for raw in self._lines.feed(data):
            if not self.closing:
                events.append(self._question(raw))
        if self._lines.overflow and not self.closing:
            events.append(self._break("a line is too long"))
        return events

    def answer(self, named: dict[str, Any]) -> None:
        """One line; text that is not ASCII is escaped, so any JSON reader takes it."""
        self._out.append(json.dumps(named).encode("ascii") + b"\n")

    def _question(self, raw: bytes) -> Event:
        try:
            found: Any = json.loads(raw)
        except (ValueError, RecursionError):
            return self._break("a line that is no JSON")
        if not isinstance(found, dict) or not isinstance(found.get("do"), str):
            return self._break('a line that is no {"do": ...}')
        return Question(found.pop("do"), found)

    def _break(self, text: str) -> Broken:
        self.closing = True
        self.answer({"error": text})
        return Broken(text)
