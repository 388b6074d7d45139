"""Shadow mode: another passdb decides, authd says what it would have said. For weeks before a migration.

Dovecot asks twice for each login (docs/authd.md, "Shadow mode"): first the passdb that serves today, then authd, which
is told the outcome as `observed=yes` or `observed=no` and answers FAIL whatever it thinks. Nobody is let in here, no
code is spent, no failure counts; a disagreement is one log line and a metric.
"""

from __future__ import annotations

import logging
from enum import StrEnum

from prometheus_client import Counter

from authd.decide import SERVICES, Later, No, Verdict, Yes
from authd.protocol.events import Credentials
from authd.server import AuthClientFront

logger = logging.getLogger(__name__)

SHADOW = Counter("authd_shadow", "Logins that another passdb has decided, by what authd says.", ["service", "outcome"])


class Outcome(StrEnum):
    """Both say the same, or not, or authd cannot say."""

    AGREES = "agrees"
    WOULD_REFUSE = "would-refuse"
    WOULD_LET_IN = "would-let-in"
    CANNOT_SAY = "cannot-say"


def compared(observed: str, verdict: Verdict) -> Outcome:
    """The other's decision (`yes` or `no`) and ours."""
    match verdict:
        case Yes():
            return Outcome.AGREES if observed == "yes" else Outcome.WOULD_LET_IN
        case No():
            return Outcome.WOULD_REFUSE if observed == "yes" else Outcome.AGREES
        case Later():
            return Outcome.CANNOT_SAY


class ShadowFront(AuthClientFront):
    """A connection in shadow mode."""

    def _judge(self, asked: Credentials) -> None:
        self.start(self._look_on(asked))

    async def _look_on(self, asked: Credentials) -> None:
        """FAIL for what is observed. A question for a decision is told "later": here is none."""
        if asked.context.observed not in {"yes", "no"}:
            logger.warning("listener=%s shadow: asked for a decision, said later", self._listener.name)
            self.wire.later(asked.id)
            self.flush()
            return
        self.wire.fail(asked.id)  # at once: the user waits for it, and it depends on nothing
        self.flush()
        request = self._request(asked)
        verdict = await self._logins.look_on(asked.user, request)
        outcome = compared(asked.context.observed, verdict)
        service = SERVICES.get(asked.context.service, "-")
        SHADOW.labels(service, outcome).inc()
        if outcome is not Outcome.AGREES:
            line = "shadow=%s service=%s rip=%s account=%s why=%r"
            logger.info(line, outcome, service, request.address or "-", *said(verdict))


def said(verdict: Verdict) -> tuple[int | str, str]:
    """The account and the reason of a verdict."""
    match verdict:
        case Yes(person=person, by=by):
            return person.account, by
        case No(why=why, account=account):
            return account or "-", str(why)
        case Later(reason=reason):
            return "-", reason
