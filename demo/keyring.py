"""gpg of this machine with a keyring of its own, in whose network it is told; gone, with its helpers, afterwards."""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Sequence
from pathlib import Path
from subprocess import CompletedProcess
from types import TracebackType

from demo.commands import call
from demo.provider import Provider, User

SECONDS = 60.0  # gpg's own patience with a key server that does not answer
METHOD = ("future-default", "default", "2y")  # Curve25519 on every gpg since 2.1, made at once


class Keyring:
    """`prefix` is a command prefix (a client's network); empty for this machine."""

    def __init__(self, prefix: Sequence[str] = ()) -> None:
        self.prefix = [*prefix]

    def __enter__(self) -> Keyring:
        self.home = Path(tempfile.mkdtemp(prefix="outrider-gpg-"))  # short: gpg-agent's socket lies in it
        return self

    def __exit__(self, *_: type[BaseException] | BaseException | TracebackType | None) -> None:
        call(["gpgconf", "--homedir", self.home, "--kill", "all"], check=False)
        shutil.rmtree(self.home, ignore_errors=True)

    def gpg(self, *words: str, text: str | None = None, check: bool = True) -> CompletedProcess[str]:
        """gpg in English, without questions."""
        command = [*self.prefix, "env", "LC_ALL=C", "gpg", "--homedir", str(self.home), "--batch", "--no-tty", *words]
        return call(command, text=text, check=check, seconds=SECONDS)

    def make(self, address: str) -> str:
        """A new key pair without a passphrase; its fingerprint in lower case."""
        name = address.partition("@")[0].capitalize()
        self.gpg("--passphrase", "", "--quick-generate-key", f"{name} <{address}>", *METHOD)
        return self.fingerprint(address)

    def fingerprint(self, address: str) -> str:
        """Of the first key for the address."""
        rows = [line.split(":") for line in self.gpg("--with-colons", "--list-keys", address).stdout.splitlines()]
        return next(row[9] for row in rows if row[0] == "fpr").lower()

    def public(self, address: str) -> str:
        return self.gpg("--armor", "--export", address).stdout


def publish_new_key(provider: Provider, user: User) -> str:
    """A key for the user, made and published; the fingerprint. The private part is thrown away: nobody reads here."""
    with Keyring() as keyring:
        fingerprint = keyring.make(user.address)
        provider.outrider("key", "publish", user.address, text=keyring.public(user.address))
    return fingerprint
