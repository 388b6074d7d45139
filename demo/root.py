"""A booted root as its maker sees it: up, run, reboot, down, freeze, changed_files."""

from __future__ import annotations

import os
import shlex
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from demo.changes import changed_files
from demo.commands import CommandFailed, call
from demo.keeper import Spec
from demo.layers import Layer
from demo.places import CHECKOUT

BOOT_SECONDS = 90.0  # a boot takes 1 to 2; the rest is for a machine that is busy with something else
INSIDE = "env -i PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin HOME=/root LANG=C.UTF-8"
# --root and --wd without a value mean those of process 1; with a value they would be resolved on the machine
RUN_SCRIPT = f"""#!/bin/sh
# Runs a command inside the root as root. Exit status of the command; 125 if the root is not running.
read -r pid 2>/dev/null <{{pid1}} || {{{{ echo "the root is not running" >&2; exit 125; }}}}
exec nsenter --target="$pid" --all --root --wd -- {INSIDE} "$@"
"""


class Root:
    """One root on a throw-away upper over frozen layers. `folder` must allow overlay uppers (ext4, xfs, tmpfs)."""

    def __init__(self, folder: Path, layer: Layer, *, name: str, hostname: str, engine: str, netns: Path) -> None:
        self.folder = folder
        self.layer = layer
        self.spec = Spec(name, hostname, engine, str(netns), tuple(str(each.folder) for each in layer.stack))
        self.keeper: subprocess.Popen[bytes] | None = None

    @property
    def upper(self) -> Path:
        return self.folder / "up"

    @property
    def run_script(self) -> Path:
        """A program that runs its arguments inside; stays valid over reboots."""
        return self.folder / "run"

    def write(self, path: str, text: str) -> None:
        """Put a file into the upper of a root that is not running."""
        target = self.upper / path.lstrip("/")
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_text(text)
        target.chmod(0o644)

    def up(self, seconds: float = BOOT_SECONDS) -> None:
        """Boot and wait until systemd says `running`; CommandFailed with the failed units otherwise."""
        self.folder.mkdir(parents=True, exist_ok=True)
        for stale in ("pid1", "merged"):  # of a keeper that was killed
            (self.folder / stale).unlink(missing_ok=True)
        self.write("etc/hostname", f"{self.spec.hostname}\n")
        self.spec.write(self.folder)
        self.run_script.write_text(RUN_SCRIPT.format(pid1=shlex.quote(str(self.folder / "pid1"))))
        self.run_script.chmod(0o755)
        namespaces = ["unshare", "--mount", "--propagation", "slave", "--pid", "--fork", "--kill-child", "--"]
        with (self.folder / "keeper.log").open("ab") as log:
            self.keeper = subprocess.Popen(
                [*namespaces, sys.executable, "-m", "demo.keeper", str(self.folder)],
                cwd=CHECKOUT, stdin=subprocess.PIPE, stdout=log, stderr=log, start_new_session=True,
            )  # fmt: skip
        self.wait_until_running(None, seconds)

    def pid1(self) -> int | None:
        try:
            return int((self.folder / "pid1").read_text())
        except (FileNotFoundError, ValueError):
            return None

    def wait_until_running(self, older: int | None, seconds: float = BOOT_SECONDS) -> None:
        """Wait for a process 1 other than `older` and for its systemd to finish booting."""
        bus = self.folder / "merged/run/dbus/system_bus_socket"
        self.wait(lambda: self.pid1() not in {None, older} and bus.exists(), seconds)
        self.wait(lambda: self.state(seconds) in {"running", "degraded", "maintenance"}, seconds)
        if (state := self.state(seconds)) != "running":
            failed = self.run(["systemctl", "list-units", "--failed", "--plain", "--no-legend"], check=False).stdout
            raise CommandFailed(f"{self.spec.name}: systemd says {state!r}\n{failed}")

    def state(self, seconds: float) -> str:
        """systemd's own word, waited for; empty while the bus is not answering yet."""
        return self.run(["systemctl", "is-system-running", "--wait"], check=False, seconds=seconds).stdout.strip()

    def wait(self, ready: Callable[[], bool], seconds: float) -> None:
        deadline = time.monotonic() + seconds
        while not ready():
            self.wake_stopped()
            if self.keeper is None or self.keeper.poll() is not None:
                raise CommandFailed(f"{self.spec.name}: the root ended while booting\n{self.last_words()}")
            if time.monotonic() > deadline:
                raise CommandFailed(f"{self.spec.name}: not booted within {seconds:.0f} s\n{self.last_words()}")
            time.sleep(0.01)

    def wake_stopped(self) -> None:
        """Continue the nsenter processes that systemd's shutdown stopped.

        It stops every process before it ends them; nsenter then stops itself outside, as a shell's child should, and
        nobody would collect its child, for which the shutdown waits 90 seconds. It also waits for the SIGCHLD of such
        a child, which goes to nsenter, so it gets one from us and looks again (systemd, src/shared/killall.c).
        """
        try:
            pid1 = self.pid1()
            if pid1 is None or Path(f"/proc/{pid1}/comm").read_text() != "systemd-shutdow\n":
                return
            for process in Path("/proc").glob("[0-9]*"):
                command = (process / "cmdline").read_bytes().split(b"\0")
                if command[:2] == [b"nsenter", f"--target={pid1}".encode()]:
                    os.kill(int(process.name), signal.SIGCONT)
            os.kill(pid1, signal.SIGCHLD)
        except (FileNotFoundError, ProcessLookupError):
            return  # something ended while we looked; the next look comes soon

    def last_words(self) -> str:
        logs = [self.folder / name for name in ("keeper.log", "console.log")]
        return "\n".join(log.read_text(errors="replace")[-2000:] for log in logs if log.exists())

    def run(
        self, command: Sequence[str], *, text: str | None = None, check: bool = True, seconds: float = 600.0
    ) -> subprocess.CompletedProcess[str]:
        """Run a program inside as root, with a clean environment."""
        return call([self.run_script, *command], text=text, check=check, seconds=seconds)

    def reboot(self) -> None:
        """Reboot from inside and wait until it is running again."""
        older = self.pid1()
        self.run(["systemctl", "reboot"], check=False)
        self.wait_until_running(older)

    def down(self, *, clean: bool = False) -> None:
        """Stop it: at once, or by a clean power-off if somebody will look at its files afterwards."""
        if self.keeper is None:
            return
        assert self.keeper.stdin
        if clean and self.keeper.poll() is None:
            self.keeper.stdin.write(b"clean")
            self.keeper.stdin.flush()
            while self.keeper.poll() is None:
                self.wake_stopped()
                time.sleep(0.01)
        self.keeper.stdin.close()
        self.keeper.wait()
        self.keeper = None

    def freeze(self, tree: Path) -> None:
        """Power off and move what the root wrote to `tree`, which must be empty, on the same file system or not."""
        self.down(clean=True)
        tree.rmdir()
        shutil.move(self.upper, tree)

    def discard(self) -> None:
        """Stop at once and delete the folder."""
        self.down()
        shutil.rmtree(self.folder, ignore_errors=True)

    def changed_files(self) -> dict[str, str]:
        """What differs from the layers below, as {path: how}; see demo.changes."""
        return changed_files(self.upper, [layer.tree for layer in self.layer.stack])
