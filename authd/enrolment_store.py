"""Tokens, app passwords and levels in the database: everything that changes who may log in how."""

from __future__ import annotations

from dataclasses import dataclass

from authd.store import binding
from outrider.db import Database, Taken
from outrider.sealed import Keyring

PENDING_SECONDS = 15 * 60
"""A token that nobody has confirmed by then is forgotten."""
WRONG_CODES = 5
"""Wrong codes that end a pending token: its secret was not scanned right, or somebody else guesses."""

COLUMNS = "id, account_id, kind, label, state, secret, algorithm, digits, period, created, confirmed"


@dataclass(frozen=True)
class TokenRow:
    """A token, in the order of COLUMNS; times are seconds since 1970."""

    id: int
    account: int
    kind: str
    label: str
    state: str
    secret: bytes
    algorithm: str
    digits: int
    period: int
    created: int
    confirmed: int | None

    def __repr__(self) -> str:
        return f"TokenRow({self.id})"


@dataclass(frozen=True)
class AppPasswordRow:
    id: int
    label: str
    scopes: str
    created: int
    expires: int | None
    revoked: int | None


class EnrolmentStore:
    """Errors: DatabaseDown, KeyTrouble."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # Tokens -----------------------------------------------------------------------------------------

    async def add_token(
        self, account: int, kind: str, label: str, secret: bytes, ring: Keyring, *, digits: int, period: int, now: int
    ) -> int:
        """A pending token; its number.

        The secret is sealed for the row's own number, so the row comes first, with a secret that opens nothing.
        If the second step never happens, a pending token is left that no code confirms and that is soon forgotten.
        """
        [token] = await self._db.take(
            int,
            "INSERT INTO token (account_id, kind, label, state, secret, algorithm, digits, period, last, drift, wrong,"
            " created) VALUES (:account, :kind, :label, 'pending', :nothing, 'SHA1', :digits, :period, -1, 0, 0, :now)"
            " RETURNING id",
            account=account,
            kind=kind,
            label=label,
            nothing=b"",
            digits=digits,
            period=period,
            now=now,
        )
        sealed = ring.seal(secret, *binding(token, account, kind))
        await self._db.run("UPDATE token SET secret = :sealed WHERE id = :token", sealed=sealed, token=token)
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
        """A pending token becomes active, and this code is used up; the account gets `level` if it has none."""
        activated, _ = await self._db.transaction(
            [
                (
                    "UPDATE token SET state = 'active', last = :step, drift = :drift, wrong = 0, confirmed = :now"
                    " WHERE id = :token AND state = 'pending' AND created > :oldest",
                    {"step": step, "drift": drift, "now": now, "token": token, "oldest": now - PENDING_SECONDS},
                ),
                (
                    "INSERT INTO sign_in (account_id, level)"
                    " SELECT account_id, CAST(:level AS BIGINT) FROM token WHERE id = :token AND state = 'active'"
                    " ON CONFLICT (account_id) DO NOTHING",
                    {"level": level, "token": token},
                ),
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

    async def disable_token(self, account: int, token: int) -> bool:
        """An active token becomes disabled, a pending one is forgotten."""
        disabled, deleted = await self._db.transaction(
            [
                (
                    "UPDATE token SET state = 'disabled' WHERE id = :token AND account_id = :account"
                    " AND state = 'active'",
                    {"token": token, "account": account},
                ),
                (
                    "DELETE FROM token WHERE id = :token AND account_id = :account AND state = 'pending'",
                    {"token": token, "account": account},
                ),
            ]
        )
        return disabled + deleted == 1

    # App passwords ----------------------------------------------------------------------------------

    async def add_app_password(
        self, account: int, prefix: str, digest: bytes, scopes: str, label: str, *, expires: int | None, now: int
    ) -> int | None:
        """Its number; None if the prefix exists already."""
        try:
            [number] = await self._db.take(
                int,
                "INSERT INTO app_password (account_id, prefix, digest, scopes, label, created, expires)"
                " VALUES (:account, :prefix, :digest, :scopes, :label, :now, :expires) RETURNING id",
                account=account,
                prefix=prefix,
                digest=digest,
                scopes=scopes,
                label=label,
                now=now,
                expires=expires,
            )
        except Taken:
            return None
        return number

    async def app_passwords(self, account: int) -> list[AppPasswordRow]:
        return await self._db.all(
            AppPasswordRow,
            "SELECT id, label, scopes, created, expires, revoked FROM app_password WHERE account_id = :account"
            " ORDER BY id",
            account=account,
        )

    async def revoke_app_password(self, account: int, number: int, now: int) -> bool:
        changed = await self._db.run(
            "UPDATE app_password SET revoked = :now WHERE id = :number AND account_id = :account AND revoked IS NULL",
            now=now,
            number=number,
            account=account,
        )
        return changed == 1

    # Levels -----------------------------------------------------------------------------------------

    async def level(self, account: int) -> int | None:
        return await self._db.one(int, "SELECT level FROM sign_in WHERE account_id = :account", account=account)

    async def set_level(self, account: int, level: int) -> None:
        await self._db.run(
            "INSERT INTO sign_in (account_id, level) VALUES (:account, :level)"
            " ON CONFLICT (account_id) DO UPDATE SET level = :level",
            account=account,
            level=level,
        )

    async def sweep(self, now: int) -> None:
        """Forget what nobody confirmed, and everything of accounts that have ended."""
        ended = "account_id IN (SELECT id FROM account WHERE ended IS NOT NULL)"
        await self._db.transaction(
            [
                (
                    "DELETE FROM token WHERE state = 'pending' AND created <= :oldest",
                    {"oldest": now - PENDING_SECONDS},
                ),
                *((f"DELETE FROM {table} WHERE {ended}", {}) for table in ("token", "app_password", "sign_in")),
            ]
        )
