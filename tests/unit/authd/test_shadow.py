"""Shadow mode: looked on, compared, reported; nobody let in, nothing spent, nothing counted."""

import asyncio
import logging
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

from authd.decide import Later, No, Why, Yes
from authd.protocol.client_peer import AuthClientPeer, Failure
from authd.shadow import Outcome, compared
from kit.authd_house import ALICE, BOB, PASSWORD, House
from outrider.addresses import Person
from outrider.listeners import Listener

WHO = Person(7, "a@provider.example", True, "en", 0, "a1")


@pytest.mark.parametrize(
    ("observed", "verdict", "outcome"),
    [
        ("yes", Yes(WHO, "password"), Outcome.AGREES),
        ("no", No(Why.NOTHING), Outcome.AGREES),
        ("yes", No(Why.APP_WANTED), Outcome.WOULD_REFUSE),
        ("no", Yes(WHO, "password"), Outcome.WOULD_LET_IN),
        ("yes", Later("database"), Outcome.CANNOT_SAY),
        ("no", Later("database"), Outcome.CANNOT_SAY),
    ],
)
def test_the_two_verdicts_compared(observed: str, verdict: Yes | No | Later, outcome: Outcome) -> None:
    assert compared(observed, verdict) is outcome


async def asked(house: House, tmp_path: Path, *logins: tuple[str, str, str, dict[str, str]]) -> list[Failure]:
    """What the wire answers to each login, once all of them have been looked at."""
    path = tmp_path / "login"
    listener = Listener("auth-client", str(path), peer="dovecot", services=("imap", "web"), trust_rip=True)
    peer, answers = AuthClientPeer(pid=1), list[Failure]()
    async with house.serving(listener):
        reader, writer = await asyncio.open_unix_connection(path)
        for number, (user, field, service, named) in enumerate(logins, 1):
            peer.plain(number, service, user, field, rip="192.0.2.1", **named)
        writer.write(peer.output())
        async with asyncio.timeout(30):
            while len(answers) < len(logins):
                answers += [event for event in peer.feed(await reader.read(4096)) if isinstance(event, Failure)]
            looking_on = [task for task in asyncio.all_tasks() if "ShadowFront._look_on" in repr(task.get_coro())]
            await asyncio.gather(*looking_on)
        writer.close()
    return answers


async def snapshot(house: House) -> list[list[int]]:
    await house.ledger.write()
    tables = ("login_audit", "known_network", "token_guard", "account_guard", "notice")
    counts = [await house.database.one(int, f"SELECT COUNT(*) FROM {table}") or 0 for table in tables]
    return [counts, [await house.last(1)], [len(house.scrutiny.limits._pairs), len(house.remembered)]]


async def test_every_answer_is_no_and_only_disagreements_are_told(
    house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    house.shadow = True
    before = await snapshot(house)
    code = PASSWORD + house.code()
    metric = {"service": "imap", "outcome": "agrees"}
    agreed = REGISTRY.get_sample_value("authd_shadow_total", metric) or 0
    answers = await asked(
        house,
        tmp_path,
        (ALICE, code, "imap", {"observed": "yes"}),
        (ALICE, code, "imap", {"observed": "yes"}),  # not spent: good again
        (ALICE, PASSWORD, "imap", {"observed": "yes"}),
        (BOB, PASSWORD, "web", {"observed": "no"}),
        (BOB, "wrong", "imap", {"observed": "no"}),
        ("nobody@provider.example", "wrong", "imap", {"observed": "yes"}),
    )
    assert [answer.code for answer in answers] == [""] * 6
    lines = {record.getMessage() for record in caplog.records if record.getMessage().startswith("shadow=")}
    assert lines == {
        "shadow=would-refuse service=imap rip=192.0.2.1 account=1 why='nothing-right'",
        "shadow=would-let-in service=web rip=192.0.2.1 account=2 why='password'",
        "shadow=would-refuse service=imap rip=192.0.2.1 account=- why='no-such-account'",
    }
    assert (REGISTRY.get_sample_value("authd_shadow_total", metric) or 0) - agreed == 3
    assert await snapshot(house) == before
    for word in (PASSWORD, house.code(), "alice", "nobody@"):
        assert word not in caplog.text


async def test_a_question_for_a_decision_is_later(house: House, tmp_path: Path) -> None:
    house.shadow = True
    (answer,) = await asked(house, tmp_path, (BOB, PASSWORD, "imap", {}))
    assert answer.code == "temp_fail"
    assert house.hash.count == 0


async def test_out_of_shadow_mode_what_is_observed_is_refused_and_nothing_is_spent(
    house: House, tmp_path: Path
) -> None:
    field = PASSWORD + house.code()
    (answer,) = await asked(house, tmp_path, (ALICE, field, "imap", {"observed": "yes"}))
    assert (answer.code, house.hash.count) == ("", 0)
    assert isinstance(await house.login(ALICE, field), Yes)


async def test_trouble_is_said_as_cannot_say(house: House, tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    house.shadow = True
    house.key.chmod(0o444)
    house.keys._ring = None
    await asked(house, tmp_path, (BOB, PASSWORD, "imap", {"observed": "yes"}))
    assert "shadow=cannot-say service=imap rip=192.0.2.1 account=- why='key'" in caplog.text
