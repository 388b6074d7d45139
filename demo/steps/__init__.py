"""The tour's steps, in the order they are walked."""

from __future__ import annotations

from demo.steps import aliases, keys, logins
from demo.tour import Step

STEPS: tuple[Step, ...] = (*logins.STEPS, *aliases.STEPS, *keys.STEPS)
