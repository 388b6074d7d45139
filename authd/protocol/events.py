"""What the server side of the *auth client* protocol has understood; Broken and Cancelled serve all formats."""

from __future__ import annotations

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Context:
    """What the client says about the session. Believed only as far as its listener allows."""

    service: str
    """`service=` of Postfix and Dovecot 2.3, `protocol=` of Dovecot 2.4's login processes; may be empty."""
    rip: str = ""
    """Address of the user."""
    real_rip: str = ""
    """Address of a proxy in front, where the client tells them apart."""
    session: str = ""
    secured: bool = False
    nologin: bool = False
    """No REQUEST will follow on the master socket, so the answer need not be remembered."""
    observed: str = ""
    """`yes` or `no`: what somebody else has decided already; ours (outrider-auth.lua), not Dovecot's."""

    @classmethod
    def of(cls, named: dict[str, str]) -> Context:
        """Unknown parameters are ignored (the protocol's rule), missing ones are empty."""
        return cls(
            service=named.get("service") or named.get("protocol", ""),
            rip=named.get("rip", ""),
            real_rip=named.get("real_rip", ""),
            session=named.get("session", ""),
            secured="secured" in named,
            nologin="nologin" in named,
            observed=named.get("observed", ""),
        )


@dataclass(frozen=True, slots=True)
class Greeted:
    """The client's VERSION and CPID have arrived."""

    minor: int
    cpid: int


@dataclass(frozen=True, slots=True)
class Credentials:
    """One login to judge. Answer it with succeed, fail or later."""

    id: int
    user: str
    password: str = field(repr=False)
    context: Context


@dataclass(frozen=True, slots=True)
class Cancelled:
    """The client does not wait for this id any more; an answer to it is dropped."""

    id: int


@dataclass(frozen=True, slots=True)
class Broken:
    """The peer broke the protocol and `closing` is set. The text is for our log and quotes nothing."""

    text: str
