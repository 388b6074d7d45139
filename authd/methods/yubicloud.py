"""Yubico OTP of a key that a validation server knows: protocol 2.0 from the client's side, without a socket.

    target(client, otp, nonce)         what to GET
    judge(client, body, otp, nonce)    what the answer says, if it can be believed
    decisive(answers)                  what several servers say together

Yubico/yubikey-val, "Validation Protocol V2.0". An answer is believed only if its signature fits, and if it holds the
otp and the nonce that were asked for, and exactly one status. So neither an answer to somebody else's question nor an
old one counts, and whoever can change bytes on the way can at most make it "later".
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from enum import Enum
from urllib.parse import urlencode

from authd.methods import modhex
from authd.methods.token import Token
from authd.methods.yubikey import BLOCK, COUNTER_MASK, PUBLIC_ID_USUAL, joined

NONCE_BYTES = 16
"""32 hex digits; the protocol wants 16 to 40 letters and digits."""
LINES_MOST = 64
"""An answer has nine."""

_LINE = re.compile(r"([a-z]{1,20})=([\x20-\x7e]{0,200})\Z", re.ASCII)
_NUMBER = re.compile(r"[0-9]{1,5}\Z", re.ASCII)


class Outcome(Enum):
    """What an answer means to whoever logs in."""

    GOOD = "the code is right and was never used"
    BAD = "the code is wrong"
    REPLAYED = "the code was used before"
    SEEN = "this very question was asked before"
    """Among several servers the one that was slower says so; alone it is no verdict."""
    BUSY = "the server cannot find out now"
    MISCONFIGURED = "the server does not take our questions"
    UNBELIEVABLE = "the answer cannot be believed"


# Validation Protocol V2.0, "status". What is not here cannot be believed.
STATUS = {
    "OK": Outcome.GOOD,
    "BAD_OTP": Outcome.BAD,
    "REPLAYED_OTP": Outcome.REPLAYED,
    "REPLAYED_REQUEST": Outcome.SEEN,
    "BACKEND_ERROR": Outcome.BUSY,
    "NOT_ENOUGH_ANSWERS": Outcome.BUSY,
    "BAD_SIGNATURE": Outcome.MISCONFIGURED,
    "MISSING_PARAMETER": Outcome.MISCONFIGURED,
    "NO_SUCH_CLIENT": Outcome.MISCONFIGURED,
    "OPERATION_NOT_ALLOWED": Outcome.MISCONFIGURED,
}


@dataclass(frozen=True, slots=True)
class Client:
    """Who we are to the validation servers."""

    id: str
    key: bytes = field(repr=False)


@dataclass(frozen=True, slots=True)
class Answer:
    """One server's answer, judged."""

    outcome: Outcome
    detail: str
    """For the operator: a status, or what was wrong; nothing that the server chose freely."""
    step: int | None = None
    """With GOOD: the counters of the code."""


def suffix(token: Token, field: str) -> int | None:
    """Public id and block at the end, if both are modhex."""
    length = PUBLIC_ID_USUAL + BLOCK
    if len(field) < length or modhex.read(field[-length:], token.keyboards) is None:
        return None
    return length


def addressed(token: Token, code: str) -> str | None:
    """The code as modhex, if it begins with the token's own public id: foreign codes are never passed on.

    The public id lies sealed as the token's secret, so that nobody can put his own key's into the row.
    """
    otp = modhex.read(code, token.keyboards)
    if otp is None or token.secret is None or len(otp) != PUBLIC_ID_USUAL + BLOCK:
        return None
    return otp if hmac.compare_digest(otp[:-BLOCK].encode("ascii"), token.secret) else None


def target(client: Client, otp: str, nonce: str) -> str:
    """The query of one question. `timestamp=1` asks for the counters."""
    asked = {"id": client.id, "otp": otp, "nonce": nonce, "timestamp": "1"}
    return urlencode({**asked, "h": signature(client.key, asked)})


def signature(key: bytes, parameters: dict[str, str]) -> str:
    """HMAC-SHA1 over the sorted, unescaped parameters ("Generating signatures")."""
    text = "&".join(f"{name}={parameters[name]}" for name in sorted(parameters))
    return base64.b64encode(hmac.digest(key, text.encode("ascii", "replace"), hashlib.sha1)).decode("ascii")


def judge(client: Client, body: bytes, otp: str, nonce: str) -> Answer:
    """What this body says about this question. Never raises."""
    found = parsed(body)
    if found is None:
        return Answer(Outcome.UNBELIEVABLE, "no lines of name and value, each once")
    signed = {name: value for name, value in found.items() if name != "h"}
    status = found.get("status", "")
    said = status if status in STATUS else "no known status"
    if not hmac.compare_digest(signature(client.key, signed), found.get("h", "")):
        return Answer(Outcome.UNBELIEVABLE, f"{'wrong signature' if 'h' in found else 'unsigned'}, {said}")
    if not (same(found.get("otp"), otp) and same(found.get("nonce"), nonce)):
        return Answer(Outcome.UNBELIEVABLE, f"for another question, {said}")
    outcome = STATUS.get(status, Outcome.UNBELIEVABLE)
    if outcome is not Outcome.GOOD:
        return Answer(outcome, said)
    step = counters(found)
    if step is None:
        return Answer(Outcome.UNBELIEVABLE, "OK without counters")
    return Answer(outcome, said, step)


def same(found: str | None, wanted: str) -> bool:
    return found is not None and hmac.compare_digest(found, wanted)


def parsed(body: bytes) -> dict[str, str] | None:
    """The lines `name=value`; None if one is something else, or a name comes twice. Values may hold `=`."""
    try:
        lines = [line for line in body.decode("ascii").split("\n") if line.strip("\r")]
    except UnicodeDecodeError:
        return None
    if len(lines) > LINES_MOST:
        return None
    found: dict[str, str] = {}
    for line in lines:
        fitting = _LINE.match(line.removesuffix("\r"))
        if fitting is None or fitting[1] in found:
            return None
        found[fitting[1]] = fitting[2]
    return found


def counters(found: dict[str, str]) -> int | None:
    """Session counter and use of an answer, as one number; None if they are missing or impossible."""
    counter, use = found.get("sessioncounter", ""), found.get("sessionuse", "")
    if not (_NUMBER.match(counter) and _NUMBER.match(use)):
        return None
    return joined(int(counter), int(use)) if int(counter) <= COUNTER_MASK and int(use) <= 0xFF else None


ORDER = (
    Outcome.GOOD,
    Outcome.REPLAYED,
    Outcome.BAD,
    Outcome.MISCONFIGURED,
    Outcome.UNBELIEVABLE,
    Outcome.BUSY,
    Outcome.SEEN,
)
"""A signed OK wins: servers share their counters, so only one of them says it. Then what is a verdict, then trouble."""


def decisive(answers: Iterable[Answer]) -> Answer:
    """The answer that counts among those of all servers; there is at least one."""
    return min(answers, key=lambda answer: ORDER.index(answer.outcome))
