"""One tar per release with the project's wheel and the locked wheels it needs, for that release's own Python.

Dependencies are downloaded once per lock file and release; only the project's own wheel is built anew, and the same
sources give the same bytes, so the tar can be part of a layer's key.
"""

from __future__ import annotations

import hashlib
import io
import os
import platform
import shutil
import sys
import tarfile
import tempfile
import tomllib
from collections.abc import Callable
from pathlib import Path

from demo.commands import call
from demo.layers import exclusively, key_of
from demo.places import CHECKOUT, Release, cache

PYTHONS: dict[Release, str] = {"12": "3.11", "13": "3.13"}
GLIBC: dict[Release, int] = {"12": 36, "13": 41}  # minor version of the release's glibc 2: the newest manylinux it runs
OLDEST_GLIBC = 17  # manylinux2014
KEPT = 4  # of each kind of thing in the folder
EPOCH = "1735689600"  # every file's time in wheel and tar: 2025-01-01, any fixed one will do
Say = Callable[[str], None]


def wheels(release: Release, say: Say) -> Path:
    """Path of CACHE/wheels/wheels-RELEASE-KEY.tar, made if missing."""
    folder = cache() / "wheels"
    folder.mkdir(exist_ok=True)
    with exclusively(f"wheels-{release}", say=say):
        found = [*dependencies(release, say).glob("*.whl"), own_wheel(say)]
        digest = hashlib.sha256()
        for wheel in sorted(found, key=lambda path: path.name):
            digest.update(wheel.name.encode() + hashlib.sha256(wheel.read_bytes()).digest())
        tar = folder / f"wheels-{release}-{digest.hexdigest()[:16]}.tar"
        if not tar.exists():
            write_tar(tar, found)
            forget_old(folder, f"wheels-{release}-*.tar")
    return tar


def forget_old(folder: Path, pattern: str) -> None:
    """Keep the newest KEPT: another process may be copying one just now."""
    for old in sorted(folder.glob(pattern), key=lambda path: path.stat().st_mtime)[:-KEPT]:
        call(["rm", "-rf", old])


def dependencies(release: Release, say: Say) -> Path:
    """Folder with the wheels of [project] dependencies, at the versions of requirements.lock."""
    wanted = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["project"]["dependencies"]
    lock = CHECKOUT / "requirements.lock"
    python = PYTHONS[release]
    key = key_of([*wanted, lock.read_text(), python, platform.machine()])
    folder = cache() / "wheels" / f"deps-{release}-{key}"
    if not folder.exists():
        say(f"downloading the wheels for Python {python}")
        draft = folder.with_name(f".new-{folder.name}")
        shutil.rmtree(draft, ignore_errors=True)
        tag = f"cp{python.replace('.', '')}"
        platforms = [f"--platform={tag}_{platform.machine()}" for tag in manylinux(release)]
        fit = ["--only-binary=:all:", f"--python-version={python}", "--implementation=cp"]
        fit += [f"--abi={tag}", "--abi=abi3", "--abi=none", *platforms]
        pip = [sys.executable, "-m", "pip", "--quiet", "download", "--disable-pip-version-check", f"--dest={draft}"]
        call([*pip, *fit, f"--constraint={lock}", *wanted])
        draft.rename(folder)
        forget_old(folder.parent, f"deps-{release}-*")
    return folder


def manylinux(release: Release) -> list[str]:
    """Platforms whose wheels run on the release, newest first; pip wants each named."""
    return [*(f"manylinux_2_{minor}" for minor in range(GLIBC[release], OLDEST_GLIBC - 1, -1)), "manylinux2014"]


def source_key() -> str:
    """Hash of everything hatchling puts into the wheel."""
    build = tomllib.loads((CHECKOUT / "pyproject.toml").read_text())["tool"]["hatch"]["build"]["targets"]["wheel"]
    tops = [*build["packages"], *build.get("shared-data", {}), "pyproject.toml", "README.md", "LICENSE"]
    return tree_key([CHECKOUT / top for top in tops])


def tree_key(tops: list[Path]) -> str:
    """Hash of files and folders: paths inside the checkout, modes and contents; compiled Python does not count."""
    parts: list[str] = []
    for top in tops:
        for path in [top] if top.is_file() else sorted(top.rglob("*")):
            if path.is_file() and "__pycache__" not in path.parts:
                digest = hashlib.sha256(path.read_bytes()).hexdigest()
                parts.append(f"{path.relative_to(CHECKOUT)} {path.stat().st_mode & 0o111:o} {digest}")
    return key_of(parts)


def own_wheel(say: Say) -> Path:
    """The project's wheel for the present sources."""
    with exclusively("own-wheel"):
        folder = cache() / "wheels" / f"own-{source_key()}"
        if not folder.exists():
            build(folder, say)
    return next(folder.glob("*.whl"))


def build(folder: Path, say: Say) -> None:
    say("building the project's wheel")
    draft = Path(tempfile.mkdtemp(prefix=".new-own-", dir=folder.parent))
    env = {**os.environ, "SOURCE_DATE_EPOCH": EPOCH, "PYTHONDONTWRITEBYTECODE": "1"}
    call([sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", draft], env=env, cwd=CHECKOUT)
    draft.rename(folder)
    forget_old(folder.parent, "own-*")


def write_tar(tar: Path, found: list[Path]) -> None:
    draft = tar.with_suffix(".new")
    with tarfile.open(draft, "w", format=tarfile.USTAR_FORMAT) as archive:
        for wheel in sorted(found, key=lambda path: path.name):
            entry = tarfile.TarInfo(wheel.name)
            content = wheel.read_bytes()
            entry.size, entry.mode, entry.mtime = len(content), 0o644, int(EPOCH)
            archive.addfile(entry, io.BytesIO(content))
    draft.rename(tar)
