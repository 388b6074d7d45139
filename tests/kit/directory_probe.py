"""Runs inside a host, by the program's own Python: asks a directory what standard input says, as JSON.

Input    [{"settings": {…[directory]…}, "password": …, "asks": [[question, argument…]…]}…]
Output   [[answer…]…]; an answer is {"said": …} or {"down": text}

Questions: find ADDRESS, by_key KEY, people, catch_all DOMAIN, has_domain DOMAIN, fits ADDRESS SECRET, nobody SECRET.
"""

import asyncio
import json
import sys
from typing import Any

from outrider.db import DatabaseDown
from outrider.directories import open_source
from outrider.directories.settings import DirectorySettings
from outrider.directories.source import Source, SourcePerson
from outrider.directory import Stored
from outrider.passwords import verify


def shown(person: SourcePerson | None) -> dict[str, Any] | None:
    if person is None:
        return None
    return {"key": person.key, "address": person.address, "enabled": person.enabled, "language": person.language,
            "quota": person.quota}  # fmt: skip


async def checked(stored: Stored | None, secret: str) -> bool | None:
    if stored is None:
        return None
    return verify(stored, secret) if isinstance(stored, str) else await stored.fits(secret)


async def answer(source: Source, question: str, *words: str) -> Any:
    match question:
        case "find" | "by_key" | "catch_all":
            return shown(await getattr(source, question)(*words))
        case "people":
            return sorted(one.address for one in await source.people())
        case "has_domain":
            return await source.has_domain(*words)
        case "nobody":
            return await checked(source.nobody(), *words)
        case "fits":
            person = await source.find(words[0])
            return await checked(person.stored, words[1]) if person is not None else None
    raise ValueError(question)


async def all_answers(job: dict[str, Any]) -> list[dict[str, Any]]:
    source = open_source(DirectorySettings(**job["settings"]), job["password"])
    answers: list[dict[str, Any]] = []
    for ask in job["asks"]:
        try:
            answers.append({"said": await answer(source, *ask)})
        except DatabaseDown as down:
            answers.append({"down": str(down)})
    await source.close()
    return answers


if __name__ == "__main__":
    print(json.dumps([asyncio.run(all_answers(job)) for job in json.load(sys.stdin)]))
