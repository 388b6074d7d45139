"""Why does this login work, or not? The verdict as an operator can read it. Pure; nothing in it is secret."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Protocol

from authd.audit_store import Audit
from authd.decide import Door, Facts, Password, door_of
from authd.guards import CLOSE_AFTER, Guard, fingerprint
from authd.limits import Standing

Line = dict[str, Any]


class AppPasswordListed(Protocol):
    """An app password as its owner lists it."""

    @property
    def id(self) -> int: ...
    @property
    def label(self) -> str: ...
    @property
    def scopes(self) -> str: ...
    @property
    def expires(self) -> int | None: ...
    @property
    def revoked(self) -> int | None: ...


@dataclass(frozen=True)
class Known:
    """All that is known about one account."""

    service: str
    """Our name."""
    facts: Facts
    app_passwords: Sequence[AppPasswordListed]
    guard: Guard
    standing: Standing
    failures: Sequence[Audit]


def explained(known: Known, now: int) -> Line:
    """What opens the door at this service, what stands in the way, and what failed lately."""
    facts, person = known.facts, known.facts.person
    assert person is not None
    door = door_of(known.service, facts)
    codes = known.guard.counts(fingerprint(facts.stored if facts.pin is None else facts.pin), now)
    tokens = [token_line(token.id, token.kind, known.guard, usable=token.secret is not None) for token in facts.tokens]
    secrets = [app_password_line(row, known.service, door, now) for row in known.app_passwords]
    opens = []
    if person.enabled and not person.ended:
        opens += main_way(door, facts, codes_closed=codes.closed, tokens=tokens)
        opens += [f"app password {line['app_password']}" for line in secrets if line["opens"]]
    return {
        "account": person.address,
        "service": known.service,
        "enabled": person.enabled and not person.ended,
        "level": facts.level,
        "effective": facts.level if facts.tokens else 0,
        "opens": opens,
        "why": why(known, door, opens, codes_closed=codes.closed),
        "tokens": tokens,
        "app_passwords": secrets,
        "codes": {"in_a_row": codes.in_a_row, "total": codes.total, "closed": codes.closed},
        "limits": {
            "failures_left": known.standing.left,
            "pauses": [
                {"network": pause.network, "service": pause.service, "seconds": pause.seconds}
                for pause in known.standing.pauses
            ],
        },
        "failures": [failure_line(row) for row in known.failures],
    }


def main_way(door: Door, facts: Facts, *, codes_closed: bool, tokens: Sequence[Line]) -> list[str]:
    """The account's own secret, if it opens."""
    match door.password:
        case Password.WHOLE:
            return ["the password"]
        case Password.WITH_CODE if not codes_closed:
            secret = "the password" if facts.pin is None else "the PIN"
            return [f"{secret} and a code of token {line['token']}" for line in tokens if line["why"] == "good"]
        case _:
            return []


def token_line(number: int, kind: str, guard: Guard, *, usable: bool) -> Line:
    state = "locked" if number in guard.locked else "good" if usable else "its secret does not open"
    return {"token": number, "kind": kind, "why": state, "wrong_secrets": guard.wrong.get(number, 0)}


def app_password_line(row: AppPasswordListed, service: str, door: Door, now: int) -> Line:
    """One app password, and what keeps it from opening."""
    if row.revoked is not None:
        reason = "revoked"
    elif row.expires is not None and row.expires <= now:
        reason = "expired"
    elif not door.app_passwords:
        reason = "the level does not take app passwords here"
    elif service not in row.scopes.split():
        reason = "not for this service"
    else:
        reason = "good"
    return {"app_password": row.id, "label": row.label, "opens": reason == "good", "why": reason}


def why(known: Known, door: Door, opens: Sequence[str], *, codes_closed: bool) -> str:
    """One sentence."""
    facts, person = known.facts, known.facts.person
    level = facts.level if facts.tokens else 0
    if person is None or person.ended:
        return "the account has ended"
    if not person.enabled:
        return "the account is disabled"
    if opens:
        return f"level {level}: " + "; or ".join(opens)
    if door.password is Password.WITH_CODE and codes_closed:
        return f"after {CLOSE_AFTER} wrong codes logins with codes are closed until the password changes"
    if door.password is Password.WITH_CODE:
        return f"level {level} asks for a code, and no token is good"
    if door.app_passwords:
        return f"level {level} asks for an app password here, and none is good"
    return f"level {level} lets nobody in at this service"


def failure_line(row: Audit) -> Line:
    """A refusal as the audit has it."""
    return {
        "at": row.at,
        "service": row.service,
        "network": row.network,
        "result": row.result,
        "class": row.kind,
        "why": row.why,
        "times": row.times,
    }
