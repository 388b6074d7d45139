"""Many mail programs at once: a list of jobs of demo/client.py on standard input, a list of what they came to out.

Run as a script inside the client's network. Each conversation has a process of its own, forked from this one.

Input    {"parallel": how many at once, "together": true if they wait for each other before they start, "jobs": [job…]}
Output   what demo.client prints, for each job in their order
"""

import json
import multiprocessing
import sys
from pathlib import Path
from typing import Any

sys.path.append(str(Path(__file__).resolve().parents[2]))

from demo.client import converse

START_SECONDS = 30.0  # forks take milliseconds; only a watchdog


def alone(job: dict[str, Any]) -> dict[str, Any]:
    """One conversation in a process of its own."""
    if start is not None:
        start.wait(START_SECONDS)
    return converse(job)


def main() -> None:
    global start
    order = json.load(sys.stdin)
    jobs, parallel = order["jobs"], order["parallel"]
    fork = multiprocessing.get_context("fork")
    if order["together"]:
        parallel, start = len(jobs), fork.Barrier(len(jobs))
    with fork.Pool(min(parallel, len(jobs)), maxtasksperchild=1) as pool:
        results = pool.map(alone, jobs, chunksize=1)
    json.dump(results, sys.stdout)  # after the pool's end: it forks, and a child would print what is buffered again


start: Any = None

if __name__ == "__main__":
    main()
