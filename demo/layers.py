"""Cached folders that are stacked under an overlay, each built once and then never written again.

A layer's folder is `CACHE/layers/KIND-RELEASE-KEY/`; it holds `tree/` (an overlay's lower folder) and `id`, a random
name of this very build. A key is made of whatever went into the layer and of the id of the layer below, so a
rebuilt base never gets an old top. Building happens in `.new-…` beside it and ends with one rename.

Locks (flock on files in `CACHE/locks`): `build-NAME` exclusive while building; `NAME` shared by every process that
asked for the layer, until it ends, and by every root that runs on it; exclusive while deleting it.
"""

from __future__ import annotations

import fcntl
import hashlib
import os
import secrets
import shutil
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from demo.places import Release, cache

KEPT = 2  # layers of one kind and release that stay: the current one and the one before (a branch switched back)

HELD: dict[
    Path, IO[bytes]
] = {}  # shared locks of this process on what it asked for: nobody deletes what it may boot later


@dataclass(frozen=True)
class Layer:
    """A finished layer and those below it, nearest first."""

    folder: Path
    below: tuple[Layer, ...] = ()

    @property
    def tree(self) -> Path:
        return self.folder / "tree"

    @property
    def id(self) -> str:
        return (self.folder / "id").read_text()

    @property
    def stack(self) -> list[Layer]:
        """This layer and all below it, top first, as overlayfs's `lowerdir` wants them."""
        return [self, *self.below]


def key_of(parts: Iterable[str]) -> str:
    """Sixteen hex digits over the parts, in their order."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "big") + part.encode())
    return digest.hexdigest()[:16]


def lock_file(name: str) -> IO[bytes]:
    folder = cache() / "locks"
    folder.mkdir(exist_ok=True)
    return (folder / name).open("ab")


@contextmanager
def exclusively(name: str, *, say: Callable[[str], None] | None = None) -> Iterator[None]:
    """Hold the exclusive lock `name`; say so when somebody else has it."""
    with lock_file(name) as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            if say:
                say(f"waiting for another process: {name}")
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield


def ensure(  # noqa: PLR0917 - each word of a layer's name, then how to make it
    kind: str,
    release: Release,
    parts: Iterable[str],
    below: Layer | None,
    build: Callable[[Path], None],
    say: Callable[[str], None],
) -> Layer:
    """The layer for these parts, built by `build(empty folder for the tree)` if the cache lacks it."""
    stack = tuple(below.stack) if below else ()
    name = f"{kind}-{release}-{key_of([*parts, *(lower.id for lower in stack)])}"
    layer = Layer(cache() / "layers" / name, stack)
    with exclusively(f"build-{name}", say=say):
        if layer.folder not in HELD:
            HELD[layer.folder] = hold([name])[0]
        if not layer.folder.exists():
            fill(layer, build, say)
    os.utime(layer.folder)
    prune(kind, release, keep=layer)
    return layer


def fill(layer: Layer, build: Callable[[Path], None], say: Callable[[str], None]) -> None:
    """Build into a temporary folder, then rename: a layer is there whole or not at all."""
    started = time.monotonic()
    say(f"{layer.folder.name}: building")
    draft = layer.folder.with_name(f".new-{layer.folder.name}-{os.getpid()}")
    shutil.rmtree(draft, ignore_errors=True)
    (draft / "tree").mkdir(parents=True)
    try:
        build(draft / "tree")
        (draft / "id").write_text(secrets.token_hex(8))
        draft.rename(layer.folder)
    finally:
        shutil.rmtree(draft, ignore_errors=True)
    say(f"{layer.folder.name}: built in {time.monotonic() - started:.0f} s")


def prune(kind: str, release: Release, *, keep: Layer) -> None:
    """Delete layers of this kind beyond the newest KEPT, except those that a running root stands on."""
    found = [path for path in keep.folder.parent.glob(f"{kind}-{release}-*") if path != keep.folder]
    found.sort(key=lambda path: path.stat().st_mtime, reverse=True)
    for old in found[KEPT - 1 :]:
        with lock_file(old.name) as handle:
            try:
                fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                continue
            shutil.rmtree(old, ignore_errors=True)


def hold(names: Iterable[str]) -> list[IO[bytes]]:
    """Shared locks on layers by folder name; they last until the files are closed or the process ends."""
    handles = [lock_file(name) for name in names]
    for handle in handles:
        fcntl.flock(handle, fcntl.LOCK_SH)
    return handles
