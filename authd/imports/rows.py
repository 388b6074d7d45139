"""What a file of tokens becomes."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

FILE_LIMIT = 16 << 20
"""Bytes; fifty thousand tokens."""


class BadFile(Exception):
    """The file is not what it should be; the text names the place and quotes no secret."""


@dataclass(frozen=True)
class Imported:
    """One token."""

    place: str
    """Where it stands in the file, for the operator: a line, or a serial number."""
    account: str | None
    """Whose it is, where the file says so."""
    fields: dict[str, Any] = field(repr=False)
    """As the question `token import` takes them."""


def lines(data: bytes) -> list[tuple[int, str]]:
    """The lines that are neither empty nor a comment, with their numbers; BadFile."""
    if len(data) > FILE_LIMIT:
        raise BadFile(f"larger than {FILE_LIMIT >> 20} MiB")
    try:
        text = data.decode("utf-8-sig")
    except UnicodeDecodeError:
        raise BadFile("not UTF-8") from None
    found = [(number, line.strip()) for number, line in enumerate(text.splitlines(), 1)]
    return [(number, line) for number, line in found if line and not line.startswith("#")]


def whole(text: str, place: str) -> int:
    """A number of a table; BadFile."""
    if not (text.isascii() and text.isdigit()) or len(text) > 18:
        raise BadFile(f"{place}: expected a number")
    return int(text)


def holder(text: str | None) -> str | None:
    """A name in a file that can be an account: only addresses are."""
    name = (text or "").strip()
    return name if "@" in name and "=" not in name else None
