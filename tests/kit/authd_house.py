"""authd in one process, for tests: a real database and key file, a cheap password hash that counts, a clock to set.

house        everything wired, alice (level 4 with one token) and bob (no second factor) in the directory
"""

import asyncio
import base64
import contextlib
import os
import threading
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from authd.audit_store import AuditStore
from authd.cloud import Cloud
from authd.desk import Desk
from authd.ending import Ending
from authd.enrol import Enrolment
from authd.enrolment_store import EnrolmentStore
from authd.front import Front, Open
from authd.granted import Connections
from authd.guards import GuardStore
from authd.hashing import Hashing
from authd.keys import Keys
from authd.ledger import Ledger
from authd.login import Logins
from authd.methods import totp
from authd.operations import Operations
from authd.origin import Fronts
from authd.remembered import Remembered
from authd.renewals import Renewals
from authd.scrutiny import Scrutiny
from authd.server import AdminFront, AuthClientFront, AuthMasterFront
from authd.settings import AuthdSettings
from authd.shadow import ShadowFront
from authd.stock_store import StockStore
from authd.store import Store
from authd.upkeep import Upkeep
from authd.userdb import Userdb
from authd.validation import Validation
from authd.verdict import Request, Verdict
from kit.databases import NOW
from kit.validation_server import ValidationServer
from outrider.admin import Health
from outrider.db import Database
from outrider.directory import SqlDirectory
from outrider.listeners import Listener
from outrider.people import People
from outrider.renewal import renewed
from outrider.sealed import new_key_line

ALICE, BOB = "alice@provider.example", "bob@provider.example"
PASSWORD = "correct horse battery staple"
SERVED = frozenset({"imap", "pop3", "smtp", "sieve", "dav", "web"})


class CheapHash:
    """Counts the work that a slow hash would be; `gate` holds it up."""

    def __init__(self) -> None:
        self.count = 0
        self._counted = threading.Condition()
        self.gate = threading.Event()
        self.gate.set()

    def verify(self, stored: str, secret: str) -> bool:
        with self._counted:
            self.count += 1
            self._counted.notify_all()
        self.gate.wait(10)
        return stored == f"cheap:{secret}"

    def outdated(self, stored: str, secret: str) -> bool:
        return not stored.startswith("cheap:")

    async def begun(self, count: int) -> None:
        """Until that many have begun."""

        def wait() -> None:
            with self._counted:
                self._counted.wait_for(lambda: self.count >= count, 10)

        await asyncio.to_thread(wait)

    def burn(self, secret: str) -> None:
        self.verify("cheap:", secret + "x")


