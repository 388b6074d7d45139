"""The pool: who comes first, who is turned away, and that no thread is lost."""

import asyncio

import pytest

from authd.hashing import QUEUE_MOST, Hashing, Overload, Turns
from kit.authd_house import CheapHash


async def settled() -> None:
    for _ in range(5):
        await asyncio.sleep(0)


async def test_the_lowest_lane_comes_first_and_within_a_lane_who_came_first() -> None:
    turns, came = Turns(1), list[str]()
    await turns.take(0)

    async def wait(lane: int, name: str) -> None:
        await turns.take(lane)
        came.append(name)

    tasks = [asyncio.create_task(wait(*one)) for one in ((2, "c"), (1, "b"), (0, "a"), (2, "d"), (1, "e"))]
    await settled()
    for _ in tasks:
        turns.give()
        await settled()
    assert "".join(came) == "abecd"
    turns.give()
    await turns.take(2)


@pytest.mark.parametrize("given", [False, True])
async def test_who_goes_away_takes_no_turn_with_him(given: bool) -> None:
    turns = Turns(1)
    await turns.take(0)
    waiting = asyncio.create_task(turns.take(0))
    await settled()
    if given:
        turns.give()  # his turn has come, and he goes before he hears of it
    waiting.cancel()
    await asyncio.gather(waiting, return_exceptions=True)
    if not given:
        turns.give()
    async with asyncio.timeout(5):
        await turns.take(0)


async def test_a_queue_that_is_too_long_takes_nobody_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("authd.hashing.QUEUE_MOST", 2)
    turns = Turns(1)
    await turns.take(0)
    tasks = [asyncio.create_task(turns.take(0)) for _ in range(2)]
    await settled()
    with pytest.raises(Overload):
        await turns.take(0)
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)
    assert QUEUE_MOST < 10_000


async def test_who_is_not_allowed_when_his_turn_comes_costs_nothing() -> None:
    cheap = CheapHash()
    hashing = Hashing(1, verify=cheap.verify, burn=cheap.burn)
    for _ in range(3):
        assert await hashing.fits("cheap:x", "x", allowed=lambda: False) is None
    assert cheap.count == 0
    assert await hashing.fits("cheap:x", "x") is True
    assert cheap.count == 1
    hashing.close()


async def test_the_time_of_a_hash_is_learned_from_hashes() -> None:
    cheap = CheapHash()
    hashing = Hashing(1, verify=cheap.verify, burn=cheap.burn)
    before = hashing.typical
    for _ in range(50):
        await hashing.fits(None, "x")
    assert hashing.typical < before / 10
    hashing.close()
