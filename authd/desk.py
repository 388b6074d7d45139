"""Who answers a question of the admin socket, and how trouble is said there. Never raises."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Protocol

from outrider.addresses import BadAddress
from outrider.db import DatabaseDown
from outrider.people import Refused
from outrider.sealed import KeyTrouble

logger = logging.getLogger(__name__)

Answer = dict[str, Any]
Doing = Callable[[dict[str, Any]], Awaitable[Answer]]


class Answers(Protocol):
    """Somebody who answers questions, and says trouble as the desk does."""

    async def answer(self, do: str, named: dict[str, Any]) -> Answer: ...


class Desk:
    """`doings` are questions by name; the others are `otherwise`'s."""

    def __init__(self, doings: Mapping[str, Doing], otherwise: Answers) -> None:
        self._doings, self._otherwise = doings, otherwise

    async def answer(self, do: str, named: dict[str, Any]) -> Answer:
        """What was done, or {"error": …} (the answer is no), or {"later": …}."""
        doing = self._doings.get(do)
        if doing is None:
            return await self._otherwise.answer(do, named)
        try:
            return await doing(named)
        except (Refused, BadAddress) as error:
            return {"error": str(error)}
        except (DatabaseDown, KeyTrouble) as error:
            return {"later": str(error)}
        except Exception:
            logger.error("question failed unexpectedly", exc_info=True)
            return {"later": "internal"}
