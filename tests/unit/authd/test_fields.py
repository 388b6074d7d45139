"""Lines, TAB escapes and numbers of the two Dovecot protocols."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.protocol.fields import LINE_LIMIT, LineBuffer, escape, line, number, parameters, split, unescape


@pytest.mark.parametrize(
    ("text", "wire"),
    [("a\tb", "a\x01tb"), ("a\nb", "a\x01nb"), ("a\rb", "a\x01rb"), ("\0", "\x010"), ("\x01t", "\x011t"), ("ä", "ä")],
)
def test_escapes_are_dovecots(text: str, wire: str) -> None:
    assert escape(text) == wire
    assert unescape(wire) == text


@pytest.mark.parametrize(("wire", "text"), [("a\x01lb", "a\nb"), ("a\x01xb", "axb"), ("a\x01", "a")])
def test_escapes_that_others_write(wire: str, text: str) -> None:
    """The documentation's `l` for LF; an unknown escape is its letter; a lone 0x01 at the end is nothing."""
    assert unescape(wire) == text


@given(st.lists(st.text(), min_size=1))
@settings(max_examples=50, deadline=None)
def test_fields_come_back_whatever_they_hold(fields: list[str]) -> None:
    clean = [field.encode("utf-8", "replace").decode() for field in fields]
    raw = line(*clean)
    assert raw.count(b"\n") == 1
    assert split(raw[:-1]) == clean


def test_flags_have_no_value_and_values_may_hold_equal_signs() -> None:
    assert parameters(["nologin", "resp=AGE=", "service=imap"]) == {"nologin": "", "resp": "AGE=", "service": "imap"}


def test_bytes_that_are_no_utf8_stay_one_field() -> None:
    assert split(b"USER\t1\t\xff\xfe") == ["USER", "1", "��"]


@pytest.mark.parametrize("text", ["", "-1", "+1", " 1", "1 ", "1.0", "4294967296", "99999999999", "¹", "１"])
def test_numbers_that_are_none(text: str) -> None:
    assert number(text) is None


def test_numbers() -> None:
    assert number("4294967295") == 4294967295
    assert number("0") == 0


@given(st.integers(min_value=0, max_value=LINE_LIMIT + 2), st.integers(min_value=1, max_value=5000))
@settings(max_examples=30, deadline=None)
def test_a_long_line_is_too_long_in_any_split(length: int, size: int) -> None:
    stream = b"first\n" + b"x" * length + b"\n" + b"last\n"
    whole, split_up = LineBuffer(), LineBuffer()
    lines = whole.feed(stream)
    parts = [one for at in range(0, len(stream), size) for one in split_up.feed(stream[at : at + size])]
    assert lines == parts
    assert whole.overflow is split_up.overflow is (length > LINE_LIMIT)
    assert lines[-1] == (b"first" if whole.overflow else b"last")
