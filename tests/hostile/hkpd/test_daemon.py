"""The running keyserver among people who mean it harm: bounded work, bounded memory, and it still answers."""

import base64
import random
import sqlite3
import time
from contextlib import ExitStack, closing, suppress

import pysequoia
import pytest

from kit.certificates import Certificate, EncryptionKey, packet, usual
from kit.hkpd_daemon import ALICE, GET, answer_of, running

MIB = 1 << 20
FLOOD_MIB = 100  # more than any one input may cost


@pytest.fixture(scope="module")
def daemon():
    with running() as one:
        answer = one.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(one.made.raw).decode()})
        assert answer["fingerprint"] == one.made.fingerprint
        yield one


@pytest.fixture(autouse=True)
def _still_answers(daemon):
    before = daemon.memory()
    yield
    status, body = daemon.get()
    assert status == 200
    assert body.startswith(b"-----BEGIN PGP PUBLIC KEY BLOCK-----")
    assert daemon.memory() - before < FLOOD_MIB * MIB
    assert b"Traceback" not in daemon.log.read_bytes()
    assert b"failed" not in daemon.log.read_bytes()


def nested():
    """A compressed packet around compressed zeros, as the "bomb" of other key servers."""
    return packet(8, b"\x02" + b"\x78\x9c" + bytes(60000))


def flood(kind):
    made = usual(ALICE, int(time.time()) - 60)
    noise = {
        "bogus self-signatures": packet(2, made.raw[-116:][:60] * 3),
        "bare user IDs": packet(13, b"x <x@provider.example>"),
        "subkeys": packet(14, EncryptionKey(made.created).body),
        "photographs": packet(17, b"\x05\x01\xff\xd8\xff" + bytes(2000)),
    }[kind]
    return made.raw + noise * ((16 * MIB) // len(noise))


HOSTILE = {
    "zeros": bytes(MIB),
    "random": random.Random(1).randbytes(200_000),  # noqa: S311 - the same bytes every time
    "bomb": nested(),
    "bomb after a key": usual(ALICE, 1_700_000_000).raw + nested(),
    "partial lengths": packet(6, b"\x04" + bytes(50)) + b"\xc2\xe0a" * 80000,
    "a length of 4 GB": b"\xc6\xff\xff\xff\xff\xff\x04",
    "endless armor": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" + b"AAAA\n" * 50000,
    "many armors": b"-----BEGIN PGP PUBLIC KEY BLOCK-----\n\n" * 5000,
    "private": bytes(pysequoia.Tsk.generate(user_id=f"A <{ALICE}>")),
    "forged user ID": Certificate(1_700_000_000).user_id(f"A <{ALICE}>").raw[:-1] + b"\x00",
    "truncated": usual(ALICE, 1_700_000_000).raw[:200],
}


@pytest.mark.parametrize("name", HOSTILE)
def test_uploads_that_are_refused(daemon, name):
    started = time.monotonic()
    answer = daemon.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(HOSTILE[name][:262_145]).decode()})
    assert "error" in answer, answer
    assert time.monotonic() - started < 2.5  # watchdog: five times the promise


@pytest.mark.parametrize("kind", ["bogus self-signatures", "bare user IDs", "subkeys", "photographs"])
def test_sixteen_megabytes_are_not_even_read(daemon, kind):
    line = b'{"do": "publish", "account": "%s", "key": "%s"}\n' % (ALICE.encode(), base64.b64encode(flood(kind)))
    with closing(daemon.connect("commands")) as one:
        try:
            one.sendall(line)
        except (BrokenPipeError, ConnectionResetError):
            return
        assert b"too long" in one.recv(4096)


def test_floods_inside_the_limit_of_bytes(daemon):
    for kind in ("bogus self-signatures", "bare user IDs", "subkeys", "photographs"):
        key = base64.b64encode(flood(kind)[:262_000]).decode()
        assert "error" in daemon.ask({"do": "publish", "account": ALICE, "key": key})


def test_a_private_key_leaves_no_trace(daemon):
    secret = HOSTILE["private"]
    daemon.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(secret).decode()})
    daemon.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(str(secret).encode()).decode()})
    with closing(sqlite3.connect(daemon.folder / "outrider.db")) as database:
        assert database.execute("SELECT count(*) FROM certificate").fetchone() == (1,)
    for path in daemon.folder.iterdir():
        if path.is_file():
            assert secret[-40:] not in path.read_bytes()


