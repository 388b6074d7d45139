"""How often may one guess? Pure: what happened and the time come in, whether the next try is judged comes out.

Failures are told apart by who can cause them (`class_of`):

    A   nothing was right          anybody        a bucket per network; a growing pause per account, network, service
    B   the code was right         token holders  ten lock that token     (in the database: authd.guards)
    C   the secret was right       its knowers    ten: a growing pause; a hundred close the account's code logins
    -   nobody guessed             a program with the right secret at the wrong door

Three rules keep a stranger from locking an owner out. What needs no slow hash (app passwords, tickets) is not limited.
A pause holds for the network that has failed, not for others. When strangers have used up an account's hour, networks
from which somebody got in lately are judged as ever; the others are told "later".

One mistyped password is several failures (Thunderbird tries three times, a telephone every five minutes): the very same
field again is no further guess and prolongs nothing. Known by 16 bits of a keyed hash, so that nothing of a secret is
kept. No success of another credential takes anything back.

Everything here is in memory and bounded; a restart forgets it, which an attacker cannot cause.
"""

from __future__ import annotations

import hashlib
from dataclasses import dataclass, field
from enum import IntEnum, StrEnum
from typing import TypeVar

from authd.bounded import Bounded
from authd.decide import Why

NETWORK_BURST, NETWORK_SECONDS = 200.0, 6.0
"""Failures of one network at once (an office after a change of passwords), then one in so many seconds."""
ACCOUNT_BURST, ACCOUNT_SECONDS = 100.0, 36.0
"""Failures of class A at one account, from all networks together: a hundred an hour."""
PAIR_FREE, PAIR_LONGEST = 5, 60.0
"""Different wrong fields that nobody is held up for; then 1, 2, 4 … seconds."""
PAIR_FORGET = 3600.0
CODES_FREE, CODES_FIRST, CODES_LONGEST = 10, 60.0, 3600.0
"""Wrong codes in a row beside the right secret, then the pauses: a forgotten program reaches the hundred in days."""
CODES_FORGET = 86400.0
REPEAT_SECONDS = 90.0
"""A wrong code repeated within its own life is no further guess; later it is, since codes change."""
TAGS = 8
NETWORKS_MOST = PAIRS_MOST = ACCOUNTS_MOST = 65536
"""The oldest goes first. A few hundred bytes each."""


class Class(StrEnum):
    """Who can cause a failure; in the log, in audit rows, in metrics."""

    STRANGER = "A"
    TOKEN = "B"  # noqa: S105 - the name of a class
    SECRET = "C"  # noqa: S105
    NONE = "-"


def class_of(why: Why) -> Class:
    """The class of a refusal."""
    match why:
        case Why.CODE_ONLY:
            return Class.TOKEN
        case Why.SECRET_ONLY | Why.SPENT | Why.CODES_LIMITED:
            return Class.SECRET
        case Why.SERVICE | Why.CLOSED | Why.APP_WANTED | Why.APP_PASSWORD | Why.TICKET | Why.LOCKED | Why.CODES_CLOSED:
            return Class.NONE
        case _:
            return Class.STRANGER


class Refusal(StrEnum):
    """Why a try is not judged at all."""

    NETWORK = "the network's failures"
    PAIR = "failures at this account from this network"
    CODES = "wrong codes from this network"
    ACCOUNT = "the account's failures"


class Lane(IntEnum):
    """Whose hash comes first when threads are short."""

    KNOWN = 0
    FRESH = 1
    FAILED = 2


@dataclass(frozen=True, slots=True)
class Attempt:
    """One try that would cost a slow hash."""

    who: bytes
    """Digest of the login, whether it exists or not."""
    network: str
    """Empty: nobody knows from where."""
    service: str
    tag: int
    """Sixteen bits of the field."""
    known: bool
    """Somebody got in from this network lately."""
    with_code: bool
    """The service asks for a code."""


@dataclass(slots=True)
class Bucket:
    """So many at once, then one in `seconds`."""

    burst: float
    seconds: float
    level: float
    at: float

    def now(self, now: float) -> float:
        """How many are left."""
        self.level = min(self.burst, self.level + max(0.0, now - self.at) / self.seconds)
        self.at = now
        return self.level

    def take(self, now: float) -> None:
        self.level = max(0.0, self.now(now) - 1)


@dataclass(slots=True)
class Pause:
    """Failures of one kind from one place, and until when nothing from there is judged."""

    failures: int = 0
    until: float = 0.0
    at: float = 0.0
    tags: dict[int, float] = field(default_factory=dict)

    def repeated(self, tag: int, now: float, within: float) -> bool:
        """Whether this very field has failed before; remembers it."""
        before = self.tags.pop(tag, None)
        self.tags[tag] = now if before is None or now - before > within else before
        while len(self.tags) > TAGS:
            del self.tags[next(iter(self.tags))]
        return before is not None and now - before <= within

    def failed(self, now: float, free: int, first: float, longest: float) -> None:
        self.failures += 1
        self.at = now
        if self.failures > free:
            self.until = now + min(longest, first * 2.0 ** min(self.failures - free - 1, 32))


Key = TypeVar("Key")


