"""The auth client protocol, server side and client side, on its own."""

import base64

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.protocol import client_peer
from authd.protocol.client import IN_FLIGHT, AuthClientServer, Event, Temporary
from authd.protocol.client_peer import Asked, AuthClientPeer, Failure, Ready, Success
from authd.protocol.events import Broken, Cancelled, Context, Credentials, Greeted
from authd.protocol.fields import LINE_LIMIT

COOKIE = "0123456789abcdef0123456789abcdef"
HELLO = b"VERSION\t1\t2\nCPID\t77\n"


def server(temporary: Temporary = Temporary.FAIL) -> AuthClientServer:
    one = AuthClientServer(spid=10, cuid=5, cookie=COOKIE, temporary=temporary)
    one.output()
    return one


def greeted(temporary: Temporary = Temporary.FAIL, minor: int = 2) -> AuthClientServer:
    one = server(temporary)
    one.feed(b"VERSION\t1\t%d\nCPID\t77\n" % minor)
    return one


def b64(text: bytes) -> bytes:
    return base64.b64encode(text)


def plain(user: bytes, password: bytes, actor: bytes = b"") -> bytes:
    return b64(actor + b"\0" + user + b"\0" + password)


def test_the_whole_banner_stands_at_once_with_mech_before_spid() -> None:
    one = AuthClientServer(spid=10, cuid=5, cookie=COOKIE)
    assert one.output() == (
        b"VERSION\t1\t2\nMECH\tPLAIN\tplaintext\nMECH\tLOGIN\tplaintext\n"
        b"SPID\t10\nCUID\t5\nCOOKIE\t0123456789abcdef0123456789abcdef\nDONE\n"
    )
    assert one.output() == b""


@pytest.mark.parametrize("minor", range(5))
def test_every_minor_number_is_welcome(minor: int) -> None:
    one = server()
    assert one.feed(b"VERSION\t1\t%d\nCPID\t77\n" % minor) == [Greeted(minor, 77)]


def test_plain_of_postfix() -> None:
    one = server()
    events = one.feed(
        b"VERSION\t1\t0\nCPID\t9\n"
        b"AUTH\t1\tPLAIN\tservice=smtp\tnologin\tlip=192.0.2.9\trip=192.0.2.1\tsecured\tresp="
        + plain(b"a@b", b"pw")
        + b"\n"
    )
    context = Context(service="smtp", rip="192.0.2.1", secured=True, nologin=True)
    assert events == [Greeted(0, 9), Credentials(1, "a@b", "pw", context)]
    one.succeed(1, "a@b")
    assert one.output() == b"OK\t1\tuser=a@b\n"


def test_a_password_never_shows_in_repr() -> None:
    assert "hunter2" not in repr(Credentials(1, "a@b", "hunter2", Context("imap")))


def test_protocol_of_dovecot_24() -> None:
    [event] = greeted().feed(
        b"AUTH\t1\tPLAIN\tprotocol=imap\tsecured=tls\tsession=abc\tresp=" + plain(b"a", b"b") + b"\n"
    )
    assert isinstance(event, Credentials)
    assert event.context == Context(service="imap", session="abc", secured=True)


def test_no_service_is_an_empty_service() -> None:
    [event] = greeted().feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n")
    assert isinstance(event, Credentials)
    assert event.context.service == ""


def test_login_asks_for_name_and_password() -> None:
    one = greeted()
    assert one.feed(b"AUTH\t1\tLOGIN\tservice=smtp\n") == []
    assert one.output() == b"CONT\t1\tVXNlcm5hbWU6\n"
    assert one.feed(b"CONT\t1\t" + b64(b"a@b") + b"\n") == []
    assert one.output() == b"CONT\t1\tUGFzc3dvcmQ6\n"
    assert one.feed(b"CONT\t1\t" + b64(b"pw") + b"\n") == [Credentials(1, "a@b", "pw", Context("smtp"))]


def test_login_with_the_name_as_initial_response() -> None:
    one = greeted()
    one.feed(b"AUTH\t1\tLOGIN\tservice=smtp\tresp=" + b64(b"a@b") + b"\n")
    assert one.output() == b"CONT\t1\tUGFzc3dvcmQ6\n"


