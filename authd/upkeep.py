"""What an operator does to all secrets at once: seal them anew, or make old codes useless after a restore."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from authd import stock_store
from authd.methods import hotp, motp, totp
from authd.store import binding
from outrider.db import Database
from outrider.db.verbs import Statement
from outrider.sealed import Keyring, KeyTrouble, key_id

BATCH = 100
"""Rows of one transaction; logins go on between them."""
PORTION = 20
"""Batches of one question, which has to be answered in a few seconds."""
HOTP_AHEAD = hotp.LOOK_AHEAD
YUBIKEY_AHEAD = 10
"""Sessions: the key gets power that often in a few days."""
YUBIKEY_MOST = 0x7FFF << 8 | 0xFF
"""The counter ends there; a key that has come so far stays usable."""

# Codes that were accepted after the backup was made must not be accepted again. Clocks tell which those can be;
# counters do not, so they are moved on by as many as are likely.
TOTP = """
UPDATE token SET last = :now / period + base + drift + :window
WHERE kind = 'totp' AND state = 'active' AND last < :now / period + base + drift + :window
"""
MOTP = "UPDATE token SET last = :step WHERE kind = 'motp' AND state = 'active' AND last < :step"
HOTP = "UPDATE token SET last = last + :ahead WHERE kind = 'hotp' AND state = 'active'"
YUBIKEY = """
UPDATE token SET last = CASE WHEN (last / 256 + :ahead) * 256 + 255 > :most THEN last
                             ELSE (last / 256 + :ahead) * 256 + 255 END
WHERE kind = 'yubikey' AND state = 'active' AND last >= 0
"""


@dataclass(frozen=True)
class SealedRow:
    """One sealed field; `about` and `kind` are what it is bound to."""

    id: int
    about: str
    kind: str
    blob: bytes

    def __repr__(self) -> str:
        return f"SealedRow({self.id})"


@dataclass(frozen=True)
class Column:
    """Where sealed fields lie, and what each is bound to. `about` and `kind` are SQL."""

    table: str
    field: str
    about: str
    kind: str
    bound: Callable[[SealedRow], tuple[str, ...]]

    def select(self) -> str:
        return (
            f"SELECT id, {self.about}, {self.kind}, {self.field} FROM {self.table}"
            f" WHERE id > :after AND {self.field} IS NOT NULL ORDER BY id LIMIT :most"
        )

    def update(self) -> str:
        """Only if nobody has changed it meanwhile."""
        return f"UPDATE {self.table} SET {self.field} = :new WHERE id = :id AND {self.field} = :old"


def of_token(field: str) -> Column:
    return Column(
        "token", field, "CAST(account_id AS TEXT)", "kind", lambda row: binding(row.id, int(row.about), row.kind, field)
    )


def of_stock(field: str) -> Column:
    return Column("token_stock", field, "public_id", "''", lambda row: stock_store.binding(row.about, field))


COLUMNS = (of_token("secret"), of_token("extra"), of_stock("secret"), of_stock("extra"))


@dataclass
class Rewrapped:
    """What `rewrap` has done."""

    key: str
    """Its name in the key file."""
    sealed: int = 0
    """Fields sealed anew with it."""
    already: int = 0
    failed: int = 0
    """Fields that no key opens; nobody can use them as they are."""
    next: dict[str, int] | None = None
    """Where to go on; None: that was all."""


class Upkeep:
    """Errors: DatabaseDown."""

    def __init__(self, database: Database, columns: Sequence[Column] = COLUMNS) -> None:
        self._db, self._columns = database, columns

    async def rewrap(self, ring: Keyring, column: int = 0, after: int = 0) -> Rewrapped:
        """Seal a portion of all fields with the newest key, from this place on.

        It can be run again, and a login finds each field in the one form or the other.
        """
        done = Rewrapped(ring.newest)
        for _ in range(PORTION):
            if column >= len(self._columns):
                return done
            rows = await self._db.all(SealedRow, self._columns[column].select(), after=after, most=BATCH)
            await self._batch(self._columns[column], rows, ring, done)
            column, after = (column, rows[-1].id) if rows else (column + 1, 0)
        done.next = {"column": column, "after": after}
        return done

    async def _batch(self, column: Column, rows: list[SealedRow], ring: Keyring, done: Rewrapped) -> None:
        statements: list[Statement] = []
        for row in rows:
            if not row.blob:  # a token whose enrolment broke off before its secret was written
                continue
            if key_id(row.blob) == ring.newest:
                done.already += 1
                continue
            try:
                plain = ring.open(row.blob, *column.bound(row))
            except KeyTrouble:
                done.failed += 1
                continue
            new = ring.seal(plain, *column.bound(row))
            statements.append((column.update(), {"new": new, "id": row.id, "old": row.blob}))
        if statements:
            done.sealed += sum(await self._db.transaction(statements))

    async def restored(self, now: int) -> dict[str, int]:
        """After the database was set back: how many tokens of each kind were moved on, how many tickets ended."""
        totps, motps, hotps, yubikeys, tickets = await self._db.transaction(
            [
                (TOTP, {"now": now, "window": totp.WINDOW}),
                (MOTP, {"step": now // motp.PERIOD + motp.WINDOW}),
                (HOTP, {"ahead": HOTP_AHEAD}),
                (YUBIKEY, {"ahead": YUBIKEY_AHEAD, "most": YUBIKEY_MOST}),
                ("DELETE FROM ticket", {}),
            ]
        )
        return {"totp": totps, "motp": motps, "hotp": hotps, "yubikey": yubikeys, "tickets": tickets}
