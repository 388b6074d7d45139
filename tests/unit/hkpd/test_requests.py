"""HTTP requests come out the same however the stream is cut, and every limit is the same for every cut."""

from itertools import pairwise

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hkpd.protocol.requests import BODY_LIMIT, HEAD_LIMIT, Malformed, Request, RequestFeed

GET = b"GET /pks/lookup?op=get&options=mr&search=0xABCDEF0123456789 HTTP/1.1\r\nHost: keys.provider.example\r\n\r\n"
POST = b"POST /pks/add HTTP/1.1\r\nHost: k\r\nContent-Length: 11\r\n\r\nkeytext=abc"
HEAD = b"HEAD /x HTTP/1.1\r\nHost: h:443\r\nX-Real-IP: 192.0.2.1\r\nAccept: */*\r\n\r\n"
OLD = b"GET / HTTP/1.0\r\n\r\n"
UPGRADE = b"GET /u HTTP/1.1\r\nHost: h\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\n\r\n"
BARE = b"GET /b HTTP/1.1\nHost: h\n\n"
CLOSE = b"GET /c HTTP/1.1\r\nHost: h\r\nConnection: close\r\n\r\n"
ALL = [GET, POST, HEAD, OLD, UPGRADE, BARE, CLOSE]
PARTS = st.lists(st.sampled_from([*ALL, b"\r\n", b"\n", b"junk\r\n\r\n"]), max_size=5)


def fed(data, *cuts):
    feed = RequestFeed()
    edges = [0, *sorted(cuts), len(data)]
    return [item for start, end in pairwise(edges) for item in feed.feed(data[start:end])]


def test_what_a_request_says():
    assert fed(HEAD) == [Request("HEAD", b"/x", "h:443", "192.0.2.1", keep_alive=True)]
    assert fed(OLD) == [Request("GET", b"/", "", "", keep_alive=False)]
    assert [item.keep_alive for item in fed(GET + CLOSE)] == [True, False]


def test_bodies_are_skipped_and_requests_may_queue_up():
    assert [item.target[:8] for item in fed(POST + GET + POST)] == [b"/pks/add", b"/pks/loo", b"/pks/add"]


@pytest.mark.parametrize("stream", [*ALL, POST + GET + HEAD + CLOSE + GET], ids=range(8))
def test_a_cut_at_every_byte(stream):
    whole = fed(stream)
    assert whole
    for cut in range(len(stream)):
        assert fed(stream, cut) == whole
    assert fed(stream, *range(len(stream))) == whole


@settings(max_examples=50, deadline=None)
@given(
    st.lists(st.sampled_from([GET, POST, HEAD, OLD, UPGRADE, CLOSE, b"\r\n", b"junk\r\n\r\n"]), max_size=5), st.data()
)
def test_any_cuts_of_any_stream(parts, data):
    stream = b"".join(parts)
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=6))
    assert fed(stream, *cuts) == fed(stream)


@settings(max_examples=50, deadline=None)
@given(st.binary(max_size=400), st.data())
def test_any_bytes(stream, data):
    cuts = data.draw(st.lists(st.integers(0, len(stream)), max_size=4))
    assert fed(stream, *cuts) == fed(stream)


@pytest.mark.parametrize("over", [0, 1])
@pytest.mark.parametrize("step", [1, 7, 1000, 10**6])
def test_the_limit_of_the_head_is_exact(over, step):
    start, end = b"GET / HTTP/1.1\r\nHost: h\r\nX: ", b"\r\n\r\n"
    stream = start + b"a" * (HEAD_LIMIT - len(start) - len(end) + over) + end
    answer = fed(stream + GET, *range(0, len(stream), step))
    assert answer[0] == Malformed(431) if over else isinstance(answer[1], Request)
    assert len(answer) == (1 if over else 2)


def test_a_head_that_never_ends_is_refused_before_it_is_read():
    assert fed(b"GET /" + b"a" * HEAD_LIMIT) == [Malformed(431)]
    assert fed(b"\r\n" * HEAD_LIMIT) == [Malformed(431)]


def post(length):
    return b"POST /pks/add HTTP/1.1\r\nHost: h\r\n" + length + b"\r\n\r\n"


def test_the_limit_of_the_body():
    full = post(b"Content-Length: %d" % BODY_LIMIT) + bytes(BODY_LIMIT)
    assert [type(item) for item in fed(full + GET)] == [Request, Request]
    assert fed(post(b"Content-Length: %d" % (BODY_LIMIT + 1))) == [Malformed(413)]
    assert fed(post(b"Content-Length: " + b"9" * 15)) == [Malformed(413)]


@pytest.mark.parametrize(
    ("header", "status"),
    [
        (b"Transfer-Encoding: chunked", 411),
        (b"Content-Length: 3\r\nTransfer-Encoding: chunked", 411),
        (b"Content-Length: 3\r\nContent-Length: 3", 400),
        (b"Content-Length: 3\r\nContent-Length: 4", 400),
        (b"Content-Length: +3", 400),
        (b"Content-Length: 0x3", 400),
        (b"Content-Length: -1", 400),
        (b"Content-Length : 3", 400),
        (b"Host: other", 400),
        (b"X: a\x00b", 400),
    ],
)
def test_two_readings_of_a_length_are_none(header, status):
    answers = fed(post(header) + b"abc")
    assert answers in ([Malformed(status)], [Malformed(400)])


def test_after_a_refusal_nothing_more_is_read():
    feed = RequestFeed()
    assert feed.feed(b"junk\r\n\r\n") == [Malformed(400)]
    assert feed.feed(GET) == []


def test_idle_means_that_nothing_of_a_request_is_here():
    feed = RequestFeed()
    assert feed.idle
    feed.feed(GET[:5])
    assert not feed.idle
    feed.feed(GET[5:])
    assert feed.idle