def test_plain_without_response_is_asked_with_an_empty_field() -> None:
    one = greeted()
    one.feed(b"AUTH\t1\tPLAIN\tservice=imap\n")
    assert one.output() == b"CONT\t1\t\n"
    assert one.feed(b"CONT\t1\t" + plain(b"a", b"b") + b"\n") == [Credentials(1, "a", "b", Context("imap"))]


@pytest.mark.parametrize(
    ("resp", "answer"),
    [
        (plain(b"a", b"b", actor=b"other"), b"FAIL\t1\n"),
        (b64(b"a\0b"), b"FAIL\t1\n"),
        (b64(b"\0a\0b\0c"), b"FAIL\t1\n"),
        (b64(b"\0a\0\xff\xfe"), b"FAIL\t1\n"),
        (b"", b"FAIL\t1\n"),
        (b"====", b"FAIL\t1\tcode=invalid_base64\n"),
        (b"AGEAY", b"FAIL\t1\tcode=invalid_base64\n"),
        (b"AGEAYg==\x01r", b"FAIL\t1\tcode=invalid_base64\n"),
        (b"\xff", b"FAIL\t1\tcode=invalid_base64\n"),
        ("ÄGEAYg==".encode(), b"FAIL\t1\tcode=invalid_base64\n"),
    ],
)
def test_responses_that_say_nothing(resp: bytes, answer: bytes) -> None:
    one = greeted()
    assert one.feed(b"AUTH\t1\tPLAIN\tservice=imap\tresp=" + resp + b"\n") == []
    assert one.output() == answer
    assert not one.closing
    assert one.pending() == []


def test_acting_as_oneself_is_allowed() -> None:
    [event] = greeted().feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b", actor=b"a") + b"\n")
    assert isinstance(event, Credentials)


@pytest.mark.parametrize("mechanism", [b"CRAM-MD5", b"XOAUTH2", b"", b"\xff"])
def test_other_mechanisms_fail(mechanism: bytes) -> None:
    one = greeted()
    assert one.feed(b"AUTH\t1\t" + mechanism + b"\tservice=imap\tresp=AA==\n") == []
    assert one.output() == b"FAIL\t1\n"


@pytest.mark.parametrize("name", [b"a\tb", b"a\x01b", b"a\nb", b"a b"])
def test_strange_letters_in_names_and_passwords_arrive_as_they_are(name: bytes) -> None:
    [event] = greeted().feed(b"AUTH\t1\tPLAIN\tresp=" + plain(name, name) + b"\n")
    assert isinstance(event, Credentials)
    assert event.user == event.password == name.decode()


@pytest.mark.parametrize(
    "stream",
    [
        b"AUTH\t1\tPLAIN\n",
        b"VERSION\t2\t0\n",
        b"VERSION\tx\t0\n",
        b"VERSION\t1\t0\nCPID\tx\n",
        b"VERSION\t1\t0\nAUTH\t1\tPLAIN\n",
        HELLO + b"AUTH\n",
        HELLO + b"AUTH\tx\tPLAIN\n",
        HELLO + b"AUTH\t1\n",
        HELLO + b"AUTH\t1\tPLAIN\nAUTH\t1\tPLAIN\n",
        HELLO + b"x" * (LINE_LIMIT + 1),
        HELLO + b"x" * (LINE_LIMIT + 1) + b"\n",
    ],
)
def test_a_broken_protocol_closes_and_says_so_once(stream: bytes) -> None:
    one = server()
    events = one.feed(stream)
    assert [event for event in events if isinstance(event, Broken)] == events[-1:]
    assert one.closing
    assert one.feed(HELLO + b"x" * LINE_LIMIT * 2) == []


@pytest.mark.parametrize(
    "noise",
    [b"", b"NOOP\n", b"\n", b"\t\t\n", b"\xff\xfe\n", b"CONT\n", b"CANCEL\tx\n", HELLO, b"CPID\t5\n", b"\0\x01\n"],
)
def test_unknown_lines_are_ignored(noise: bytes) -> None:
    one = greeted()
    assert one.feed(noise) == []
    assert one.output() == b""
    assert not one.closing


