"""Bare Debian roots: what a rented host has, plus the packages that a host without internet will ask apt for.

    base     mmdebstrap minbase with systemd, dbus, python3, python3-apt, iproute2; rebuilt every ISO week
    debs     base + the .debs of the playbook's packages in apt's cache, not installed
    NAME     base + packages installed without starting them (`packages_layer`), e.g. the name server's `world`

The package names come from the playbook's own variables, so there is no second list.
"""

from __future__ import annotations

import shlex
import time
from collections.abc import Callable, Sequence
from pathlib import Path

import yaml

from demo.commands import call
from demo.layers import Layer, ensure
from demo.names import HOSTS, RESOLVER
from demo.places import CHECKOUT, SUITES, Release, apt_proxy_options, mirror

Say = Callable[[str], None]
BASE_PACKAGES = ("systemd-sysv", "dbus", "python3", "python3-apt", "iproute2")
RECIPE = "3"  # part of every key; raise it when this file changes what a root contains
APT_INSTALL = "DEBIAN_FRONTEND=noninteractive apt-get -qq -y --no-install-recommends"


def week() -> str:
    """ISO year and week: how long a base is kept before Debian's newer packages are fetched."""
    return time.strftime("%GW%V")


def playbook_packages(release: Release, roles: Path = CHECKOUT / "ansible" / "roles") -> list[str]:
    """Names in the roles' defaults under keys ending in `_packages` and `_packages_12` or `_packages_13`."""
    endings = ("_packages", f"_packages_{release}")
    found: set[str] = set()
    for defaults in sorted(roles.glob("*/defaults/main.yml")):
        for key, value in (yaml.safe_load(defaults.read_text()) or {}).items():
            if key.endswith(endings) and isinstance(value, list):
                found.update(str(name) for name in value)
    return sorted(found)


def base(release: Release, say: Say) -> Layer:
    """A bootable minimal root with fresh package lists."""
    suite, sources = SUITES[release], mirror().sources(SUITES[release])

    def build(tree: Path) -> None:
        options = [f"--aptopt={line}" for line in apt_proxy_options()]
        include = "--include=" + ",".join(BASE_PACKAGES)
        # cleanup/apt would delete the lists; a host without internet could not install anything afterwards
        keep_lists = ["--skip=cleanup/apt", '--customize-hook=chroot "$1" apt-get clean']
        call(["mmdebstrap", "--quiet", "--variant=minbase", include, *options, *keep_lists, suite, tree, *sources])
        for name, text in {"hosts": HOSTS, "resolv.conf": RESOLVER, "hostname": "debian\n"}.items():
            (tree / "etc" / name).unlink(missing_ok=True)
            (tree / "etc" / name).write_text(text)

    return ensure("base", release, [RECIPE, suite, *sources, *BASE_PACKAGES, week()], None, build, say)


def bare(release: Release, say: Say) -> Layer:
    """The base with the playbook's .debs waiting in /var/cache/apt/archives."""
    packages = playbook_packages(release)
    ground = base(release, say)
    if not packages:
        return ground
    script = f"{APT_INSTALL} --download-only install {' '.join(packages)}; rm -f /var/cache/apt/*.bin"
    return ensure("debs", release, [RECIPE, *packages], ground, lambda tree: in_chroot(ground, tree, script), say)


def packages_layer(release: Release, name: str, packages: Sequence[str], say: Say) -> Layer:
    """The base with `packages` installed but never started: servers of the tests and of the demo's outside world."""
    ground = base(release, say)
    never_start = "printf '#!/bin/sh\\nexit 101\\n' >/usr/sbin/policy-rc.d; chmod 755 /usr/sbin/policy-rc.d"
    install = f"{APT_INSTALL} install {' '.join(packages)}; apt-get clean; rm /usr/sbin/policy-rc.d"
    script = f"{never_start}; {install}"
    return ensure(name, release, [RECIPE, *packages], ground, lambda tree: in_chroot(ground, tree, script), say)


def in_chroot(ground: Layer, tree: Path, script: str) -> None:
    """Run a shell script as root in `ground` with the machine's network; what it writes lands in `tree`.

    The mounts live in a mount namespace of the command's own.
    """
    work = tree.parent / "work"
    work.mkdir()
    lower = ":".join(str(layer.tree) for layer in ground.stack)
    steps = f"""set -e
mount -t overlay overlay -o "lowerdir={lower},upperdir={tree},workdir={work}" /mnt
mount -t proc proc /mnt/proc
mount --bind /dev /mnt/dev
mount --bind /etc/resolv.conf /mnt/etc/resolv.conf
chroot /mnt env PATH=/usr/sbin:/usr/bin:/sbin:/bin sh -ec {shlex.quote(script)}
"""
    call(["unshare", "--mount", "--propagation", "private", "--", "sh", "-c", steps])
    call(["rm", "-rf", work])