def test_a_cut_at_every_byte(daemon):
    whole = daemon.get()
    for cut in range(len(GET)):
        with closing(daemon.connect("hkp")) as one:
            one.sendall(GET[:cut])
            one.sendall(GET[cut:])
            assert answer_of(one) == whole


@pytest.mark.parametrize(
    ("data", "status"),
    [
        (b"\x00" * 1000, 400),
        (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + bytes(500), 400),  # TLS on the plain port
        (b"GET /" + b"a" * MIB, 431),
        (b"GET / HTTP/1.1\r\n" + b"X: y\r\n" * 100000, 431),
        (b"POST /pks/add HTTP/1.1\r\nHost: k\r\nContent-Length: 16777216\r\n\r\n" + bytes(MIB), 413),
        (b"POST /pks/add HTTP/1.1\r\nHost: k\r\nTransfer-Encoding: chunked\r\n\r\n1\r\na\r\n" * 1000, 411),
        (b"GET / HTTP/9.9\r\n\r\n", 400),
        (b"GET /pks/lookup?" + b"&" * 10000 + b" HTTP/1.1\r\nHost: k\r\n\r\n", 400),
        (b"GET /pks/lookup?op=get&search=%00 HTTP/1.1\r\nHost: k\r\n\r\n", 404),
        (b"GET /pks/lookup?op=get&search=" + b"%F0%9F%94%91" * 1000 + b" HTTP/1.1\r\nHost: k\r\n\r\n", 404),
        (b"GET /pks/lookup?op=get&search=a%27%20OR%201=1--@provider.example HTTP/1.1\r\nHost: k\r\n\r\n", 404),
        (b"GET /pks/lookup?op=get&search=%25@provider.example HTTP/1.1\r\nHost: k\r\n\r\n", 404),
        (b"GET http://[::1/ HTTP/1.1\r\nHost: k\r\n\r\n", 400),
        (b"GET /../../etc/passwd HTTP/1.1\r\nHost: k\r\n\r\n", 404),
    ],
    ids=range(14),
)
def test_requests_that_make_no_sense(daemon, data, status):
    with closing(daemon.connect("hkp")) as one:
        with suppress(BrokenPipeError, ConnectionResetError):  # it closed before all was sent; its answer is there
            one.sendall(data)
        assert answer_of(one)[0] == status


def test_two_hundred_idle_connections_and_one_look_up(daemon):
    with ExitStack() as stack:
        for _ in range(200):
            stack.enter_context(closing(daemon.connect("hkp")))
        started = time.monotonic()
        assert daemon.get()[0] == 200
        assert time.monotonic() - started < 2.5


def test_more_connections_than_allowed_are_closed_and_the_front_is_not_touched(daemon):
    with ExitStack() as stack:
        ones = [stack.enter_context(closing(daemon.connect("hkp"))) for _ in range(260)]
        ones[-1].sendall(GET)
        with pytest.raises(ConnectionError):
            answer_of(ones[-1])
        assert daemon.get(name="front")[0] == 200


def test_pipelined_requests_are_all_answered(daemon):
    with closing(daemon.connect("hkp")) as one, one.makefile("rb") as answers:
        one.sendall(GET * 500 + GET.replace(b"\r\n\r\n", b"\r\nConnection: close\r\n\r\n"))
        assert answers.read().count(b"HTTP/1.1 200 OK\r\n") == 501


def test_a_peer_that_does_not_read_costs_little(daemon):
    before = daemon.memory()
    with closing(daemon.connect("hkp")) as one:
        one.settimeout(0.5)
        sent = 0
        try:
            while sent < 64 * MIB:
                sent += one.send(GET * 100)
        except TimeoutError:
            pass
        assert sent < 64 * MIB
        assert daemon.memory() - before < 32 * MIB


def test_concurrent_publishing_never_shows_half_a_key(daemon):
    """Two versions of alice's key in turn: every look-up gives one of them, whole."""
    short, long = daemon.made.raw, daemon.made.raw + packet(13, b"")
    more = Certificate(daemon.made.created, daemon.made.key, daemon.made.raw).subkey(EncryptionKey(daemon.made.created))
    seen = set()
    with closing(daemon.connect("hkp")) as one:
        for raw in (short, more.raw, long, more.raw, short) * 4:
            daemon.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(raw).decode()})
            one.sendall(GET)
            status, body = answer_of(one)
            assert status == 200
            assert body.endswith(b"-----END PGP PUBLIC KEY BLOCK-----\n")
            seen.add(body)
    assert 1 <= len(seen) <= 2
