"""authd against what it replaces or builds on; the rows are explained in docs/benchmarks.md."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from functools import cached_property, partial
from pathlib import Path

from bench.frame import Case, Group, Options
from bench.host import Load, Machine, machine
from bench.peers import OPEN, PASSWD_FILE, PASSWORD, STATIC, auth_line, start, write_users
from demo.places import Release

FILL = Path(__file__).with_name("fill.py")
BARE_HASH = Path(__file__).with_name("bare_hash.py")
ACCOUNTS = 200
PASSWORD_ACCOUNTS = 200
"""At 40 ms a hash and two cores, four seconds of logins."""
HAMMERING = 100
OUR_SOCKET, DOVECOT_SOCKET = "/run/outrider/auth-login", "/run/dovecot/login/login"
OUR_PORT = 143
DOVECOT: dict[Release, str] = {"12": "2.3", "13": "2.4"}


class Logins:
    """A host with accounts on our side and the same number on each peer's."""

    def __init__(self, host: Machine, options: Options) -> None:
        self.host, self.options = host, options
        self.app = self.fill("app", ACCOUNTS, "app")
        addresses = [address for address, _ in self.app]
        write_users(host, addresses)
        host.write("/etc/dovecot/local.conf", OPEN[host.release])
        host.run("systemctl", "restart", "dovecot")
        for peer in (PASSWD_FILE, STATIC):
            start(host, peer)
        self.ours = self.auth_lines("ours", self.app)
        self.theirs = self.auth_lines("theirs", [(address, PASSWORD) for address in addresses])
        self.static = self.auth_lines("static", [(address, PASSWORD.replace(" ", "")) for address in addresses])
        self.our_imap = self.imap_lines("our-imap", self.app)
        self.their_imap = self.imap_lines("their-imap", [(address, PASSWORD) for address in addresses])

    def fill(self, name: str, count: int, kind: str) -> list[tuple[str, str]]:
        """Accounts of authd: address and what to log in with."""
        made = json.loads(self.host.python(FILL, name, str(count), kind))
        return [(address, secret) for address, secret in made]

    def auth_lines(self, name: str, logins: Sequence[tuple[str, str]]) -> str:
        return self.host.lines(name, [auth_line(self.host.release, *login) for login in logins])

    def imap_lines(self, name: str, logins: Sequence[tuple[str, str]]) -> str:
        return self.host.lines(name, [f'"{address}" "{secret}"' for address, secret in logins])

    def rate(self, kind: str, target: str, lines: str) -> float:
        """Logins per second over 16 connections; all of them must be let in."""
        return self.host.load(kind, target, lines, seconds=self.options.seconds).all_good().rate

    def auth_socket(self) -> Case:
        return Case(
            f"auth socket of Dovecot {DOVECOT[self.host.release]}: lua and app password / passwd-file, BLF-CRYPT",
            "requests/s",
            "≥ 3",
            partial(self.rate, "auth", DOVECOT_SOCKET, self.ours),
            partial(self.rate, "auth", PASSWD_FILE.socket, self.theirs),
        )

    def imap(self) -> Case:
        return Case(
            f"IMAP logins, Dovecot {DOVECOT[self.host.release]}: lua and app password / passwd-file, BLF-CRYPT",
            "logins/s",
            "≥ 1.2",
            partial(self.rate, "imap", str(OUR_PORT), self.our_imap),
            partial(self.rate, "imap", str(PASSWD_FILE.port), self.their_imap),
        )

    def without_hash(self, target: str) -> Case:
        return Case(
            f"authd's own socket, app password / Dovecot {DOVECOT[self.host.release]} passdb static",
            "requests/s",
            target,
            partial(self.rate, "auth", OUR_SOCKET, self.ours),
            partial(self.rate, "auth", STATIC.socket, self.static),
        )

    def hashed(self) -> Case:
        return Case(
            "argon2id password logins / the bare hash rate on all cores",
            "logins/s",
            "≥ 0.9",
            lambda: self.password_run(16).rate,
            lambda: float(self.host.python(BARE_HASH, str(self.options.seconds))),
        )

    def password_run(self, connections: int) -> Load:
        """Each account with a password logs in once: nothing that was verified before is met again."""
        self.host.run("systemctl", "restart", "outrider-authd.service")
        return self.host.load(
            "auth", OUR_SOCKET, self.passwords, connections=connections, seconds=60.0, count=PASSWORD_ACCOUNTS
        ).all_good()

    def hammered(self) -> Case:
        return Case(
            "p99 of a password login while 100 clients try wrong passwords / p99 when nobody does",
            "µs",
            "≤ 5",
            self.p99_hammered,
            lambda: float(self.password_run(1).p99),
        )

    def p99_hammered(self) -> float:
        with self.host.loading("auth", OUR_SOCKET, self.wrong, connections=HAMMERING, seconds=60.0):
            return float(self.password_run(1).p99)

    @cached_property
    def passwords(self) -> str:
        self.password_logins = self.fill("password", PASSWORD_ACCOUNTS, "password")
        return self.auth_lines("passwords", self.password_logins)

    @cached_property
    def wrong(self) -> str:
        """Every client has an address in a network of its own; the passwords are never the same, the accounts are."""
        addresses = [address for address, _ in self.fill("victim", HAMMERING, "password")]
        return self.host.lines(
            "wrong",
            [
                auth_line(self.host.release, address, f"wrong {number}", f"198.18.{number % HAMMERING}.7")
                for number, address in enumerate(addresses * 50)
            ],
        )


@contextmanager
def release12(options: Options) -> Iterator[list[Case]]:
    with machine("12") as host:
        logins = Logins(host, options)
        yield [logins.auth_socket(), logins.imap(), logins.without_hash("≥ 0.6")]


@contextmanager
def release13(options: Options) -> Iterator[list[Case]]:
    with machine("13") as host:
        logins = Logins(host, options)
        yield [logins.auth_socket(), logins.imap(), logins.without_hash("≥ 1"), logins.hashed(), logins.hammered()]


GROUPS = (Group("12", release12), Group("13", release13))
