"""Templates rendered as any Jinja2 renders them: a name that nobody sets is an error, filters are the stock ones."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml
from jinja2 import Environment, FileSystemLoader, StrictUndefined

CHECKOUT = Path(__file__).resolve().parents[3]
ROLES = CHECKOUT / "ansible" / "roles"
FOLDERS = (ROLES / "outrider" / "templates", CHECKOUT)
DAEMONS = ("authd", "policy", "hkpd")

Render = Callable[..., str]


def defaults(role: str) -> dict[str, Any]:
    """A role's defaults as they stand in the file, expressions included."""
    found: dict[str, Any] = yaml.safe_load((ROLES / role / "defaults" / "main.yml").read_text())
    return found


def variables() -> dict[str, Any]:
    """A host's variables: the defaults of every role, and what an operator has to say."""
    merged: dict[str, Any] = {}
    for role in ("outrider", "postfix", "dovecot", "sieve", *DAEMONS):
        merged |= defaults(role)
    merged |= {"outrider_domain": "provider.example", "outrider_hostname": "mail.provider.example"}
    merged["outrider_shared_credentials"] = []
    for part in ("listeners", "settings", "wired"):
        empty: Any = [] if part == "listeners" else {}
        merged[f"outrider_{part}_of"] = {name: merged.get(f"{name}_{part}", empty) for name in DAEMONS}
    return merged


@pytest.fixture(scope="session")
def render() -> Render:
    """Render a template with a host's variables, some of them replaced."""
    environment = Environment(  # noqa: S701 - no HTML here
        loader=FileSystemLoader(FOLDERS), undefined=StrictUndefined, trim_blocks=True, keep_trailing_newline=True
    )

    def rendered(template: str, **changes: Any) -> str:
        return environment.get_template(template).render(variables() | changes)

    return rendered
