"""Mail from Outrider to its users: the only place that sends any.

A daemon records that something is worth telling (`notice` inside its transaction, or `notify`); the row is unique by
account, kind, object and day, so nobody is told twice. `send_waiting`, run by a timer, renders it in the account's
language and hands it to Postfix with a null sender (RFC 3834: nobody answers an automatic mail).
"""

import asyncio
import smtplib
from dataclasses import dataclass
from email.message import EmailMessage
from email.utils import formatdate, make_msgid

from outrider.addresses import Person
from outrider.db import Database
from outrider.db.verbs import Statement
from outrider.directory import Directory
from outrider.settings import CoreSettings

DAY_SECONDS = 86400
SEND_SECONDS = 10.0
BATCH = 200  # one run of the timer; the rest waits for the next

INSERT = (
    "INSERT INTO notice (account_id, kind, object, day) VALUES (:account, :kind, :object, :day)"
    " ON CONFLICT (account_id, kind, object, day) DO NOTHING"
)

TEXTS: dict[str, dict[str, tuple[str, str]]] = {
    "password-changed": {
        "de": (
            "Ihr Passwort wurde geändert",
            "Das Passwort von {address} wurde geändert.\n\n"
            "Wenn Sie das nicht waren, wenden Sie sich bitte sofort an Ihren Anbieter.\n",
        ),
        "en": (
            "Your password was changed",
            "The password of {address} was changed.\n\nIf this was not you, please tell your provider at once.\n",
        ),
    },
    "token-confirmed": {
        "de": (
            "Zweiter Faktor eingerichtet",
            "Für {address} ist jetzt ein zweiter Faktor aktiv ({object}).\n\n"
            "Mailprogramme brauchen ab jetzt ein App-Passwort. Wenn Sie das nicht waren, wenden Sie sich bitte sofort"
            " an Ihren Anbieter.\n",
        ),
        "en": (
            "Second factor set up",
            "A second factor is now active for {address} ({object}).\n\n"
            "Mail programs need an app password from now on. If this was not you, please tell your provider at once.\n",
        ),
    },
    "password-needs-app-password": {
        "de": (
            "Ein Mailprogramm braucht ein App-Passwort",
            "Bei {address} hat sich ein Programm ({object}) mit Ihrem richtigen Passwort angemeldet und wurde"
            " abgewiesen.\n\n"
            "Ihr Konto hat einen zweiten Faktor; Mailprogramme brauchen dort ein eigenes App-Passwort. Legen Sie eines"
            " an und tragen Sie es im Programm anstelle des Passworts ein.\n\n"
            "Wenn das keines Ihrer Programme war, kennt jemand Ihr Passwort: Bitte ändern Sie es sofort.\n",
        ),
        "en": (
            "A mail program needs an app password",
            "A program ({object}) has logged in to {address} with your right password and was refused.\n\n"
            "Your account has a second factor; mail programs need an app password of their own there. Make one and"
            " enter it in the program in place of the password.\n\n"
            "If this was none of your programs, somebody knows your password: please change it at once.\n",
        ),
    },
    "codes-wrong": {
        "de": (
            "Mehrere falsche Codes mit Ihrem richtigen Passwort",
            "Bei {address} wurde mehrmals hintereinander das richtige Passwort mit einem falschen Code eingegeben."
            " Niemand wurde eingelassen.\n\n"
            "Wenn Sie das waren, stellen Sie bitte die Uhr Ihres Geräts. Wenn nicht, kennt jemand Ihr Passwort: Bitte"
            " ändern Sie es sofort.\n",
        ),
        "en": (
            "Several wrong codes beside your right password",
            "The right password of {address} was entered several times in a row with a wrong code. Nobody was let"
            " in.\n\n"
            "If this was you, please set your device's clock. If not, somebody knows your password: please change it at"
            " once.\n",
        ),
    },
    "codes-closed": {
        "de": (
            "Anmeldung mit Codes gesperrt: Bitte ändern Sie Ihr Passwort",
            "Bei {address} wurde das richtige Passwort sehr oft mit einem falschen Code eingegeben. Die Anmeldung mit"
            " Passwort und Code ist deshalb gesperrt, bis das Passwort geändert ist.\n\n"
            "App-Passwörter und offene Sitzungen gehen weiter. Bitte ändern Sie Ihr Passwort, oder wenden Sie sich an"
            " Ihren Anbieter.\n",
        ),
        "en": (
            "Logins with codes are closed: please change your password",
            "The right password of {address} was entered very often with a wrong code. Logins with password and code"
            " are closed until the password is changed.\n\n"
            "App passwords and open sessions go on working. Please change your password, or ask your provider.\n",
        ),
    },
    "token-locked": {
        "de": (
            "Ein zweiter Faktor ist gesperrt",
            "Bei {address} wurde mehrmals ein richtiger Code (Token {object}) mit einem falschen Passwort eingegeben."
            " Dieser Token ist deshalb gesperrt.\n\n"
            "Wenn Sie das nicht waren, hat jemand Ihr Gerät oder eine Kopie seines Geheimnisses. Ihr Anbieter kann den"
            " Token entsperren oder ersetzen; andere Token und App-Passwörter gehen weiter.\n",
        ),
        "en": (
            "A second factor is locked",
            "A right code (token {object}) was entered several times for {address} with a wrong password. That token is"
            " locked.\n\n"
            "If this was not you, somebody has your device or a copy of its secret. Your provider can unlock or replace"
            " the token; other tokens and app passwords go on working.\n",
        ),
    },
}


