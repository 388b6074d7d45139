"""Published certificates: rendered when they are written, found by one search, gone in one statement.

Every look-up joins `account`, so a key disappears in the moment its account ends; `forget_ended` removes it from the
disk. Raises DatabaseDown.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from hkpd.protocol.listing import listing
from hkpd.protocol.queries import ByAddress, ByFingerprint, ByKeyId, Get, Index, Query, Search, WkdKey
from hkpd.protocol.wkd import wkd_hash
from outrider.addresses import domain_of
from outrider.db import Database
from outrider.db.verbs import Statement
from outrider.openpgp import Certificate, only_address

LIVING = "JOIN account a ON a.id = c.account_id WHERE a.ended IS NULL AND c.published = 1"

# The same for both kinds of answer; {column} is `armored` or `listing`.
BY_FINGERPRINT = (
    "SELECT c.{column} FROM certificate_key k JOIN certificate c ON c.id = k.certificate_id "
    f"{LIVING} AND k.fingerprint = :value ORDER BY c.fingerprint <> :value, c.id LIMIT 1"
)
# gpg gives up on a version 6 key, and version 6 has no key ids in HKP's first interface.
BY_KEY_ID = (
    "SELECT c.{column} FROM certificate_key k JOIN certificate c ON c.id = k.certificate_id "
    f"{LIVING} AND c.version = 4 AND k.key_id = :value ORDER BY c.id LIMIT 1"
)
BY_ADDRESS = (
    "SELECT c.{column} FROM certificate_address d JOIN certificate c ON c.id = d.certificate_id "
    f"{LIVING} AND d.address = :value"
)
BY_WKD = (
    "SELECT d.body FROM certificate_address d JOIN certificate c ON c.id = d.certificate_id "
    f"{LIVING} AND d.domain = :domain AND d.wkd_hash = :hash"
)
GET = {kind: sql.format(column="armored") for kind, sql in enumerate((BY_FINGERPRINT, BY_KEY_ID, BY_ADDRESS))}
INDEX = {kind: sql.format(column="listing") for kind, sql in enumerate((BY_FINGERPRINT, BY_KEY_ID, BY_ADDRESS))}


@dataclass(frozen=True, slots=True)
class Stored:
    """A row of `certificate` before it is replaced."""

    account: int
    body: bytes


@dataclass(frozen=True, slots=True)
class Listed:
    """A certificate as its owner sees it; times are epoch seconds, expires None = never."""

    fingerprint: str
    version: int
    revoked: int
    expires: int | None
    updated: int
    addresses: str  # for which it is the canonical one; a space between


class CertificateStore:
    """All SQL of the keyserver."""

    def __init__(self, database: Database) -> None:
        self._db = database

    async def find(self, query: Query) -> bytes | None:
        """The bytes that answer the query; None = nothing there, for whatever reason."""
        match query:
            case Get(search=search):
                return await self._find(GET, search)
            case Index(search=search):
                return await self._find(INDEX, search)
            case WkdKey(domain=domain, hash=digest):
                return await self._db.one(bytes, BY_WKD, domain=domain, hash=digest)

    async def _find(self, texts: dict[int, str], search: Search) -> bytes | None:
        match search:
            case ByFingerprint(fingerprint=value):
                return await self._db.one(bytes, texts[0], value=value)
            case ByKeyId(key_id=value):
                return await self._db.one(bytes, texts[1], value=value)
            case ByAddress(address=value):
                return await self._db.one(bytes, texts[2], value=value)

    async def stored(self, fingerprint: str) -> Stored | None:
        """What is stored under this fingerprint, whoever's it is."""
        sql = "SELECT account_id, body FROM certificate WHERE fingerprint = :fingerprint"
        return await self._db.one(Stored, sql, fingerprint=fingerprint)

    async def of_account(self, account: int) -> list[Listed]:
        """An account's certificates, newest first."""
        sql = (
            "SELECT fingerprint, version, revoked, expires, updated, "
            "COALESCE((SELECT {joined} FROM certificate_address d WHERE d.certificate_id = c.id), '') "
            "FROM certificate c WHERE account_id = :account ORDER BY updated DESC, id DESC"
        )
        joined = "group_concat(d.address, ' ')" if self._db.dialect == "sqlite" else "string_agg(d.address, ' ')"
        return await self._db.all(Listed, sql.replace("{joined}", joined), account=account)

    async def publish(self, account: int, certificate: Certificate, before: bytes | None, now: int) -> bool:
        """Write the certificate with everything that is answered from it; all or nothing.

        `before` is the body that was merged into it. False if the row is another one by now: nothing was written that
        was not there before, and the caller starts again. Taken if somebody else was first with a new one.
        """
        own = {"fingerprint": certificate.fingerprint, "account": account, "body": certificate.body}
        row = own | {
            "version": certificate.version,
            "armored": certificate.armored,
            "listing": listing(certificate),
            "revoked": int(certificate.revoked),
            "expires": certificate.expires,
            "now": now,
        }
        first = (INSERT, row) if before is None else (UPDATE, row | {"before": before})
        changed = await self._db.transaction([first, *_children(certificate, own), *_superseded(own)])
        return changed[0] == 1

    async def withdraw(self, account: int, fingerprint: str) -> bool:
        """Remove a certificate; False if the account has no such one."""
        values = {"account": account, "fingerprint": fingerprint}
        changed = await self._db.transaction(
            _removal("SELECT id FROM certificate WHERE account_id = :account AND fingerprint = :fingerprint", values)
        )
        return changed[-1] == 1

    async def forget_ended(self) -> int:
        """Remove the certificates of ended accounts; how many."""
        gone = "SELECT c.id FROM certificate c JOIN account a ON a.id = c.account_id WHERE a.ended IS NOT NULL"
        return (await self._db.transaction(_removal(gone, {})))[-1]


