"""What a test needs of the machine: missing, it is an error in CI and a named skip elsewhere."""

import os
import shutil

import pytest


def missing(reason: str) -> None:
    """Fail in CI, skip elsewhere, with the reason."""
    if os.environ.get("CI"):
        pytest.fail(f"missing in CI: {reason}", pytrace=False)
    pytest.skip(reason)


def need(*programs: str) -> None:
    """The programs must be found by PATH."""
    for program in programs:
        if shutil.which(program) is None:
            missing(f"{program} is not installed")


def need_root() -> None:
    """The test boots Debian roots."""
    if os.geteuid() != 0:
        missing("root: boots Debian in namespaces of its own")
    need("mmdebstrap", "unshare", "nsenter", "setpriv", "ip", "openssl")
