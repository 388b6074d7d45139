"""outrider-hkpd: wires settings, store, desk and sockets."""

import asyncio
import time
from contextlib import suppress

from hkpd.admin import AdminConversation
from hkpd.publishing import Publishing
from hkpd.server import Conversation, Desk
from hkpd.settings import HkpdSettings
from hkpd.store import CertificateStore
from outrider.admin import Health, watch
from outrider.daemon import Service, run
from outrider.db import DatabaseDown
from outrider.db.serving import serving_database
from outrider.directories import open_directory
from outrider.house import House, sweep_forever
from outrider.settings import Configuration, CoreSettings

FORGET_SECONDS = 300.0  # ended accounts are in no look-up at once; this is how long their bytes may stay on the disk


async def wire(configuration: Configuration, health: Health) -> Service:
    """The daemon's objects; opens nothing yet."""
    core = configuration.section("outrider", CoreSettings)
    settings = configuration.section("hkpd", HkpdSettings)
    database = serving_database(core)
    store = CertificateStore(database)
    desk = Desk(store, health)
    publishing = Publishing(store, open_directory(configuration, database), time.time)
    plain = House("http-hkp", most=settings.connections, most_per_network=settings.connections_per_network)
    front = House("http-front", most=settings.connections)

    async def drain() -> None:
        await asyncio.gather(plain.drain(), front.drain())
        await database.close()

    async def sweep() -> None:
        await sweep_forever([plain, front])

    async def forget() -> None:
        while True:
            with suppress(DatabaseDown):  # who asks meanwhile is told, and /healthz with him
                await store.forget_ended()
            await asyncio.sleep(FORGET_SECONDS)

    async def watched() -> None:
        await watch(desk.look)

    return Service(
        listeners=settings.listeners,
        protocols={
            "http-hkp": lambda _: Conversation(desk, plain, time.time, behind_tls=False),
            "http-front": lambda listener: Conversation(
                desk, front, time.time, behind_tls=True, trust_rip=listener.trust_rip
            ),
            "hkpd-admin": lambda _: AdminConversation(publishing),
        },
        drain=drain,
        tasks=(sweep, forget, watched),
    )


def main() -> int:
    """The console script."""
    return run("outrider-hkpd", wire)
