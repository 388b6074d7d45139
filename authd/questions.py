"""Reading the fields of a question to the admin socket; Refused says which one does not fit."""

from __future__ import annotations

from typing import Any

from authd.methods.app_password import SCOPES
from outrider.people import Refused

LABEL_LIMIT = 100
"""Characters."""


def text(named: dict[str, Any], name: str) -> str:
    """A text of the question; Refused if it is none."""
    value = named.get(name)
    if not isinstance(value, str) or not value or not value.isprintable():
        raise Refused(f"{name}: expected a text")
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


def scopes(named: dict[str, Any]) -> list[str]:
    """Known scopes in their usual order; at least one."""
    value = named.get("scopes")
    if not isinstance(value, list) or not value or not all(scope in SCOPES for scope in value):
        raise Refused(f"scopes: expected some of {', '.join(SCOPES)}")
    return [scope for scope in SCOPES if scope in value]
