"""What runs beside the logins: looking whether key and database are there, and forgetting what is over."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Sequence
from typing import Protocol

from authd.keys import Keys
from outrider.admin import Health
from outrider.db import Database, DatabaseDown
from outrider.sealed import KeyTrouble

SWEEP_SECONDS = 3600.0
"""Old pending tokens are never offered before either; this only keeps the table small."""


async def look(database: Database, keys: Keys, health: Health) -> None:
    """One look at both."""
    try:
        keys.ring()
        health.well("key")
    except KeyTrouble as error:
        health.trouble("key", str(error))
    try:
        await database.one(int, "SELECT COUNT(*) FROM sign_in WHERE account_id = 0")
        health.well("database")
    except DatabaseDown as error:
        health.trouble("database", str(error))


class Sweeps(Protocol):
    """A store that forgets what is over."""

    async def sweep(self, now: int) -> None: ...


async def sweep(stores: Sequence[Sweeps], clock: Callable[[], float]) -> None:
    """Deletes pending tokens and audit rows that are too old, and what belongs to accounts that have ended."""
    while True:
        for store in stores:
            with contextlib.suppress(DatabaseDown):  # `watch` says it
                await store.sweep(int(clock()))
        await asyncio.sleep(SWEEP_SECONDS)