def test_cont_for_an_unknown_id_fails_and_for_a_known_one_is_ignored() -> None:
    one = greeted()
    one.feed(b"CONT\t8\tAA==\n")
    assert one.output() == b"FAIL\t8\n"
    one.feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\nCONT\t1\tAA==\n")
    assert one.output() == b""
    assert one.waits(1)


@pytest.mark.parametrize(("minor", "answer"), [(0, b""), (2, b""), (3, b""), (4, b"CANCELLED\t1\n")])
def test_cancelled_is_said_to_those_who_know_the_word(minor: int, answer: bytes) -> None:
    one = greeted(minor=minor)
    one.feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n")
    assert one.feed(b"CANCEL\t1\n") == [Cancelled(1)]
    assert one.output() == answer
    assert not one.waits(1)
    one.succeed(1, "a")
    one.fail(1)
    one.later(1)
    assert one.output() == b""


def test_an_answer_is_given_once() -> None:
    one = greeted()
    one.feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n")
    one.fail(1)
    one.succeed(1, "a")
    one.succeed(2, "a")
    assert one.output() == b"FAIL\t1\n"


def test_later_is_a_code_for_dovecot_and_a_closed_connection_for_postfix() -> None:
    auth = b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n"
    dovecot, postfix = greeted(), greeted(Temporary.CLOSE)
    for one in (dovecot, postfix):
        one.feed(auth)
        one.later(1)
    assert (dovecot.output(), dovecot.closing) == (b"FAIL\t1\tcode=temp_fail\n", False)
    assert (postfix.output(), postfix.closing) == (b"", True)


def test_retiring_answers_everybody_first() -> None:
    one = greeted()
    one.feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\nAUTH\t2\tLOGIN\n")
    one.output()
    one.retire()
    assert one.output() == b"FAIL\t1\tcode=temp_fail\nFAIL\t2\tcode=temp_fail\n"
    assert one.closing


def test_too_many_at_once_are_asked_to_come_later() -> None:
    one = greeted()
    auth = b"".join(b"AUTH\t%d\tPLAIN\tresp=%s\n" % (n, plain(b"a", b"b")) for n in range(1, IN_FLIGHT + 2))
    assert len(one.feed(auth)) == IN_FLIGHT
    assert one.output() == b"FAIL\t%d\tcode=temp_fail\n" % (IN_FLIGHT + 1)
    one.fail(1)
    assert len(one.feed(b"AUTH\t99\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n")) == 1


def test_answers_are_escaped() -> None:
    one = greeted()
    one.feed(b"AUTH\t1\tPLAIN\tresp=" + plain(b"a", b"b") + b"\n")
    one.succeed(1, "a\tb", note="x\ny")
    assert one.output() == b"OK\t1\tuser=a\x01tb\tnote=x\x01ny\n"


LINES = st.sampled_from(
    [
        b"VERSION\t1\t4\n",
        b"CPID\t3\n",
        b"AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain("ä".encode(), "ü\t".encode()) + b"\n",
        b"AUTH\t2\tLOGIN\tservice=smtp\n",
        b"CONT\t2\t" + b64(b"user") + b"\n",
        b"CONT\t2\t" + b64(b"pass") + b"\n",
        b"CANCEL\t1\n",
        b"AUTH\t3\tPLAIN\tresp=!\n",
        b"\xff\x01\0\t\n",
        b"AUTH\tx\n",
    ]
)


@given(st.lists(LINES, max_size=12), st.data())
@settings(max_examples=50, deadline=None)
def test_any_split_gives_the_same_events_and_output(lines: list[bytes], data: st.DataObject) -> None:
    stream = HELLO + b"".join(lines)
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    whole, parts = server(), server()
    expected = whole.feed(stream)
    found: list[Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parts.feed(stream[start:end])
    assert found == expected
    assert parts.output() == whole.output()
    assert parts.closing == whole.closing


def test_every_single_byte_alone() -> None:
    stream = HELLO + b"AUTH\t1\tPLAIN\tservice=imap\tresp=" + plain(b"a@b", "pä".encode()) + b"\n"
    one = server()
    events = [event for at in range(len(stream)) for event in one.feed(stream[at : at + 1])]
    assert events == [Greeted(2, 77), Credentials(1, "a@b", "pä", Context("imap"))]


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=50, deadline=None)
def test_no_bytes_raise(pieces: list[bytes]) -> None:
    for one in (server(), greeted(), greeted(Temporary.CLOSE)):
        for piece in pieces:
            one.feed(piece)
            one.output()


