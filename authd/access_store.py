"""App passwords, levels, PINs, recovery codes and tickets in the database: what opens an account beside its tokens."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from outrider.db import Database, Taken


@dataclass(frozen=True)
class AppPasswordRow:
    """Times are seconds since 1970."""

    id: int
    label: str
    scopes: str
    created: int
    expires: int | None
    revoked: int | None
    networks: str | None
    used: int | None


class AccessStore:
    """Errors: DatabaseDown."""

    def __init__(self, database: Database) -> None:
        self._db = database

    # App passwords ----------------------------------------------------------------------------------

    async def add_app_password(
        self,
        account: int,
        prefix: str,
        digest: bytes,
        *,
        scopes: str,
        label: str,
        networks: str | None,
        expires: int | None,
        now: int,
    ) -> int | None:
        """Its number; None if the prefix exists already."""
        try:
            [number] = await self._db.take(
                int,
                "INSERT INTO app_password (account_id, prefix, digest, scopes, label, created, expires, networks)"
                " VALUES (:account, :prefix, :digest, :scopes, :label, :now, :expires, :networks) RETURNING id",
                account=account,
                prefix=prefix,
                digest=digest,
                scopes=scopes,
                label=label,
                now=now,
                expires=expires,
                networks=networks,
            )
        except Taken:
            return None
        return number

    async def app_passwords(self, account: int) -> list[AppPasswordRow]:
        return await self._db.all(
            AppPasswordRow,
            "SELECT id, label, scopes, created, expires, revoked, networks, used FROM app_password"
            " WHERE account_id = :account ORDER BY id",
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

    # Levels and PINs ----------------------------------------------------------------------------------

    async def level(self, account: int) -> int | None:
        return await self._db.one(int, "SELECT level FROM sign_in WHERE account_id = :account", account=account)

    async def set_level(self, account: int, level: int) -> None:
        """Tickets end: they were made under another one."""
        await self._db.transaction(
            [
                (
                    "INSERT INTO sign_in (account_id, level) VALUES (:account, :level)"
                    " ON CONFLICT (account_id) DO UPDATE SET level = :level",
                    {"account": account, "level": level},
                ),
                ("DELETE FROM ticket WHERE account_id = :account", {"account": account}),
            ]
        )

    async def has_pin(self, account: int) -> bool:
        found = await self._db.one(int, "SELECT account_id FROM token_pin WHERE account_id = :account", account=account)
        return found is not None

    async def set_pin(self, account: int, pin: str | None) -> None:
        """The hash of a PIN; None: the password stands before the code again. Tickets end."""
        statement = (
            "INSERT INTO token_pin (account_id, pin) VALUES (:account, :pin)"
            " ON CONFLICT (account_id) DO UPDATE SET pin = :pin",
            {"account": account, "pin": pin},
        )
        if pin is None:
            statement = ("DELETE FROM token_pin WHERE account_id = :account", {"account": account})
        await self._db.transaction(
            [statement, ("DELETE FROM ticket WHERE account_id = :account", {"account": account})]
        )

    # Recovery codes -------------------------------------------------------------------------------------

    async def recovery_codes_left(self, account: int) -> int | None:
        """Unused ones; None: there never were any."""
        made = await self._db.one(
            Count,
            "SELECT COUNT(*), COUNT(used_at) FROM recovery_code WHERE account_id = :account",
            account=account,
        )
        return made.all - made.used if made is not None and made.all else None

    async def set_recovery_codes(self, account: int, digests: Sequence[bytes], now: int) -> None:
        """New ones in the place of all old ones."""
        insert = "INSERT INTO recovery_code (account_id, digest, created) VALUES (:account, :digest, :now)"
        await self._db.transaction(
            [
                ("DELETE FROM recovery_code WHERE account_id = :account", {"account": account}),
                *((insert, {"account": account, "digest": digest, "now": now}) for digest in digests),
            ]
        )

    # Tickets --------------------------------------------------------------------------------------------

    async def add_ticket(
        self, account: int, prefix: str, digest: bytes, *, services: str, peers: str, now: int
    ) -> int | None:
        """Its number; None if the prefix exists already. A later event of the account may end it."""
        try:
            [number] = await self._db.take(
                int,
                "INSERT INTO ticket (account_id, prefix, digest, services, peers, event, created, used)"
                " SELECT CAST(:account AS BIGINT), CAST(:prefix AS TEXT), :digest, CAST(:services AS TEXT),"
                " CAST(:peers AS TEXT), COALESCE(MAX(id), 0), CAST(:now AS BIGINT), CAST(:now AS BIGINT)"
                " FROM account_event WHERE account_id = :account RETURNING id",
                account=account,
                prefix=prefix,
                digest=digest,
                services=services,
                peers=peers,
                now=now,
            )
        except Taken:
            return None
        return number

    async def end_ticket(self, prefix: str, digest: bytes) -> bool:
        """Its user has logged out."""
        ended = await self._db.run(
            "DELETE FROM ticket WHERE prefix = :prefix AND digest = :digest", prefix=prefix, digest=digest
        )
        return ended == 1

    async def end_tickets(self, account: int) -> int:
        """All of the account; how many there were."""
        return await self._db.run("DELETE FROM ticket WHERE account_id = :account", account=account)


class Count:
    """All rows, and those of them that are used."""

    def __init__(self, all: int, used: int) -> None:
        self.all, self.used = all, used
