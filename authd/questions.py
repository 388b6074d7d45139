"""Reading the fields of a question to the admin socket; Refused says which one does not fit."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from authd.methods.app_password import SCOPES
from authd.networks import networks
from outrider.people import Refused

LABEL_LIMIT = 100
"""Characters."""
NETWORKS_MOST = 20
"""Of one credential; each login compares them all."""


class NotNow(Exception):
    """Somebody who is needed does not answer; nothing was decided."""


def text(named: dict[str, Any], name: str) -> str:
    """A text of the question; Refused if it is none."""
    value = named.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Refused(f"{name}: expected a text")
    return value


def optional_text(named: dict[str, Any], name: str) -> str | None:
    return None if named.get(name) is None else text(named, name)


def choice(named: dict[str, Any], name: str, known: Sequence[Any], default: Any) -> Any:
    """One of the known values, of their own type."""
    value = named.get(name)
    if value is None:
        return default
    if value not in known or type(value) is not type(known[0]):
        raise Refused(f"{name}: expected one of {', '.join(map(str, known))}")
    return value


def label(named: dict[str, Any]) -> str:
    value = named.get("label") or ""
    if not isinstance(value, str) or len(value) > LABEL_LIMIT or not value.isprintable():
        raise Refused(f"label: expected at most {LABEL_LIMIT} printable characters")
    return value


def number(named: dict[str, Any], name: str) -> int:
    value = optional_number(named, name)
    if value is None:
        raise Refused(f"{name}: expected a number")
    return value


def optional_number(named: dict[str, Any], name: str) -> int | None:
    value = named.get(name)
    if value is None:
        return None
    if type(value) is not int or not 0 <= value < 1 << 62:
        raise Refused(f"{name}: expected a number")
    return value


def chosen(named: dict[str, Any], name: str, known: Sequence[str]) -> list[str]:
    """Known names in their usual order; at least one."""
    value = named.get(name)
    if not isinstance(value, list) or not value or not all(one in known for one in value):
        raise Refused(f"{name}: expected some of {', '.join(known)}")
    return [one for one in known if one in value]


def scopes(named: dict[str, Any]) -> list[str]:
    """Services of an app password."""
    return chosen(named, "scopes", SCOPES)


def blocks(named: dict[str, Any], name: str) -> list[str]:
    """Networks as they are stored; none = an empty list."""
    value = named.get(name) or []
    if not isinstance(value, list) or len(value) > NETWORKS_MOST or not all(isinstance(one, str) for one in value):
        raise Refused(f"{name}: expected at most {NETWORKS_MOST} networks")
    try:
        return [str(one) for one in networks(value)]
    except ValueError as error:
        raise Refused(f"{name}: {error}") from None


def some_bytes(named: dict[str, Any], name: str, sizes: range) -> bytes:
    """Hexadecimal digits, of a size in this range."""
    try:
        value = bytes.fromhex(text(named, name))
    except ValueError:
        value = b""
    if len(value) not in sizes:
        raise Refused(f"{name}: expected {sizes[0] * 2}{f' to {sizes[-1] * 2}' if len(sizes) > 1 else ''} hex digits")
    return value
