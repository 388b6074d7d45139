"""The process that holds one booted root: `python -m demo.keeper FOLDER`, process 1 of a PID and mount namespace.

It reads FOLDER/spec.json, mounts the overlay, makes a cgroup, boots with the chosen engine and starts it again after a
reboot. While the root runs, FOLDER/pid1 holds the number of its process 1 and FOLDER/merged is a link to its files.

It ends, and with it everything it mounted or started, on
    "clean" on standard input   a power-off of the root first
    end of standard input       at once: whoever made this root is gone, or throws it away
    power-off inside            the root did it itself
    SIGKILL                     the kernel ends all processes of a PID namespace with its process 1
Exit status 0, or 1 if the engine ended in a way nobody asked for.
"""

from __future__ import annotations

import contextlib
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
MACHINE_PROC = Path("/run/machine-proc")
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
    """Mounts that only this process tree sees: /run (nspawn writes there), the pure cgroup2 tree, /proc of our own.

    The machine's /proc stays visible at MACHINE_PROC: whoever wants to enter the root needs the machine's numbers.
    """
    call(["mount", "-t", "tmpfs", "-o", "mode=755", "tmpfs", "/run"])
    if call(["stat", "-fc", "%T", CGROUPS]).stdout.strip() != "cgroup2fs":
        call(["umount", "-R", CGROUPS])
        call(["mount", "-t", "cgroup2", "cgroup2", CGROUPS])
    MACHINE_PROC.mkdir()
    call(["mount", "--rbind", "/proc", MACHINE_PROC])
    call(["mount", "-t", "proc", "proc", "/proc"])


def sweep() -> None:
    """Remove the cgroups of keepers that were killed: empty ones whose number belongs to no process."""
    for folder in CGROUPS.glob("outrider-*-*"):
        if not alive(folder.name.split("-")[1]):
            remove_tree(folder)


def alive(machine_pid: str) -> bool:
    """False for no process, and for one that has ended and only waits to be collected."""
    try:
        return Path(f"{MACHINE_PROC}/{machine_pid}/stat").read_text().rsplit(")", 1)[1].split()[0] not in "ZX"
    except (FileNotFoundError, ProcessLookupError):
        return False


def remove_tree(cgroup: Path) -> None:
    """Remove a cgroup and those below it, deepest first; what still has a process stays."""
    for folder in sorted(cgroup.glob("**/"), key=lambda path: -len(path.parts)):
        with contextlib.suppress(OSError):
            folder.rmdir()


def children(machine_pid: str) -> list[str]:
    return (MACHINE_PROC / machine_pid / "task" / machine_pid / "children").read_text().split()


def process1() -> tuple[int, int] | None:
    """The booted root's process 1, as (number on the machine, our number): a grandchild that is number 1 for itself."""
    try:
        for engine in children((MACHINE_PROC / "self").readlink().name):
            for pid in children(engine):
                lines = (MACHINE_PROC / pid / "status").read_text().splitlines()
                status = dict(line.split(":\t", 1) for line in lines if ":\t" in line)
                numbers = status["NSpid"].split()
                if numbers[-1] == "1" and status["Name"] == "systemd":
                    return int(pid), int(numbers[-2])
    except (FileNotFoundError, ProcessLookupError):
        return None  # it ended while we looked
    return None


class Keeper:
    """Holds one root from mount to unmount."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.spec = Spec.read(folder)
        self.engine: Engine = ENGINES[self.spec.engine]
        machine_pid = Path("/proc/self").readlink().name
        self.cgroup = CGROUPS / f"outrider-{machine_pid}-{self.spec.name}"
        self.ending: str | None = None  # "clean" or "fast" once somebody asked

    def keep(self) -> int:
        """Boot until power-off; returns the exit status."""
        signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is for our maker, who decides what it means
        locks = hold(Path(layer).name for layer in self.spec.layers)
        prepare_namespace()
        sweep()
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
        return 0 if self.ending or self.engine.powered_off(status) else 1

    def boot_once(self) -> int:
        """Start the engine and wait for its end; a request to end arrives meanwhile."""
        netns = MACHINE_PROC / Path(self.spec.netns).relative_to("/proc")
        boot = Boot(self.folder / "root", self.spec.name, self.spec.hostname, netns)
        join = f'echo 0 >"{self.cgroup}/cgroup.procs"; exec "$@"'
        with (self.folder / "console.log").open("ab") as console:
            command = subprocess.Popen(
                ["sh", "-c", join, "join", *self.engine.command(boot)],
                stdin=subprocess.DEVNULL, stdout=console, stderr=console,
            )  # fmt: skip
        gone = os.pidfd_open(command.pid)
        try:
            if numbers := self.wait_for_process1(command):
                self.publish(numbers[0])
                if not self.wait_for(gone, None):
                    self.end(command, numbers[1], gone)
        finally:
            os.close(gone)
        return command.wait()

    def wait_for_process1(self, command: subprocess.Popen[bytes]) -> tuple[int, int] | None:
        while command.poll() is None:
            if numbers := process1():
                return numbers
            time.sleep(0.01)
        return None

    def wait_for(self, gone: int, seconds: float | None) -> bool:
        """True when the engine ended; False when somebody asks for the end (`ending` says how) or time is up."""
        watched = [gone] if self.ending == "fast" else [gone, 0]
        ready, _, _ = select.select(watched, [], [], seconds)
        if gone in ready:
            return True
        if 0 in ready:
            self.ending = "clean" if os.read(0, 512) else "fast"
        return False

    def end(self, command: subprocess.Popen[bytes], pid1: int, gone: int) -> None:
        """Power off as asked; what is still alive after the deadline is killed."""
        if self.ending == "clean":
            self.engine.power_off(command, pid1)
            deadline = time.monotonic() + POWER_OFF_SECONDS
            while self.ending == "clean" and time.monotonic() < deadline:
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
        """Delete the root's cgroup tree; a straggler in it gets a second."""
        for _ in range(50):
            remove_tree(self.cgroup)
            if not self.cgroup.exists():
                return
            time.sleep(0.02)


if __name__ == "__main__":
    sys.exit(Keeper(Path(sys.argv[1]).resolve()).keep())
