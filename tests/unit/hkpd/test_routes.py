"""What the requests of real programs mean, and what is answered without a look-up."""

import pytest

from hkpd.protocol import answers
from hkpd.protocol.queries import ByAddress, ByFingerprint, ByKeyId, Get, Index, WkdKey
from hkpd.protocol.requests import Request
from hkpd.protocol.routes import route
from hkpd.protocol.wkd import wkd_hash, zbase32

FINGERPRINT = "0123456789abcdef0123456789abcdef01234567"
LONG = FINGERPRINT + FINGERPRINT[:24]
ALICE = "alice@provider.example"
INDEX = Index(ByAddress(ALICE), machine=True)
HASH = "kei1q4tipxxu1yj79k9kfukdhfy631xe"  # of alice


def asked(target, *, method="GET", host="keys.provider.example", behind_tls=True):
    return route(Request(method, target.encode("latin-1"), host, "", True), behind_tls=behind_tls)


@pytest.mark.parametrize(
    ("target", "query"),
    [
        # gpg --recv-keys, --locate-keys by keyserver, --search-keys; as recorded
        (f"/pks/lookup?op=get&options=mr&search=0x{FINGERPRINT.upper()}", Get(ByFingerprint(FINGERPRINT))),
        ("/pks/lookup?op=get&options=mr&search=0x0123456789ABCDEF", Get(ByKeyId("0123456789abcdef"))),
        ("/pks/lookup?op=get&options=mr&search=alice%40provider.example&exact=on", Get(ByAddress(ALICE))),
        (
            "/pks/lookup?op=index&options=mr&fingerprint=on&search=alice%40provider.example",
            Index(ByAddress(ALICE), True),
        ),
        ("/pks/lookup?op=get&search=" + ALICE, Get(ByAddress(ALICE))),
        ("/pks/lookup?op=get&search=Alice+%3CAlice%40Provider.Example%3E", Get(ByAddress(ALICE))),
        ("/pks/lookup?op=get&search=%3Calice%40provider.example%3E", Get(ByAddress(ALICE))),
        (f"/pks/lookup?op=vindex&search=0X{LONG}", Index(ByFingerprint(LONG), False)),
        ("/pks/lookup?op=index&options=nm,mr&search=" + ALICE, Index(ByAddress(ALICE), True)),
        ("http://keys.provider.example:11371/pks/lookup?op=get&search=" + ALICE, Get(ByAddress(ALICE))),
    ],
)
def test_look_ups(target, query):
    assert asked(target) == query
    assert asked(target, method="HEAD", behind_tls=False) == query


@pytest.mark.parametrize(
    ("target", "answer"),
    [
        ("/pks/lookup?op=get&search=0x01234567", answers.SHORT_KEY_ID),
        ("/pks/lookup?op=get&search=0x" + "0" * 32, answers.SHORT_KEY_ID),
        ("/pks/lookup?op=get&search=0x" + "0" * 41, answers.BAD_REQUEST),
        ("/pks/lookup?op=index&options=mr&search=alice", answers.NOT_FOUND),
        ("/pks/lookup?op=index&search=provider.example", answers.NOT_FOUND),
        ("/pks/lookup?op=index&search=@provider.example", answers.NOT_FOUND),
        ("/pks/lookup?op=index&search=*@provider.example", answers.Answer),
        ("/pks/lookup?op=index&search=0xzz", answers.NOT_FOUND),
        ("/pks/lookup?op=get&search=", answers.BAD_REQUEST),
        ("/pks/lookup?op=get", answers.BAD_REQUEST),
        ("/pks/lookup", answers.BAD_REQUEST),
        ("/pks/lookup?" + "a=1&" * 100, answers.BAD_REQUEST),
        ("/pks/lookup?op=get&search=%ff%fe%40d", answers.BAD_REQUEST),
        ("/pks/lookup?op=hget&search=00", answers.NO_SUCH_OPERATION),
        ("/pks/lookup?op=stats", answers.STATISTICS),
        ("/pks/add", answers.NO_SUCH_OPERATION),
        ("/", answers.NOT_FOUND),
        ("/pks", answers.NOT_FOUND),
        ("//", answers.Answer),
        ("*", answers.Answer),
        ("/\xff", answers.BAD_REQUEST),
    ],
)
def test_answers_without_a_look_up(target, answer):
    found = asked(target)
    if answer is answers.Answer:  # whatever the search, no answer is a guess
        assert not isinstance(found, answers.Answer) or found.status >= 400
    else:
        assert found == answer


def test_nothing_is_taken():
    assert asked("/pks/add", method="POST") == answers.NOT_TAKEN
    assert answers.NOT_TAKEN.status == 501
    assert asked("/pks/lookup?op=get&search=" + ALICE, method="POST") == answers.ONLY_GET
    assert asked("/x", method="DELETE") == answers.ONLY_GET


def test_the_hash_of_the_draft():
    assert wkd_hash("joe.doe@example.org") == "iy9q119eutrkn8s1mk4r39qejnbu3n5q"  # the example in section 3.1
    assert wkd_hash(ALICE) == HASH
    assert zbase32(b"\x00" * 5) == "y" * 8
    assert zbase32(b"\xff" * 5) == "9" * 8


def test_both_methods_of_the_web_key_directory():
    key = WkdKey("provider.example", HASH)
    advanced = f"/.well-known/openpgpkey/Provider.Example/hu/{HASH}?l=alice"
    direct = f"/.well-known/openpgpkey/hu/{HASH}?l=alice"
    assert asked(advanced, host="openpgpkey.provider.example") == key
    assert asked(direct, host="provider.example:443") == key
    assert asked(direct, host="PROVIDER.example") == key
    assert asked(advanced, behind_tls=False) == answers.NOT_FOUND


@pytest.mark.parametrize("path", ["policy", "provider.example/policy"])
def test_the_policy_file_is_there(path):
    assert asked("/.well-known/openpgpkey/" + path) == answers.WKD_POLICY


@pytest.mark.parametrize(
    "path",
    [
        "hu/",
        f"hu/{HASH}/",
        f"hu/{HASH[:-1]}",
        f"hu/{HASH}a",
        "hu/" + "l" * 32,
        f"x/{HASH}",
        "",
        "hu",
        f"a/b/hu/{HASH}",
        f"/hu/{HASH}",
        f"../hu/{HASH}",
        f"-.example/hu/{HASH}",
        "a/b/policy",
    ],
)
def test_other_paths_are_misses(path):
    assert asked("/.well-known/openpgpkey/" + path) == answers.NOT_FOUND


def test_a_direct_request_without_a_host():
    assert asked(f"/.well-known/openpgpkey/hu/{HASH}", host="") == answers.NOT_FOUND
    assert asked(f"/.well-known/openpgpkey/hu/{HASH}", host="[::1]:443") == answers.NOT_FOUND
