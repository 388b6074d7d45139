"""Finding the one PostgreSQL server, of several, that accepts writes.

asyncpg's own list of hosts spends its whole time limit on the first one, so a frozen primary is never left
(asyncpg issue 1155, and seen). Here each host has a limit of its own. The last good host is tried first; one that
failed goes to the end, so that the next attempt does not begin with waiting for it again.
"""

import asyncio
import os
import socket
import ssl
from typing import Any

import asyncpg

from outrider.db.address import Host, PostgresAddress
from outrider.db.verbs import DatabaseDown

CONNECT_SECONDS = 1.0  # per host: a silent host must not eat the time of the others
STATEMENT_SECONDS = 2.0  # a statement that waits for a lock ends on the server itself, before we give up on it
LEFT_ALONE_SECONDS = 5.0  # a transaction of a daemon whose host has vanished holds its locks so long

TROUBLE = (OSError, asyncpg.InterfaceError, asyncpg.InternalClientError, asyncpg.PostgresError)  # TimeoutError: OSError

SETTINGS = {
    "application_name": "outrider",
    "statement_timeout": f"{int(STATEMENT_SECONDS * 1000)}",
    "idle_in_transaction_session_timeout": f"{int(LEFT_ALONE_SECONDS * 1000)}",
}


class Primary:
    """Connects to whichever of the hosts is the primary now; where nothing is ever written (`reading`), to any."""

    def __init__(self, address: PostgresAddress, password: str, *, reading: bool = False) -> None:
        self._address = address
        self._password = password or None
        self._hosts = list(address.hosts)
        self._context: ssl.SSLContext | None = None
        self._session = "any" if reading else "read-write"
        self._settings = {**SETTINGS, "default_transaction_read_only": "on"} if reading else SETTINGS

    async def connect(self, **options: Any) -> Any:
        """A connection that takes writes, of the class that asyncpg is asked for; DatabaseDown: what each host said."""
        said: dict[Host, str] = {}
        for host in list(self._hosts):
            try:
                async with asyncio.timeout(CONNECT_SECONDS):
                    connection = await self._connect(host, options)
            except TROUBLE as error:
                said[host] = reason(error)
                self._move(host, len(self._hosts))
                continue
            self._move(host, 0)
            return connection
        # in the configured order: what is logged changes only when the trouble does
        raise DatabaseDown("PostgreSQL: " + "; ".join(f"{host}: {said[host]}" for host in self._address.hosts))

    async def _connect(self, host: Host, options: dict[str, Any]) -> Any:
        return await asyncpg.connect(  # type: ignore[call-overload]
            host=host.name,
            port=host.port,
            user=self._address.user,
            password=self._password,
            database=self._address.name,
            ssl=False if host.local else self._tls(),
            target_session_attrs=self._session,
            server_settings=self._settings,
            **options,
        )

    def _move(self, host: Host, place: int) -> None:
        self._hosts.remove(host)
        self._hosts.insert(place, host)

    def _tls(self) -> ssl.SSLContext | bool:
        """How to speak TLS; made at the first connection, because a missing file is trouble, not the end."""
        if self._address.tls == "disable":
            return False
        if self._context is None:
            self._context = ssl.create_default_context(cafile=self._address.authorities)
            if self._address.tls == "require":
                self._context.check_hostname = False
                self._context.verify_mode = ssl.CERT_NONE
        return self._context


def reason(error: Exception) -> str:
    """Why a connection failed, for the operator. The server's words name user and database here, nothing else."""
    match error:
        case TimeoutError():
            return "no answer"
        case ssl.SSLCertVerificationError():
            return f"its certificate: {error.verify_message}"
        case ssl.SSLError(reason=str(text)) | socket.gaierror(strerror=str(text)):
            return text
        case OSError(errno=int(number)):
            return os.strerror(number)  # the loops word it differently
        case asyncpg.TargetServerAttributeNotMatched():
            return "accepts no writes"
        case OSError() | asyncpg.PostgresError():
            return str(error)
        case _:
            return type(error).__name__
