"""One way to run a program: a list, a deadline, and an error that shows what the program said."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path

PATIENCE = 600.0  # seconds; the longest single step (a package installation on a busy two-core machine) takes 120


class CommandFailed(RuntimeError):
    """A program ended with a status that the caller did not expect, or not at all."""


def call(
    command: Sequence[str | Path],
    *,
    text: str | None = None,
    check: bool = True,
    seconds: float = PATIENCE,
    env: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> subprocess.CompletedProcess[str]:
    """Run `command` with `text` on its standard input; raise CommandFailed unless it ends with 0 (or check=False).

    The error shows the program's last lines, never the text it was fed (that may be a password).
    """
    words = [str(word) for word in command]
    feed = {"stdin": subprocess.DEVNULL} if text is None else {"input": text}
    try:
        done = subprocess.run(
            words,
            capture_output=True,
            text=True,
            errors="replace",
            check=False,
            timeout=seconds,
            env=env,
            cwd=cwd,
            **feed,
        )
    except subprocess.TimeoutExpired as late:
        raise CommandFailed(f"{' '.join(words)}\n  did not end within {seconds:.0f} s") from late
    except FileNotFoundError as missing:
        raise CommandFailed(f"program not found: {words[0]}") from missing
    if check and done.returncode != 0:
        tail = "\n  ".join((done.stdout + done.stderr).strip().splitlines()[-25:])
        raise CommandFailed(f"{' '.join(words)}\n  ended with {done.returncode}:\n  {tail}")
    result: subprocess.CompletedProcess[str] = done
    return result
