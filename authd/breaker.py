"""A breaker: after several failures in a row a service is left alone for a while, then asked once to see.

closed --FAILURES_MOST failures--> open for OPEN_SECONDS --> one probe --> closed | open again
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager

FAILURES_MOST = 5
OPEN_SECONDS = 30.0
"""Who waits for a service that does not answer gets his "later" at once meanwhile, not after its time limit."""


class Open(Exception):
    """The service is left alone now."""


class Attempt:
    """One use of the service; it counts as failed unless it says otherwise."""

    def __init__(self) -> None:
        self.worked = False


class Breaker:
    """Counts for one service."""

    def __init__(self, monotonic: Callable[[], float]) -> None:
        self._monotonic = monotonic
        self._failures = 0
        self._until = 0.0
        self._probing = False

    @contextmanager
    def attempt(self) -> Iterator[Attempt]:
        """Raises Open instead of beginning."""
        probe = self._failures >= FAILURES_MOST
        if probe:
            if self._probing or self._monotonic() < self._until:
                raise Open
            self._probing = True
        attempt = Attempt()
        try:
            yield attempt
        finally:
            if probe:
                self._probing = False
            if attempt.worked:
                self._failures = 0
            else:
                self._failures += 1
                self._until = self._monotonic() + OPEN_SECONDS
