"""A walk through the main job in front of the reader's eyes: each step shows the lines that a real client saw."""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass, field

from demo.bare import Say
from demo.commands import CommandFailed
from demo.people import Codes
from demo.provider import Demo, Exchange, Provider, User


class NotSo(AssertionError):
    """A step saw something else than what the demo promises."""


@dataclass
class Walk:
    """What the steps share: the demo, its people, unused one-time codes, and what an earlier step made."""

    demo: Demo
    provider: Provider
    alice: User
    bob: User
    codes: Codes
    made: dict[str, str] = field(default_factory=dict)

    def secret(self) -> str:
        """alice's one-field secret: password and an unused code."""
        return f"{self.alice.password}{self.codes.next()}"


@dataclass(frozen=True)
class Step:
    """One thing worth seeing; `run` returns lines of dialogue and raises NotSo if it was not so."""

    title: str
    run: Callable[[Walk], list[str]]


def must(truth: bool, what: str, lines: list[str]) -> None:
    """NotSo with the dialogue unless `truth`."""
    if not truth:
        raise NotSo("\n".join([*lines, f"expected: {what}"]))


def telling(exchange: Exchange, *words: str) -> list[str]:
    """The lines of a dialogue that hold one of the words, in whatever case, without lists of abilities."""
    low = [word.lower() for word in words]
    return [line for line in exchange.lines if any(word in line.lower() for word in low) and "CAPABILITY" not in line]


def walk(demo: Demo, say: Say) -> int:
    """All steps in order; 0 if each was right. A wrong step is shown and the walk ends."""
    from demo.steps import STEPS  # noqa: PLC0415 - the steps import this module's Step

    alice = demo.user("alice")
    assert alice.totp_secret
    walking = Walk(demo, demo.provider, alice, demo.user("bob"), Codes(alice.totp_secret))
    started = time.monotonic()
    for number, step in enumerate(STEPS, 1):
        say(f"\n{number}. {step.title}")
        try:
            lines = step.run(walking)
        except (NotSo, CommandFailed) as trouble:
            say("".join(f"     {line}\n" for line in str(trouble).splitlines()) + f"   not so (step {number})")
            return 1
        say("\n".join(f"     {line}" for line in lines))
    say(f"\nAll {len(STEPS)} steps were right, Debian {demo.release}, {time.monotonic() - started:.0f} s.")
    return 0
