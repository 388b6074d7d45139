"""What logins leave behind: counters, known networks, notices, audit rows. No login waits for it to be written.

Everything is gathered in memory, counts there from that moment on (`over`), and is written once a second in one
transaction. So a refusal takes the same time whatever it counts, and a thousand logins a second are one write. A
process that is killed loses what it gathered in the last second; one that is stopped writes it first.
"""

from __future__ import annotations

import asyncio
from collections import Counter as Times
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace

from prometheus_client import Counter

from authd.audit_store import Audit, written
from authd.bounded import Bounded
from authd.guards import (
    CLOSE_AFTER,
    LOCK_AFTER,
    SEEN_AGAIN_SECONDS,
    Codes,
    Guard,
    in_a_row,
    right_token,
    seen,
    wrong_codes,
    wrong_secrets,
)
from outrider.db import Database, DatabaseDown
from outrider.db.verbs import Statement
from outrider.notices import DAY_SECONDS, notice

WRITE_SECONDS = 1.0
"""So much is lost when the process is killed."""
ROWS_MOST = 500
"""Different audit rows in one write, over all accounts; what is more is counted in a metric alone."""
REFUSALS_MOST = 20
"""Different refusals of one account in one write; the rest shares rows whose network is `many`."""
TRIES_MOST = 60
"""Then what cannot be written is given up, so that one bad row does not stop all others."""
REMEMBERED = 65536
"""Notices and networks that are known to be written, so that they are not written at each login."""

DROPPED = Counter(
    "authd_audit_dropped", "Audit rows that were not written: too many at once, or no database for a minute."
)


@dataclass
class TokenSum:
    """Right codes beside wrong secrets; `anew`: a login came before them."""

    account: int
    times: int = 0
    anew: bool = False


@dataclass
class CodeSum:
    """Wrong codes beside the right secret; `anew`: a login came before the last `row` of them."""

    secret: bytes = field(default=b"", repr=False)
    row: int = 0
    total: int = 0
    anew: bool = False


@dataclass
class Gathered:
    """What one write will write."""

    tokens: dict[int, TokenSum] = field(default_factory=dict)
    codes: dict[int, CodeSum] = field(default_factory=dict)
    networks: dict[tuple[int, str], int] = field(default_factory=dict)
    notices: dict[tuple[int, str, str], int] = field(default_factory=dict)
    audit: dict[object, Audit] = field(default_factory=dict)
    again: Times[object] = field(default_factory=Times)
    """How often a row of `audit` happened once more."""
    refusals: Times[int] = field(default_factory=Times)

    def __bool__(self) -> bool:
        return bool(self.tokens or self.codes or self.networks or self.notices or self.audit)

    def statements(self, now: int) -> Iterator[Statement]:
        for number, token in self.tokens.items():
            if token.anew:
                yield right_token(number)
            if token.times:
                yield from wrong_secrets(token.account, number, token.times, now)
        for account, codes in self.codes.items():
            if codes.total:
                yield wrong_codes(account, codes.secret, codes.total, now)
            if codes.anew:
                yield in_a_row(account, codes.row)
        for (account, network), at in self.networks.items():
            yield seen(account, network, at)
        for (account, kind, subject), at in self.notices.items():
            yield notice(account, kind, subject, at)
        for alike, row in self.audit.items():
            yield written(replace(row, times=row.times + self.again[alike]))

    def over(self, account: int, guard: Guard, now: int) -> Guard:
        """The guard as it will be once this is written."""
        wrong = dict(guard.wrong)
        for number, token in self.tokens.items():
            if token.account == account:
                wrong[number] = (0 if token.anew else wrong.get(number, 0)) + token.times
        locked = guard.locked | {number for number, times in wrong.items() if times >= LOCK_AFTER}
        return replace(guard, wrong=wrong, locked=locked, codes=self._codes(account, guard, now))

    def _codes(self, account: int, guard: Guard, now: int) -> Codes:
        added = self.codes.get(account)
        if added is None:
            return guard.codes
        if not added.total:
            return replace(guard.codes, in_a_row=0)
        before = guard.counts(added.secret, now)
        total = before.total + added.total
        row = added.row + (0 if added.anew else before.in_a_row)
        return replace(before, in_a_row=row, total=total, closed=before.closed or total >= CLOSE_AFTER)


