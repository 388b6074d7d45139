"""Files of tokens that are in use elsewhere, or that were bought: bytes in, one question to authd per token out. Pure.

    pskc.py          RFC 6030, plain or encrypted (AES-CBC with a pre-shared key or a passphrase)
    ksm.py           `# ykksm 1`: Yubikeys with their keys
    privacyidea.py   what privacyIDEA exports and imports: its PSKC, OATH CSV, Yubico's CSV
    plain.py         a table of our own, with a heading

FORMATS is the registry.
"""

from collections.abc import Callable

from authd.imports import ksm, plain, privacyidea, pskc
from authd.imports.rows import BadFile, Imported

FORMATS: dict[str, Callable[[bytes, str | None], list[Imported]]] = {
    "pskc": pskc.parse,
    "ksm": ksm.parse,
    "privacyidea": privacyidea.parse,
    "csv": plain.parse,
}

__all__ = ["FORMATS", "BadFile", "Imported"]
