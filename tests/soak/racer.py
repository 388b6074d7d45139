"""One of two processes that log in with the same codes at the same moment; a script, started by test_codes.py.

    python racer.py DATABASE FOLDER WORKERS

FOLDER holds `auth.key`. For each line `NOW FIELD` on standard input so many logins of alice race with that field at
that time; one line comes back, how they ended: `yes no later`. The hash is cheap, so that what spends a code is under
load. The limits of guessing are on: a code that another one has used a moment ago is no guess.
"""

import asyncio
import os
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from authd.decide import Later as TooLate
from authd.decide import Request, Yes
from kit.authd_house import ALICE, House
from outrider.db import open_database
from outrider.directory import SqlDirectory


async def race(url: str, folder: Path, workers: int) -> None:
    database = open_database(url)
    house = House(database, SqlDirectory(database, "b.provider.example"), folder / "auth.key")
    request = lambda field: Request("web", frozenset({"web"}), field)  # noqa: E731
    loop = asyncio.get_running_loop()
    print("ready", flush=True)
    while line := await loop.run_in_executor(None, sys.stdin.readline):
        now, field = line.rstrip("\n").split(" ", 1)
        house.now = float(now)
        asked = (house.logins.judge(ALICE, request(field), lambda: True) for _ in range(workers))
        verdicts = await asyncio.gather(*asked)
        yes = sum(isinstance(verdict, Yes) for verdict in verdicts)
        later = sum(isinstance(verdict, TooLate) for verdict in verdicts)
        print(yes, workers - yes - later, later, flush=True)
    house.hashing.close()
    await database.close()


if __name__ == "__main__":
    os.environ["CREDENTIALS_DIRECTORY"] = sys.argv[2]
    asyncio.run(race(sys.argv[1], Path(sys.argv[2]), int(sys.argv[3])))
