"""What Postfix hears: pure functions from a request and the facts about its addresses to a verdict.

The texts stand in one place, below. Each is one line of ASCII (Postfix answers 451 to anything else), begins with
550 and not with REJECT (which Postfix turns into 554), and tells only what the person who reads it knows already:
the same words for an address of somebody else and for one that does not exist.
"""

from dataclasses import dataclass
from enum import Enum

from outrider.addresses import Alias, BadAddress, Dead, Mailbox, Resolution, TryLater, Unknown, fold
from policy.protocol.delegation import Request
from policy.protocol.socketmap import Found, NotFound, Permanent, Reply, Temporary, Timeout

# What the readers of `policy_context` are called in master.cf (docs/policy.md).
SUBMISSION_CONTEXTS = frozenset({"submission", "submissions", "smtps"})
# With smtpd_delay_reject = yes (the default) every list is asked at RCPT, without it the senders' list at MAIL. In
# all other states (CONNECT, HELO, VRFY, ETRN, DATA, END-OF-MESSAGE) there is nothing left for us to refuse.
JUDGED_STATES = frozenset({"MAIL", "RCPT"})
# An address in a text; two of them and the longest text stay under the limit of one action (400).
SHOWN_CHARACTERS = 100


class Way(Enum):
    """Where a mail comes in; it says which facts a verdict needs."""

    SUBMISSION = "submission"
    INBOUND = "inbound"
    ELSEWHERE = "elsewhere"


class Verdict(Enum):
    """The value is the word in log lines and metrics."""

    PASS = "pass"  # noqa: S105 - a verdict
    DISPOSABLE = "disposable"
    NOT_YOURS = "not-yours"
    NO_LOGIN = "no-login"
    OPAQUE = "opaque"
    LATER = "later"
    LATE = "late"


@dataclass(frozen=True, slots=True)
class Judgement:
    """A verdict and the action that Postfix hears."""

    verdict: Verdict
    action: str


@dataclass(frozen=True, slots=True)
class SenderFacts:
    """About MAIL FROM: the logins that own it, and whether it lies in a disposable domain of ours."""

    owners: tuple[str, ...] = ()
    disposable: bool = False


# DUNNO and never OK: OK would end the list and skip the checks that stand behind us.
PASSED = Judgement(Verdict.PASS, "DUNNO")
LATER = Judgement(Verdict.LATER, "451 4.3.0 Temporary trouble on our side, please try again later")
LATE = Judgement(Verdict.LATE, LATER.action)
NO_LOGIN = Judgement(Verdict.NO_LOGIN, "530 5.7.0 Authentication required")
# Postfix's own words for an unknown recipient (show_user_unknown_table_name = no), so that nobody can tell.
OPAQUE = Judgement(Verdict.OPAQUE, "550 5.1.1 User unknown")

_OWN_DISPOSABLE = (
    "550 5.7.1 {sender} is a disposable address: it only receives mail and can never send. "
    "Please send from your own address, {login}"
)
_NOT_YOURS = (
    "550 5.7.1 You are logged in as {login} and cannot send as {sender}. Please send from an address of your own"
)
_FOREIGN_DISPOSABLE = "550 5.7.1 {sender} is a disposable address: it only receives mail and never sends any"


def way(request: Request) -> Way:
    """Which rule a request is under.

    Somebody who is logged in is under the rule of submission whatever the context is called.
    """
    if request.protocol_state not in JUDGED_STATES:
        return Way.ELSEWHERE
    if request.policy_context in SUBMISSION_CONTEXTS or request.sasl_username:
        return Way.SUBMISSION
    return Way.INBOUND


def judge_submission(request: Request, facts: SenderFacts | TryLater) -> Judgement:
    """May this login use this MAIL FROM? Only its owner may, and nobody owns a disposable address.

    The null sender passes: status reports of mail programs have it (RFC 8098 section 3).
    """
    if not request.sasl_username:
        return NO_LOGIN
    if not request.sender:
        return PASSED
    match facts:
        case TryLater():
            return LATER
        case SenderFacts(owners=owners) if _owns(request.sasl_username, owners):
            return PASSED
        case SenderFacts(disposable=True):
            return _refused(Verdict.DISPOSABLE, _OWN_DISPOSABLE, request)
        case SenderFacts():
            return _refused(Verdict.NOT_YOURS, _NOT_YOURS, request)


def judge_inbound(request: Request, *, disposable_sender: bool, opaque_recipient: bool) -> Judgement:
    """Mail from outside: nothing comes from a disposable address, and opaque addresses take bounces alone."""
    if not request.sender:
        return PASSED
    if disposable_sender:
        return _refused(Verdict.DISPOSABLE, _FOREIGN_DISPOSABLE, request)
    return OPAQUE if opaque_recipient else PASSED


# What the maps say ---------------------------------------------------------------------------------------------

MAPS = frozenset({"domains", "recipients", "senders"})
UNREADABLE = Temporary("the directory cannot be read now")
TOO_LATE = Timeout("the directory did not answer in time")
NO_SUCH_MAP = Permanent("there is no such map")


def domain_reply(kind: str | TryLater | None) -> Reply:
    """virtual_mailbox_domains: ours of any kind (own, disposable, external, opaque)."""
    match kind:
        case TryLater():
            return UNREADABLE
        case None:
            return NotFound()
        case str():
            return Found(kind)


def recipient_reply(resolution: Resolution) -> Reply:
    """virtual_mailbox_maps: does mail to this address arrive? Expired, ended and never made are the same."""
    match resolution:
        case Mailbox() | Alias():
            return Found("1")
        case Dead() | Unknown():
            return NotFound()
        case TryLater():
            return UNREADABLE


def sender_reply(owners: tuple[str, ...] | TryLater) -> Reply:
    """smtpd_sender_login_maps: the logins that may use this address as sender."""
    match owners:
        case TryLater():
            return UNREADABLE
        case ():
            return NotFound()
        case _:
            return Found(",".join(owners))


def _refused(verdict: Verdict, text: str, request: Request) -> Judgement:
    return Judgement(verdict, text.format(sender=_shown(request.sender), login=_shown(request.sasl_username)))


def _shown(address: str) -> str:
    """The address as the peer sent it, unless Postfix could not pass it on."""
    if address and len(address) <= SHOWN_CHARACTERS and address.isascii() and address.isprintable():
        return address
    return "this address"


def _owns(login: str, owners: tuple[str, ...]) -> bool:
    """Is the login one of these, in the directory's spelling? What is no address owns nothing."""
    if login in owners:
        return True
    try:
        return fold(login) in owners
    except BadAddress:
        return False
