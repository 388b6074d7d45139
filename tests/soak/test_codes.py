"""A code lets in once: 1000 codes, each tried by 8 workers in each of 2 processes at the same moment."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from kit.authd_house import ALICE, PASSWORD, House
from kit.databases import NOW, empty, new_sqlite
from kit.postgresql import Cluster
from outrider.db import Database, open_database
from outrider.db.migrate import migrate
from outrider.directory import SqlDirectory
from outrider.people import People
from outrider.sealed import new_key_line

CODES = int(os.environ.get("OUTRIDER_SOAK_CODES", "1000"))
WORKERS, PROCESSES = 8, 2
RACER = Path(__file__).with_name("racer.py")
PERIOD = 30


class Racer:
    """One process of racers."""

    def __init__(self, url: str, folder: Path) -> None:
        command = [sys.executable, str(RACER), url, str(folder), str(WORKERS)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        assert self.process.stdin
        assert self.process.stdout
        self.asks, self.says = self.process.stdin, self.process.stdout
        assert self.says.readline() == "ready\n"

    def start(self, now: int, field: str) -> None:
        self.asks.write(f"{now} {field}\n")
        self.asks.flush()

    def ended(self) -> tuple[int, int, int]:
        yes, no, later = map(int, self.says.readline().split())
        return yes, no, later

    def close(self) -> int:
        self.asks.close()
        self.says.close()
        return self.process.wait(60)


async def test_a_thousand_codes_let_in_a_thousand_times_on_sqlite(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "outrider.db"
    database = new_sqlite(path)
    await migrate(database)
    await race(database, f"sqlite:{path}", tmp_path, monkeypatch)


async def test_a_thousand_codes_let_in_a_thousand_times_on_postgresql(
    cluster: Cluster, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    database = open_database(cluster.url)
    await empty(database)
    await race(database, cluster.url, tmp_path, monkeypatch)


async def race(database: Database, url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(folder))
    (folder / "auth.key").write_text(new_key_line())
    (folder / "auth.key").chmod(0o400)
    directory = SqlDirectory(database, "b.provider.example")
    people = People(database, directory)
    await people.add_domain("provider.example", "own", NOW)
    await people.add(ALICE, f"cheap:{PASSWORD}", "en", 0, NOW)
    house = House(database, directory, folder / "auth.key")
    await house.enrol(ALICE, level=4)
    racers = [Racer(url, folder) for _ in range(PROCESSES)]
    successes = 0
    for _ in range(CODES):
        house.now += PERIOD
        for racer in racers:
            racer.start(int(house.now), PASSWORD + house.code())
        ends = [racer.ended() for racer in racers]
        yes, _, later = map(sum, zip(*ends, strict=True))
        assert (yes, later) == (1, 0), ends
        successes += yes
    assert successes == CODES
    assert [racer.close() for racer in racers] == [0] * PROCESSES
    house.hashing.close()
    await database.close()
