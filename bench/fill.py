"""Runs inside the host with Outrider's own Python: makes accounts and prints their logins.

    python fill.py NAME COUNT app | password

`app`: level 3 is left to the token that nobody has, so the account is at level 0 with an app password for imap.
`password`: each has a password and a hash of its own. Prints a JSON list of [address, secret].
"""

import json
import secrets
import sqlite3
import sys
import time
from concurrent.futures import ThreadPoolExecutor

from authd.methods import app_password
from outrider.passwords import hash_password

DATABASE = "/var/lib/outrider/outrider.db"
USER = "INSERT INTO directory_user (address, password, enabled, language, quota, created) VALUES (?, ?, 1, 'en', 0, ?)"
ACCOUNT = "INSERT INTO account (directory, source_key, opaque) VALUES ('sql', ?, ?)"
APP = (
    "INSERT INTO app_password (account_id, prefix, digest, scopes, label, created)"
    " VALUES (?, ?, ?, 'imap pop3 smtp sieve', 'bench', ?)"
)


def main() -> None:
    name, count, kind = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    now = int(time.time())
    passwords = [secrets.token_urlsafe(12) for _ in range(count)]
    with ThreadPoolExecutor() as pool:
        hashes = list(pool.map(hash_password, passwords)) if kind == "password" else [hash_password("unused")] * count
    logins = []
    with sqlite3.connect(DATABASE, timeout=30) as database:
        for number, (password, stored) in enumerate(zip(passwords, hashes, strict=True)):
            address = f"{name}{number}@provider.example"
            key = database.execute(USER, (address, stored, now)).lastrowid
            account = database.execute(ACCOUNT, (str(key), secrets.token_hex(12))).lastrowid
            secret = password
            if kind == "app":
                secret = app_password.new(secrets.token_bytes)
                prefix = app_password.prefix(secret)
                database.execute(APP, (account, prefix, app_password.digest(secret), now))
            logins.append((address, secret))
    json.dump(logins, sys.stdout)


if __name__ == "__main__":
    main()
