"""What can be changed about people of an operator's own directory: only what we keep ourselves.

They are made, renamed and given passwords where the operator does it. We can refuse their logins and end them.
"""

from outrider.addresses import fold
from outrider.db import Database
from outrider.directories.joined import JoinedDirectory
from outrider.people import People, Refused, event


class JoinedPeople(People):
    """Writes our own rows about people of a `JoinedDirectory`."""

    def __init__(self, database: Database, directory: JoinedDirectory) -> None:
        super().__init__(database, directory)
        self._name = directory.name

    async def add(self, address: str, stored: str, language: str, quota: int, now: int) -> str:
        raise Refused(f"accounts are made in the directory `{self._name}`, which Outrider only reads")

    async def set_password(self, address: str, stored: str, now: int) -> None:
        raise Refused(f"passwords are set in the directory `{self._name}`, which Outrider only reads")

    async def set_enabled(self, address: str, enabled: bool, now: int) -> None:
        """Refuse the logins of an account, or not; whom the directory itself disables stays disabled."""
        person = await self._person(address)
        await self._db.transaction(
            [
                (
                    "UPDATE account SET disabled = :since WHERE id = :account",
                    {"since": None if enabled else now, "account": person.account},
                ),
                event(person.account, "enabled" if enabled else "disabled", now),
            ]
        )

    async def end(self, address: str, now: int) -> None:
        """End an account for ever, also one that the directory lists no more (by the address it had there)."""
        address = fold(address)
        person = await self._directory.person(address)
        account = person.account if person is not None else await self._vanished(address)
        if account is None:
            raise Refused(f"there is no account {address}")
        await self._db.transaction(self._end(account, address, now))

    async def _vanished(self, address: str) -> int | None:
        """Who had the address when the directory still listed him."""
        return await self._db.one(
            int,
            "SELECT id FROM account WHERE directory = :directory AND seen = :address AND ended IS NULL"
            " ORDER BY id DESC LIMIT 1",
            directory=self._name,
            address=address,
        )
