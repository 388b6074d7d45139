"""The limits as a table of times: who is judged, who is not, and for how long."""

from dataclasses import replace

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from authd.bounded import Bounded
from authd.decide import Why
from authd.limits import (
    ACCOUNT_BURST,
    ACCOUNT_SECONDS,
    CODES_FREE,
    CODES_LONGEST,
    NETWORK_BURST,
    NETWORK_SECONDS,
    PAIR_FREE,
    PAIRS_MOST,
    REPEAT_SECONDS,
    Attempt,
    Class,
    Lane,
    Limits,
    Refusal,
    class_of,
)

A, B, C = Class.STRANGER, Class.TOKEN, Class.SECRET
ALICE = Attempt(b"alice", "192.0.2.0/24", "imap", tag=1, known=False, with_code=False)
HOME = replace(ALICE, network="198.51.100.0/24", known=True)
NOWHERE = replace(ALICE, network="")


def fail(limits: Limits, attempt: Attempt, times: int, now: float, kind: Class = A) -> float:
    """So many judged failures with different fields, each as soon as it is judged; the time afterwards."""
    for tag in range(1000, 1000 + times):
        while limits.refused(attempt, now) is not None:
            now += 1
        limits.failed(replace(attempt, tag=tag), kind, now)
    return now


def wait(limits: Limits, attempt: Attempt, now: float) -> float:
    """Seconds until the next try is judged."""
    until = now
    while limits.refused(attempt, until) is not None:
        until += 0.5
    return until - now


# Class A: nothing right -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("failures", "seconds"),
    [(1, 0), (PAIR_FREE, 0), (PAIR_FREE + 1, 1), (PAIR_FREE + 2, 2), (PAIR_FREE + 3, 4), (PAIR_FREE + 7, 60), (25, 60)],
)
def test_different_wrong_fields_hold_up_the_next_try(failures: int, seconds: float) -> None:
    limits = Limits()
    now = fail(limits, ALICE, failures, 0.0)
    assert wait(limits, ALICE, now) == seconds
    assert limits.refused(ALICE, now) == (Refusal.PAIR if seconds else None)


def test_a_pause_holds_for_the_network_account_and_service_that_failed() -> None:
    limits = Limits()
    now = fail(limits, ALICE, 12, 0.0)
    assert limits.refused(ALICE, now) is Refusal.PAIR
    for other in (HOME, replace(ALICE, who=b"bob"), replace(ALICE, service="web"), NOWHERE):
        assert limits.refused(other, now) is None


def test_what_is_refused_prolongs_nothing() -> None:
    limits = Limits()
    now = fail(limits, ALICE, PAIR_FREE + 5, 0.0)
    for part in range(15):
        assert limits.refused(ALICE, now + part) is Refusal.PAIR
    assert limits.refused(ALICE, now + 16) is None


@pytest.mark.parametrize("times", [3, 300])
def test_one_mistyped_password_sent_again_and_again_is_one_failure(times: int) -> None:
    """Thunderbird tries three times; a telephone comes back every five minutes."""
    limits = Limits()
    counted = 0
    for number in range(times):
        assert limits.refused(ALICE, number * 300.0) is None
        counted += limits.failed(ALICE, A, number * 300.0)
    assert counted <= 1 + times * 300 // 3600


def test_an_old_failure_is_forgotten_after_an_hour() -> None:
    limits = Limits()
    now = fail(limits, ALICE, PAIR_FREE + 6, 0.0)
    now = fail(limits, ALICE, PAIR_FREE, now + 3601)
    assert limits.refused(ALICE, now) is None


def test_a_login_with_the_password_ends_the_pauses_of_its_place_and_fills_no_bucket() -> None:
    limits = Limits()
    now = fail(limits, ALICE, PAIR_FREE, 0.0)
    limits.succeeded(ALICE)
    now = fail(limits, ALICE, PAIR_FREE, now)
    assert limits.refused(ALICE, now) is None
    others = [replace(ALICE, who=b"%d" % number) for number in range(int(NETWORK_BURST) - 2 * PAIR_FREE)]
    for other in others:
        limits.failed(other, A, now)
        limits.succeeded(other)
    assert limits.refused(ALICE, now) is Refusal.NETWORK


def test_a_network_has_its_failures_in_a_bucket_whoever_they_are_about() -> None:
    limits = Limits()
    for number in range(int(NETWORK_BURST)):
        other = replace(ALICE, who=b"%d" % number)
        assert limits.refused(other, 0.0) is None
        limits.failed(other, A, 0.0)
    assert limits.refused(ALICE, 0.0) is Refusal.NETWORK
    assert limits.refused(replace(ALICE, network="192.0.3.0/24"), 0.0) is None
    assert limits.refused(replace(ALICE, known=True), 0.0) is None  # the owner who lives behind the same address
    assert limits.refused(ALICE, NETWORK_SECONDS) is None
    limits.failed(replace(ALICE, who=b"x"), A, NETWORK_SECONDS)
    assert limits.refused(ALICE, NETWORK_SECONDS) is Refusal.NETWORK


