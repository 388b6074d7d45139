"""A converged host for one group of cases, with the load generator inside."""

from __future__ import annotations

import base64
import json
import shutil
import subprocess
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from demo.commands import CommandFailed, call
from demo.places import Release
from demo.stages import converged
from demo.world import World

SOURCE = Path(__file__).with_name("load.c")
PYTHON = "/usr/lib/outrider/bin/python"
LOAD = "/usr/local/bin/outrider-load"


@dataclass(frozen=True)
class Load:
    """What one run of the generator counted; times in microseconds."""

    ok: int
    no: int
    later: int
    lost: int
    seconds: float
    p50: int
    p99: int
    most: int

    @property
    def rate(self) -> float:
        """Good answers per second."""
        return self.ok / self.seconds

    def all_good(self) -> Load:
        """Itself; CommandFailed if any answer was not OK, or there was none."""
        if self.no or self.later or self.lost or not self.ok:
            raise CommandFailed(f"not every login was let in: {self}")
        return self


class Machine:
    """One host, as the benchmarks use it."""

    def __init__(self, release: Release, world: World) -> None:
        self.release, self.world = release, world

    def run(self, *command: str, text: str | None = None, seconds: float = 120.0) -> str:
        """Standard output of a command inside, as root."""
        return call([self.world.root.run_script, *command], text=text, seconds=seconds).stdout

    def read(self, path: str) -> str:
        return self.run("cat", path)

    def write(self, path: str, text: str) -> None:
        self.run("sh", "-c", 'cat >"$0"', path, text=text)

    def python(self, script: Path, *arguments: str, seconds: float = 300.0) -> str:
        """Standard output of one of our scripts under Outrider's own Python."""
        return self.run(PYTHON, "-", *arguments, text=script.read_text(), seconds=seconds)

    def lines(self, name: str, lines: Sequence[str]) -> str:
        """A file of requests for the generator; its path inside."""
        path = f"/root/{name}.lines"
        self.write(path, "\n".join(lines) + "\n")
        return path

    def load(
        self, kind: str, target: str, lines: str, *, connections: int = 16, seconds: float, count: int | None = None
    ) -> Load:
        """One run of the generator; see load.c."""
        with self.loading(kind, target, lines, connections=connections, seconds=seconds, count=count) as running:
            told, trouble = running.communicate(timeout=seconds + 30)
        if running.returncode != 0:
            raise CommandFailed(f"load {kind} {target}: {trouble}")
        return Load(**json.loads(told))

    @contextmanager
    def loading(
        self, kind: str, target: str, lines: str, *, connections: int, seconds: float, count: int | None = None
    ) -> Iterator[subprocess.Popen[str]]:
        """The generator in the background; it ends by itself, at the latest with this block."""
        words = [LOAD, kind, target, str(connections), str(seconds), lines, *([] if count is None else [str(count)])]
        pipe = subprocess.PIPE
        command = [str(self.world.root.run_script), *words]
        running = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=pipe, stderr=pipe, text=True)
        try:
            yield running
        finally:
            running.kill()
            running.communicate()

    def install_load(self, folder: Path) -> None:
        """Compile the generator on the machine, statically, and put it inside."""
        program = folder / "load"
        call(["gcc", "-O2", "-static", "-o", program, SOURCE])
        text = base64.b64encode(program.read_bytes()).decode("ascii")
        self.run("sh", "-c", 'base64 -d >"$0" && chmod 755 "$0"', LOAD, text=text)


@contextmanager
def machine(release: Release) -> Iterator[Machine]:
    """A booted converged host, deleted afterwards."""
    layer = converged(release, print)
    folder = Path(tempfile.mkdtemp(prefix="outrider-bench-"))
    world = World(folder, layer, print)
    try:
        world.up()
        one = Machine(release, world)
        one.install_load(folder)
        yield one
    finally:
        world.close()
        shutil.rmtree(folder, ignore_errors=True)