@dataclass(frozen=True, slots=True)
class Paused:
    """From there nothing is judged for so many seconds."""

    network: str
    service: str
    seconds: int


@dataclass(frozen=True, slots=True)
class Standing:
    """What holds against an account in this process."""

    left: int
    """Failures that unknown networks have left."""
    pauses: tuple[Paused, ...]


Place = tuple[bytes, str, str]


class Limits:
    """What is remembered of failures. `now` is a clock that never jumps, in seconds."""

    def __init__(self) -> None:
        self._networks: Bounded[str, Bucket] = Bounded(NETWORKS_MOST)
        self._accounts: Bounded[bytes, Bucket] = Bounded(ACCOUNTS_MOST)
        self._pairs: Bounded[Place, Pause] = Bounded(PAIRS_MOST)
        self._codes: Bounded[Place, Pause] = Bounded(PAIRS_MOST)

    def refused(self, attempt: Attempt, now: float) -> Refusal | None:
        """Why this try is not judged, or None. A refused try counts as nothing: it prolongs no pause."""
        if attempt.network:
            pair, codes = self._pause(self._pairs, attempt, now), self._pause(self._codes, attempt, now)
            if pair is not None and now < pair.until:
                return Refusal.PAIR
            if attempt.with_code and codes is not None and now < codes.until:
                return Refusal.CODES
            if not attempt.known and self._left(self._networks, attempt.network, now) < 1:
                return Refusal.NETWORK
        if not (attempt.known and attempt.network) and self._left(self._accounts, attempt.who, now) < 1:
            return Refusal.ACCOUNT
        return None

    def lane(self, attempt: Attempt, now: float) -> Lane:
        """Who has not failed is not kept waiting by those who have."""
        if self._pause(self._pairs, attempt, now) is not None or self._pause(self._codes, attempt, now) is not None:
            return Lane.FAILED
        return Lane.KNOWN if attempt.known else Lane.FRESH

    def failed(self, attempt: Attempt, kind: Class, now: float) -> bool:
        """Count a judged failure; False: the very same field has failed before, which is no further guess."""
        if attempt.network:
            self._take(self._networks, attempt.network, Bucket(NETWORK_BURST, NETWORK_SECONDS, NETWORK_BURST, now), now)
        if kind is Class.NONE:
            return True
        pauses = self._codes if kind is Class.SECRET else self._pairs
        pause = self._pause(pauses, attempt, now) or Pause(at=now)
        pauses.put(place(attempt), pause)
        within = PAIR_FORGET if kind is Class.STRANGER else REPEAT_SECONDS
        if pause.repeated(attempt.tag, now, within):
            return False
        if kind is Class.STRANGER:
            pause.failed(now, PAIR_FREE, 1.0, PAIR_LONGEST)
            full = Bucket(ACCOUNT_BURST, ACCOUNT_SECONDS, ACCOUNT_BURST, now)
            self._take(self._accounts, attempt.who, full, now)
        elif kind is Class.SECRET:
            pause.failed(now, CODES_FREE, CODES_FIRST, CODES_LONGEST)
        return True

    def succeeded(self, attempt: Attempt) -> None:
        """The secret that was guessed at has let somebody in from here: his pauses end, no bucket fills."""
        self._pairs.drop(place(attempt))
        if attempt.with_code:
            self._codes.drop(place(attempt))

    def standing(self, who: bytes, now: float) -> Standing:
        """What holds against an account now. Walks over everything: for a person's command."""
        pauses = [
            Paused(network, service, round(pause.until - now))
            for one in (self._pairs, self._codes)
            for (account, network, service), pause in one.items()
            if account == who and pause.until > now
        ]
        bucket = self._accounts.get(who)
        return Standing(int(bucket.now(now)) if bucket else int(ACCOUNT_BURST), tuple(pauses))

    def forget(self, who: bytes) -> None:
        """An operator has opened the account's locks. Walks over everything: for a person's command."""
        self._accounts.drop(who)
        for pauses in (self._pairs, self._codes):
            for where in [where for where, _ in pauses.items() if where[0] == who]:
                pauses.drop(where)

    def _pause(self, pauses: Bounded[Place, Pause], attempt: Attempt, now: float) -> Pause | None:
        pause = pauses.get(place(attempt))
        forget = CODES_FORGET if pauses is self._codes else PAIR_FORGET
        if pause is not None and now - pause.at > forget:
            pauses.drop(place(attempt))
            return None
        return pause

    def _left(self, buckets: Bounded[Key, Bucket], key: Key, now: float) -> float:
        bucket = buckets.get(key)
        return bucket.now(now) if bucket is not None else 1.0

    def _take(self, buckets: Bounded[Key, Bucket], key: Key, full: Bucket, now: float) -> None:
        bucket = buckets.get(key) or full
        bucket.take(now)
        buckets.put(key, bucket)


def place(attempt: Attempt) -> Place:
    """A pause holds for one account, one network and one service, so that a forgotten program hinders nothing else."""
    return attempt.who, attempt.network, attempt.service


def digest(text: str, size: int, key: bytes) -> bytes:
    """A keyed hash; what is kept of a login or a field says nothing without the process's key."""
    return hashlib.blake2b(text.encode("utf-8", "replace"), digest_size=size, key=key).digest()
