"""Log lines of logins: failures one by one, successes that are alike together."""

import pytest

from authd.decide import Later, No, Request, Why, Yes
from authd.telling import Telling
from outrider.addresses import Person

REQUEST = Request("imap", frozenset({"imap"}), "secret of nobody", "192.0.2.1")
YES = Yes(Person(7, "alice@provider.example", True, "en", 0, "u1"), "app-password 3")
LINE = "login=yes service=imap rip=192.0.2.1 account=7 by='app-password 3'"


async def test_logins_that_are_alike_share_a_line(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    telling = Telling()
    for _ in range(4):
        telling.note(REQUEST, YES, 0.001)
    assert caplog.messages == [LINE]
    telling.flush()
    assert caplog.messages[1:] == [f"{LINE} times=3"]
    telling.note(REQUEST, YES, 0.001)
    assert caplog.messages[2:] == [LINE]
    telling.flush()
    assert len(caplog.messages) == 3
    assert {record.name for record in caplog.records} == {"authd.server"}


async def test_others_have_lines_of_their_own(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    telling = Telling()
    telling.note(REQUEST, YES, 0.001)
    telling.note(Request("imap", frozenset({"imap"}), "", "192.0.2.2"), YES, 0.001)
    telling.note(REQUEST, Yes(YES.person, "app-password 4"), 0.001)
    assert len(caplog.messages) == 3


async def test_every_failure_is_a_line_at_once(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("INFO")
    telling = Telling()
    for _ in range(3):
        telling.note(REQUEST, No(Why.NOTHING, 7), 0.001)
    telling.note(REQUEST, Later("database"), 0.001)
    assert caplog.messages == [
        *["login=no service=imap rip=192.0.2.1 account=7 class=A why=nothing-right"] * 3,
        "login=later service=imap rip=192.0.2.1 why='database'",
    ]
    assert "secret of nobody" not in caplog.text