# The client side ----------------------------------------------------------------------------------


def meet() -> tuple[AuthClientServer, AuthClientPeer]:
    """A server and a client that have greeted each other."""
    ours = AuthClientServer(spid=10, cuid=5, cookie=COOKIE)
    peer = AuthClientPeer(pid=77, minor=4)
    assert ours.feed(peer.output()) == [Greeted(4, 77)]
    assert peer.feed(ours.output()) == [Ready(("PLAIN", "LOGIN"), 10, 5, COOKIE)]
    return ours, peer


def test_both_sides_understand_each_other() -> None:
    ours, peer = meet()
    peer.plain(1, "imap", "a@b", "p\tw", "nologin", "secured", rip="192.0.2.1")
    assert ours.feed(peer.output()) == [
        Credentials(1, "a@b", "p\tw", Context("imap", rip="192.0.2.1", secured=True, nologin=True))
    ]
    ours.succeed(1, "a@b", note="x=y")
    assert peer.feed(ours.output()) == [Success(1, "a@b", {"note": "x=y"})]


def test_login_from_the_client_side() -> None:
    ours, peer = meet()
    peer.start(2, "LOGIN", "smtp")
    ours.feed(peer.output())
    assert peer.feed(ours.output()) == [Asked(2, b"Username:")]
    peer.say(2, b"a@b")
    ours.feed(peer.output())
    assert peer.feed(ours.output()) == [Asked(2, b"Password:")]
    peer.say(2, b"pw")
    assert ours.feed(peer.output()) == [Credentials(2, "a@b", "pw", Context("smtp"))]
    ours.later(2)
    assert peer.feed(ours.output()) == [Failure(2, "temp_fail", {})]
    peer.start(3, "PLAIN", "smtp")
    peer.cancel(3)
    assert ours.feed(peer.output()) == [Cancelled(3)]
    assert peer.feed(ours.output()) == [Asked(3, b""), Cancelled(3)]


@pytest.mark.parametrize(
    "banner",
    [
        b"VERSION\t2\t0\n",
        b"DONE\n",
        b"VERSION\t1\t2\nMECH\tPLAIN\nSPID\t1\nCUID\t1\nDONE\n",
        b"VERSION\t1\t2\nSPID\t1\nCUID\t1\nCOOKIE\tx\nDONE\n",
        b"VERSION\t1\t2\nMECH\tPLAIN\nSPID\tx\nCUID\t1\nCOOKIE\tx\nDONE\n",
    ],
)
def test_a_banner_that_lacks_something_is_refused(banner: bytes) -> None:
    peer = AuthClientPeer(pid=1)
    [event] = peer.feed(banner)
    assert isinstance(event, Broken)
    assert peer.closing


@given(st.lists(st.binary(max_size=60), max_size=20))
@settings(max_examples=50, deadline=None)
def test_no_bytes_raise_on_the_client_side(pieces: list[bytes]) -> None:
    for peer in (AuthClientPeer(pid=1), meet()[1]):
        for piece in pieces:
            peer.feed(piece)


@given(st.data())
@settings(max_examples=30, deadline=None)
def test_any_split_gives_the_client_the_same_events(data: st.DataObject) -> None:
    ours = AuthClientServer(spid=10, cuid=5, cookie=COOKIE)
    stream = ours.output() + b"OK\t1\tuser=a\x01tb\nFAIL\t2\tcode=temp_fail\nCONT\t3\tAA==\nODD\t1\nOK\tx\n"
    cuts = sorted(data.draw(st.lists(st.integers(0, len(stream)), max_size=10)))
    whole, parts = AuthClientPeer(pid=1), AuthClientPeer(pid=1)
    expected = whole.feed(stream)
    found: list[client_peer.Event] = []
    for start, end in zip([0, *cuts], [*cuts, len(stream)], strict=True):
        found += parts.feed(stream[start:end])
    assert found == expected
    assert len(expected) == 5
