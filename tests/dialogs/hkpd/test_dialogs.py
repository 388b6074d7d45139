"""Plays the transcripts beside this file against the daemon, with alice's key published."""

import base64
from pathlib import Path

import pytest

from kit.dialog import Place, play
from kit.hkpd_daemon import ALICE, running

HERE = Path(__file__).parent


@pytest.fixture(scope="module")
def daemon():
    with running() as one:
        one.ask({"do": "publish", "account": ALICE, "key": base64.b64encode(one.made.raw).decode()})
        yield one


@pytest.mark.parametrize("name", sorted(path.stem for path in HERE.glob("*.dialog")))
async def test_dialog(name, daemon):
    places = {place: Place(unix=daemon.folder / place) for place in ("hkp", "front", "commands")}
    await play(HERE / f"{name}.dialog", places, fingerprint=daemon.made.fingerprint.upper())
