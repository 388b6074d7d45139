"""A mail program of this machine, for one conversation: reads what to do as JSON, prints what was said as JSON.

Run as a script inside the client's network (`CLIENT… python client.py`), so it uses nothing but the standard library
and the machine's resolver and certificates as the client sees them. Passwords come on standard input and are masked in
what it prints.

Input    {"speak": "imap|smtp|pop3|sieve", "host", "port", "tls": "implicit|starttls|none", "login": [user, password]?,
          "source": address?, "calls": [[method of imaplib / smtplib / poplib, argument…]…]}
Output   {"lines": ["S: …", "C: …"], "login": [status, text] or null, "answers": [[status, text]…],
          "trouble": text or null}

A refused login ends the conversation; `login` says how. ManageSieve (RFC 5804) has two calls: putscript NAME TEXT and
setactive NAME.
"""

from __future__ import annotations

import base64
import imaplib
import json
import poplib
import re
import smtplib
import socket
import ssl
import sys
from typing import Any

SECONDS = 30.0  # the longest answer in the demo is a delayed refusal
MASK = "•••"
lines: list[str] = []


def show(who: str, data: bytes | str) -> None:
    text = data.decode(errors="replace") if isinstance(data, bytes) else data
    lines.extend(f"{who}: {line}" for line in text.rstrip("\r\n").splitlines())


def mask(text: str, secrets: list[str]) -> str:
    for secret in filter(None, secrets):
        text = text.replace(secret, MASK)
    return re.sub(r"^(C: AUTH \S+ |C: AUTHENTICATE \S+ ).*", rf"\1{MASK}", text)


class Imap(imaplib.IMAP4_SSL):
    """imaplib that shows what it says and hears."""

    def send(self, data: Any) -> None:
        show("C", bytes(data))
        super().send(data)

    def readline(self) -> bytes:
        line: bytes = super().readline()
        show("S", line)
        return line

    def read(self, size: int) -> bytes:
        data: bytes = super().read(size)
        show("S", data)
        return data


class Heard(smtplib.SMTP):
    """smtplib that shows commands and replies; of a message only its size."""

    def send(self, s: Any) -> None:
        data = s if isinstance(s, bytes) else str(s).encode()
        show("C", data if len(data) < 512 and data.count(b"\n") < 2 else f"({len(data)} bytes of message)")
        super().send(s)

    def getreply(self) -> tuple[int, bytes]:
        code, text = super().getreply()
        show("S", "\n".join(f"{code} {line}" for line in text.decode(errors="replace").split("\n")))
        return code, text


class Smtp(Heard):
    """Port 25 and 587."""


class Smtps(Heard, smtplib.SMTP_SSL):
    """Port 465."""


class Pop(poplib.POP3_SSL):
    """poplib that shows what it says and hears."""

    def _putline(self, line: bytes) -> None:
        show("C", line)
        super()._putline(line)  # type: ignore[misc]

    def _getline(self) -> tuple[bytes, int]:
        line, octets = super()._getline()  # type: ignore[misc]
        show("S", line)
        return line, octets


class Sieve:
    """As much of ManageSieve as it takes to install a filter."""

    def __init__(self, host: str, port: int) -> None:
        self.socket = socket.create_connection((host, port), SECONDS)
        self.file = self.socket.makefile("rb")
        self.reply()
        self.say("STARTTLS")
        self.socket = ssl.create_default_context().wrap_socket(self.socket, server_hostname=host)
        self.file = self.socket.makefile("rb")
        self.reply()

    def reply(self) -> list[str]:
        """Lines up to OK, NO or BYE (RFC 5804 1.2); a literal in the last line is part of it."""
        while line := self.file.readline():
            show("S", line)
            if literal := re.search(rb"\{(\d+)\+?\}\r\n$", line):
                rest = self.file.read(int(literal[1])) + self.file.readline()
                show("S", rest)
                line += rest
            if line[:2] in {b"OK", b"NO", b"BY"}:
                return [line.split()[0].decode(), line.decode(errors="replace").strip()]
        raise ConnectionError("the server hung up")

    def say(self, command: str, literal: str | None = None) -> list[str]:
        show("C", command)
        self.socket.sendall(command.encode() + b"\r\n")
        if literal is not None:
            show("C", f"({len(literal.encode())} bytes of script)")
            self.socket.sendall(literal.encode() + b"\r\n")
        return self.reply()

    def login(self, user: str, password: str) -> list[str]:
        token = base64.b64encode(f"\0{user}\0{password}".encode()).decode()
        return self.say(f'AUTHENTICATE "PLAIN" "{token}"')

    def putscript(self, name: str, text: str) -> list[str]:
        return self.say(f'PUTSCRIPT "{name}" {{{len(text.encode())}+}}', text)

    def setactive(self, name: str) -> list[str]:
        return self.say(f'SETACTIVE "{name}"')


