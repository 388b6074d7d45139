"""A table with a heading, comma between: what anybody can write who has the secrets.

    account,kind,secret,algorithm,digits,period,counter,pin,public_id,private_id,aes_key,label

`kind` and what that kind needs are required; other columns may be missing or empty. `secret` is base32 for totp and
hotp, or `hex:` and hex digits; text for motp. `counter` is the next one expected.
"""

from __future__ import annotations

import csv
from typing import Any

from authd.imports.rows import BadFile, Imported, lines, whole

TEXTS = ("account", "kind", "secret", "algorithm", "pin", "public_id", "private_id", "aes_key", "label")
NUMBERS = ("digits", "period", "counter")


def parse(data: bytes, _: str | None = None) -> list[Imported]:
    """All rows; BadFile."""
    rows = lines(data)
    if not rows:
        raise BadFile("the file is empty")
    heading = [name.strip() for name in next(csv.reader([rows[0][1]]))]
    unknown = set(heading) - {*TEXTS, *NUMBERS}
    if unknown or "kind" not in heading or len(set(heading)) < len(heading):
        raise BadFile(f"the heading: expected kind and some of {', '.join((*TEXTS, *NUMBERS))}")
    return [row(heading, number, line) for number, line in rows[1:]]


def row(heading: list[str], number: int, line: str) -> Imported:
    place = f"line {number}"
    columns = next(csv.reader([line]))
    if len(columns) != len(heading):
        raise BadFile(f"{place}: expected {len(heading)} columns")
    fields: dict[str, Any] = {}
    for name, column in zip(heading, columns, strict=True):
        if value := column.strip():
            fields[name] = whole(value, place) if name in NUMBERS else value
    return Imported(place, fields.pop("account", None), fields)
