"""The socket of the command line: a line each way, whatever comes."""

import base64
import json
import time

import pytest

from hkpd.admin import LINE_LIMIT, AdminConversation
from hkpd.publishing import Publishing
from hkpd.store import CertificateStore
from kit.certificates import usual
from kit.wire import Wire
from outrider.db import DatabaseDown

NOW = int(time.time())
ALICE = "alice@provider.example"


@pytest.fixture
def publishing(database, directory):
    return Publishing(CertificateStore(database), directory, lambda: NOW)


async def asked(publishing, *requests):
    protocol = AdminConversation(publishing)
    wire = Wire(protocol)
    lines = [item if isinstance(item, bytes) else json.dumps(item).encode() for item in requests]
    protocol.data_received(b"".join(line + b"\n" for line in lines))
    sent = await wire.until(lambda sent: sent.count(b"\n") == len(lines))
    return [json.loads(line) for line in sent.splitlines()]


async def test_publish_list_withdraw(publishing, people):
    await people.add(ALICE, "{X}x", "en", 0, NOW)
    made = usual(ALICE, NOW - 60)
    key = base64.b64encode(made.raw).decode()
    published, listed, withdrawn, gone, again = await asked(
        publishing,
        {"do": "publish", "account": ALICE, "key": key},
        {"do": "list", "account": ALICE},
        {"do": "withdraw", "account": ALICE, "fingerprint": made.fingerprint},
        {"do": "list", "account": ALICE},
        {"do": "withdraw", "account": ALICE, "fingerprint": made.fingerprint},
    )
    assert published["fingerprint"] == listed["keys"][0]["fingerprint"] == made.fingerprint
    assert withdrawn["withdrawn"]
    assert gone["keys"] == []
    assert "has published no key" in again["error"]


async def test_a_refusal_carries_its_reason_and_code(publishing, people):
    await people.add(ALICE, "{X}x", "en", 0, NOW)
    answer = (await asked(publishing, {"do": "publish", "account": ALICE, "key": "eHl6"}))[0]
    assert answer["code"] == "not-a-key"
    assert "not a public key" in answer["error"]


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"{}",
        b"[]",
        b"null",
        b"\xff",
        b'{"do": "publish", "account": 1, "key": ""}',
        b'{"do": "publish", "account": "a@b", "key": "!!"}',
        b'{"do": "explode"}',
        b'{"do": "list", "account": "nobody"}',
        b'{"do": "list", "account": "nobody@provider.example"}',
        b"[" * 100000,
    ],
    ids=range(11),
)
async def test_lines_that_make_no_sense(publishing, people, line):
    assert "error" in (await asked(publishing, line))[0]


async def test_a_line_without_end_is_not_collected(publishing):
    protocol = AdminConversation(publishing)
    wire = Wire(protocol)
    protocol.data_received(b"a" * (LINE_LIMIT + 1))
    assert "too long" in json.loads(wire.sent)["error"]
    assert wire.closed


async def test_a_database_that_is_away_means_later(directory):
    class Away:
        async def person(self, address):
            raise DatabaseDown("locked")

    publishing = Publishing(None, Away(), lambda: NOW)
    assert await asked(publishing, {"do": "list", "account": ALICE}) == [{"later": "locked"}]