INSERT = (
    "INSERT INTO certificate (account_id, fingerprint, version, body, armored, listing, published, revoked, expires,"
    " updated) VALUES (:account, :fingerprint, :version, :body, :armored, :listing, 1, :revoked, :expires, :now)"
)
UPDATE = (
    "UPDATE certificate SET body = :body, armored = :armored, listing = :listing, version = :version, published = 1,"
    " revoked = :revoked, expires = :expires, updated = :now"
    " WHERE fingerprint = :fingerprint AND account_id = :account AND body = :before"
)
# Only the row as it was just written: if UPDATE found another body, none of the statements below changes anything.
WRITTEN = "SELECT id FROM certificate WHERE fingerprint = :fingerprint AND account_id = :account AND body = :body"
ADD_KEY = (
    "INSERT INTO certificate_key (certificate_id, fingerprint, key_id)"
    f" SELECT w.id, CAST(:key AS TEXT), CAST(:key_id AS TEXT) FROM ({WRITTEN}) w WHERE true"
)
ADD_ADDRESS = (
    "INSERT INTO certificate_address (address, certificate_id, domain, wkd_hash, body)"
    " SELECT CAST(:address AS TEXT), w.id, CAST(:domain AS TEXT), CAST(:hash AS TEXT), CAST(:alone AS {bytes})"
    f" FROM ({WRITTEN}) w WHERE true ON CONFLICT (address) DO "
)
TAKE_OVER = "UPDATE SET certificate_id = excluded.certificate_id, body = excluded.body"
LEAVE = "NOTHING"
SUPERSEDED = (
    f"SELECT id FROM certificate WHERE account_id IN (SELECT c.account_id FROM certificate c WHERE c.id IN ({WRITTEN}))"
    " AND fingerprint <> :fingerprint AND revoked = 0"
    " AND NOT EXISTS (SELECT 1 FROM certificate_address d WHERE d.certificate_id = certificate.id)"
)


def _children(certificate: Certificate, own: dict[str, object]) -> list[Statement]:
    """Keys and addresses of the row. A revoked certificate does not push another one from an address."""
    conflict = LEAVE if certificate.revoked else TAKE_OVER
    statements: list[Statement] = [
        (f"DELETE FROM certificate_key WHERE certificate_id IN ({WRITTEN})", own),
        (f"DELETE FROM certificate_address WHERE certificate_id IN ({WRITTEN})", own),
    ]
    statements += [(ADD_KEY, own | {"key": key.fingerprint, "key_id": key.key_id}) for key in certificate.keys]
    for address in certificate.addresses:
        values = own | {
            "address": address,
            "domain": domain_of(address),
            "hash": wkd_hash(address),
            "alone": only_address(certificate, address),
        }
        statements.append((ADD_ADDRESS + conflict, values))
    return statements


def _superseded(own: dict[str, object]) -> Sequence[Statement]:
    """The account's other certificates that hold no address any more. Revoked ones stay: others have to learn of it."""
    return _removal(SUPERSEDED, own)


def _removal(ids: str, values: dict[str, object]) -> list[Statement]:
    """Three statements that remove the certificates whose ids the SELECT gives; the last one counts them."""
    return [
        (f"DELETE FROM {table} WHERE {column} IN ({ids})", values)
        for table, column in (
            ("certificate_key", "certificate_id"),
            ("certificate_address", "certificate_id"),
            ("certificate", "id"),
        )
    ]
