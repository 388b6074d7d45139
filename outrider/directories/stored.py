"""Stored passwords of other programs in the form that `outrider.passwords` reads: `{SCHEME}hash`."""

SHAPES = {
    "$1$": "MD5-CRYPT",
    "$5$": "SHA256-CRYPT",
    "$6$": "SHA512-CRYPT",
    "$2a$": "BLF-CRYPT",
    "$2b$": "BLF-CRYPT",
    "$2y$": "BLF-CRYPT",
    "$argon2id$": "ARGON2ID",
    "$argon2i$": "ARGON2I",
}
TAIL = 12  # the letters that `useless` swaps end so far before the end: base64's padding stays whole


def schemed(stored: str, scheme: str = "") -> str:
    """With the scheme that its shape tells (crypt(5)), else with `scheme`. `{CRYPT}` says no more than the shape."""
    bare = stored.removeprefix("{CRYPT}")
    if bare.startswith("{") or not bare:
        return stored
    shape = next((name for start, name in SHAPES.items() if bare.startswith(start)), scheme)
    return f"{{{shape}}}{bare}" if shape else stored


def useless(stored: str) -> str:
    """The same scheme, salt and cost with another digest: checking costs the same, and nothing fits."""
    at = max(len(stored) - TAIL, stored.rfind("}") + 1)
    ending = stored[at : at + TAIL // 2]
    other = ending[::-1] if ending[::-1] != ending else ending[1:] + ("A" if ending[:1] != "A" else "B")
    return stored[:at] + other + stored[at + TAIL // 2 :]
