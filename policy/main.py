"""outrider-policy: wires settings, directory, desks and sockets."""

import time

from outrider.admin import Health, watch
from outrider.daemon import Service, run
from outrider.db.serving import serving_database
from outrider.directories import open_directory
from outrider.house import House
from outrider.settings import Configuration, CoreSettings
from policy.answers import DelegationDesk, Facts, SocketmapDesk
from policy.protocol.delegation import RequestReader
from policy.protocol.socketmap import LookupReader
from policy.server import Conversation
from policy.settings import PolicySettings


async def wire(configuration: Configuration, health: Health) -> Service:
    """The daemon's objects; opens nothing yet."""
    core = configuration.section("outrider", CoreSettings)
    settings = configuration.section("policy", PolicySettings)
    database = serving_database(core)
    facts = Facts(open_directory(configuration, database), health, lambda: int(time.time()))
    house = House("policy")
    delegation, socketmap = DelegationDesk(facts), SocketmapDesk(facts)

    async def drain() -> None:
        await house.drain()
        await database.close()

    async def watched() -> None:
        await watch(facts.look)

    return Service(
        listeners=settings.listeners,
        protocols={
            "delegation": lambda _: Conversation(RequestReader(), delegation, house),
            "socketmap": lambda _: Conversation(LookupReader(), socketmap, house),
        },
        drain=drain,
        tasks=(watched,),
    )


def main() -> int:
    """The console script."""
    return run("outrider-policy", wire)