@dataclass(frozen=True)
class Waiting:
    """A notice that was not sent yet."""

    account: int
    kind: str
    object: str
    day: int


def notice(account: int, kind: str, subject: str, now: int) -> Statement:
    """The statement that records a notice, for a transaction; `subject` is what it is about, never a secret."""
    assert kind in TEXTS, kind
    return INSERT, {"account": account, "kind": kind, "object": subject, "day": now // DAY_SECONDS}


async def send_waiting(database: Database, directory: Directory, settings: CoreSettings, now: int) -> int:
    """Send what waits; how many were sent. Trouble with Postfix leaves the rest for the next run."""
    waiting = await database.all(
        Waiting,
        "SELECT account_id, kind, object, day FROM notice WHERE sent IS NULL ORDER BY day LIMIT :most",
        most=BATCH,
    )
    sent = 0
    for one in waiting:
        person = await directory.by_account(one.account)
        if person is not None:
            try:
                await asyncio.to_thread(hand_over, rendered(one, person, settings), person.address, settings)
            except (OSError, smtplib.SMTPException):
                break
            sent += 1
        await database.run(
            "UPDATE notice SET sent = :now"
            " WHERE account_id = :account AND kind = :kind AND object = :object AND day = :day",
            now=now,
            account=one.account,
            kind=one.kind,
            object=one.object,
            day=one.day,
        )
    return sent


def rendered(one: Waiting, person: Person, settings: CoreSettings) -> EmailMessage:
    """The mail in the person's language."""
    texts = TEXTS[one.kind]
    subject, body = texts.get(person.language, texts["en"])
    message = EmailMessage()
    message["From"] = settings.notice_sender
    message["To"] = person.address
    message["Subject"] = subject
    message["Date"] = formatdate(localtime=False)
    message["Message-ID"] = make_msgid(domain=settings.hostname)
    message["Auto-Submitted"] = "auto-generated"  # RFC 3834, section 5
    message.set_content(body.format(address=person.address, object=one.object))
    return message


def hand_over(message: EmailMessage, recipient: str, settings: CoreSettings) -> None:
    """One mail to Postfix, with a null sender (RFC 5321, 4.5.5)."""
    host, _, port = settings.notice_relay.rpartition(":")
    with smtplib.SMTP(host.strip("[]"), int(port), timeout=SEND_SECONDS) as smtp:
        smtp.send_message(message, from_addr="", to_addrs=[recipient])
