"""Where things lie: the checkout, the cache outside it, and the Debian mirror that this machine itself uses."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from demo.commands import call

Release = Literal["12", "13"]
RELEASES: tuple[Release, ...] = ("12", "13")
SUITES: dict[Release, str] = {"12": "bookworm", "13": "trixie"}
CHECKOUT = Path(__file__).resolve().parent.parent


def release_named(text: str) -> Release:
    """'12' or '13' as a Release; ValueError for anything else."""
    match text:
        case "12" | "13":
            return text
        case _:
            raise ValueError(f"release must be 12 or 13, not {text!r}")


def cache() -> Path:
    """The cache folder, made if missing: $OUTRIDER_CACHE, else $XDG_CACHE_HOME/outrider, else ~/.cache/outrider."""
    named = os.environ.get("OUTRIDER_CACHE")
    base = os.environ.get("XDG_CACHE_HOME") or str(Path.home() / ".cache")
    folder = Path(named) if named else Path(base) / "outrider"
    folder.mkdir(parents=True, exist_ok=True)
    return folder.resolve()


@dataclass(frozen=True)
class Mirror:
    """Sites of the Debian archive; `security` is None where the machine has no security source."""

    main: str
    security: str | None

    def sources(self, suite: str) -> list[str]:
        """Lines of a sources.list for `suite`."""
        lines = [f"deb {self.main} {suite} main", f"deb {self.main} {suite}-updates main"]
        return lines if self.security is None else [*lines, f"deb {self.security} {suite}-security main"]


def mirror() -> Mirror:
    """The mirror of the machine's own apt sources; OUTRIDER_MIRROR='MAIN [SECURITY]' overrides it.

    apt itself is asked (apt-get indextargets), so every way to write a source is understood.
    """
    named = os.environ.get("OUTRIDER_MIRROR", "").split()
    if named:
        return Mirror(named[0], named[1] if len(named) > 1 else None)
    form = "$(ORIGIN)|$(SITE)|$(RELEASE)|$(COMPONENT)"
    rows = [line.split("|") for line in call(["apt-get", "indextargets", "--format", form]).stdout.splitlines()]
    debian = [(site, suite) for origin, site, suite, component in rows if (origin, component) == ("Debian", "main")]
    main = [site for site, suite in debian if "-" not in suite.removeprefix("old")]
    security = [site for site, suite in debian if suite.endswith("-security")]
    if not main:
        raise LookupError("apt knows no Debian archive: run apt-get update, or set OUTRIDER_MIRROR='MAIN [SECURITY]'")
    return Mirror(main[0].rstrip("/"), security[0].rstrip("/") if security else None)


def apt_proxy_options() -> list[str]:
    """The machine's apt proxy settings as lines of an apt.conf, so that a root is filled the same way."""
    lines = call(["apt-config", "dump"]).stdout.splitlines()
    return [line for line in lines if line.startswith(("Acquire::http::Proxy", "Acquire::https::Proxy"))]
