"""The golden dialogs of authd, replayed against its sockets."""

import base64
from contextlib import AsyncExitStack
from pathlib import Path

import pytest

from kit.authd_house import ALICE, BOB, PASSWORD, House
from kit.dialog import DialogFailed, Place, play
from outrider.listeners import Listener

HERE = Path(__file__).parent


def said(user: str, password: str, actor: str = "") -> str:
    """A PLAIN response."""
    return b64(f"{actor}\0{user}\0{password}")


def b64(text: str) -> str:
    return base64.b64encode(text.encode()).decode()


def listeners(tmp_path: Path) -> dict[str, Listener]:
    """The sockets of the default settings, in a temporary place."""
    login = ("imap", "pop3", "sieve", "smtp")
    return {
        "postfix": Listener("auth-client", str(tmp_path / "p"), peer="postfix", services=("smtp",), trust_rip=True),
        "login": Listener("auth-client", str(tmp_path / "l"), peer="dovecot", services=login, trust_rip=True),
        "master": Listener("auth-master", str(tmp_path / "m"), peer="dovecot"),
        "admin": Listener("auth-admin", str(tmp_path / "a")),
    }


async def replay(house: House, tmp_path: Path, dialog: Path) -> None:
    variables = {
        "alice_code": said(ALICE, PASSWORD + house.code()),
        "alice_wrong_code": said(ALICE, PASSWORD + "000000"),
        "alice_app": said(ALICE, await house.app_password(ALICE, "imap", "smtp")),
        "nobody": said("nobody@provider.example", PASSWORD + house.code()),
        "bob": said(BOB, PASSWORD),
        "bob_as_alice": said(BOB, PASSWORD, actor=ALICE),
        "bob_name": b64(BOB),
        "bob_word": b64(PASSWORD),
    }
    async with AsyncExitStack() as stack:
        places = {
            name: Place(await stack.enter_async_context(house.serving(listener)))
            for name, listener in listeners(tmp_path).items()
        }
        await play(dialog, places, **variables)


@pytest.mark.parametrize("dialog", sorted(HERE.glob("*.dialog")), ids=lambda path: path.stem)
async def test_dialog(house: House, tmp_path: Path, dialog: Path) -> None:
    await replay(house, tmp_path, dialog)


async def test_a_dialog_that_is_wrong_fails(house: House, tmp_path: Path) -> None:
    """The player itself can fail: one answer of a good dialog changed."""
    changed = tmp_path / "changed.dialog"
    changed.write_text((HERE / "master.dialog").read_text().replace("NOTFOUND\\t2", "FAIL\\t2"))
    with pytest.raises(DialogFailed):
        await replay(house, tmp_path, changed)
