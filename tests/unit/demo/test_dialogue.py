"""The demo's mail programs: what they show never holds a secret, and every library's answer has one shape."""

import base64

import pytest

from demo import client
from demo.provider import User, letter, transaction

SECRET = "hunter2 0123"


@pytest.mark.parametrize(
    "line",
    [
        f'C: A1 LOGIN alice@provider.example "{SECRET}"',
        f"C: AUTH PLAIN {base64.b64encode(f'{SECRET}'.encode()).decode()}",
        f'C: AUTHENTICATE "PLAIN" "{base64.b64encode(SECRET.encode()).decode()}"',
        f"C: PASS {SECRET}",
    ],
)
def test_secrets_are_masked(line):
    shown = client.mask(line, [SECRET])
    assert client.MASK in shown
    assert SECRET not in shown
    assert base64.b64encode(SECRET.encode()).decode() not in shown


def test_other_lines_stay():
    assert client.mask("S: 535 5.7.8 no", [SECRET, ""]) == "S: 535 5.7.8 no"


@pytest.mark.parametrize(
    ("answer", "shape"),
    [
        ((250, b"2.1.0 Ok"), [250, "2.1.0 Ok"]),
        (("OK", [b"1"]), ["OK", "1"]),
        (("OK", [(b"1 (BODY[] {3}", b"abc"), b")"]), ["OK", "1 (BODY[] {3}\nabc\n)"]),
        (b"+OK 2 messages", ["+OK", "+OK 2 messages"]),
        ((b"+OK", [b"a", b"b"], 4), ["+OK", "a\nb"]),
        (["OK", 'OK "done"'], ["OK", 'OK "done"']),
    ],
)
def test_answers_have_one_shape(answer, shape):
    assert client.plain(answer) == shape


def test_people_do_not_show_their_secrets():
    assert SECRET not in repr(User("a@b", SECRET, 4, SECRET, SECRET))


def test_a_letter_has_crlf_everywhere():
    text = letter("a@x", "b@y", "Subject", "one\r\ntwo")
    assert text.count("\n") == text.count("\r\n") == 6
    assert transaction("a@x", "b@y", None)[2][1].startswith("From: a@x\r\nTo: b@y\r\n")
