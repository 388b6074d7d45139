"""The socketmap protocol and its netstrings."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from policy.protocol.malformed import Malformed
from policy.protocol.netstring import NetstringReader, encode_netstring
from policy.protocol.socketmap import (
    REQUEST_BYTES,
    Found,
    Lookup,
    LookupReader,
    NotFound,
    Permanent,
    Reply,
    ReplyReader,
    Temporary,
    Timeout,
    encode_lookup,
    encode_reply,
)


def test_real_lookup() -> None:
    # Postfix 3.7.11, virtual_mailbox_maps = socketmap:unix:...:recipients
    data = b"33:recipients alice@provider.example,"
    assert LookupReader().feed(data) == [Lookup("recipients", "alice@provider.example")]
    assert encode_lookup(Lookup("recipients", "alice@provider.example")) == data


def test_key_may_hold_spaces_and_may_be_empty() -> None:
    assert LookupReader().feed(b'14:senders "a b"@,') == [Lookup("senders", '"a b"@')]
    assert LookupReader().feed(b"8:senders ,") == [Lookup("senders", "")]


def test_key_that_is_not_utf8() -> None:
    assert LookupReader().feed(b"9:senders \xff,") == [Lookup("senders", "\udcff")]


PIECES = [
    b"33:recipients alice@provider.example,",
    b"8:senders ,",
    b"0:,",
    b"01:a,",
    b"9:senders \xff,",
    b"5:a b c",
    b"999999:",
    b"12x",
    b":",
    b"4096",
]


@settings(max_examples=50, deadline=None)
@given(st.lists(st.sampled_from(PIECES), max_size=5), st.lists(st.integers(0, 150), max_size=10))
def test_any_split_gives_the_same(pieces: list[bytes], cuts: list[int]) -> None:
    data = b"".join(pieces)
    whole = LookupReader().feed(data)
    places = sorted({min(cut, len(data)) for cut in cuts} | {0, len(data)})
    reader = LookupReader()
    found = [item for start, end in pairwise(places) for item in reader.feed(data[start:end])]
    assert found == whole


def test_every_single_byte_split() -> None:
    reader = LookupReader()
    data = PIECES[0] * 2 + PIECES[1]
    found = [item for byte in data for item in reader.feed(bytes([byte]))]
    assert found == LookupReader().feed(data)
    assert len(found) == 3


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"0:,", "a request without map and key"),
        (b"7:senders,", "a request without map and key"),
        (b"2: a,", "a request without map and key"),
        (b"4:a \0b,", "a NUL in a request"),
        (b"3:a bX", "a netstring without its comma"),
        (b":", "a netstring without a length"),
        (b"-1:", "a netstring whose length is no number"),
        (b"\xd9\xa3:a b,", "a netstring whose length is no number"),
        (b"03:a b,", "a netstring whose length begins with 0"),
        (b"4097:", "a netstring over the limit"),
        (b"10000", "a netstring over the limit"),
        (b"GET / HTTP/1.1\r\n", "a netstring whose length is no number"),
    ],
)
def test_malformed_is_said_once_and_ends_the_stream(data: bytes, reason: str) -> None:
    reader = LookupReader()
    assert reader.feed(data) == [Malformed(reason)]
    assert reader.feed(b"3:a b,") == []


def test_limit_is_exact() -> None:
    key = "k" * (REQUEST_BYTES - 2)
    assert LookupReader().feed(encode_lookup(Lookup("m", key))) == [Lookup("m", key)]
    assert LookupReader().feed(encode_lookup(Lookup("m", key + "k"))) == [Malformed("a netstring over the limit")]


def test_a_megabyte_is_not_stored() -> None:
    reader = NetstringReader(4096)
    assert reader.feed(b"4096:" + b"a" * 1_000_000) == [Malformed("a netstring without its comma")]
    assert reader.feed(b"a" * 1_000_000) == []
    assert len(reader._buffer) == 0


REPLIES: list[tuple[Reply, bytes]] = [
    (Found("1"), b"4:OK 1,"),
    (NotFound(), b"9:NOTFOUND ,"),
    (Temporary("later"), b"10:TEMP later,"),
    (Timeout("3 s"), b"11:TIMEOUT 3 s,"),
    (Permanent("no such map"), b"16:PERM no such map,"),
]


@pytest.mark.parametrize(("reply", "data"), REPLIES)
def test_replies(reply: Reply, data: bytes) -> None:
    assert encode_reply(reply) == data
    assert ReplyReader().feed(data) == [reply]


def test_strange_replies_are_malformed() -> None:
    assert ReplyReader().feed(encode_netstring(b"MAYBE x")) == [Malformed("a status that is none")]
    assert ReplyReader().feed(encode_netstring(b"NOTFOUND")) == [NotFound()]


@pytest.mark.parametrize("value", ["", "a\nb", "a\0b", "a" * 100_001])
def test_replies_that_postfix_would_misread_cannot_be_written(value: str) -> None:
    with pytest.raises(ValueError, match=r"value|data of a reply"):
        encode_reply(Found(value))
