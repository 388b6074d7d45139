"""Yubikeys that the operator has bought and nobody owns yet, by their public ids."""

from __future__ import annotations

from dataclasses import dataclass

from authd.enrol_kinds import NewToken
from outrider.db import Database, Taken
from outrider.sealed import Keyring


@dataclass(frozen=True)
class StockRow:
    """One key."""

    id: int
    secret: bytes
    extra: bytes
    label: str

    def __repr__(self) -> str:
        return f"StockRow({self.id})"


class StockStore:
    """Errors: DatabaseDown, KeyTrouble. A key leaves the stock with the confirmation of its token."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def add(self, new: NewToken, ring: Keyring, now: int) -> bool:
        """A key for whoever gets it; False: its public id is in stock already."""
        assert new.public_id is not None
        assert new.extra is not None
        try:
            await self._db.run(
                "INSERT INTO token_stock (public_id, secret, extra, label, created)"
                " VALUES (:public_id, :secret, :extra, :label, :now)",
                public_id=new.public_id,
                secret=ring.seal(new.secret, *binding(new.public_id, "secret")),
                extra=ring.seal(new.extra, *binding(new.public_id, "extra")),
                label=new.label,
                now=now,
            )
        except Taken:
            return False
        return True

    async def find(self, public_id: str, ring: Keyring) -> NewToken | None:
        """What a token of this key is made of."""
        row = await self._db.one(
            StockRow,
            "SELECT id, secret, extra, label FROM token_stock WHERE public_id = :public_id",
            public_id=public_id,
        )
        if row is None:
            return None
        return NewToken(
            "yubikey",
            ring.open(row.secret, *binding(public_id, "secret")),
            extra=ring.open(row.extra, *binding(public_id, "extra")),
            public_id=public_id,
            label=row.label,
            stock=row.id,
        )


def binding(public_id: str, field: str) -> tuple[str, ...]:
    """What the secrets of a key in stock are sealed for."""
    return ("stock", public_id, field)
