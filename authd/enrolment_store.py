"""Tokens in the database: everything that changes who may log in with which code. Access by other means is in
access_store.
"""

from __future__ import annotations

from dataclasses import dataclass

from authd.access_store import AccessStore
from authd.enrol_kinds import NewToken
from authd.methods import Resync, Token
from authd.methods.ticket import IDLE_SECONDS, LIFE_SECONDS
from authd.store import binding
from outrider.db.verbs import Statement
from outrider.sealed import Keyring

PENDING_SECONDS = 15 * 60
"""A token that nobody has confirmed by then is forgotten."""
WRONG_CODES = 5
"""Wrong codes that end a pending token: its secret was not scanned right, or somebody else guesses."""

COLUMNS = (
    "id, account_id, kind, label, state, secret, extra, public_id, algorithm, digits, period, last, base, locked,"
    " created, confirmed"
)


@dataclass(frozen=True)
class TokenRow:
    """A token, in the order of COLUMNS; times are seconds since 1970."""

    id: int
    account: int
    kind: str
    label: str
    state: str
    secret: bytes
    extra: bytes | None
    public_id: str | None
    algorithm: str
    digits: int
    period: int
    last: int
    base: int
    locked: int | None
    created: int
    confirmed: int | None

    def __repr__(self) -> str:
        return f"TokenRow({self.id})"

    def opened(self, ring: Keyring) -> Token:
        """The token with its secrets; KeyTrouble."""
        secret = ring.open(self.secret, *binding(self.id, self.account, self.kind))
        extra = ring.open(self.extra, *binding(self.id, self.account, self.kind, "extra")) if self.extra else None
        return Token(
            id=self.id,
            kind=self.kind,
            secret=secret,
            algorithm=self.algorithm,
            digits=self.digits,
            period=self.period,
            last=self.last,
            drift=0,
            extra=extra,
            public_id=self.public_id or "",
            base=self.base,
            keyboards=True,  # who sets a token up is not kept out by a Caps Lock
        )


