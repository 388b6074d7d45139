"""The key of the sealed secrets, opened only after the first banner is out, and again after trouble."""

from __future__ import annotations

import stat
from collections.abc import Callable
from pathlib import Path

from outrider.sealed import Keyring, KeyTrouble, forbidden_mode
from outrider.settings import SECRETS, credential

RETRY_SECONDS = 2.0
"""A key file that was wrong is read again that often at most: an operator who repaired it need not restart."""


class Keys:
    """Gives the keyring of `reference` (`credential:NAME`), or KeyTrouble as long as there is none."""

    def __init__(self, reference: str, monotonic: Callable[[], float]) -> None:
        self._paths = paths(reference)
        self._monotonic = monotonic
        self._ring: Keyring | None = None
        self._trouble = ""
        self._again = 0.0

    def ring(self) -> Keyring:
        """The keyring; never waits."""
        if self._ring is None:
            if self._trouble and self._monotonic() < self._again:
                raise KeyTrouble(self._trouble)
            self._read()
        if self._ring is None:
            raise KeyTrouble(self._trouble)
        return self._ring

    def _read(self) -> None:
        try:
            for path in self._paths:
                refuse_open_mode(path)
            self._ring, self._trouble = Keyring.read(self._paths[0]), ""
        except KeyTrouble as error:
            self._trouble, self._again = str(error), self._monotonic() + RETRY_SECONDS


def paths(reference: str) -> list[Path]:
    """The file that is read, and the one it was copied from.

    systemd hands over a private copy (LoadCredential=), which says nothing about the mode of the original.
    """
    path = credential(reference)
    original = SECRETS / path.name
    return [path] if path == original else [path, original]


def refuse_open_mode(path: Path) -> None:
    """A key that others may read is no key. A file that cannot be looked at is judged when it is read."""
    try:
        mode = stat.S_IMODE(path.stat().st_mode)
    except OSError:
        return
    if mode & forbidden_mode(path):
        raise KeyTrouble(f"{path} can be read by group or others; make its mode 0400")
