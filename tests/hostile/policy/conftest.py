"""The daemon as a process."""

from collections.abc import Iterator

import pytest

from kit.policy_daemon import Daemon, running


@pytest.fixture
def daemon() -> Iterator[Daemon]:
    """One for a test that hurts it."""
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def shared() -> Iterator[Daemon]:
    """One for all tests of a file: none of them may hurt it."""
    with running() as one:
        yield one
