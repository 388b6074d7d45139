"""Postfix policy delegation: what real Postfix sends, and what nobody should send."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.protocol.delegation import (
    ACTION_CHARACTERS,
    Answer,
    AnswerReader,
    Request,
    RequestReader,
    encode_answer,
    encode_request,
)
from policy.protocol.malformed import Malformed

# Postfix 3.7.11, submission, second recipient of a mail; the order is Postfix's, not the document's.
REAL = b"""\
request=smtpd_access_policy
protocol_state=RCPT
protocol_name=ESMTP
client_address=127.0.0.1
client_name=localhost
client_port=41834
reverse_client_name=localhost
server_address=127.0.0.1
server_port=587
helo_name=client.example
sender=alice@provider.example
recipient=carol@remote.example
recipient_count=0
queue_id=4F1B03FF
instance=1f2.5a3c.1.0
size=0
etrn_domain=
stress=
sasl_method=PLAIN
sasl_username=alice@provider.example
sasl_sender=
ccert_subject=
ccert_issuer=
ccert_fingerprint=
ccert_pubkey_fingerprint=
encryption_protocol=TLSv1.3
encryption_cipher=TLS_AES_256_GCM_SHA384
encryption_keysize=256
policy_context=submission

"""
PARSED = Request(
    protocol_state="RCPT",
    sender="alice@provider.example",
    recipient="carol@remote.example",
    sasl_username="alice@provider.example",
    instance="1f2.5a3c.1.0",
    policy_context="submission",
)
HEAD = b"request=smtpd_access_policy\n"


def read(data: bytes, limit: int = 65536) -> list[Request | Malformed]:
    return RequestReader(limit).feed(data)


def test_real_request() -> None:
    assert read(REAL) == [PARSED]


def test_pipelined_requests_come_in_order() -> None:
    second = REAL.replace(b"carol@", b"dave@")
    requests = read(REAL + second + REAL[:40])
    assert [request.recipient for request in requests if isinstance(request, Request)] == [
        "carol@remote.example",
        "dave@remote.example",
    ]


def test_every_single_byte_split() -> None:
    reader = RequestReader()
    found = [item for byte in REAL + REAL for item in reader.feed(bytes([byte]))]
    assert found == [PARSED, PARSED]


PIECES = [
    REAL,
    HEAD + b"\n",
    b"\n",
    b"x\n",
    HEAD + b"sender=\xff\n\n",
    HEAD + b"a=\0\n\n",
    b"y" * 300,
    b"=1\n\n",
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=4), st.lists(st.integers(0, 1500), max_size=8))
def test_any_split_gives_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    whole = read(data, limit=800)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reader = RequestReader(800)
    found = [item for start, end in pairwise(places) for item in reader.feed(data[start:end])]
    assert found == whole


def test_missing_attributes_are_empty_and_unknown_ones_ignored() -> None:
    assert read(HEAD + b"tls_sni=x\nnobody_knows=1=2\n\n") == [Request()]


def test_value_may_hold_an_equals_sign() -> None:
    assert read(HEAD + b"sender=a=b@provider.example\n\n") == [Request(sender="a=b@provider.example")]


def test_first_of_a_repeated_attribute_counts() -> None:
    assert read(HEAD + b"sender=one@a.example\nsender=two@a.example\n\n") == [Request(sender="one@a.example")]


def test_bytes_that_are_not_utf8_come_as_surrogates() -> None:
    assert read(HEAD + b"sender=\xff@a.example\n\n") == [Request(sender="\udcff@a.example")]


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"\n", "an empty request"),
        (HEAD + b"sender\n\n", "a line that is no attribute"),
        (HEAD + b"=x\n\n", "a line that is no attribute"),
        (HEAD + b"sender=a\0b\n\n", "a NUL in an attribute"),
        (b"sender=a@b.example\n\n", "no request of the type smtpd_access_policy"),
        (b"request=other\n\n", "no request of the type smtpd_access_policy"),
        (b"request=smtpd_access_policy\r\n\r\n\n", "a line that is no attribute"),
    ],
)
def test_malformed_is_said_once_and_ends_the_stream(data: bytes, reason: str) -> None:
    reader = RequestReader()
    assert reader.feed(data) == [Malformed(reason)]
    assert reader.feed(REAL) == []


def test_good_requests_before_the_malformed_one_are_kept() -> None:
    assert read(REAL + b"\n" + REAL) == [PARSED, Malformed("an empty request")]


def test_limit_is_exact() -> None:
    assert read(REAL, limit=len(REAL)) == [PARSED]
    assert read(REAL, limit=len(REAL) - 1) == [Malformed("a request over the limit")]


def test_a_line_of_a_megabyte_is_not_stored() -> None:
    reader = RequestReader()
    assert reader.feed(HEAD + b"sender=" + b"a" * 1_000_000) == [Malformed("a request over the limit")]
    assert reader.feed(b"a" * 1_000_000) == []
    assert len(reader._blocks._buffer) == 0


def test_answer_round_trip() -> None:
    data = encode_answer("550 5.7.1 no") + encode_answer("DUNNO")
    assert data == b"action=550 5.7.1 no\n\naction=DUNNO\n\n"
    assert AnswerReader().feed(data) == [Answer("550 5.7.1 no"), Answer("DUNNO")]
    assert AnswerReader().feed(b"reason=x\n\n") == [Malformed("an answer without action")]


def test_request_round_trip() -> None:
    data = encode_request({"protocol_state": "RCPT", "sender": "\udcff@a.example", "size": "12"})
    assert read(data) == [Request(protocol_state="RCPT", sender="\udcff@a.example")]


@pytest.mark.parametrize(
    "action",
    [
        "",
        " ",
        "550 5.7.1 two\nlines",
        "550 5.7.1 a\rb",
        "550 größer",
        "DUNNO\0",
        "5" * (ACTION_CHARACTERS + 1),
    ],
)
def test_actions_that_postfix_would_misread_cannot_be_written(action: str) -> None:
    with pytest.raises(ValueError, match="not an action"):
        encode_answer(action)
