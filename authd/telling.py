"""The log line and the metrics of each login."""

from __future__ import annotations

import asyncio
import logging
from functools import lru_cache

from prometheus_client import Counter, Histogram

from authd.decide import SERVICES, Later, No, Request, Verdict, Yes
from authd.limits import Class, class_of

logger = logging.getLogger("authd.server")

ALIKE_SECONDS = 1.0
"""Logins that were let in alike within that time share a line: a program that comes too often fills no log."""
BUCKETS = (0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0)
"""Seconds: an app password, a hash, a full queue, the last moment."""
LOGINS = Counter("authd_logins", "Judged logins, by the class of their failure.", ["service", "verdict", "class"])
SECONDS = Histogram("authd_login_seconds", "From credentials to answer.", ["verdict"], buckets=BUCKETS)

# prometheus_client looks a child up under a lock; their number is small (no address, no login)
counted = lru_cache(maxsize=256)(LOGINS.labels)
timed = lru_cache(maxsize=8)(SECONDS.labels)

Alike = tuple[str, str, int, str]


class Telling:
    """One line per login, with no name and no secret: the account is a number of ours.

    Ban tools read them (docs/authd.md, "Ban tools"): new fields come at the end, known ones keep their names and order.
    A failure is a line of its own at the moment it happens. Of logins that were let in the first is; those that are
    alike within ALIKE_SECONDS follow as one line with `times=`.
    """

    def __init__(self) -> None:
        self._alike: dict[Alike, int] = {}
        self._rest: asyncio.TimerHandle | None = None

    def note(self, request: Request, verdict: Verdict, seconds: float) -> None:
        service, address = SERVICES.get(request.service, "-"), request.address or "-"
        kind = Class.NONE
        match verdict:
            case Yes(person=person, by=by):
                word = "yes"
                self._yes((service, address, person.account, by))
            case No(why=why, account=account):
                word, kind = "no", class_of(why)
                line = "login=no service=%s rip=%s account=%s class=%s why=%s"
                logger.info(line, service, address, account or "-", kind, why)
            case Later(reason=reason):
                word = "later"
                logger.info("login=later service=%s rip=%s why=%r", service, address, reason)
        counted(service, word, kind).inc()
        timed(word).observe(seconds)

    def _yes(self, login: Alike) -> None:
        times = self._alike.get(login)
        if times is not None:
            self._alike[login] = times + 1
            return
        logger.info("login=yes service=%s rip=%s account=%d by=%r", *login)
        self._alike[login] = 0
        if self._rest is None:
            self._rest = asyncio.get_running_loop().call_later(ALIKE_SECONDS, self.flush)

    def flush(self) -> None:
        """Say how many followed; what comes next is told anew."""
        alike, self._alike, self._rest = self._alike, {}, None
        for login, times in alike.items():
            if times:
                logger.info("login=yes service=%s rip=%s account=%d by=%r times=%d", *login, times)