def test_when_strangers_have_used_up_the_hour_known_networks_are_judged() -> None:
    limits = Limits()
    for number in range(int(ACCOUNT_BURST)):
        stranger = replace(ALICE, network=f"10.{number}.0.0/24")
        assert limits.refused(stranger, 0.0) is None
        limits.failed(stranger, A, 0.0)
    for known, refused in ((ALICE, Refusal.ACCOUNT), (NOWHERE, Refusal.ACCOUNT), (HOME, None)):
        assert limits.refused(known, 0.0) is refused
    assert limits.refused(replace(ALICE, who=b"bob"), 0.0) is None
    assert limits.refused(ALICE, ACCOUNT_SECONDS) is None


def test_without_an_address_nobody_is_held_up_for_others() -> None:
    limits = Limits()
    for number in range(int(ACCOUNT_BURST) - 1):
        limits.failed(replace(NOWHERE, tag=number), A, 0.0)
    assert limits.refused(NOWHERE, 0.0) is None
    for number in range(int(NETWORK_BURST) * 2):
        limits.failed(replace(NOWHERE, who=b"%d" % number), A, 0.0)
    assert limits.refused(NOWHERE, 0.0) is None


# Class C: the secret was right ------------------------------------------------------------------------------

CODE = replace(ALICE, service="web", with_code=True)


@pytest.mark.parametrize(
    ("failures", "seconds"), [(CODES_FREE, 0), (CODES_FREE + 1, 60), (CODES_FREE + 2, 120), (30, CODES_LONGEST)]
)
def test_wrong_codes_in_a_row_hold_up_the_next_code(failures: int, seconds: float) -> None:
    limits = Limits()
    now = 0.0
    for tag in range(failures):
        now += wait(limits, CODE, now)
        limits.failed(replace(CODE, tag=tag), C, now)
    assert wait(limits, CODE, now) == seconds
    assert limits.refused(replace(CODE, with_code=False), now) is None
    assert limits.refused(replace(CODE, network="198.51.100.0/24"), now) is None


def test_the_same_wrong_code_counts_again_when_its_life_is_over() -> None:
    limits = Limits()
    assert limits.failed(CODE, C, 0.0)
    assert not limits.failed(CODE, C, 3.0)
    assert not limits.failed(CODE, C, REPEAT_SECONDS)
    assert limits.failed(CODE, C, REPEAT_SECONDS + 1)


def test_right_codes_beside_wrong_secrets_hold_nobody_up_but_are_told_apart() -> None:
    limits = Limits()
    assert [limits.failed(replace(CODE, tag=tag), B, 0.0) for tag in (1, 2, 1, 2, 3)] == [
        True,
        True,
        False,
        False,
        True,
    ]
    assert limits.refused(CODE, 0.0) is None


def test_a_password_at_another_door_ends_no_pause_of_codes() -> None:
    limits = Limits()
    now = fail(limits, CODE, CODES_FREE + 1, 0.0, C)
    limits.succeeded(replace(CODE, with_code=False))
    assert limits.refused(CODE, now) is Refusal.CODES
    limits.succeeded(CODE)
    assert limits.refused(CODE, now) is None


# Lanes, bounds, classes -------------------------------------------------------------------------------------


def test_who_has_failed_waits_behind_who_has_not() -> None:
    limits = Limits()
    assert (limits.lane(HOME, 0.0), limits.lane(ALICE, 0.0)) == (Lane.KNOWN, Lane.FRESH)
    for one in (HOME, ALICE):
        limits.failed(one, A, 0.0)
        assert limits.lane(one, 0.0) is Lane.FAILED
        assert limits.lane(one, 4000.0) is not Lane.FAILED


def test_memory_is_bounded_and_the_untouched_goes_first() -> None:
    kept: Bounded[int, str] = Bounded(3)
    for number in (1, 2, 3):
        kept.put(number, "x")
    assert kept.get(1) == "x"
    kept.put(4, "x")
    assert [kept.get(number) for number in (1, 2, 3, 4)] == ["x", None, "x", "x"]
    assert len(kept) == 3
    assert PAIRS_MOST < 100_000


@given(st.lists(st.tuples(st.integers(0, 3), st.integers(0, 5), st.sampled_from([A, B, C]), st.floats(0, 100))))
@settings(max_examples=50, deadline=None)
def test_no_stranger_ever_keeps_a_known_owner_waiting(happened: list[tuple[int, int, Class, float]]) -> None:
    limits, now = Limits(), 0.0
    for network, tag, kind, later in happened:
        now += later
        limits.failed(replace(ALICE, network=f"10.0.{network}.0/24", tag=tag), kind, now)
        assert limits.refused(HOME, now) is None
        assert limits.refused(replace(HOME, with_code=True), now) is None


def test_every_reason_has_a_class() -> None:
    stranger = {Why.NOTHING, Why.NOBODY, Why.DISABLED, Why.ENDED, Why.FIELD, Why.LIMITED}
    assert {why for why in Why if class_of(why) is A} == stranger
    assert {why for why in Why if class_of(why) is B} == {Why.CODE_ONLY}
    assert {why for why in Why if class_of(why) is C} == {Why.SECRET_ONLY, Why.SPENT, Why.CODES_LIMITED}
