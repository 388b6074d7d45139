"""Stored passwords of other programs as `outrider.passwords` reads them: `{SCHEME}hash`, or crypt(5)'s `$…`."""

import base64
import re

ENCODED = re.compile(r"\{([A-Z0-9-]*CRYPT)\.(?:B64|BASE64)\}([A-Za-z0-9+/=]+)")  # PostfixAdmin's `sha512.b64`
TAIL = 12  # the letters that `useless` swaps begin so far before the end: base64's padding stays whole


def schemed(stored: str, scheme: str = "") -> str:
    """With `scheme` where the text itself tells none."""
    if found := ENCODED.fullmatch(stored):
        try:
            return f"{{{found[1]}}}{base64.b64decode(found[2], validate=True).decode('ascii')}"
        except ValueError:  # damaged: whoever checks it will say so
            return stored
    if stored.startswith("$argon2"):
        return f"{{{stored.split('$')[1].upper()}}}{stored}"
    if not scheme or not stored or stored[0] in "{$":
        return stored
    return f"{{{scheme}}}{stored}"


def useless(stored: str) -> str:
    """The same scheme, salt and cost with another digest: checking costs the same, and nothing fits."""
    at = max(len(stored) - TAIL, stored.rfind("}") + 1)
    ending = stored[at : at + TAIL // 2]
    other = ending[::-1] if ending[::-1] != ending else ending[1:] + ("A" if ending[:1] != "A" else "B")
    return stored[:at] + other + stored[at + TAIL // 2 :]
