"""The frame of all benchmarks: cases, interleaved runs, a table, a file of results.

A case compares us with a peer in the same minutes on the same machine: ours, peer, ours, peer … Its ratio is the
median of the pairs' ratios; the spread is their lowest and highest. Absolute numbers depend on the machine, the ratio
hardly does.
"""

from __future__ import annotations

import json
import statistics
import time
from collections.abc import Callable, Iterable, Sequence
from contextlib import AbstractContextManager
from dataclasses import asdict, dataclass
from pathlib import Path

RESULTS = Path(__file__).with_name("results")


@dataclass(frozen=True)
class Case:
    """One row: `ours` and `peer` each measure once and return a number in `unit`."""

    case: str
    unit: str
    target: str
    """`≥ 3` or `≤ 5`: what the ratio ours / peer is to be."""
    ours: Callable[[], float]
    peer: Callable[[], float]


@dataclass(frozen=True)
class Result:
    """One row of results/NAME.json."""

    case: str
    ours: float
    peer: float
    unit: str
    ratio: float
    target: str
    runs: int
    spread: tuple[float, float]
    """Lowest and highest ratio of a pair."""
    command: str

    @property
    def met(self) -> bool:
        return meets(self.ratio, self.target)


@dataclass(frozen=True)
class Options:
    """How long and how often; `groups` and `only` choose cases, the latter by a part of their name."""

    runs: int = 4
    seconds: float = 5.0
    groups: tuple[str, ...] = ()
    only: str = ""


@dataclass(frozen=True)
class Group:
    """Cases that share a host."""

    name: str
    open: Callable[[Options], AbstractContextManager[Sequence[Case]]]


def meets(ratio: float, target: str) -> bool:
    """Whether the ratio is as the target wants it; ValueError for a target that is no `≥ N` or `≤ N`."""
    sign, _, number = target.partition(" ")
    match sign:
        case "≥":
            return ratio >= float(number)
        case "≤":
            return ratio <= float(number)
        case _:
            raise ValueError(f"a target is '≥ N' or '≤ N', not {target!r}")


def measure(case: Case, runs: int, command: str, say: Callable[[str], None]) -> Result:
    """Interleaved runs of one case; the first of each side counts like all others."""
    meets(0.0, case.target)
    ours, peer = [], []
    for number in range(runs):
        ours.append(case.ours())
        peer.append(case.peer())
        say(f"  {case.case}: run {number + 1} of {runs}: {ours[-1]:.4g} against {peer[-1]:.4g} {case.unit}")
    ratios = [one / other for one, other in zip(ours, peer, strict=True)]
    return Result(
        case=case.case,
        ours=significant(statistics.median(ours)),
        peer=significant(statistics.median(peer)),
        unit=case.unit,
        ratio=significant(statistics.median(ratios)),
        target=case.target,
        runs=runs,
        spread=(significant(min(ratios)), significant(max(ratios))),
        command=command,
    )


def significant(number: float) -> float:
    """Three digits: more would say more than was measured."""
    return float(f"{number:.3g}")


def run(name: str, groups: Iterable[Group], options: Options, say: Callable[[str], None]) -> list[Result]:
    """All cases of all groups; a group's hosts live as long as its cases need them."""
    command = f"make bench BENCH={name} RUNS={options.runs} SECONDS={options.seconds:g}"
    results: list[Result] = []
    for group in groups:
        if options.groups and group.name not in options.groups:
            continue
        with group.open(options) as cases:
            chosen = [case for case in cases if options.only in case.case]
            results += [measure(case, options.runs, command, say) for case in chosen]
    return results


def table(results: Sequence[Result]) -> str:
    """The rows as a Markdown table, which a person can read in the terminal too."""
    head = ("case", "ours", "peer", "unit", "ratio", "spread", "target", "")
    rows = [
        (
            one.case,
            f"{one.ours:g}",
            f"{one.peer:g}",
            one.unit,
            f"{one.ratio:.2f}",
            f"{one.spread[0]:.2f}–{one.spread[1]:.2f}",
            one.target,
            "met" if one.met else "**missed**",
        )
        for one in results
    ]
    widths = [max(len(row[column]) for row in [head, *rows]) for column in range(len(head))]
    rule = "|" + "|".join("-" * (width + 2) for width in widths) + "|"
    return "\n".join([line(head, widths), rule, *(line(row, widths) for row in rows)])


def line(row: Sequence[str], widths: Sequence[int]) -> str:
    return "| " + " | ".join(text.ljust(width) for text, width in zip(row, widths, strict=True)) + " |"


def write(name: str, results: Sequence[Result]) -> Path:
    """results/NAME.json."""
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps([asdict(one) for one in results], indent=2, ensure_ascii=False) + "\n")
    return path


def today() -> str:
    return time.strftime("%Y-%m-%d")
