"""Mail programs of a test: what each is to do (jobs of demo/client.py), and what many of them came to at once."""

import json
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

from demo.commands import call
from demo.names import HOST, HOSTNAME, SINK
from demo.provider import transaction

SWARM = Path(__file__).with_name("swarm.py")
SWARM_SECONDS = 180.0  # watchdog

Entrance = Literal["imap", "pop3", "sieve", "submission", "smtps"]
ENTRANCES: dict[Entrance, dict[str, Any]] = {
    "imap": {"speak": "imap", "host": "imap.provider.example", "port": 993},
    "pop3": {"speak": "pop3", "host": HOSTNAME, "port": 995},
    "sieve": {"speak": "sieve", "host": HOSTNAME, "port": 4190},
    "submission": {"speak": "smtp", "host": "smtp.provider.example", "port": 587, "tls": "starttls"},
    "smtps": {"speak": "smtp", "host": "smtp.provider.example", "port": 465, "tls": "implicit"},
}
YES = ("OK", "+OK", 235)
Job = dict[str, Any]


@dataclass(frozen=True)
class Told:
    """What one conversation came to; `trouble` if the connection itself failed."""

    lines: list[str]
    login: tuple[int | str, str] | None
    answers: list[tuple[int | str, str]]
    trouble: str | None

    @property
    def logged_in(self) -> bool:
        return self.login is not None and self.login[0] in YES

    @property
    def codes(self) -> list[int | str]:
        """The status of each answer."""
        return [status for status, _ in self.answers]


def login(entrance: Entrance, user: str, secret: str, *calls: Sequence[str]) -> Job:
    """Log in, then call methods of imaplib, poplib, smtplib or demo.client.Sieve."""
    return {**ENTRANCES[entrance], "login": [user, secret], "calls": [list(call) for call in calls]}


def submission(user: str, secret: str, sender: str, recipient: str, message: str | None = None) -> Job:
    """A mail sent by a person."""
    return login("submission", user, secret, *transaction(sender, recipient, message))


def delivery(sender: str, recipient: str, message: str | None = None) -> Job:
    """A mail from the outside world; for `outside=True`."""
    return outside(*transaction(sender, recipient, message))


def outside(*calls: Sequence[str]) -> Job:
    """Calls of smtplib on port 25; for `outside=True`."""
    job = {"speak": "smtp", "host": HOST, "port": 25, "tls": "none", "source": SINK, "helo": "mx.remote.example"}
    return {**job, "calls": [list(call) for call in calls]}


def run(prefix: Sequence[str], jobs: Sequence[Job], *, parallel: int, together: bool) -> list[Told]:
    """All jobs in the network of `prefix`, `parallel` at once, or all started at the same moment."""
    order = {"jobs": list(jobs), "parallel": parallel, "together": together}
    done = call([*prefix, sys.executable, "-B", str(SWARM)], text=json.dumps(order), seconds=SWARM_SECONDS)
    return [told(one) for one in json.loads(done.stdout)]


def told(one: dict[str, Any]) -> Told:
    login = tuple(one["login"]) if one["login"] else None
    return Told(one["lines"], login, [(status, text) for status, text in one["answers"]], one["trouble"])
