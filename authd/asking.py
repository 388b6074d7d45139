"""How a command asks the running authd, which alone holds the key."""

from __future__ import annotations

from typing import Any

from authd.settings import AuthdSettings
from outrider.cli import Context, UsageError


async def ask(context: Context, do: str, **named: Any) -> dict[str, Any]:
    """One question to the listener that speaks auth-admin."""
    listeners = context.configuration.section("authd", AuthdSettings).listeners
    path = next((one.path for one in listeners if one.protocol == "auth-admin"), None)
    if path is None:
        raise UsageError(f"{context.configuration.path}: [authd] listeners: none speaks auth-admin")
    return await context.ask(path, {"do": do, **named})