class EnrolmentStore(AccessStore):
    """Errors: DatabaseDown, KeyTrouble."""

    async def add_token(self, account: int, new: NewToken, label: str, ring: Keyring, *, now: int) -> int:
        """A pending token; its number.

        The secret is sealed for the row's own number, so the row comes first, with a secret that opens nothing.
        If the second step never happens, a pending token is left that no code confirms and that is soon forgotten.
        """
        [token] = await self._db.take(
            int,
            "INSERT INTO token (account_id, kind, label, state, secret, public_id, algorithm, digits, period, last,"
            " drift, wrong, created, stock) VALUES (:account, :kind, :label, 'pending', :nothing, :public_id,"
            " :algorithm, :digits, :period, :last, 0, 0, :now, :stock) RETURNING id",
            account=account,
            kind=new.kind,
            label=label or new.label,
            nothing=b"",
            public_id=new.public_id,
            algorithm=new.algorithm,
            digits=new.digits,
            period=new.period,
            last=new.last,
            now=now,
            stock=new.stock,
        )
        extra = None if new.extra is None else ring.seal(new.extra, *binding(token, account, new.kind, "extra"))
        await self._db.run(
            "UPDATE token SET secret = :sealed, extra = :extra WHERE id = :token",
            sealed=ring.seal(new.secret, *binding(token, account, new.kind)),
            extra=extra,
            token=token,
        )
        return token

    async def tokens(self, account: int, now: int) -> list[TokenRow]:
        """All of the account, without pending ones that are too old."""
        return await self._db.all(
            TokenRow,
            f"SELECT {COLUMNS} FROM token WHERE account_id = :account"
            " AND (state <> 'pending' OR created > :oldest) ORDER BY id",
            account=account,
            oldest=now - PENDING_SECONDS,
        )

    async def confirm(self, token: int, *, step: int, drift: int, level: int, now: int) -> bool:
        """A pending token becomes active, and this code is used up; the account gets `level` if it has none.

        One out of stock is confirmed by one account: the row in stock goes with it.
        """
        oldest = now - PENDING_SECONDS
        values = {"step": step, "drift": drift, "now": now, "token": token, "oldest": oldest}
        activated, *_ = await self._db.transaction(
            [
                (
                    "UPDATE token SET state = 'active', last = :step, drift = :drift, wrong = 0, confirmed = :now"
                    " WHERE id = :token AND state = 'pending' AND created > :oldest"
                    " AND (stock IS NULL OR stock IN (SELECT id FROM token_stock))",
                    values,
                ),
                (
                    "DELETE FROM token_stock WHERE id IN"
                    " (SELECT stock FROM token WHERE id = :token AND state = 'active')",
                    {"token": token},
                ),
                first_level(token, level),
            ]
        )
        return activated == 1

    async def activate(self, token: int, level: int, now: int) -> bool:
        """A token that comes from elsewhere, where its owner has used it before."""
        activated, _ = await self._db.transaction(
            [
                (
                    "UPDATE token SET state = 'active', confirmed = :now WHERE id = :token AND state = 'pending'",
                    {"token": token, "now": now},
                ),
                first_level(token, level),
            ]
        )
        return activated == 1

    async def wrong_code(self, token: int) -> bool:
        """Count a wrong code for a pending token; True if that was one too many and the token is gone."""
        _, deleted = await self._db.transaction(
            [
                ("UPDATE token SET wrong = wrong + 1 WHERE id = :token AND state = 'pending'", {"token": token}),
                (
                    "DELETE FROM token WHERE id = :token AND state = 'pending' AND wrong >= :most",
                    {"token": token, "most": WRONG_CODES},
                ),
            ]
        )
        return deleted == 1

    async def resync(self, token: int, found: Resync) -> bool:
        """Both codes are used up; False: a later one was accepted meanwhile."""
        changed = await self._db.run(
            "UPDATE token SET last = :step, drift = 0, base = :base"
            " WHERE id = :token AND state = 'active' AND last < :first",
            step=found.step,
            base=found.base,
            token=token,
            first=found.step - 1,
        )
        return changed == 1

    async def disable_token(self, account: int, token: int) -> bool:
        """An active token becomes disabled, a pending one is forgotten; tickets that it let make end."""
        named = {"token": token, "account": account}
        disabled, deleted, _ = await self._db.transaction(
            [
                (
                    "UPDATE token SET state = 'disabled' WHERE id = :token AND account_id = :account"
                    " AND state = 'active'",
                    named,
                ),
                ("DELETE FROM token WHERE id = :token AND account_id = :account AND state = 'pending'", named),
                ("DELETE FROM ticket WHERE account_id = :account", {"account": account}),
            ]
        )
        return disabled + deleted == 1

    async def sweep(self, now: int) -> None:
        """Forget what nobody confirmed, what is over, and everything of accounts that have ended."""
        ended = "account_id IN (SELECT id FROM account WHERE ended IS NOT NULL)"
        tables = ("token", "app_password", "sign_in", "token_pin", "recovery_code", "ticket")
        await self._db.transaction(
            [
                (
                    "DELETE FROM token WHERE state = 'pending' AND created <= :oldest",
                    {"oldest": now - PENDING_SECONDS},
                ),
                (
                    "DELETE FROM ticket WHERE created <= :life OR used <= :idle",
                    {"life": now - LIFE_SECONDS, "idle": now - IDLE_SECONDS},
                ),
                *((f"DELETE FROM {table} WHERE {ended}", {}) for table in tables),
            ]
        )


def first_level(token: int, level: int) -> Statement:
    """The account of an active token gets a level, if it has none."""
    return (
        "INSERT INTO sign_in (account_id, level)"
        " SELECT account_id, CAST(:level AS BIGINT) FROM token WHERE id = :token AND state = 'active'"
        " ON CONFLICT (account_id) DO NOTHING",
        {"level": level, "token": token},
    )