def connect(job: dict[str, Any]) -> Any:
    session: Heard
    host, port = job["host"], job["port"]
    tls = ssl.create_default_context()
    match job["speak"], job.get("tls", "implicit"):
        case "imap", _:
            return Imap(host, port, ssl_context=tls, timeout=SECONDS)
        case "pop3", _:
            return Pop(host, port, context=tls, timeout=SECONDS)
        case "sieve", _:
            return Sieve(host, port)
        case "smtp", "implicit":
            session = Smtps(host, port, context=tls, timeout=SECONDS)
            session.ehlo()
            return session
        case "smtp", wish:
            source = (job["source"], 0) if job.get("source") else None
            session = Smtp(host, port, local_hostname=job.get("helo"), timeout=SECONDS, source_address=source)
            if wish == "starttls":
                session.starttls(context=tls)
            session.ehlo()
            return session
    raise ValueError(job["speak"])


def plain(answer: Any) -> list[Any]:
    """[status, text] of whatever the library answered: (b'OK', [b'…']), (250, b'…'), b'+OK …', (b'+OK', [lines], n)."""

    def text(part: Any) -> str:
        if isinstance(part, (list, tuple)):
            return "\n".join(text(each) for each in part)
        return part.decode(errors="replace") if isinstance(part, bytes) else str(part)

    if isinstance(answer, (list, tuple)):
        status, *rest = answer
        return [status if isinstance(status, int) else text(status), text(rest[0]) if rest else ""]
    return [text(answer).split(" ", 1)[0], text(answer)]


def attempt(session: Any, user: str, password: str) -> Any:
    match session:
        case Pop():
            session.user(user)
            return session.pass_(password)
        case Heard():
            return session.auth("PLAIN", lambda _=None: f"\0{user}\0{password}")
    return session.login(user, password)


def login(session: Any, user: str, password: str) -> list[Any]:
    """[status, text]; a refusal is an answer, not an exception."""
    try:
        return plain(attempt(session, user, password))
    except imaplib.IMAP4.error as refused:
        return ["NO", str(refused.args[0], "utf-8", "replace") if isinstance(refused.args[0], bytes) else str(refused)]
    except smtplib.SMTPResponseException as refused:
        return plain((refused.smtp_code, refused.smtp_error))
    except poplib.error_proto as refused:
        return plain(refused.args[0])


def ask(session: Any, method: str, arguments: list[Any]) -> list[Any]:
    """One call's answer; what the library makes an exception of is an answer too."""
    if method == "append":
        arguments[-1] = arguments[-1].encode()
    try:
        return plain(getattr(session, method)(*arguments))
    except smtplib.SMTPResponseException as refused:
        return plain((refused.smtp_code, refused.smtp_error))
    except imaplib.IMAP4.error as refused:
        if isinstance(refused, imaplib.IMAP4.abort):
            raise
        return ["BAD", str(refused)]


def converse(job: dict[str, Any]) -> dict[str, Any]:
    """One conversation from greeting to goodbye; see the top of this file."""
    lines.clear()
    result: dict[str, Any] = {"login": None, "answers": [], "trouble": None}
    try:
        session = connect(job)
        if job.get("login"):
            result["login"] = login(session, *job["login"])
        if result["login"] is None or result["login"][0] in {"OK", "+OK", 235}:
            for method, *arguments in job.get("calls", []):
                result["answers"].append(ask(session, method, arguments))
            for goodbye in {"logout", "quit"} & set(dir(session)):
                getattr(session, goodbye)()
    except (OSError, imaplib.IMAP4.error, smtplib.SMTPException, poplib.error_proto) as trouble:
        result["trouble"] = f"{type(trouble).__name__}: {trouble}"
    secrets = [job["login"][1]] if job.get("login") else []
    return {"lines": [mask(line, secrets) for line in lines], **result}


def main() -> None:
    json.dump(converse(json.load(sys.stdin)), sys.stdout)


if __name__ == "__main__":
    main()