class Ledger:
    """Gathers and writes. `clock` is the time of day; only `write` can fail, and then nothing is lost."""

    def __init__(self, database: Database, clock: Callable[[], float], *, audit: bool = True) -> None:
        self._db, self._clock, self._audit = database, clock, audit
        self._gathered, self._writing = Gathered(), Gathered()
        self._turn = asyncio.Lock()
        self._tries = 0
        self._told: Bounded[tuple[int, str, str], int] = Bounded(REMEMBERED)
        self._seen: Bounded[tuple[int, str], int] = Bounded(REMEMBERED)

    def over(self, account: int, guard: Guard) -> Guard:
        """What the database says of the account, with what is not written yet.

        While it is being written both may hold it for a moment: a failure may count twice then, never too little.
        """
        now = self._now()
        return self._gathered.over(account, self._writing.over(account, guard, now), now)

    def wrong_secret(self, account: int, token: int) -> None:
        self._gathered.tokens.setdefault(token, TokenSum(account)).times += 1

    def wrong_code(self, account: int, secret: bytes) -> None:
        codes = self._gathered.codes.setdefault(account, CodeSum(secret))
        if codes.total and codes.secret != secret:  # another password within the second
            codes = self._gathered.codes[account] = CodeSum(secret)
        codes.secret = secret
        codes.row += 1
        codes.total += 1

    def right(self, account: int, token: int) -> None:
        """A login with this token's code."""
        self._gathered.tokens[token] = TokenSum(account, anew=True)
        codes = self._gathered.codes.setdefault(account, CodeSum())
        codes.row, codes.anew = 0, True

    def seen(self, account: int, network: str) -> None:
        """Somebody got in from there."""
        now = self._now()
        if network and now - (self._seen.get((account, network)) or 0) >= SEEN_AGAIN_SECONDS:
            self._seen.put((account, network), now)
            self._gathered.networks[account, network] = now

    def notice(self, account: int, kind: str, subject: str) -> None:
        """At most one of a kind, subject and day; the table says so too, for several processes."""
        now = self._now()
        if self._told.get((account, kind, subject)) != now // DAY_SECONDS:
            self._told.put((account, kind, subject), now // DAY_SECONDS)
            self._gathered.notices[account, kind, subject] = now

    def again(self, alike: object) -> bool:
        """Count one more of a row that is to be written (`Audit.alike`); False: there is none."""
        if alike not in self._gathered.audit:
            return not self._audit
        self._gathered.again[alike] += 1
        return True

    def audit(self, row: Audit) -> None:
        """One login of an account that exists."""
        if not self._audit:
            return
        gathered = self._gathered
        if row.result != "yes" and row.alike() not in gathered.audit:
            gathered.refusals[row.account] += 1
            if gathered.refusals[row.account] > REFUSALS_MOST:
                row = replace(row, network="many")
        if (before := gathered.audit.get(row.alike())) is not None:
            row = replace(before, times=before.times + row.times)
        elif len(gathered.audit) >= ROWS_MOST:
            DROPPED.inc()
            return
        gathered.audit[row.alike()] = row

    def forget(self, account: int) -> None:
        """What was counted against the account and is not written yet: an operator has unlocked it."""
        for one in (self._gathered, self._writing):
            one.codes.pop(account, None)
            for number in [number for number, token in one.tokens.items() if token.account == account]:
                del one.tokens[number]

    async def write(self) -> None:
        """Write what was gathered. DatabaseDown: it is kept and written next time."""
        async with self._turn:
            if not self._writing:
                self._writing, self._gathered, self._tries = self._gathered, Gathered(), 0
            if not self._writing:
                return
            self._tries += 1
            try:
                await self._db.transaction(list(self._writing.statements(self._now())))
            except DatabaseDown:
                if self._tries < TRIES_MOST:
                    raise
                DROPPED.inc(len(self._writing.audit))
            self._writing = Gathered()

    async def run(self) -> None:
        """Beside the listeners."""
        while True:
            await asyncio.sleep(WRITE_SECONDS)
            try:
                await self.write()
            except DatabaseDown:
                continue  # authd.watch says it

    def _now(self) -> int:
        return int(self._clock())
