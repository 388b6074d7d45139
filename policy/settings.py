"""The section [policy] of the configuration file."""

from dataclasses import dataclass

from outrider.listeners import Listener
from outrider.settings import setting

DAYS_MOST = 3650  # ten years: a longer life is a permanent alias by another name

LISTENERS = (
    Listener("delegation", path="/var/spool/postfix/outrider/policy", owner="postfix", group="postfix"),
    Listener("socketmap", path="/var/spool/postfix/outrider/socketmap", owner="postfix", group="postfix"),
    Listener("admin", address="127.0.0.1:9312"),
)


@dataclass(frozen=True)
class PolicySettings:
    """What the policy daemon listens on and how long disposable addresses live."""

    listeners: tuple[Listener, ...] = setting(
        LISTENERS, help="Sockets; protocols are `delegation`, `socketmap` and `admin`."
    )
    disposable_days: int = setting(30, help="Days that a disposable address receives mail, 1 to 3650.")

    def __post_init__(self) -> None:
        if not 1 <= self.disposable_days <= DAYS_MOST:
            raise ValueError(f"disposable_days: expected 1 to {DAYS_MOST}, found {self.disposable_days}")
