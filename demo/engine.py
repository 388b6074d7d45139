"""Two ways to boot a folder with systemd as its process 1, and the probe that chooses.

`Nspawn` is systemd-nspawn without machined; `Unshare` is plain namespaces for machines where nspawn does not run.
Both are commands that a keeper starts: they live as long as the root runs, and their end tells reboot from power-off.
"""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

# What process 1 may not have: it would reach the machine's kernel (modules, clock, raw devices).
DROPPED = ("sys_module", "sys_time", "sys_rawio")


@dataclass(frozen=True)
class Boot:
    """What an engine needs to know: the mounted root, a name, the host name, and `/proc/PID/ns/net`."""

    root: Path
    name: str
    hostname: str
    netns: Path


class Engine(Protocol):
    """A way to boot. `command` runs in the keeper's own mount namespace, already inside the root's cgroup."""

    name: str

    def command(self, boot: Boot) -> list[str]: ...

    def rebooted(self, status: int) -> bool:
        """True if this exit status of the command means that the root asked to be started again."""

    def powered_off(self, status: int) -> bool:
        """True if this exit status means that the root powered itself off."""

    def power_off(self, command: subprocess.Popen[bytes], pid1: int) -> None:
        """Ask for a clean power-off."""


class Nspawn:
    """systemd-nspawn; every option has its reason beside it."""

    name = "nspawn"

    def command(self, boot: Boot) -> list[str]:
        drop = ",".join(f"CAP_{name.upper()}" for name in DROPPED)
        return [
            "env", "SYSTEMD_NSPAWN_UNIFIED_HIERARCHY=1", "systemd-nspawn", "--quiet", "--boot",
            f"--directory={boot.root}", f"--machine={boot.name}", f"--hostname={boot.hostname}",
            "--register=no", "--keep-unit",  # there may be no machined and no bus
            "--console=pipe",  # no terminal
            "--link-journal=no", "--resolv-conf=off", "--timezone=off",  # nothing is written to the machine
            f"--network-namespace-path={boot.netns}",
            "--capability=all",  # units with PrivateNetwork= need CAP_NET_ADMIN, which a joined namespace loses
            f"--drop-capability={drop}",
            "--system-call-filter=bpf",  # else IPAddressDeny= is silently not enforced
        ]  # fmt: skip

    def rebooted(self, status: int) -> bool:
        return status == 133  # systemd-nspawn.c: EXIT_FORCE_RESTART, handed on because of --keep-unit

    def powered_off(self, status: int) -> bool:
        return status == 0

    def power_off(self, command: subprocess.Popen[bytes], pid1: int) -> None:
        command.send_signal(signal.SIGTERM)


UNSHARE_SETUP = """set -e
root=$1; hostname=$2; drop=$3
hostname "$hostname"
mount --rbind "$root" "$root"; cd "$root"
mount -t proc -o nosuid,nodev,noexec proc proc
mount -t sysfs -o nosuid,nodev,noexec,ro sysfs sys
mount -t cgroup2 -o nosuid,nodev,noexec cgroup2 sys/fs/cgroup
mount -t tmpfs -o mode=755,nosuid tmpfs dev
for node in null zero full random urandom tty; do touch dev/$node; mount --bind /dev/$node dev/$node; done
mkdir dev/pts dev/shm
mount -t devpts -o newinstance,ptmxmode=0666,mode=620,gid=5 devpts dev/pts
ln -s pts/ptmx dev/ptmx; ln -s /proc/self/fd dev/fd
ln -s /proc/self/fd/0 dev/stdin; ln -s /proc/self/fd/1 dev/stdout; ln -s /proc/self/fd/2 dev/stderr
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs dev/shm
mount -t tmpfs -o mode=755,nosuid,nodev tmpfs run
mount -t tmpfs -o mode=1777,nosuid,nodev tmpfs tmp
mkdir -p run/old; pivot_root . run/old; cd /; umount -l run/old; rmdir run/old
mount --make-rshared /
exec setpriv --bounding-set "$drop" --inh-caps "$drop" env -i container=outrider /lib/systemd/systemd --system
"""


class Unshare:
    """systemd in namespaces made by unshare(1); reboot(2) there ends process 1 by a signal (pid_namespaces(7))."""

    name = "unshare"

    def command(self, boot: Boot) -> list[str]:
        drop = ",".join(f"-{name}" for name in DROPPED)
        namespaces = ["unshare", "--pid", "--mount", "--uts", "--ipc", "--cgroup", "--fork", "--kill-child"]
        setup = ["sh", "-c", UNSHARE_SETUP, "boot", str(boot.root), boot.hostname, drop]
        return ["nsenter", f"--net={boot.netns}", *namespaces, *setup]

    def rebooted(self, status: int) -> bool:
        return status in {-signal.SIGHUP, 128 + signal.SIGHUP}

    def powered_off(self, status: int) -> bool:
        return status in {0, -signal.SIGINT, 128 + signal.SIGINT}

    def power_off(self, command: subprocess.Popen[bytes], pid1: int) -> None:
        os.kill(pid1, signal.SIGRTMIN + 4)  # systemd(1): start poweroff.target


ENGINES: dict[str, Engine] = {"nspawn": Nspawn(), "unshare": Unshare()}


def installed(engine: Engine) -> bool:
    """True if the machine has the engine's program."""
    return shutil.which("systemd-nspawn" if engine.name == "nspawn" else "unshare") is not None
