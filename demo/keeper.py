"""The process that holds one booted root: `python -m demo.keeper FOLDER`, started in a mount namespace of its own.

It reads FOLDER/spec.json, mounts the overlay, makes a cgroup, boots with the chosen engine and starts it again after a
reboot. While process 1 lives, FOLDER/pid1 holds its number and FOLDER/merged is a link to its root directory.

It ends, and with it everything it mounted or started, on:
    SIGTERM                   clean power-off first
    end of standard input     at once (whoever made this root is gone, or wants to throw it away)
    power-off inside          the root did it itself
Exit status 0, or 1 if the engine ended in a way nobody asked for.
"""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from dataclasses import asdict, dataclass
from pathlib import Path

from demo.commands import call
from demo.engine import ENGINES, Boot, Engine
from demo.layers import hold

POWER_OFF_SECONDS = 30.0  # a clean power-off takes 2; a unit that hangs in stopping gets 90 from systemd, too long here
KILL_SECONDS = 5.0  # the engine notices the end of process 1 within milliseconds
CGROUPS = Path("/sys/fs/cgroup")


@dataclass(frozen=True)
class Spec:
    """What one root is made of. `layers` are folders, top first; `upper` and `work` lie in the root's folder."""

    name: str
    hostname: str
    engine: str
    netns: str
    layers: tuple[str, ...]

    def write(self, folder: Path) -> None:
        (folder / "spec.json").write_text(json.dumps(asdict(self), indent=1))

    @classmethod
    def read(cls, folder: Path) -> Spec:
        raw = json.loads((folder / "spec.json").read_text())
        return cls(raw["name"], raw["hostname"], raw["engine"], raw["netns"], tuple(raw["layers"]))


def mount_root(folder: Path, layers: tuple[str, ...]) -> None:
    """Mount the overlay at FOLDER/root; `volatile` skips its fsyncs, a throw-away root needs none."""
    call(["rm", "-rf", folder / "work"])  # overlayfs refuses an upper that was volatile unless the work folder is new
    for name in ("up", "work", "root"):
        (folder / name).mkdir(exist_ok=True)
    lower = ":".join(f"{layer}/tree" for layer in layers)
    options = f"lowerdir={lower},upperdir={folder}/up,workdir={folder}/work,volatile"
    call(["mount", "-t", "overlay", "overlay", "-o", options, folder / "root"])


def prepare_namespace() -> None:
    """Hide the machine's /run (nspawn writes there) and show the pure cgroup2 tree, for this process tree only."""
    call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    if call(["stat", "-fc", "%T", CGROUPS]).stdout.strip() != "cgroup2fs":
        call(["umount", "-R", CGROUPS])
        call(["mount", "-t", "cgroup2", "cgroup2", CGROUPS])


def process1(engine_pid: int) -> int | None:
    """The booted root's process 1 as seen from the machine: the engine's child that is number 1 in its own space."""
    try:
        children = Path(f"/proc/{engine_pid}/task/{engine_pid}/children").read_text().split()
        for child in children:
            status = dict(
                line.split(":\t", 1) for line in Path(f"/proc/{child}/status").read_text().splitlines() if ":\t" in line
            )
            if status["NSpid"].split()[-1] == "1" and status["Name"] == "systemd":
                return int(child)
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked
    return None


class Keeper:
    """Holds one root from mount to unmount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = Spec.read(folder)
        self.engine: Engine = ENGINES[self.spec.engine]
        self.cgroup = CGROUPS / f"outrider-{os.getpid()}-{self.spec.name}"
        self.ending: str | None = None  # "clean" or "fast" once somebody asked
        self.wake_read, self.wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)

    def keep(self) -> int:
        """Boot until power-off; returns the exit status."""
        signal.set_wakeup_fd(self.wake_write)
        signal.signal(signal.SIGTERM, lambda *_: None)
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C reaches the whole group; our maker decides what it means
        locks = hold(Path(layer).name for layer in self.spec.layers)
        prepare_namespace()
        mount_root(self.folder, self.spec.layers)
        status = 0
        try:
            while True:
                self.cgroup.mkdir()
                status = self.boot_once()
                self.remove_cgroup()
                if self.ending or not self.engine.rebooted(status):
                    break
        finally:
            self.unpublish()
            for lock in locks:
                lock.close()
        return 0 if self.ending or status == 0 or self.engine.name == "unshare" else 1

    def boot_once(self) -> int:
        """Start the engine and wait for its end; a request to end arrives meanwhile."""
        boot = Boot(self.folder / "root", self.spec.name, self.spec.hostname, Path(self.spec.netns))
        join = f'echo 0 >"{self.cgroup}/cgroup.procs"; exec "$@"'
        with (self.folder / "console.log").open("ab") as console:
            command = subprocess.Popen(
                ["setpriv", "--pdeathsig", "KILL", "--", "sh", "-c", join, "join", *self.engine.command(boot)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        gone = os.pidfd_open(command.pid)
        try:
            pid1 = self.wait_for_process1(command)
            if pid1:
                self.publish(pid1)
                if not self.wait_for(gone, None):
                    self.end(command, pid1, gone)
            else:
                command.kill()
        finally:
            os.close(gone)
        return command.wait()

    def wait_for_process1(self, command: subprocess.Popen[bytes]) -> int | None:
        while command.poll() is None:
            if pid1 := process1(command.pid):
                return pid1
            time.sleep(0.01)
        return None

    def wait_for(self, gone: int, seconds: float | None) -> bool:
        """True when the engine ended; False when somebody asks for the end (`ending` says how) or time is up."""
        watched = [gone, self.wake_read] + ([] if self.ending else [0])
        ready, _, _ = select.select(watched, [], [], seconds)
        if gone in ready:
            return True
        if self.wake_read in ready:
            os.read(self.wake_read, 512)
            self.ending = self.ending or "clean"
        elif 0 in ready and not os.read(0, 512):
            self.ending = "fast"
        return False

    def end(self, command: subprocess.Popen[bytes], pid1: int, gone: int) -> None:
        """Power off as asked; what is still alive after the deadline is killed."""
        if self.ending == "clean":
            self.engine.power_off(command, pid1)
            deadline = time.monotonic() + POWER_OFF_SECONDS
            while time.monotonic() < deadline:
                if self.wait_for(gone, deadline - time.monotonic()):
                    return
        os.kill(pid1, signal.SIGKILL)
        if not self.wait_for(gone, KILL_SECONDS):
            command.kill()

    def publish(self, pid1: int) -> None:
        link, number = self.folder / "merged.new", self.folder / "pid1.new"
        link.unlink(missing_ok=True)
        link.symlink_to(f"/proc/{pid1}/root")
        link.rename(self.folder / "merged")
        number.write_text(f"{pid1}\n")  # `read` of a shell wants the whole line
        number.rename(self.folder / "pid1")

    def unpublish(self) -> None:
        (self.folder / "pid1").unlink(missing_ok=True)
        (self.folder / "merged").unlink(missing_ok=True)

    def remove_cgroup(self) -> None:
        """Delete the root's cgroup tree, deepest first; a straggler in it leaves its branch for a second."""
        for _ in range(50):
            for folder in sorted(self.cgroup.glob("**/"), key=lambda path: -len(path.parts)):
                try:
                    folder.rmdir()
                except OSError:
                    continue
            if not self.cgroup.exists():
                return
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(Keeper(Path(sys.argv[1]).resolve()).keep())
