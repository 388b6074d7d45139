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
        if name.startswith(BOOT_WRITES):
            continue
        if how := change(path, find(name, layers)):
            changes[name] = how
        if is_opaque(path):
            changes.update({f"{name}/{lost}": "deleted" for lost in hidden(path, name, layers)})
    return changes


def is_opaque(path: Path) -> bool:
    """A folder that was deleted and made again hides what lies below it (kernel, filesystems/overlayfs)."""
    try:
        return path.is_dir() and os.getxattr(path, "trusted.overlay.opaque", follow_symlinks=False) == b"y"
    except OSError:
        return False


def hidden(path: Path, name: str, layers: Sequence[Path]) -> set[str]:
    """Names that the layers have in a folder and its opaque successor has not."""
    before = {entry.name for layer in layers if (layer / name).is_dir() for entry in (layer / name).iterdir()}
    there = {entry.name for entry in path.iterdir()}
    return {entry for entry in before - there if find(f"{name}/{entry}", layers)}


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
        above = [layer / parent for parent in Path(name).parents if os.path.lexists(layer / parent)]
        if any(is_whiteout(parent) or is_opaque(parent) for parent in above):
            return None
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
