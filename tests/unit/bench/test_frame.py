"""The frame of the benchmarks: order of runs, medians, targets, the file."""

import json
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import pytest

from bench import frame
from bench.frame import Case, Group, Options, Result, measure, meets, run, table, write


def case(ours: list[float], peer: list[float], order: list[str], target: str = "≥ 3") -> Case:
    def side(name: str, numbers: Iterator[float]) -> float:
        order.append(name)
        return next(numbers)

    first, second = iter(ours), iter(peer)
    return Case("one", "logins/s", target, lambda: side("ours", first), lambda: side("peer", second))


def result(ratio: float, target: str) -> Result:
    return Result("one", 2.0, 1.0, "logins/s", ratio, target, 3, (ratio, ratio), "make bench")


def test_runs_alternate_and_the_ratio_is_the_median_of_the_pairs() -> None:
    order: list[str] = []
    found = measure(case([10, 40, 90], [10, 10, 10], order), 3, "make bench", lambda _: None)
    assert order == ["ours", "peer"] * 3
    assert (found.ours, found.peer, found.ratio, found.spread, found.runs) == (40, 10, 4, (1, 9), 3)
    assert found.met


@pytest.mark.parametrize(
    ("ratio", "target", "right"),
    [(3.0, "≥ 3", True), (2.99, "≥ 3", False), (0.6, "≥ 0.6", True), (5.0, "≤ 5", True), (5.1, "≤ 5", False)],
)
def test_a_target_is_met_or_missed(ratio: float, target: str, right: bool) -> None:
    assert meets(ratio, target) is right


@pytest.mark.parametrize("target", ["3", ">= 3", "≥3", "≥ many", ""])
def test_a_target_that_says_nothing_is_an_error(target: str) -> None:
    with pytest.raises(ValueError, match=r"target|float"):
        measure(case([1], [1], [], target), 1, "make bench", lambda _: None)


def test_the_table_shows_what_was_missed() -> None:
    rows = table([result(2.0, "≥ 3"), result(4.0, "≥ 3")]).splitlines()
    assert len({len(row) for row in rows}) == 1
    assert "**missed**" in rows[2]
    assert "**missed**" not in rows[3]


def test_the_file_has_the_named_fields(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(frame, "RESULTS", tmp_path)
    write("authd", [result(4.0, "≥ 3")])
    rows = json.loads((tmp_path / "authd.json").read_text())
    assert rows[0].keys() == {"case", "ours", "peer", "unit", "ratio", "target", "runs", "spread", "command"}
    assert (rows[0]["ratio"], rows[0]["target"], rows[0]["spread"]) == (4.0, "≥ 3", [4.0, 4.0])


def test_a_group_that_nobody_asked_for_is_not_opened() -> None:
    opened: list[str] = []

    def group(name: str) -> Group:
        @contextmanager
        def cases(_: Options) -> Iterator[Sequence[Case]]:
            opened.append(name)
            yield [case([1] * 9, [1] * 9, [])]

        return Group(name, cases)

    groups = [group("12"), group("13")]
    assert len(run("authd", groups, Options(runs=2), lambda _: None)) == 2
    assert len(run("authd", groups, Options(runs=2, groups=("13",)), lambda _: None)) == 1
    assert run("authd", groups, Options(runs=2, groups=("12",), only="other"), lambda _: None) == []
    assert opened == ["12", "13", "13", "12"]
