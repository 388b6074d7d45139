"""Answers, their bytes, the index, and which certificates may be published."""

import time
from dataclasses import replace

from hkpd.decide import Publishable, answer, judge
from hkpd.protocol import answers
from hkpd.protocol.listing import listing, page
from hkpd.protocol.queries import ByAddress, Get, Index, WkdKey
from kit.certificates import YEAR, Certificate, EncryptionKey, usual
from outrider.openpgp import BadCertificate, clean

NOW = int(time.time())
MADE = NOW - 3600
ALICE = "alice@provider.example"
SEARCH = ByAddress(ALICE)


def cleaned(made):
    return clean(made.raw, lambda _: True)


def test_every_miss_looks_the_same():
    for query in (Get(SEARCH), Index(SEARCH, True), Index(SEARCH, False), WkdKey("provider.example", "y" * 32)):
        assert answer(query, None) is answers.NOT_FOUND


def test_kinds_of_answers():
    lines = listing(cleaned(usual(ALICE, MADE)))
    assert answer(Get(SEARCH), b"key").kind == "application/pgp-keys"
    assert answer(Index(SEARCH, True), lines) == answers.Answer(200, lines)
    assert answer(Index(SEARCH, False), lines).kind.startswith("text/html")
    assert answer(WkdKey("d.example", "y" * 32), b"key").kind == "application/octet-stream"


def test_bytes_of_an_answer():
    wire = answers.rendered(answers.NOT_FOUND, date="Thu, 01 Jan 1970 00:00:00 GMT", head_only=False, keep_alive=True)
    head, _, body = wire.partition(b"\r\n\r\n")
    assert head.startswith(b"HTTP/1.1 404 Not Found\r\nDate: Thu, 01 Jan 1970 00:00:00 GMT\r\n")
    assert b"\r\nContent-Length: %d\r\n" % len(body) in head + b"\r\n"
    assert b"Access-Control-Allow-Origin: *" in head
    assert b"nosniff" in head
    assert b"Connection" not in head
    short = answers.rendered(answers.ONLY_GET, date="x", head_only=True, keep_alive=False)
    assert short.endswith(b"Allow: GET, HEAD\r\nConnection: close\r\n\r\n")


def test_the_index_for_programs():
    made = Certificate(MADE).user_id(f'Älice "100%": <{ALICE}>', lasts=YEAR).subkey(EncryptionKey(MADE))
    lines = listing(cleaned(made)).decode().splitlines()
    assert lines[0] == "info:1:1"
    assert lines[1] == f"pub:{made.fingerprint.upper()}:22:255:{MADE}:{MADE + YEAR}:"
    assert lines[2] == f"uid:%C3%84lice %22100%25%22%3A <{ALICE}>:{MADE}::"
    assert all(len(line.split(":")) in (3, 5, 7) for line in lines)


def test_revoked_shows_in_the_index():
    assert listing(cleaned(usual(ALICE, MADE).revoked())).split(b"\n")[1].endswith(b":r")


def test_the_page_escapes_what_strangers_wrote():
    certificate = cleaned(usual(ALICE, MADE))
    text = f'<script>alert(1)</script>: "&" <{ALICE}>'
    hostile = replace(certificate, user_ids=(replace(certificate.user_ids[0], text=text),))
    shown = page(listing(hostile)).decode()
    assert "<script" not in shown
    assert "&lt;script&gt;alert(1)&lt;/script&gt;: &quot;&amp;&quot;" in shown
    assert certificate.fingerprint.upper() in shown


def test_a_good_key_is_published():
    assert judge(cleaned(usual(ALICE, MADE, lasts=YEAR)), NOW) == Publishable("")


def test_a_key_that_ran_out_is_not():
    old = judge(cleaned(usual(ALICE, NOW - 3 * YEAR, lasts=YEAR)), NOW)
    assert isinstance(old, BadCertificate)
    assert old.code == "expired"
    assert judge(cleaned(usual(ALICE, MADE, lasts=YEAR)), MADE + YEAR).code == "expired"


def test_a_key_that_only_signs_is_published_with_a_warning():
    found = judge(cleaned(Certificate(MADE).user_id(f"Alice <{ALICE}>")), NOW)
    assert isinstance(found, Publishable)
    assert "only sign" in found.warning


def test_a_revoked_key_is_published_so_that_others_learn_of_it():
    found = judge(cleaned(usual(ALICE, NOW - 3 * YEAR, lasts=YEAR).revoked()), NOW)
    assert isinstance(found, Publishable)
    assert "revoked" in found.warning


def test_a_revoked_address_alone_is_no_reason_to_publish():
    made = Certificate(MADE).user_id(f"Alice <{ALICE}>")
    made.certified(f"Alice <{ALICE}>", kind=0x30, created=MADE + 5)
    assert judge(cleaned(made.subkey(EncryptionKey(MADE))), NOW).code == "address-revoked"
