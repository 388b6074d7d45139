"""The operator's own SQL text for whichever engine it runs on.

    :address :local :domain :key      what is asked, always a parameter of the driver, never pasted in

Anything else is left as it stands: quoted texts and names, comments, casts (`::text`), other words after a colon. In a
text for PyMySQL a percent sign is doubled, because that driver's parameters are Python's own `%(name)s`.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass

NAMES = ("address", "local", "domain", "key")
_PIECE = re.compile(
    r"'(?:[^']|'')*' | \"[^\"]*\" | `[^`]*` | --[^\n]* | /\*.*?\*/ | :: | :(" + "|".join(NAMES) + r")\b",
    re.DOTALL | re.VERBOSE,
)


@dataclass(frozen=True)
class Query:
    """A text in the operator's spelling."""

    text: str

    def asks(self, name: str) -> bool:
        return any(match[1] == name for match in _PIECE.finditer(self.text))

    def named(self) -> str:
        """For sqlite3: as it stands."""
        return self.text

    def formatted(self) -> str:
        """For PyMySQL."""
        pieces, at = [], 0
        for match in _PIECE.finditer(self.text):
            kept = self.text[at : match.start()] + (match[0] if match[1] is None else "")
            pieces += [kept.replace("%", "%%"), f"%({match[1]})s" if match[1] is not None else ""]
            at = match.end()
        return "".join(pieces) + self.text[at:].replace("%", "%%")

    def numbered(self, values: Mapping[str, str]) -> tuple[str, list[str]]:
        """For asyncpg: the text with $1, $2 …, and the values in that order."""
        order: list[str] = []

        def number(match: re.Match[str]) -> str:
            if match[1] is None:
                return match[0]
            if match[1] not in order:
                order.append(match[1])
            return f"${order.index(match[1]) + 1}"

        text = _PIECE.sub(number, self.text)
        return text, [values[name] for name in order]
