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
