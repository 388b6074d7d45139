"""The demo's outside world: the mail server of remote.example. It takes every mail and stores it; it sends nothing.

`python -m demo.sink FOLDER ADDRESS…` listens on port 25 of the addresses, says "listening" on standard output, and
writes each mail as a pair, the message first:

    0001.eml     the bytes as they came
    0001.json    {"peer", "helo", "mail_from", "rcpt_tos", "mail_options", "rcpt_options", "tls"}
"""

from __future__ import annotations

import asyncio
import itertools
import json
import sys
from pathlib import Path

from aiosmtpd.smtp import SMTP, Envelope, Session

BANNER = "Outrider demo, the outside world: everything is kept, nothing leaves"


class Shelf:
    """aiosmtpd's handler: one pair of files per mail."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        folder.mkdir(parents=True, exist_ok=True)
        self.numbers = itertools.count(1 + len(list(folder.glob("*.json"))))

    async def handle_DATA(self, server: SMTP, session: Session, envelope: Envelope) -> str:
        name = f"{next(self.numbers):04}"
        content = envelope.content
        (self.folder / f"{name}.eml").write_bytes(content if isinstance(content, bytes) else (content or "").encode())
        facts = {
            "peer": session.peer[0] if session.peer else "",
            "helo": session.host_name,
            "mail_from": envelope.mail_from,
            "rcpt_tos": envelope.rcpt_tos,
            "mail_options": envelope.mail_options,
            "rcpt_options": envelope.rcpt_options,
            "tls": session.ssl is not None,
        }
        draft = self.folder / f"{name}.new"
        draft.write_text(json.dumps(facts, indent=1))
        draft.rename(self.folder / f"{name}.json")
        return f"250 2.0.0 kept as {name}"


async def serve(folder: Path, addresses: list[str]) -> None:
    shelf = Shelf(folder)
    loop = asyncio.get_running_loop()

    def protocol() -> SMTP:
        return SMTP(shelf, hostname="mx.remote.example", ident=BANNER, enable_SMTPUTF8=True, loop=loop)

    for address in addresses:
        await loop.create_server(protocol, address, 25)
    print("listening", flush=True)
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(serve(Path(sys.argv[1]), sys.argv[2:]))
