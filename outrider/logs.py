"""Logging that cannot carry a credential.

Three guards: a `Secret` prints as `<secret>`; a traceback is logged as places and the exception's type, never its text
(which may quote what a client sent); and control characters cannot start a new line. Lines go to standard error with
the priority prefix of sd-daemon(3), so the journal adds time, unit and level.
"""

import logging
import sys
import traceback
from types import TracebackType
from typing import Any

LINE_LIMIT = 1000  # characters; a hostile peer must not fill the log with one line
PRIORITIES = {logging.DEBUG: 7, logging.INFO: 6, logging.WARNING: 4, logging.ERROR: 3, logging.CRITICAL: 2}

ExcInfo = tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None]


class Secret:
    """A text that must not be printed; `reveal()` where it is used."""

    __slots__ = ("_text",)

    def __init__(self, text: str) -> None:
        self._text = text

    def reveal(self) -> str:
        return self._text

    def __repr__(self) -> str:
        return "<secret>"

    __str__ = __repr__

    def __format__(self, _: str) -> str:
        return "<secret>"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._text == other._text

    def __hash__(self) -> int:
        return hash(self._text)

    def __reduce__(self) -> Any:
        raise TypeError("a secret is not copied out of the process")


class LineFormatter(logging.Formatter):
    """One line: `<priority>logger: message`."""

    def format(self, record: logging.LogRecord) -> str:
        text = record.getMessage()
        if record.exc_info and record.exc_info[0]:
            text = f"{text} {self.formatException(record.exc_info)}"
        if not text.isprintable():
            text = "".join(letter if letter.isprintable() else "?" for letter in text)
        return f"<{PRIORITIES.get(record.levelno, 6)}>{record.name}: {text[:LINE_LIMIT]}"

    def formatException(self, ei: ExcInfo) -> str:
        """Type and places, without the exception's text."""
        kind, _, where = ei
        places = [f"{frame.filename.rpartition('/')[2]}:{frame.lineno}" for frame in traceback.extract_tb(where)]
        return f"error={kind.__name__ if kind else '-'} at={'>'.join(places)}"


def setup(level: int = logging.INFO) -> None:
    """Send all loggers of the process through LineFormatter."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(LineFormatter())
    root = logging.getLogger()
    root.handlers[:] = [handler]
    root.setLevel(level)
    logging.getLogger("asyncio").setLevel(logging.WARNING)
