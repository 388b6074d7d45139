"""The demo's people: alice with a second factor (level 4), bob without, made by the command line."""

from __future__ import annotations

import secrets
import time
from dataclasses import replace
from typing import Any

import pyotp

from demo.commands import CommandFailed
from demo.keyring import publish_new_key
from demo.provider import Provider, User

DOMAIN = "provider.example"
SCOPES = "imap,pop3,smtp,sieve"
PERIOD = 30  # seconds of a TOTP code


def make_people(provider: Provider) -> list[User]:
    """alice and bob, with random passwords; alice has published an OpenPGP key."""
    alice = add_user(provider, f"alice@{DOMAIN}")
    bob = add_user(provider, f"bob@{DOMAIN}")
    alice = protect(provider, alice, level=4)
    return [replace(alice, fingerprint=publish_new_key(provider, alice)), bob]


def add_user(provider: Provider, address: str) -> User:
    """An account with a random password and nothing else."""
    password = secrets.token_urlsafe(12)
    provider.outrider("user", "add", address, text=f"{password}\n")
    return User(address, password)


def protect(provider: Provider, user: User, *, level: int | None) -> User:
    """Give the account a confirmed TOTP token, an app password and the level; None leaves the level to the token.

    The token is confirmed with the code of the period before (drift of one step is allowed), so that the present code
    is still unused for whoever logs in next.
    """
    token = provider.outrider("token", "add", user.address, "totp")
    confirm(provider, user, token)
    app = provider.outrider("app-password", "add", user.address, "--scope", SCOPES)
    words = [] if level is None else [str(level)]
    effective = provider.outrider("user", "level", user.address, *words)["effective"]
    return User(user.address, user.password, effective, token["secret"], app["secret"])


def confirm(provider: Provider, user: User, token: dict[str, Any]) -> None:
    """Give the token its first code; once more if that became too old on the way, at the end of its period."""
    totp = pyotp.TOTP(token["secret"])
    for tries_left in (1, 0):
        try:
            code = totp.at(time.time() - PERIOD)
            provider.outrider("token", "confirm", user.address, str(token["token"]), text=f"{code}\n")
            return
        except CommandFailed:
            if not tries_left:
                raise


class Codes:
    """One-time codes that are still unused: each period's code is handed out once, and waited for if it must be."""

    def __init__(self, secret: str) -> None:
        self.totp = pyotp.TOTP(secret)
        self.used = 0

    def fresh(self) -> str:
        """The present code, whether it was handed out before or not."""
        return self.totp.now()

    def next(self) -> str:
        """An unused code; sleeps up to 30 s if this period's code was handed out already."""
        while (period := int(time.time()) // PERIOD) <= self.used:
            time.sleep(0.2)
        self.used = period
        return self.totp.at(period * PERIOD)
