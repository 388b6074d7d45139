"""Yubikeys from a key storage module: yubico's `ykksm` format, as its shops deliver it and `ykksm-export` writes it.

    # ykksm 1
    serial,public name,internal name,AES key,lock code,created,accessed[,program flags]

Names and key are modhex, hex, hex. Files encrypted with OpenPGP are decrypted before they come here.
"""

from __future__ import annotations

import re

from authd.imports.rows import BadFile, Imported, lines

HEADING = b"# ykksm 1"
COLUMNS = (7, 8)

_HEX = re.compile(r"[0-9A-Fa-f]+\Z", re.ASCII)


def parse(data: bytes, _: str | None = None) -> list[Imported]:
    """All keys of the file; BadFile."""
    if not data.removeprefix(b"\xef\xbb\xbf").startswith(HEADING):
        raise BadFile("the first line is not `# ykksm 1`")
    found = []
    for number, line in lines(data):
        place = f"line {number}"
        columns = [column.strip() for column in line.split(",")]
        if len(columns) not in COLUMNS:
            raise BadFile(f"{place}: expected {COLUMNS[0]} or {COLUMNS[1]} columns")
        serial, public_id, private_id, aes_key = columns[:4]
        if not (_HEX.match(private_id) and _HEX.match(aes_key)):
            raise BadFile(f"{place}: expected hex digits in columns 3 and 4")
        fields = {
            "kind": "yubikey",
            "public_id": public_id,
            "private_id": private_id,
            "aes_key": aes_key,
            "label": serial,
        }
        found.append(Imported(place, None, fields))
    return found
