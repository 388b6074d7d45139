"""Runs inside the host with Outrider's own Python: how many password hashes a second all its cores can check.

    python bare_hash.py SECONDS

One thread per core, nothing but the check. Prints the rate.
"""

import os
import sys
import threading
import time

from outrider.passwords import hash_password, verify

PASSWORD = "correct horse battery staple"  # noqa: S105 - nobody's


def main() -> None:
    stored, seconds = hash_password(PASSWORD), float(sys.argv[1])
    counts = [0] * (os.cpu_count() or 1)
    begun = time.perf_counter()

    def work(number: int) -> None:
        while time.perf_counter() - begun < seconds:
            verify(stored, PASSWORD)
            counts[number] += 1

    threads = [threading.Thread(target=work, args=(number,)) for number in range(len(counts))]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    print(sum(counts) / (time.perf_counter() - begun))


if __name__ == "__main__":
    main()
