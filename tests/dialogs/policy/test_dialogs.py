"""Plays the transcripts beside this file against the daemon. What Postfix says in them is what it really said."""

import asyncio
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from kit.databases import new_sqlite
from kit.dialog import Dialog, Place
from kit.policy_daemon import ALICE, Daemon, running
from outrider.directory import SqlDirectory
from outrider.people import People
from policy.store import DAY_SECONDS, AliasStore

HERE = Path(__file__).parent
TMP = "tmp.provider.example"


async def aliases(path: Path) -> dict[str, str]:
    """Alice's addresses by the names that the transcripts use."""
    database = new_sqlite(path)
    directory = SqlDirectory(database, "b.provider.example")
    now = int(time.time())
    await People(database, directory).add_domain(TMP, "disposable", now)
    alice = await directory.person(ALICE)
    assert alice is not None
    store = AliasStore(database, directory)
    live = (await store.new(alice.account, TMP, "", now, 30)).address
    expired = (await store.new(alice.account, TMP, "", now - 40 * DAY_SECONDS, 30)).address
    await database.close()
    return {
        "live": live,
        "shouted": live.upper(),
        "tagged": live.replace("@", "+t@"),
        "expired": expired,
        "opaque": f"{alice.opaque}@b.provider.example",
    }


@pytest.fixture(scope="module")
def daemon() -> Iterator[Daemon]:
    with running() as one:
        yield one


@pytest.fixture(scope="module")
def variables(daemon: Daemon) -> dict[str, str]:
    return asyncio.run(aliases(daemon.database))


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.dialog")))
async def test_dialog(name: str, daemon: Daemon, variables: dict[str, str]) -> None:
    places = {one: Place(unix=daemon.folder / one) for one in ("policy", "socketmap")}
    ending = b"," if name.startswith("socketmap") else b"\n"
    dialog = Dialog(places, variables=dict(variables), ending=ending)
    await dialog.play((HERE / f"{name}.dialog").read_text(), name)
