"""The demo's provider as its operator and its users reach it: two command prefixes and what can be done with them."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from demo.commands import CommandFailed, call
from demo.names import HOST, HOSTNAME, SINK

CLIENT_SCRIPT = Path(__file__).with_name("client.py")
EXCHANGE_SECONDS = 60.0
SINK_SECONDS = 30.0  # Postfix delivers within a second; a busy machine may need more


@dataclass(frozen=True)
class User:
    """One of the demo's people, with everything needed to play them."""

    address: str
    password: str = field(repr=False)
    level: int = 0
    totp_secret: str | None = field(default=None, repr=False)
    app_password: str | None = field(default=None, repr=False)
    fingerprint: str | None = None


@dataclass(frozen=True)
class Exchange:
    """What one conversation of a mail program came to. `lines` has passwords masked."""

    lines: list[str]
    login: tuple[int | str, str] | None
    answers: list[tuple[int | str, str]]

    @property
    def logged_in(self) -> bool:
        return self.login is not None and self.login[0] in {"OK", "+OK", 235}


@dataclass(frozen=True)
class Kept:
    """A mail that reached the outside world."""

    envelope: dict[str, Any]
    message: bytes


class Provider:
    """`run` executes inside the host, `client` in the client's network, `outside` as the rest of the world."""

    def __init__(self, run: Sequence[str], client: Sequence[str], outside: Sequence[str], sink: Path) -> None:
        self.run_prefix = list(run)
        self.client_prefix = list(client)
        self.outside_prefix = list(outside)
        self.sink = sink

    def run(self, *command: str, text: str | None = None, check: bool = True) -> str:
        """Standard output of a command inside the host."""
        return call([*self.run_prefix, *command], text=text, check=check).stdout

    def outrider(self, *words: str, text: str | None = None) -> Any:
        """An `outrider` command inside the host with --json; its answer, None if it printed nothing."""
        answer = self.run("outrider", *words, "--json", text=text)
        return json.loads(answer) if answer.strip() else None

    def talk(self, job: dict[str, Any], *, outside: bool = False) -> Exchange:
        """One conversation of demo/client.py; CommandFailed if the connection itself failed."""
        prefix = self.outside_prefix if outside else self.client_prefix
        done = call([*prefix, sys.executable, str(CLIENT_SCRIPT)], text=json.dumps(job), seconds=EXCHANGE_SECONDS)
        result = json.loads(done.stdout)
        if result["trouble"]:
            raise CommandFailed("\n".join([*result["lines"], result["trouble"]]))
        login = tuple(result["login"]) if result["login"] else None
        return Exchange(result["lines"], login, [(status, text) for status, text in result["answers"]])

    def imap(self, user: str, password: str, *calls: Sequence[str], host: str = "imap.provider.example") -> Exchange:
        """Log in on port 993 and call methods of imaplib, e.g. ("select", "INBOX")."""
        job = {"speak": "imap", "host": host, "port": 993, "login": [user, password], "calls": [*calls]}
        return self.talk(job)

    def pop3(self, user: str, password: str, *calls: Sequence[str], host: str = HOSTNAME) -> Exchange:
        return self.talk({"speak": "pop3", "host": host, "port": 995, "login": [user, password], "calls": [*calls]})

    def sieve(self, user: str, password: str, script: str, name: str = "main") -> Exchange:
        """Install and activate a filter."""
        calls = [["putscript", name, script], ["setactive", name]]
        return self.talk({"speak": "sieve", "host": HOSTNAME, "port": 4190, "login": [user, password], "calls": calls})

    def submit(
        self, user: str, password: str, sender: str, recipient: str, message: str | None = None, *, port: int = 587
    ) -> Exchange:
        """Send a mail as a mail program does: log in, then MAIL, RCPT, DATA, each answer in `answers`."""
        tls = "implicit" if port == 465 else "starttls"
        job = {"speak": "smtp", "host": "smtp.provider.example", "port": port, "tls": tls, "login": [user, password]}
        return self.talk({**job, "calls": transaction(sender, recipient, message)})

    def send(self, sender: str, recipient: str, message: str | None = None, *, host: str = HOST) -> Exchange:
        """Mail from the outside world to port 25 of the host."""
        job = {"speak": "smtp", "host": host, "port": 25, "tls": "none", "source": SINK, "helo": "mx.remote.example"}
        return self.talk({**job, "calls": transaction(sender, recipient, message)}, outside=True)

    def kept(self, count: int, seconds: float = SINK_SECONDS) -> list[Kept]:
        """All mails that reached the outside world, as soon as there are `count`; CommandFailed if they do not come."""
        deadline = time.monotonic() + seconds
        while len(found := sorted(self.sink.glob("*.json"))) < count:
            if time.monotonic() > deadline:
                raise CommandFailed(f"the outside world got {len(found)} mails, not {count}")
            time.sleep(0.05)
        return [Kept(json.loads(path.read_text()), path.with_suffix(".eml").read_bytes()) for path in found]

    def arrival(self, user: User, subject: str, folder: str = "INBOX", seconds: float = SINK_SECONDS) -> Exchange:
        """The conversation in which the mail with this subject is found in the folder; CommandFailed if it never is."""
        fetch = ("fetch", "1:*", "(BODY.PEEK[HEADER.FIELDS (FROM TO SUBJECT)])")
        deadline = time.monotonic() + seconds
        while True:
            seen = self.imap(user.address, user.app_password or user.password, ("select", folder), fetch)
            if seen.answers and f"Subject: {subject}" in seen.answers[-1][1]:
                return seen
            if time.monotonic() > deadline:
                raise CommandFailed("\n".join([*seen.lines, f"no mail {subject!r} arrived in {folder}"]))
            time.sleep(0.1)


def transaction(sender: str, recipient: str, message: str | None) -> list[list[str]]:
    """SMTP calls of one mail; a refused MAIL or RCPT makes the later ones be refused too, which is worth seeing."""
    text = message or letter(sender, recipient)
    return [["mail", sender], ["rcpt", recipient], ["data", text]]


def letter(sender: str, recipient: str, subject: str = "Hello", body: str = "A line of text.") -> str:
    """A small message; header order and line ends as RFC 5322 wants them."""
    heads = {"From": sender, "To": recipient, "Subject": subject}
    return "".join(f"{name}: {value}\r\n" for name, value in heads.items()) + f"\r\n{body}\r\n"


@dataclass(frozen=True)
class Demo:
    """What DIR/demo.json says."""

    release: str
    domain: str
    external_domain: str
    disposable_domain: str
    run: list[str]
    client: list[str]
    outside: list[str]
    ca: str
    ports: dict[str, int]
    users: list[User]
    aliases: list[dict[str, Any]]
    mail_root: str
    logs: list[str]
    sink: str

    @classmethod
    def read(cls, folder: Path) -> Demo:
        raw = json.loads((folder / "demo.json").read_text())
        return cls(**{**raw, "users": [User(**user) for user in raw["users"]]})

    def write(self, folder: Path) -> None:
        """Owner-only from the first byte: it holds passwords."""
        draft = folder / "demo.json.new"
        draft.unlink(missing_ok=True)
        draft.touch(mode=0o600)
        draft.write_text(json.dumps(asdict(self), indent=1) + "\n")
        draft.rename(folder / "demo.json")

    @property
    def provider(self) -> Provider:
        return Provider(self.run, self.client, self.outside, Path(self.sink))

    def user(self, name: str) -> User:
        return next(user for user in self.users if user.address.startswith(f"{name}@"))