class House:
    """authd's objects as main.py wires them."""

    def __init__(self, database: Database, directory: SqlDirectory, key: Path) -> None:
        self.now, self.ticks = float(NOW), 0.0
        self.database, self.directory = database, directory
        self.health, self.hash = Health(), CheapHash()
        self.settings = AuthdSettings()
        self.keys = Keys("credential:auth.key", lambda: self.ticks)
        self.key = key
        self.remembered = Remembered(lambda: self.ticks)
        self.hashing = Hashing(2, verify=self.hash.verify, burn=self.hash.burn, remembered=self.remembered)
        self.store = EnrolmentStore(database)
        self.guards, self.audit = GuardStore(database), AuditStore(database, 7)
        self.ledger = Ledger(database, lambda: self.now)
        self.scrutiny = Scrutiny(self.guards, self.ledger, clock=lambda: self.now, monotonic=lambda: self.ticks)
        self.cloud = ValidationServer()
        self.validation = Validation(
            ("https://validation.example/wsapi/2.0/verify",),
            lambda: self.cloud.client,
            self.cloud.fetch,
            health=self.health,
            monotonic=lambda: self.ticks,
            random=os.urandom,
        )
        self.login_store = Store(database)
        self.renewals = Renewals(renewed(database), make=lambda secret: f"cheap:{secret}", outdated=self.hash.outdated)
        self.asked = Cloud(database, self.validation, lambda: self.now)
        self.ending = Ending(self.login_store, self.asked, self.renewals, clock=lambda: self.now)
        self.logins = Logins(
            directory,
            self.login_store,
            self.keys,
            self.hashing,
            self.scrutiny,
            ending=self.ending,
            default_level=3,
            health=self.health,
            clock=lambda: self.now,
        )
        self.enrolment = Enrolment(
            directory,
            self.store,
            self.keys,
            stock=StockStore(database),
            cloud=self.asked,
            hashing=self.hashing,
            default_level=3,
            issuer="provider.example",
            clock=lambda: self.now,
            make_hash=lambda secret: f"cheap:{secret}",
        )
        self.operations = Operations(
            directory,
            self.logins,
            self.scrutiny,
            store=self.store,
            guards=self.guards,
            audit=self.audit,
            ledger=self.ledger,
            keys=self.keys,
            upkeep=Upkeep(database),
            clock=lambda: self.now,
        )
        self.desk = Desk(self.operations.doings, self.enrolment)
        self.userdb = Userdb(directory, self.settings, self.health, lambda: self.now)
        self.connections, self.open = Connections(), Open()
        self.secret = b""
        self.shadow = False

    def code(self, steps: int = 0) -> str:
        """alice's code, `steps` away from now."""
        return totp.code_at(self.secret, int(self.now) // 30 + steps, algorithm="SHA1", digits=6)

    async def enrol(self, account: str, level: int | None = None) -> int:
        """A confirmed token with `self.secret`; the step before now is used up by the confirmation."""
        added = await self.enrolment.answer("token add", {"account": account, "kind": "totp", "label": "phone"})
        self.secret = base64.b32decode(added["secret"])
        done = await self.enrolment.answer(
            "token confirm", {"account": account, "token": added["token"], "code": self.code(-1)}
        )
        assert done["state"] == "active", done
        if level is not None:
            await self.enrolment.answer("level set", {"account": account, "level": level})
        await self.database.run("UPDATE token SET drift = 0")
        return int(added["token"])

    async def ask(self, do: str, **named: object) -> dict[str, Any]:
        """One question at the admin socket."""
        return await self.desk.answer(do, dict(named))

    async def token(self, account: str, kind: str, *, level: int = 4, **named: object) -> int:
        """An active token with these secrets, as if imported."""
        done = await self.ask("token import", account=account, kind=kind, level=level, **named)
        assert done.get("state") == "active", done
        return int(done["token"])

    async def login(
        self, user: str, field: str, service: str = "imap", *, address: str = "198.51.100.7", peer: str = ""
    ) -> Verdict:
        return await self.logins.judge(user, Request(service, SERVED, field, address, peer), lambda: True)

    async def last(self, token: int) -> int:
        """The last accepted step or counter of a token."""
        return await self.database.one(int, "SELECT last FROM token WHERE id = :token", token=token) or 0

    def later(self, seconds: float) -> None:
        """Both clocks."""
        self.now += seconds
        self.ticks += seconds

    async def app_password(self, account: str, *scopes: str) -> str:
        added = await self.enrolment.answer("app-password add", {"account": account, "scopes": list(scopes)})
        return str(added["secret"])

    def front(self, listener: Listener) -> Front:
        """What main.py makes for a connection to this listener."""
        match listener.protocol:
            case "auth-client":
                made = ShadowFront if self.shadow else AuthClientFront
                return made(listener, self.logins, self.connections, self.open, Fronts(self.settings.trusted_fronts))
            case "auth-master":
                return AuthMasterFront(listener, self.userdb, self.connections, self.open)
            case _:
                return AdminFront(listener, self.desk, self.open)

    @contextlib.asynccontextmanager
    async def serving(self, listener: Listener) -> AsyncIterator[Path]:
        """The listener's socket, served."""
        path = Path(listener.path)
        server = await asyncio.get_running_loop().create_unix_server(lambda: self.front(listener), path)
        try:
            yield path
        finally:
            server.close()
            await self.open.retire()


@pytest_asyncio.fixture
async def house(
    database: Database, directory: SqlDirectory, people: People, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> AsyncIterator[House]:
    monkeypatch.setenv("CREDENTIALS_DIRECTORY", str(tmp_path))
    key = tmp_path / "auth.key"
    key.write_text(new_key_line())
    key.chmod(0o400)
    for address in (ALICE, BOB):
        await people.add(address, f"cheap:{PASSWORD}", "en", 0, NOW)
    one = House(database, directory, key)
    await one.enrol(ALICE, level=4)
    one.hash.count = 0
    yield one
    one.hashing.close()
