"""The auth master protocol, both sides, and the admin format."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.protocol.admin import AdminServer, Question
from authd.protocol.events import Broken
from authd.protocol.fields import LINE_LIMIT
from authd.protocol.master import AuthMasterServer, ListWanted, LoginWanted, PassWanted, UserWanted
from authd.protocol.master_peer import AuthMasterPeer, Done, Failed, Found, Listed, NotFound


def meet() -> tuple[AuthMasterServer, AuthMasterPeer]:
    ours, peer = AuthMasterServer(spid=10), AuthMasterPeer()
    assert ours.output() == b"VERSION\t1\t1\nSPID\t10\n"
    assert peer.feed(b"VERSION\t1\t1\nSPID\t10\n") == []
    assert ours.feed(peer.output()) == []
    return ours, peer


def test_requests() -> None:
    ours, _ = meet()
    assert ours.feed(
        b"USER\t1\ta\x01tb@c\tservice=lmtp\nUSER\t2\tx@y\tprotocol=lmtp\nPASS\t3\tx@y\tservice=doveadm\n"
        b"LIST\t4\tuser=a*\tservice=doveadm\nLIST\t5\nREQUEST\t6\t77\t1\tcookie\tsession_pid=5\trequest_auth_token\n"
    ) == [
        UserWanted(1, "a\tb@c", "lmtp"),
        UserWanted(2, "x@y", "lmtp"),
        PassWanted(3, "x@y", "doveadm"),
        ListWanted(4, "a*"),
        ListWanted(5, "*"),
        LoginWanted(6, 77, 1, "cookie"),
    ]
    assert ours.output() == b""


def test_both_sides_understand_each_other() -> None:
    ours, peer = meet()
    peer.find(1, "alias@c", "lmtp")
    peer.find_pass(2, "a@c", "lmtp")
    peer.list_users(3)
    peer.take_over(4, 77, 1, "cookie")
    assert len(ours.feed(peer.output())) == 4
    ours.user(1, "a@c", uid="vmail", home="/var/vmail/c/a")
    ours.passdb(2, "a@c")
    ours.listed(3, ["a@c", "b\t@c"])
    ours.not_found(4)
    ours.fail(5)
    ours.list_failed(6)
    assert peer.feed(ours.output()) == [
        Found(1, "a@c", {"uid": "vmail", "home": "/var/vmail/c/a"}),
        Found(2, "a@c", {}),
        Listed(3, "a@c"),
        Listed(3, "b\t@c"),
        Done(3, True),
        NotFound(4),
        Failed(5),
        Done(6, False),
    ]


def test_there_is_no_cache_to_flush() -> None:
    ours, _ = meet()
    ours.feed(b"CACHE-FLUSH\t9\ta@b\n")
    assert ours.output() == b"OK\t9\t0\n"


@pytest.mark.parametrize("request_", [b"USER\t7\n", b"PASS\t7\n", b"REQUEST\t7\t1\t2\n", b"REQUEST\t7\tx\t2\tc\n"])
def test_half_requests_fail(request_: bytes) -> None:
    ours, _ = meet()
    assert ours.feed(request_) == []
    assert ours.output() == b"FAIL\t7\n"


@pytest.mark.parametrize("noise", [b"\n", b"NOOP\t1\n", b"\xff\n", b"CPID\t1\n", b"DIE\n"])
def test_unknown_lines_are_ignored(noise: bytes) -> None:
    ours, _ = meet()
    assert ours.feed(noise) == []
    assert (ours.output(), ours.closing) == (b"", False)


@pytest.mark.parametrize(
    "stream",
    [b"USER\t1\ta\n", b"VERSION\t2\t0\n", b"VERSION\t1\t1\nUSER\tx\ta\n", b"VERSION\t1\t1\n" + b"x" * (LINE_LIMIT + 1)],
)
def test_a_broken_protocol_closes(stream: bytes) -> None:
    ours = AuthMasterServer(spid=1)
    [event] = ours.feed(stream)
    assert isinstance(event, Broken)
    assert ours.closing
    assert ours.feed(b"VERSION\t1\t1\n") == []


STREAM = b"VERSION\t1\t0\nUSER\t1\t\xc3\xa4@b\tservice=lmtp\nLIST\t2\nODD\nREQUEST\t3\t1\t2\tc\nUSER\tx\n"


@given(st.lists(st.integers(0, len(STREAM)), max_size=10))
@settings(max_examples=50, deadline=None)
def test_any_split_gives_the_same_events(cuts: list[int]) -> None:
    whole, parts = AuthMasterServer(spid=1), AuthMasterServer(spid=1)
    expected = whole.feed(STREAM)
    ends = sorted(cuts)
    found = [
        event
        for start, end in zip([0, *ends], [*ends, len(STREAM)], strict=True)
        for event in parts.feed(STREAM[start:end])
    ]
    assert found == expected
    assert parts.output() == whole.output()
    assert len(expected) == 4


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=50, deadline=None)
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    ours, peer = meet()
    for one in (ours, peer, AuthMasterServer(spid=1), AuthMasterPeer(), AdminServer()):
        for piece in pieces:
            one.feed(piece)


# The admin format ---------------------------------------------------------------------------------


def test_questions_and_answers() -> None:
    one = AdminServer()
    assert one.feed(b'{"do": "ping"}\n{"do": "token list", "account": "\xc3\xa4@b"}\n') == [
        Question("ping", {}),
        Question("token list", {"account": "ä@b"}),
    ]
    one.answer({"pong": True})
    assert one.output() == b'{"pong": true}\n'


def test_a_code_never_shows_in_repr() -> None:
    assert "755224" not in repr(AdminServer().feed(b'{"do": "token confirm", "code": "755224"}\n'))


@pytest.mark.parametrize(
    "raw", [b"hello\n", b"[]\n", b'{"do": 5}\n', b"\n", b"\xff\n", b"[" * 60000 + b"\n", b"x" * 70000]
)
def test_what_is_no_question_gets_an_error_and_the_end(raw: bytes) -> None:
    one = AdminServer()
    [event] = one.feed(raw)
    assert isinstance(event, Broken)
    assert one.closing
    assert one.output().startswith(b'{"error": ')
