"""What a run changed, byte by byte: an overlay's upper folder compared with the layers below it."""

from __future__ import annotations

import filecmp
import os
import stat
from collections.abc import Iterator, Sequence
from pathlib import Path

# What a boot writes by itself; everything else counts.
BOOT_WRITES = (
    "etc/machine-id",
    "etc/.updated",  # systemd-update-done(8)
    "var/.updated",
    "var/lib/systemd",
    "var/log/journal",
    "var/log/wtmp",
    "var/log/lastlog",
    "var/lib/dbus",
    "var/cache/ldconfig",
    "run",
    "tmp",
    "dev",
    "proc",
    "sys",
    "var/tmp",
)


def changed_files(upper: Path, layers: Sequence[Path]) -> dict[str, str]:
    """Paths without leading slash, each with 'new', 'deleted', 'content', 'mode', 'owner' or 'kind'."""
    changes: dict[str, str] = {}
    for path in entries(upper):
        name = str(path.relative_to(upper))
        if not name.startswith(BOOT_WRITES) and (how := change(path, find(name, layers))):
            changes[name] = how
    return changes


def entries(folder: Path) -> Iterator[Path]:
    for path in sorted(folder.iterdir()):
        yield path
        if path.is_dir() and not path.is_symlink():
            yield from entries(path)


def is_whiteout(path: Path) -> bool:
    """overlayfs marks a deleted file by a character device 0:0 (kernel, filesystems/overlayfs)."""
    status = path.lstat()
    return stat.S_ISCHR(status.st_mode) and status.st_rdev == 0


def find(name: str, layers: Sequence[Path]) -> Path | None:
    """The nearest layer's entry of this name, None if there is none or it was deleted on the way."""
    for layer in layers:
        path = layer / name
        if os.path.lexists(path):
            return None if is_whiteout(path) else path
    return None


def change(path: Path, before: Path | None) -> str | None:
    """How `path` differs from `before`, None if it does not."""
    if is_whiteout(path):
        return "deleted" if before else None
    if before is None:
        return "new"
    new, old = path.lstat(), before.lstat()
    if stat.S_IFMT(new.st_mode) != stat.S_IFMT(old.st_mode):
        return "kind"
    if (new.st_uid, new.st_gid) != (old.st_uid, old.st_gid):
        return "owner"
    if new.st_mode != old.st_mode:
        return "mode"
    return None if same_content(path, before) else "content"


def same_content(path: Path, before: Path) -> bool:
    if path.is_symlink():
        return path.readlink() == before.readlink()
    return not path.is_file() or filecmp.cmp(path, before, shallow=False)
