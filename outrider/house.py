"""All connections of one kind of listener: how many, from where, and until when.

House.enter    too many, in all or from one network: the newcomer is turned away
House.sweep    now and then: whoever is past his deadline is closed
House.drain    the daemon stops: answer what was asked, then close
"""

import asyncio
import ipaddress
import logging
from collections import Counter
from collections.abc import Sequence
from typing import Protocol

import prometheus_client

logger = logging.getLogger(__name__)

SWEEP_SECONDS = 1.0
DRAIN_SECONDS = 4.0  # every answer is out after the database's deadline of 3 s, unless its peer does not read

TURNED_AWAY = prometheus_client.Counter(
    "outrider_turned_away", "Connections closed at once because there were too many.", ("house",)
)


class Connection(Protocol):
    """What a house knows of a connection."""

    deadline: float  # of the loop's clock

    def finish(self) -> None: ...
    def abort(self) -> None: ...


class House:
    """All connections of one kind of listener; without limits where only our own programs can connect."""

    def __init__(self, name: str, *, most: int | None = None, most_per_network: int | None = None) -> None:
        self.name = name
        self._most = most
        self._most_per_network = most_per_network
        self._open: dict[Connection, str] = {}
        self._networks: Counter[str] = Counter()
        self._empty = asyncio.Event()
        self._empty.set()

    def enter(self, conversation: Connection, network: str = "") -> bool:
        """False if there are too many already."""
        crowded = self._most_per_network is not None and self._networks[network] >= self._most_per_network
        if crowded or (self._most is not None and len(self._open) >= self._most):
            TURNED_AWAY.labels(self.name).inc()
            return False
        self._open[conversation] = network
        self._networks[network] += 1
        self._empty.clear()
        return True

    def leave(self, conversation: Connection) -> None:
        network = self._open.pop(conversation, None)
        if network is None:
            return
        self._networks[network] -= 1
        if not self._networks[network]:
            del self._networks[network]
        if not self._open:
            self._empty.set()

    def sweep(self, now: float) -> None:
        """End connections whose deadline has passed; `now` is the loop's time."""
        for conversation in [one for one in self._open if one.deadline < now]:
            conversation.abort()

    async def drain(self) -> None:
        """Answer what was asked, then close; whoever does not read his answers is cut off."""
        for conversation in list(self._open):
            conversation.finish()
        try:
            async with asyncio.timeout(DRAIN_SECONDS):
                await self._empty.wait()
        except TimeoutError:
            logger.warning("drained house=%s connections=%d of which the peers do not read", self.name, len(self._open))
            for conversation in list(self._open):
                conversation.abort()


async def sweep_forever(houses: Sequence[House]) -> None:
    """The background task that keeps deadlines."""
    loop = asyncio.get_running_loop()
    while True:
        await asyncio.sleep(SWEEP_SECONDS)
        for house in houses:
            house.sweep(loop.time())


def network_of(peer: object) -> str:
    """The IPv4 /24 or IPv6 /64 of a peer; one network for all of a Unix socket."""
    if not isinstance(peer, tuple):
        return ""
    address = ipaddress.ip_address(str(peer[0]).partition("%")[0])
    if isinstance(address, ipaddress.IPv6Address) and address.ipv4_mapped:
        address = address.ipv4_mapped
    return str(ipaddress.ip_network((address, 24 if address.version == 4 else 64), strict=False))
