"""The daemon: settings to objects, objects to listeners. Nothing here opens the key or the database."""

from __future__ import annotations

import time

from authd.audit_store import AuditStore
from authd.cloud import Cloud
from authd.desk import Desk
from authd.ending import Ending
from authd.enrol import Enrolment
from authd.enrolment_store import EnrolmentStore
from authd.front import Open
from authd.granted import Connections
from authd.guards import GuardStore
from authd.hashing import Hashing
from authd.held import Held
from authd.keys import Keys
from authd.ledger import Ledger
from authd.login import Logins
from authd.operations import Operations
from authd.origin import Fronts
from authd.renewals import Renewals
from authd.scrutiny import Scrutiny
from authd.server import AdminFront, AuthClientFront, AuthMasterFront
from authd.settings import AuthdSettings
from authd.shadow import ShadowFront
from authd.stock_store import StockStore
from authd.store import Store
from authd.telling import Telling
from authd.upkeep import Upkeep
from authd.userdb import Userdb
from authd.validation import open_validation
from authd.watch import look, sweep
from outrider.admin import Health, watch
from outrider.daemon import Service, run
from outrider.db.serving import serving_database
from outrider.directories import open_directory
from outrider.directory import SqlDirectory
from outrider.renewal import renewed
from outrider.settings import Configuration, CoreSettings


async def wire(configuration: Configuration, health: Health) -> Service:
    core = configuration.section("outrider", CoreSettings)
    own = configuration.section("authd", AuthdSettings)
    database = serving_database(core)
    directory = open_directory(configuration, database)
    keys, hashing, store = Keys(own.key, time.monotonic), Hashing(own.hash_threads), EnrolmentStore(database)
    guards, audit, fronts = GuardStore(database), AuditStore(database, own.audit_days), Fronts(own.trusted_fronts)
    ledger = Ledger(database, time.time, audit=own.audit_days > 0)
    scrutiny = Scrutiny(guards, ledger, clock=time.time, monotonic=time.monotonic)
    logged_in, validation = Store(database, keyboards=own.yubikey_keyboards), open_validation(own, health)
    cloud = Cloud(database, validation, time.time)
    ending = Ending(logged_in, cloud, Renewals(renewed(database)), clock=time.time)
    held = Held(database.version if isinstance(directory, SqlDirectory) else lambda: None)
    logins = Logins(
        directory,
        logged_in,
        keys,
        hashing,
        scrutiny,
        ending=ending,
        default_level=own.default_level,
        health=health,
        held=held,
    )
    enrolment = Enrolment(
        directory,
        store,
        keys,
        stock=StockStore(database),
        cloud=cloud,
        hashing=hashing,
        default_level=own.default_level,
        issuer=own.issuer or core.domain,
        clock=time.time,
    )
    operations = Operations(
        directory,
        logins,
        scrutiny,
        store=store,
        guards=guards,
        audit=audit,
        ledger=ledger,
        keys=keys,
        upkeep=Upkeep(database),
        clock=time.time,
    )
    desk = Desk(operations.doings, enrolment)
    userdb, connections, open_ = Userdb(directory, own, health, time.time), Connections(), Open()
    telling = Telling()

    front = ShadowFront if own.mode == "shadow" else AuthClientFront

    async def drain() -> None:
        await open_.retire()
        telling.flush()
        await ledger.write()

    return Service(
        listeners=own.listeners,
        protocols={
            "auth-client": lambda listener: front(listener, logins, connections, open_, fronts, telling=telling),
            "auth-master": lambda listener: AuthMasterFront(listener, userdb, connections, open_),
            "auth-admin": lambda listener: AdminFront(listener, desk, open_),
        },
        drain=drain,
        tasks=(
            lambda: watch(lambda: look(database, keys, health)),
            lambda: sweep((store, guards, audit, cloud), time.time),
            ledger.run,
        ),
    )


def main() -> int:
    return run("outrider-authd", wire)
