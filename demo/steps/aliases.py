"""Disposable addresses: they receive, they never send, and a filter sees which one was used."""

from __future__ import annotations

from datetime import UTC, datetime

from demo.provider import letter
from demo.tour import Step, Walk, must, telling

FRIEND = "friend@remote.example"


def made(walk: Walk) -> list[str]:
    alias = walk.provider.outrider("alias", "new", walk.alice.address)
    walk.made["alias"] = alias["address"]
    must(
        alias["address"].endswith(f"@{walk.demo.disposable_domain}"),
        "an address in the disposable domain",
        [str(alias)],
    )
    until = datetime.fromtimestamp(alias["expires"], UTC)
    return [f"$ outrider alias new {walk.alice.address}", f"{alias['address']}, until {until:%Y-%m-%d %H:%M} UTC"]


def receives(walk: Walk) -> list[str]:
    alias = walk.made["alias"]
    sent = walk.provider.send(FRIEND, alias, letter(FRIEND, alias, "To the disposable address"))
    must([code for code, _ in sent.answers] == [250] * 3, "250 three times", sent.lines)
    seen = walk.provider.arrival(walk.alice, "To the disposable address")
    return [*telling(sent, "MAIL", "RCPT", "250 2."), *telling(seen, "EXISTS", "To:", "Subject:")]


def refused(walk: Walk, sender: str, who: str, secret: str) -> list[str]:
    """The dialogue of a submission that must end with 5.7.1."""
    seen = walk.provider.submit(who, secret, sender, FRIEND)
    must(seen.logged_in, "a login", seen.lines)
    words = " ".join(f"{code} {text}" for code, text in seen.answers[:2])
    must("5.7.1" in words and seen.answers[1][0] in {550, 553, 554}, "a refusal with 5.7.1", seen.lines)
    return telling(seen, "mail from", "rcpt to", "5.7.1")


def cannot_send(walk: Walk) -> list[str]:
    assert walk.alice.app_password
    return refused(walk, walk.made["alias"], walk.alice.address, walk.alice.app_password)


def cannot_borrow(walk: Walk) -> list[str]:
    return refused(walk, walk.alice.address, walk.bob.address, walk.bob.password)


def filtered(walk: Walk) -> list[str]:
    alias = walk.made["alias"]
    script = (
        f'require ["envelope", "fileinto", "mailbox"];\nif envelope "to" "{alias}" {{ fileinto :create "Shopping"; }}\n'
    )
    assert walk.alice.app_password
    installed = walk.provider.sieve(walk.alice.address, walk.alice.app_password, script)
    must([status for status, _ in installed.answers] == ["OK", "OK"], "OK twice", installed.lines)
    walk.provider.send(FRIEND, alias, letter(FRIEND, "undisclosed@remote.example", "Filed by its envelope"))
    seen = walk.provider.arrival(walk.alice, "Filed by its envelope", "Shopping")
    rule = script.splitlines()[1]
    return [rule, *telling(installed, "PUTSCRIPT", "SETACTIVE"), *telling(seen, "SELECT", "EXISTS", "Subject:")]


STEPS = (
    Step("alice makes a disposable address", made),
    Step("mail from outside to it arrives", receives),
    Step("alice sending from it is refused", cannot_send),
    Step("bob sending as alice is refused", cannot_borrow),
    Step("a filter files mail by the address that was used", filtered),
)
