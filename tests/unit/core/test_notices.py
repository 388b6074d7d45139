"""Notices: told once, in the owner's language, with a null sender, kept when Postfix is away."""

from dataclasses import replace
from email.message import EmailMessage

import pytest

from kit.databases import NOW
from outrider import notices
from outrider.addresses import Person
from outrider.db import Database
from outrider.directory import SqlDirectory
from outrider.people import People
from outrider.settings import CoreSettings

ALICE = Person(1, "alice@provider.example", True, "en", 0, "a1")
CORE = CoreSettings("provider.example", "mail.provider.example")


class Postfix:
    """Takes what is handed over, or is away."""

    def __init__(self) -> None:
        self.mails: list[tuple[str, EmailMessage]] = []
        self.away = False

    def __call__(self, message: EmailMessage, recipient: str, settings: CoreSettings) -> None:
        if self.away:
            raise ConnectionRefusedError
        self.mails.append((recipient, message))


@pytest.fixture
def postfix(monkeypatch: pytest.MonkeyPatch) -> Postfix:
    one = Postfix()
    monkeypatch.setattr(notices, "hand_over", one)
    return one


async def test_told_once_in_german(
    people: People, directory: SqlDirectory, database: Database, postfix: Postfix
) -> None:
    await people.add("alice@provider.example", "x", "de", 0, NOW)
    await people.set_password("alice@provider.example", "y", NOW)
    assert await notices.send_waiting(database, directory, CORE, NOW) == 1
    assert await notices.send_waiting(database, directory, CORE, NOW) == 0
    ((recipient, mail),) = postfix.mails
    assert recipient == mail["To"] == "alice@provider.example"
    assert mail["Subject"] == "Ihr Passwort wurde geändert"
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["From"] == "postmaster@provider.example"


async def test_kept_until_postfix_is_back(
    people: People, directory: SqlDirectory, database: Database, postfix: Postfix
) -> None:
    await people.add("bob@provider.example", "x", "en", 0, NOW)
    await people.set_password("bob@provider.example", "y", NOW)
    postfix.away = True
    assert await notices.send_waiting(database, directory, CORE, NOW) == 0
    postfix.away = False
    assert await notices.send_waiting(database, directory, CORE, NOW) == 1
    assert postfix.mails[0][1]["Subject"] == "Your password was changed"


async def test_an_ended_account_is_not_written_to(
    people: People, directory: SqlDirectory, database: Database, postfix: Postfix
) -> None:
    await people.add("alice@provider.example", "x", "de", 0, NOW)
    await people.set_password("alice@provider.example", "y", NOW)
    await people.end("alice@provider.example", NOW)
    assert await notices.send_waiting(database, directory, CORE, NOW) == 0
    assert postfix.mails == []
    assert await database.all(int, "SELECT day FROM notice WHERE sent IS NULL") == []


def test_every_kind_speaks_both_languages() -> None:
    for kind, texts in notices.TEXTS.items():
        assert set(texts) == {"de", "en"}, kind
        for subject, body in texts.values():
            assert "{" not in subject
            assert "\n" not in subject
            assert body.format(address="a", object="o") != body


@pytest.mark.parametrize("kind", notices.TEXTS)
def test_every_kind_speaks_both_languages_and_names_the_address(kind: str) -> None:
    for language, person in (("de", replace(ALICE, language="de")), ("en", replace(ALICE, language="fr"))):
        mail = notices.rendered(notices.Waiting(1, kind, "imap", 1), person, CORE)
        subject, body = notices.TEXTS[kind][language]
        assert mail["Subject"] == subject
        assert ALICE.address in mail.get_content()
        assert ("imap" in mail.get_content()) is ("{object}" in body)
